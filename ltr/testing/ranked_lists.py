"""Padded lists that hypothesis draws: ties, gaps, weights, and what fills the gaps."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from ltr.testing.laws import Strategy, text

SIZE = 6  # every drawn list is padded to this, so that JAX compiles once
GRID = np.array([0.0, -1.0, 0.5, 2.0])  # scores from here tie often
# No two differ by less than 1e-3, and no sum with a multiple of 1/4 is near another
# multiple: scores are off the kinks of hinges and of absolute values.
JITTER = np.array([0.0013, 0.0037, 0.0061, 0.0098, 0.0149, 0.0213])


class RankedList(NamedTuple):
    """A padded list; items where ``where`` is False are not there.

    Attributes
    ----------
    scores, labels, weights : float arrays of shape (n,)
        Score, label and weight of each item.
    where : bool array of shape (n,)
        True for real items.
    other : float array of shape (n,)
        Scores of a teacher or of a reference model.
    position : float array of shape (n,)
        Position at which the item was shown, from 1.
    """

    scores: NDArray[Any]
    labels: NDArray[Any]
    where: NDArray[Any]
    weights: NDArray[Any]
    other: NDArray[Any]
    position: NDArray[Any]

    def extras(self, names: Iterable[str]) -> dict[str, NDArray[Any]]:
        """Inputs of a loss besides labels and weights, by name."""
        return {
            name: self.position if name == "position" else self.other for name in names
        }

    def real(self) -> RankedList:
        """The list without padding."""
        return self.keep(self.where)

    def permute(self, order: Iterable[int]) -> RankedList:
        """The list in another order of the rows."""
        return self.keep(np.asarray(order))

    def pad(self, size: int = SIZE) -> RankedList:
        """The list with masked items at its end."""
        missing = size - len(self.scores)
        return RankedList(*(np.pad(column, (0, missing)) for column in self))

    def keep(self, slots: NDArray[Any]) -> RankedList:
        """Some of the slots."""
        return RankedList(*(column[slots] for column in self))

    def lines(self, extras: Iterable[str]) -> list[str]:
        """Lines of Python that build the list."""
        lines = [f"scores = {text(self.scores)}", f"labels = {text(self.labels)}"]
        if not self.where.all():
            lines.append(f"where = {text(self.where)}")
        if (self.weights != 1).any():
            lines.append(f"weights = {text(self.weights)}")
        inputs = self.extras(extras).items()
        return lines + [f"{name} = {text(values)}" for name, values in inputs]


def digits(number: int, base: int, size: int = SIZE) -> NDArray[np.float64]:
    """Digits of one drawn integer, which is faster than drawing each of them."""
    return np.array([number // base**i % base for i in range(size)], np.float64)


def scores(ties: bool = True) -> Strategy:
    """Scores: some from a small grid, so that they tie, some free."""
    free = st.floats(-4, 4, allow_subnormal=False).map(lambda x: round(x, 6))
    return st.one_of(st.sampled_from(GRID.tolist()), free) if ties else free


@st.composite
def ranked_lists(
    draw: Any,
    ties: bool = True,
    min_size: int = 0,
    weights: int = 3,
    grid: tuple[float, ...] = (),
) -> RankedList:
    """A list of 0 to SIZE items in SIZE slots, gaps anywhere.

    Parameters
    ----------
    draw : callable
        From hypothesis.
    ties : bool, default=True
        Whether scores may tie. If not, they differ by 1e-3 at least, and their
        differences are off the multiples of 1/4.
    min_size : int, default=0
        Minimum number of items.
    weights : int, default=3
        Weights are whole numbers from 1 to this.
    grid : tuple of float, default=()
        The only scores there are. Empty: see ``ties``.
    """
    mask = draw(
        st.integers(0, 2**SIZE - 1).filter(lambda mask: mask.bit_count() >= min_size)
    )
    if grid:
        base = len(grid)
        values = np.array(grid)[
            digits(draw(st.integers(0, base**SIZE - 1)), base).astype(int)
        ]
    elif ties:
        values = np.array(draw(st.lists(scores(), min_size=SIZE, max_size=SIZE)))
    else:
        values = digits(draw(st.integers(0, 33**SIZE - 1)), 33)
        values = np.where(values % 2 == 0, values, -values - 1) / 8  # 0, −1/4, 1/4, …
        values = (values + JITTER).round(6)
    return RankedList(
        values.astype(np.float64),
        digits(draw(st.integers(0, 4**SIZE - 1)), 4),
        digits(mask, 2).astype(bool),
        digits(draw(st.integers(0, weights**SIZE - 1)), weights) + 1.0,
        GRID[digits(draw(st.integers(0, 4**SIZE - 1)), 4).astype(int)],
        digits(draw(st.integers(0, 9**SIZE - 1)), 9) + 1.0,
    )


def orders() -> Strategy:
    """Orders of the SIZE slots."""
    return st.permutations(range(SIZE))
