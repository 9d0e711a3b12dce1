"""Linear orderings: the best order by the gain of each pair.

Maximize the sum of ``matrix[i, j]`` over all pairs with i before j; only
``matrix - matrix.T`` matters to the order. It gives the consensus of many votes
(:func:`ltr.solvers.kemeny`), decodes pairwise preferences, and triangulates
input-output tables. For scores of *neighbors* use ``solve_path``; given pairwise
preferences, a maximum-weight path is a poor ranking.
"""

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Literal

from numpy.typing import ArrayLike

from ltr.solvers.core.batches import solve_batch
from ltr.solvers.core.constraints import OrderConstraint
from ltr.solvers.core.inputs import check_method, check_random_state
from ltr.solvers.core.lists import ItemList, check_list, check_lists, jobs_of
from ltr.solvers.core.observation import Callback, observed
from ltr.solvers.core.solution import Solution
from ltr.solvers.orderings.portfolio import solve_list, solve_lists
from ltr.solvers.orderings.subset_dp import (
    DP_ITEMS,
    LANES,
    MAX_DP_ITEMS,
    MAX_LANES,
)

METHODS = ("auto", "dp", "branch_and_cut", "cp_sat", "local_search")
_RENAMED = {"cutting_planes": "branch_and_cut"}


def solve_ordering(
    matrix: ArrayLike,
    *,
    constraints: Iterable[OrderConstraint] = (),
    sense: Literal["max", "min"] = "max",
    method: str = "auto",
    time_limit_s: float | None = None,
    work_limit: float | None = None,
    random_state: int | None = None,
    callback: Callback | None = None,
    verbose: int = 0,
) -> Solution:
    """Find the order with the greatest sum of gains over all pairs.

    The objective is the sum of ``matrix[i, j]`` over all i before j (the linear
    ordering problem; Martí and Reinelt, 2011, "The Linear Ordering Problem", eq. 1.1).

    Parameters
    ----------
    matrix : array-like of shape (n, n)
        Entry [i, j] is the gain if i precedes j; -inf forbids it. The diagonal is not
        read.
    constraints : iterable of constraints, default=()
        What the order must keep: ``Precedence``, ``FixedPosition``, ``Window``,
        ``Together``.
    sense : {"max", "min"}, default="max"
        "min": entries are costs, inf forbids one, and the sum is minimized; ``bound``
        is then a lower bound.
    method : str, default="auto"
        ``"auto"`` splits the items into strong components, which can be ordered
        independently, and solves those of up to 12 items by ``"dp"``, larger ones by
        ``"branch_and_cut"``, and those of more than 300 items by ``"local_search"``.
        ``"dp"``: dynamic programming over all sets of items, up to 18 items.
        ``"branch_and_cut"``: the linear relaxation with 3-cycle cuts, then branching;
        the local search goes on beside it, from 101 items on for half of the work.
        ``"cp_sat"``: OR-Tools CP-SAT with one boolean per pair, for up to some 40
        items. ``"local_search"``: best insertions from 300 kicks and then, up to the
        limit that is set, a memetic search (Schiavinotto and Stützle, 2004); its bound
        comes from 3-cycles.
    time_limit_s : float, default=None
        Wall-clock seconds. None: no such limit.
    work_limit : float, default=None
        Units of work, about a second each, counted so that the result repeats. None:
        20, or no limit if there is a time limit.
    random_state : int, default=None
        Seed of the search. None: 0.
    callback : callable, default=None
        Called with the best :class:`Solution` so far at each better order or bound, and
        at the end; True ends the solve. The result is the same without it.
    verbose : int, default=0
        1: a line a second at most, on standard error.

    Returns
    -------
    solution : Solution
        Order, objective, upper bound and status; if it is INFEASIBLE, ``conflict`` is a
        smallest set of constraints that clash. Ctrl-C ends the solve with the best
        order so far and ``is_interrupted=True``; a second one raises KeyboardInterrupt.

    Raises
    ------
    ValueError
        If the matrix is not square or has NaN or +inf; if a constraint names an item
        that does not exist; if ``method="dp"`` and there are more than 18 items.

    Examples
    --------
    >>> from ltr.solvers import FixedPosition
    >>> votes = [[0, 4, 2], [1, 0, 4], [3, 1, 0]]
    >>> solution = solve_ordering(votes)
    >>> solution.order, solution.objective, solution.is_optimal
    (array([0, 1, 2]), 10.0, True)
    >>> solve_ordering(votes, constraints=[FixedPosition(2, 0)]).order
    array([2, 0, 1])
    >>> solve_ordering(votes, sense="min").objective
    5.0

    Stop as soon as the gap is below 1 %:

    >>> solve_ordering(votes, callback=lambda best: best.gap < 0.01).gap
    0.0
    """
    item_list = check_list(
        matrix, constraints=constraints, solver="solve_ordering", sense=sense
    )
    method = check_method(method, METHODS, _RENAMED)
    _check_sizes(method, [item_list])
    seed = check_random_state(random_state)
    return observed(
        lambda budget: solve_list(item_list, method, budget, seed),
        time_limit_s=time_limit_s,
        work_limit=work_limit,
        callback=callback,
        verbose=verbose,
    )


