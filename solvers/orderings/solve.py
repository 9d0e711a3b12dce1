"""Linear orderings: the best order by how much each pair is worth one way round.

Maximise the sum of ``matrix[i, j]`` over all pairs with i before j; only
``matrix - matrix.T`` matters to the order. It is what makes a consensus of many votes
(:func:`ltr.solvers.kemeny`), decodes pairwise preferences, and triangulates
input-output tables. For scores of *neighbours* see ``solve_path``: a path through
preferences is a bad order of them.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from numpy.typing import ArrayLike

from ltr.solvers.core.batches import Interrupted, solve_each
from ltr.solvers.core.budget import Budget
from ltr.solvers.core.inputs import (
    check_limit,
    check_matrix,
    check_method,
    check_random_state,
)
from ltr.solvers.core.solution import Solution
from ltr.solvers.orderings.lists import (
    check_size,
    one_list,
    ordering_lists,
    solve_in_one_table,
    turns,
)

METHODS = ("auto", "dp", "cutting_planes", "cp_sat", "local_search")


def solve_ordering(
    matrix: ArrayLike,
    *,
    constraints: Iterable[Any] = (),
    method: str = "auto",
    time_limit_s: float | None = None,
    work_limit: float | None = None,
    random_state: int | None = None,
) -> Solution:
    """Find the order of greatest worth, summed over all pairs.

    The objective is the sum of ``matrix[i, j]`` over all i that stand before j (the
    linear ordering problem; Martí and Reinelt, 2011, "The Linear Ordering Problem",
    eq. 1.1).

    Parameters
    ----------
    matrix : array-like of shape (n, n)
        Entry [i, j]: what it is worth that i stands anywhere before j. -inf: it must
        not. The diagonal is not read.
    constraints : iterable of Precedence, FixedPosition or Together, default=()
        What the order must keep.
    method : str, default="auto"
        "auto": splits the items where all pairs agree (strong components), then solves
        parts of up to 12 items by "dp", and greater ones by a short search and
        "cutting_planes"; above 300 items by "local_search".
        "dp": a table over all sets of items, exact, up to 18 items.
        "cutting_planes": the linear relaxation with 3-cycle cuts, then branching.
        "cp_sat": OR-Tools' CP-SAT on one boolean per pair, for up to some 40 items.
        "local_search": iterated best insertion, with a bound from 3-cycles.
    time_limit_s : float or None, default=None
        Seconds by the clock. None: no such limit.
    work_limit : float or None, default=None
        Units of work, each about a second; unlike seconds they repeat. None: 20, or no
        limit if there is a time limit.
    random_state : int or None, default=None
        Seed of the search. None: 0, so that results repeat.

    Returns
    -------
    solution : Solution
        With ``order``, ``objective``, ``bound`` and ``status``. INFEASIBLE comes with
        ``conflict``, a smallest set of constraints that clash.

    Raises
    ------
    ValueError
        If the matrix is not square or has NaN or +inf; if a constraint names an item
        that does not exist; if "dp" is asked for more than 18 items.

    Examples
    --------
    >>> from ltr.solvers import FixedPosition
    >>> votes = [[0, 4, 2], [1, 0, 4], [3, 1, 0]]
    >>> solution = solve_ordering(votes)
    >>> solution.order, solution.objective, solution.is_optimal
    (array([0, 1, 2]), 10.0, True)
    >>> solve_ordering(votes, constraints=[FixedPosition(2, 0)]).order
    array([2, 0, 1])
    """
    array = check_matrix(matrix)
    check_method(method, METHODS)
    check_size(len(array), method)
    task = one_list(array, constraints)
    budget = Budget(
        check_limit(time_limit_s, "time_limit_s"), check_limit(work_limit, "work_limit")
    )
    return task.solve(method, budget, check_random_state(random_state))


def solve_orderings(
    matrices: ArrayLike | Sequence[ArrayLike],
    *,
    where: ArrayLike | None = None,
    constraints: Iterable[Any] = (),
    method: str = "auto",
    time_limit_s: float | None = None,
    batch_time_limit_s: float | None = None,
    work_limit: float | None = None,
    n_jobs: int | None = None,
    progress: bool = False,
    random_state: int | None = None,
) -> list[Solution]:
    """Solve many orderings; short lists of equal length share one table.

    Each solution is what :func:`solve_ordering` gives for its list, whatever the number
    of threads (unless a time limit ends it).

    Parameters
    ----------
    matrices : array-like of shape (b, n, n), or sequence of square array-likes
        As ``matrix`` of :func:`solve_ordering`, one per list.
    where : array-like of bool, of shape (b, n), or None, default=None
        False: padding, left out. Orders name the remaining items by their old numbers.
    constraints : iterable of Precedence, FixedPosition or Together, default=()
        What each order must keep; items are named by their numbers before padding is
        left out, and must not be padding in any list.
    method : str, default="auto"
        As in :func:`solve_ordering`.
    time_limit_s : float or None, default=None
        Seconds for one list.
    batch_time_limit_s : float or None, default=None
        Seconds for all lists together; late ones get what is left.
    work_limit : float or None, default=None
        Units of work for one list.
    n_jobs : int or None, default=None
        Threads. None: as many as there are cores.
    progress : bool, default=False
        Whether to write how many lists are done to standard error.
    random_state : int or None, default=None
        Seed of the search in each list. None: 0.

    Returns
    -------
    solutions : list of Solution
        In the order of the lists.

    Raises
    ------
    ValueError
        As :func:`solve_ordering`, with the number of the list.
    Interrupted
        On Ctrl-C; its ``partial`` has what is solved so far.

    Examples
    --------
    >>> import numpy as np
    >>> matrices = np.zeros((2, 3, 3))
    >>> matrices[0, 2, 0], matrices[1, 1, 0] = 1.0, 1.0
    >>> where = [[True, True, True], [True, True, False]]
    >>> [s.order.tolist() for s in solve_orderings(matrices, where=where)]
    [[2, 0, 1], [1, 0]]
    """
    check_method(method, METHODS)
    seed = check_random_state(random_state)
    lists = ordering_lists(matrices, where, constraints, method)
    jobs = turns(lists, method)

    def solve(turn: int, budget: Budget) -> list[Solution]:
        chosen = [lists[i] for i in jobs[turn]]
        if len(chosen) > 1 and not budget.is_spent:
            return solve_in_one_table(chosen, budget)
        return [each.solve(method, budget, seed) for each in chosen]

    def in_order(found: Sequence[list[Solution] | None]) -> list[Solution | None]:
        by_list: list[Solution | None] = [None] * len(lists)
        for job, solutions in zip(jobs, found, strict=True):
            for i, solution in zip(job, solutions or [], strict=False):
                by_list[i] = solution
        return by_list

    try:
        found = solve_each(
            solve,
            len(jobs),
            counts=[len(job) for job in jobs],
            time_limit_s=check_limit(time_limit_s, "time_limit_s"),
            batch_time_limit_s=check_limit(batch_time_limit_s, "batch_time_limit_s"),
            work_limit=check_limit(work_limit, "work_limit"),
            n_jobs=n_jobs,
            progress=progress,
        )
    except Interrupted as stop:
        raise Interrupted(in_order(stop.partial)) from None
    return [solution for solution in in_order(found) if solution is not None]
