"""What a row of the loss registry says: a slow reference and the laws that hold."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import ltr.losses


@dataclass(frozen=True)
class LossCase:
    """A loss and its laws.

    Attributes
    ----------
    name : str
        Name of the function without ``_loss``.
    reference : callable
        (scores, labels, weights, **extras) of one list without padding → value, by
        loops.
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
    zero_on_one_item : bool
        A list of a single item has loss 0.
    pair : callable or None
        Value for two items with labels (1, 0) as a function of the margin.
    extras : tuple of str
        Further inputs of the loss: ``teacher_scores``, ``reference_scores``,
        ``position``.
    draws : bool
        The value depends on a key, so the laws hold for a fixed order of items only.
    smooth : bool
        Has a derivative where scores do not tie, so central differences apply.
    """

    name: str
    reference: Callable[..., float]
    options: tuple[tuple[str, Any], ...] = ()
    shift: bool = True
    convex: bool = True
    bounds: tuple[float, float] = (0.0, math.inf)
    repeats: bool = True
    zero_on_equal_labels: bool = True
    zero_on_one_item: bool = True
    pair: Callable[[float], float] | None = None
    extras: tuple[str, ...] = ()
    draws: bool = False
    smooth: bool = True

    @property
    def id(self) -> str:
        """Name with options, for pytest."""
        return "-".join([self.name, *(f"{k}={v}" for k, v in self.options)])

    def loss(self, *args: Any, **kwargs: Any) -> Any:
        """The loss with its options."""
        function = getattr(ltr.losses, f"{self.name}_loss")
        return function(*args, **dict(self.options), **kwargs)


def softplus(x: float) -> float:
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))


def pairs(y: np.ndarray) -> list[tuple[int, int]]:
    """Index pairs (better, worse)."""
    n = len(y)
    return [(i, j) for i in range(n) for j in range(n) if y[i] > y[j]]


def log_sum(s: np.ndarray, w: np.ndarray) -> float:
    return math.log(sum(w[j] * math.exp(s[j]) for j in range(len(s))))


def mean_discounts(values: np.ndarray, k: int | None) -> list[float]:
    """Mean of 1 / log2(1 + rank) over the ranks that a group of equal values has."""
    ranks = range(1, len(values) + 1)
    discount = [1 / math.log2(1 + r) if k is None or r <= k else 0.0 for r in ranks]
    result = []
    for v in values:
        above, same = int((values > v).sum()), int((values == v).sum())
        result.append(float(np.mean(discount[above : above + same])))
    return result