def solve_orderings(
    matrices: ArrayLike | Sequence[ArrayLike],
    *,
    where: ArrayLike | Sequence[ArrayLike] | None = None,
    constraints: Iterable[OrderConstraint] = (),
    sense: Literal["max", "min"] = "max",
    method: str = "auto",
    time_limit_s: float | None = None,
    batch_time_limit_s: float | None = None,
    work_limit: float | None = None,
    n_jobs: int | None = None,
    progress: bool = False,
    random_state: int | None = None,
) -> list[Solution]:
    """Solve many lists by :func:`solve_ordering`, several at a time.

    Short lists of equal length share one table. Unless a time limit ends it, each
    solution is that of :func:`solve_ordering`, for any number of threads.

    Parameters
    ----------
    matrices : array-like of shape (b, n, n), or sequence of square array-likes
        As ``matrix`` of :func:`solve_ordering`, one per list.
    where : bool array-like of shape (b, n), or sequence of masks, default=None
        True: a real item; False: padding, which is removed. None: all are real.
    constraints : iterable of constraints, default=()
        What each order must keep, in the item numbers before padding is removed:
        ``Precedence``, ``FixedPosition``, ``Window``, ``Together``; they must not name
        padding of any list.
    sense : {"max", "min"}, default="max"
        "min": entries are costs, and inf forbids one.
    method : str, default="auto"
        As in :func:`solve_ordering`.
    time_limit_s : float, default=None
        Wall-clock seconds for one list.
    batch_time_limit_s : float, default=None
        Wall-clock seconds for all lists; late ones get the time that remains.
    work_limit : float, default=None
        Units of work for one list.
    n_jobs : int, default=None
        Threads, and processes for what is left of a batch once they save more than
        five seconds. None: one per core.
    progress : bool, default=False
        Whether to write the number of solved lists to standard error.
    random_state : int, default=None
        Seed of the search in each list. None: 0.

    Returns
    -------
    solutions : list of Solution
        One per list. Orders contain real items only.

    Raises
    ------
    ValueError, TypeError
        As :func:`solve_ordering`; the message names the list.
    Interrupted
        On Ctrl-C; its ``partial`` has the solutions so far.

    Examples
    --------
    >>> import numpy as np
    >>> matrices = np.zeros((2, 3, 3))
    >>> matrices[0, 2, 0], matrices[1, 1, 0] = 1.0, 1.0
    >>> where = [[True, True, True], [True, True, False]]
    >>> [s.order.tolist() for s in solve_orderings(matrices, where=where)]
    [[2, 0, 1], [1, 0]]
    """
    method = check_method(method, METHODS, _RENAMED)
    lists = check_lists(
        matrices,
        where=where,
        constraints=constraints,
        solver="solve_orderings",
        alone="solve_ordering",
        sense=sense,
    )
    _check_sizes(method, lists)
    seed = check_random_state(random_state)

    def can_share(item_list: ItemList) -> bool:
        is_short = 2 <= item_list.n_items <= DP_ITEMS
        return is_short and method in ("auto", "dp") and not item_list.constraints

    return solve_batch(
        partial(solve_lists, method=method, random_state=seed),
        lists,
        jobs_of(lists, can_share, lambda n: min(MAX_LANES, LANES << (DP_ITEMS - n))),
        time_limit_s=time_limit_s,
        batch_time_limit_s=batch_time_limit_s,
        work_limit=work_limit,
        n_jobs=n_jobs,
        progress=progress,
    )


def _check_sizes(method: str, lists: list[ItemList]) -> None:
    """Raise if a list is too long for the method."""
    largest = max((item_list.n_items for item_list in lists), default=0)
    if method == "dp" and largest > MAX_DP_ITEMS:
        raise ValueError(
            f"method='dp' takes at most {MAX_DP_ITEMS} items; got {largest}. Use "
            "'auto'."
        )
