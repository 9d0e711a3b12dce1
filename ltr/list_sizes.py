"""Padded sizes of lists: a grid of them, and the cuts whose epoch costs least."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ltr.queries import FloatArray, IntArray

MAX_BATCH_ROWS = 2**18
_MAX_CUTS = 1024
_GRID_STEPS = 8  # in an octave
# An epoch that is not small costs at most this much more than its real items.
_MAX_PADDING, _SMALL_EPOCH = 1.4, 2**17

ListCost = Callable[[IntArray], FloatArray]


class Skipping(NamedTuple):
    """What a step gains that does not compute padding, in the unit of a list's cost.

    Attributes
    ----------
    saved_per_padding : float
        Saved for each padded position.
    paid_per_item : float
        Added for each real item.
    """

    saved_per_padding: float = 0.0
    paid_per_item: float = 0.0

    def saved(self, padding: ArrayLike, items: ArrayLike) -> FloatArray:
        """What mini-batches gain by it, at least 0: they can be computed in full."""
        saved = self.saved_per_padding * np.asarray(padding)
        return np.maximum(saved - self.paid_per_item * np.asarray(items), 0.0)


NO_SKIPPING = Skipping()


def round_up(sizes: IntArray, steps: int = _GRID_STEPS) -> IntArray:
    """Smallest size of the grid that is not below each size.

    The grid has eight sizes in an octave, all whole numbers up to 16, then 18, 20, 22,
    …, 32, 36, 40, …: padding to it adds at most an eighth. Sizes up to 16 stay as they
    are on a coarser grid, too: the work of a loss that sums over all orders of a list
    grows exponentially with them.

    Parameters
    ----------
    sizes : int array
        At least 1.
    steps : int, default=8
        Sizes in an octave above 16, a power of two.

    Returns
    -------
    grid_sizes : int array of the same shape

    Examples
    --------
    >>> round_up(np.array([1, 7, 17, 100, 101, 1000])).tolist()
    [1, 7, 18, 104, 104, 1024]
    >>> round_up(np.array([1, 7, 17, 100, 101, 1000]), 1).tolist()
    [1, 7, 32, 128, 128, 1024]
    """
    exponents = np.frexp(np.maximum(sizes, 2) - 1)[1]  # 2^(e − 1) < size ≤ 2^e
    distance = np.where(exponents > 4, 2**exponents // (2 * steps), 1)
    return np.asarray(-(-sizes // distance) * distance)


def batch_sizes(widths: IntArray, batch_size: int) -> IntArray:
    """Lists in a batch of each width, at most ``batch_size``."""
    return np.clip(MAX_BATCH_ROWS // np.maximum(widths, 1), 1, batch_size)


class Stretch(NamedTuple):
    """Lists that are padded to one size, of those in descending order of their size.

    Attributes
    ----------
    begin, end : int
        The first of them, and the first after them.
    width : int
        Padded size.
    room : int
        Lists that have a place, at least as many as there are.
    """

    begin: int
    end: int
    width: int
    room: int

    @classmethod
    def between(
        cls, cuts: IntArray, widths: IntArray, rooms: ArrayLike
    ) -> list[Stretch]:
        """Stretches between consecutive cuts, with their padded sizes and rooms."""
        rooms = np.broadcast_to(rooms, widths.shape)
        columns = (column.tolist() for column in (cuts[:-1], cuts[1:], widths, rooms))
        return [cls(*row) for row in zip(*columns, strict=True)]


def cheapest_stretches(
    sizes: IntArray,
    batch_size: int,
    max_list_sizes: int,
    list_cost: ListCost,
    list_size_cost: float,
    skipping: Skipping,
) -> list[Stretch]:
    """Stretches of the descending ``sizes`` whose epoch costs least.

    Their sizes are of the grid with eight in an octave, or with one, if compiling a
    step takes longer than an epoch.

    Parameters
    ----------
    sizes : int array of shape (n_lists,)
        At least 1, in descending order.
    batch_size, max_list_sizes, list_cost, list_size_cost, skipping
        As for :func:`ltr.lists.pack`.

    Returns
    -------
    stretches : list of Stretch
        At most ``max_list_sizes``.

    Examples
    --------
    >>> costs = np.asarray, 0.0, NO_SKIPPING
    >>> for stretch in cheapest_stretches(np.array([90, 17, 17, 17]), 2, 2, *costs):
    ...     print(stretch)
    Stretch(begin=0, end=1, width=96, room=1)
    Stretch(begin=1, end=4, width=18, room=3)
    """
    coarse = list_cost(round_up(sizes, 1))
    steps = 1 if coarse.sum() < list_size_cost else _GRID_STEPS
    cuts = _best_cuts(
        sizes, batch_size, max_list_sizes, list_cost, list_size_cost, skipping, steps
    )
    widths, rooms = round_up(np.array([sizes[cuts[:-1]], np.diff(cuts)]), steps)
    return Stretch.between(cuts, widths, rooms)


def _best_cuts(
    sizes: IntArray,
    batch_size: int,
    max_list_sizes: int,
    list_cost: ListCost,
    list_size_cost: float,
    skipping: Skipping,
    steps: int,
) -> IntArray:
    """Cut positions in the descending ``sizes`` whose epoch costs least.

    Stretch ``[i, j)`` costs that of a list of ``sizes[i]``, rounded up to the grid,
    times its number of lists, rounded up to whole batches, less what skipping its
    padding saves. With V[c, j] the least cost of the first j lists in c stretches,
    V[c, j] = min over i < j of V[c − 1, i] + cost[i, j], and the answer is
    min over c of V[c, n] + c · ``list_size_cost``. Few epochs can make one stretch the
    cheapest although a single long list then pads all others; an epoch that is not
    small is cut until padding adds at most two fifths, on a coarse grid to the sizes of
    the grid, whether it is skipped or not: the cuts are the same on every device.
    """
    n_lists = len(sizes)
    if n_lists == 0:
        return np.zeros(1, dtype=np.intp)
    n_before = np.concatenate([[0], np.cumsum(sizes)])

    def costs(begins: IntArray, ends: IntArray) -> tuple[FloatArray, FloatArray]:
        """Padded cost of the stretches (i, j) between two cuts, and their cost."""
        widths = round_up(sizes[begins], steps)
        counts = ends[None, :] - begins[:, None]
        per_batch = np.minimum(counts, batch_sizes(widths, batch_size)[:, None])
        rounded = -(-counts // np.maximum(per_batch, 1)) * per_batch
        padded_cost = np.where(counts > 0, list_cost(widths)[:, None] * rounded, np.inf)
        items = n_before[ends][None, :] - n_before[begins][:, None]
        padding = widths[:, None] * rounded - items
        return padded_cost, padded_cost - skipping.saved(padding, items)

    all_lists = np.array([0, n_lists])
    ((padded_whole,),), ((whole,),) = costs(all_lists[:1], all_lists[1:])
    if whole <= list_size_cost and padded_whole <= _SMALL_EPOCH:
        return all_lists  # two stretches cost 2 · list_size_cost at least
    cuts = _cut_candidates(n_lists, batch_size)
    padded_cost, cost = costs(cuts[:-1], cuts[1:])

    n_cuts = len(cuts)
    n_stretches = min(max_list_sizes, n_cuts - 1)
    value = np.full((n_stretches + 1, n_cuts), np.inf)
    value[0, 0] = 0.0
    previous_cut = np.zeros((n_stretches + 1, n_cuts), dtype=np.intp)
    for c in range(1, n_stretches + 1):
        total = value[c - 1, :-1, None] + cost
        previous_cut[c, 1:] = total.argmin(axis=0)
        value[c, 1:] = total.min(axis=0)

    paths = [_path(previous_cut, c) for c in range(1, n_stretches + 1)]
    padded = np.array(
        [sum(padded_cost[i, j - 1] for i, j in pairwise(p)) for p in paths]
    )
    price = value[1:, -1] + list_size_cost * np.arange(1, n_stretches + 1)
    least = sizes if steps == _GRID_STEPS else round_up(sizes, steps)
    most = max(_SMALL_EPOCH, _MAX_PADDING * float(list_cost(least).sum()))
    price[padded > max(most, padded.min())] = np.inf
    return cuts[paths[int(price.argmin())]]


def _path(previous_cut: IntArray, n_stretches: int) -> list[int]:
    """Places of the cuts of the cheapest stretches, in ascending order."""
    path = [previous_cut.shape[1] - 1]
    for c in range(n_stretches, 0, -1):
        path.append(int(previous_cut[c, path[-1]]))
    return path[::-1]


def _cut_candidates(n_lists: int, batch_size: int) -> IntArray:
    """Every position if lists are few; else the first ones, and whole batches."""
    if n_lists <= _MAX_CUTS:
        return np.arange(n_lists + 1)
    batch_size = min(batch_size, n_lists)
    step = batch_size * max(1, -(-n_lists // (batch_size * _MAX_CUTS)))
    n_largest = min(2 * batch_size, _MAX_CUTS)  # to separate a few very long lists
    whole_batches = np.arange(0, n_lists, step)
    return np.unique(np.concatenate([np.arange(n_largest), whole_batches, [n_lists]]))
