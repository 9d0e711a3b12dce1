"""One row per loss: a slow, obvious reference, and the laws that hold.

A new loss enters the test suite by adding its row here; the laws in
test_losses_properties.py run over all rows. `python tests/registry.py` prints the table.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ltr.losses import LOSSES


@dataclass(frozen=True)
class LossCase:
    """A loss and its laws.

    Attributes
    ----------
    name : str
        Key of LOSSES.
    reference : callable
        (scores, labels, weights) of one list without padding → value, by loops.
    options : dict
        Keyword arguments of the loss.
    shift : bool
        Adding a constant to all scores changes nothing, so the gradient sums to 0.
    convex : bool
        Convex in the scores.
    bounds : tuple of float
        Range of the value.
    repeats : bool
        Weight k is the item k times.
    zero_on_equal_labels : bool
        A list without two distinct labels has loss 0.
    pair : callable or None
        Value for two items with labels (1, 0) as a function of the margin.
    """

    name: str
    reference: Callable[..., float]
    options: tuple[tuple[str, Any], ...] = ()
    shift: bool = True
    convex: bool = True
    bounds: tuple[float, float] = (0.0, math.inf)
    repeats: bool = True
    zero_on_equal_labels: bool = True
    pair: Callable[[float], float] | None = None

    @property
    def id(self) -> str:
        """Name with options, for pytest."""
        return "-".join([self.name, *(f"{k}={v}" for k, v in self.options)])

    def loss(self, *args: Any, **kwargs: Any) -> Any:
        """The loss with its options."""
        return LOSSES[self.name](*args, **dict(self.options), **kwargs)


def softplus(x: float) -> float:
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))


def pairs(y: np.ndarray) -> list[tuple[int, int]]:
    """Index pairs (better, worse)."""
    n = len(y)
    return [(i, j) for i in range(n) for j in range(n) if y[i] > y[j]]


def log_sum(s: np.ndarray, w: np.ndarray) -> float:
    return math.log(sum(w[j] * math.exp(s[j]) for j in range(len(s))))


def mse(s, y, w):
    return sum(w[i] * (s[i] - y[i]) ** 2 for i in range(len(s)))


def bce(s, y, w):
    y = np.clip(y, 0, 1)
    return sum(w[i] * (softplus(s[i]) - y[i] * s[i]) for i in range(len(s)))


def ranknet(sigma=1.0):
    return lambda s, y, w: sum(
        w[i] * w[j] * softplus(-sigma * (s[i] - s[j])) for i, j in pairs(y)
    )


def hinge(margin=1.0):
    return lambda s, y, w: sum(
        w[i] * w[j] * max(0.0, margin - (s[i] - s[j])) for i, j in pairs(y)
    )


def softmax(s, y, w):
    if len(set(y)) < 2:
        return 0.0
    return -sum(w[i] * y[i] * (s[i] - log_sum(s, w)) for i in range(len(s)))


def listnet(temperature=1.0):
    def value(s, y, w):
        if len(s) == 0:
            return 0.0
        q = np.exp(y / temperature - log_sum(y / temperature, w))
        return -sum(w[i] * q[i] * (s[i] - log_sum(s, w)) for i in range(len(s)))

    return value


def mean_discounts(values: np.ndarray, k: int | None) -> list[float]:
    """Mean of 1 / log2(1 + rank) over the ranks that a group of equal values has."""
    ranks = range(1, len(values) + 1)
    discount = [1 / math.log2(1 + r) if k is None or r <= k else 0.0 for r in ranks]
    result = []
    for v in values:
        above, same = int((values > v).sum()), int((values == v).sum())
        result.append(float(np.mean(discount[above : above + same])))
    return result


def lambdarank(k=None, metric="ndcg"):
    def value(s, y, w):
        gain = 2.0**y - 1
        d = mean_discounts(s, k)
        ideal = float((w * gain) @ mean_discounts(w * gain, k)) if len(y) else 0.0
        if metric == "dcg":
            ideal = 1.0
        if ideal == 0:
            return 0.0
        return sum(
            w[i] * w[j] * abs(gain[i] - gain[j]) * abs(d[i] - d[j]) / ideal
            * softplus(-(s[i] - s[j]))
            for i, j in pairs(y)
        )  # fmt: skip

    return value


def plackett_luce(ties="efron", k=None):
    """Group by group; the last group says nothing."""

    def value(s, y, w):
        total, drawn = 0.0, 0
        for label in sorted(set(y), reverse=True)[:-1]:
            group, rest = y == label, y <= label
            m = int(group.sum())
            all_, mine = np.sum((w * np.exp(s))[rest]), np.sum((w * np.exp(s))[group])
            stages = [1.0 if k is None or drawn + i < k else 0.0 for i in range(m)]
            for i in range(m):
                left = all_ - (i / m) * mine if ties == "efron" else all_
                total += stages[i] * np.mean(w[group]) * math.log(left)
            total -= np.mean(stages) * np.sum((w * s)[group])
            drawn += m
        return float(total)

    return value


def approx_ndcg(temperature=0.1):
    def value(s, y, w):
        if len(set(y)) < 2:
            return 0.0
        n, gain = len(s), 2.0**y - 1
        sigmoid = lambda x: 1 / (1 + math.exp(min(-x, 700.0)))
        ranks = [
            1 + sum(sigmoid((s[j] - s[i]) / temperature) for j in range(n) if j != i)
            for i in range(n)
        ]
        ideal = float((w * gain) @ mean_discounts(w * gain, None))
        if ideal == 0:
            return 0.0
        dcg = sum(w[i] * gain[i] / math.log2(1 + r) for i, r in enumerate(ranks))
        return -dcg / ideal

    return value


def logistic(margin):
    return softplus(-margin)


CASES = [
    LossCase("mse", mse, shift=False, zero_on_equal_labels=False),
    LossCase("bce", bce, shift=False, zero_on_equal_labels=False),
    LossCase("ranknet", ranknet(), pair=logistic),
    LossCase(
        "ranknet",
        ranknet(2.5),
        (("sigma", 2.5),),
        pair=lambda margin: softplus(-2.5 * margin),
    ),
    LossCase("hinge", hinge(), pair=lambda margin: max(0.0, 1.0 - margin)),
    LossCase("hinge", hinge(0.5), (("margin", 0.5),)),
    LossCase(
        "lambdarank",
        lambdarank(),
        convex=False,
        repeats=False,
        pair=lambda margin: (
            (1 - 1 / math.log2(3)) * logistic(margin) if margin else 0.0
        ),
    ),
    LossCase(
        "lambdarank",
        lambdarank(2, "dcg"),
        (("k", 2), ("metric", "dcg")),
        convex=False,
        repeats=False,
    ),
    LossCase("softmax", softmax, pair=logistic),
    LossCase("listnet", listnet(), zero_on_equal_labels=False),
    LossCase(
        "listnet",
        listnet(0.5),
        (("temperature", 0.5),),
        zero_on_equal_labels=False,
    ),
    LossCase(
        "listmle",
        plackett_luce(),
        repeats=False,
        pair=logistic,
    ),
    LossCase(
        "listmle",
        plackett_luce(k=2),
        (("k", 2),),
        repeats=False,
        pair=logistic,
    ),
    LossCase(
        "plackett_luce",
        plackett_luce(),
        repeats=False,
        pair=logistic,
    ),
    LossCase(
        "plackett_luce",
        plackett_luce("breslow"),
        (("ties", "breslow"),),
        pair=logistic,
    ),
    LossCase(
        "approx_ndcg", approx_ndcg(), convex=False, bounds=(-1.0, 0.0), repeats=False
    ),
]

if __name__ == "__main__":
    laws = ("shift", "convex", "repeats", "zero_on_equal_labels")
    print(f"{'loss':28}" + "".join(f"{law:>22}" for law in laws))
    for case in CASES:
        held = "".join(f"{'yes' if getattr(case, law) else '-':>22}" for law in laws)
        print(f"{case.id:28}{held}")
