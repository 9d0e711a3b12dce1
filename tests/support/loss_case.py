"""What a row of the loss registry says: a slow reference and the laws that hold."""

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import ltr.losses
from ltr.losses import loss_info


@dataclass(frozen=True)
class LossCase:
    """A loss and its laws.

    What the loss declares is read from its info; a row repeats only what its options
    change.

    Attributes
    ----------
    name : str
        Name of the function without ``_loss``.
    reference : callable
        (scores, labels, weights, **extras) of one list without padding → value, by
        loops.
    options : dict
        Keyword arguments of the loss.
    shift, convex, repeats, smooth : bool or None
        Laws; None: as declared (``shift_invariant``, …).
    bounds : tuple of float or None
        Range of the value; None: as declared.
    zero_on_equal_labels : bool or None
        A list without two distinct labels has loss 0. None: as ``learns_from`` says.
    extras : tuple of str or None
        Further inputs of the loss: ``teacher_scores``, ``reference_scores``,
        ``position``. None: those that it requires.
    zero_on_one_item : bool
        A list of a single item has loss 0.
    pair : callable or None
        Value for two items with labels (1, 0) as a function of the margin.
    draws : bool
        The value depends on a key, so the laws hold for a fixed order of items only.
    """

    name: str
    reference: Callable[..., float]
    options: tuple[tuple[str, Any], ...] = ()
    shift: bool | None = None
    convex: bool | None = None
    repeats: bool | None = None
    smooth: bool | None = None
    bounds: tuple[float, float] | None = None
    zero_on_equal_labels: bool | None = None
    extras: tuple[str, ...] | None = None
    zero_on_one_item: bool = True
    pair: Callable[[float], float] | None = None
    draws: bool = False

    def __post_init__(self) -> None:
        info = loss_info(self.function)
        declared = {
            "shift": info.shift_invariant,
            "convex": info.convex,
            "repeats": info.repeats,
            "smooth": info.smooth,
            "bounds": info.bounds,
            "zero_on_equal_labels": info.learns_from == "two_labels",
            "extras": info.required_extras,
        }
        for name, value in declared.items():
            if getattr(self, name) is None:
                object.__setattr__(self, name, value)

    @property
    def id(self) -> str:
        """Name with options, for pytest."""
        return "-".join([self.name, *(f"{k}={v}" for k, v in self.options)])

    @property
    def function(self) -> Callable[..., Any]:
        """The loss itself."""
        return getattr(ltr.losses, f"{self.name}_loss")

    def loss(self, *args: Any, **kwargs: Any) -> Any:
        """The loss with its options; a key is passed if it takes one."""
        arguments = loss_info(self.function).arguments(**kwargs)
        return self.function(*args, **dict(self.options), **arguments)


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
    return [float(np.mean(discounts)) for discounts in possible_discounts(values, k)]


def possible_discounts(
    values: np.ndarray, k: int | None = None, by_rank: Any = None
) -> list[list[float]]:
    """Discounts of the ranks that the group of equal values around each item has."""
    by_rank = by_rank or (lambda rank: 1 / math.log2(1 + rank))
    ranks = range(1, len(values) + 1)
    discount = [by_rank(r) if k is None or r <= k else 0.0 for r in ranks]
    result = []
    for v in values:
        above, same = int((values > v).sum()), int((values == v).sum())
        result.append(discount[above : above + same])
    return result


def discount_change(
    values: np.ndarray, k: int | None = None, by_rank: Any = None
) -> np.ndarray:
    """Mean of |D_i − D_j| over all orders of the items with equal values, (n, n)."""
    discounts = possible_discounts(values, k, by_rank)
    change = np.zeros((len(values), len(values)))
    for i, j in itertools.permutations(range(len(values)), 2):
        if values[i] == values[j]:
            places = itertools.permutations(discounts[i], 2)
        else:
            places = itertools.product(discounts[i], discounts[j])
        change[i, j] = np.mean([abs(a - b) for a, b in places])
    return change
