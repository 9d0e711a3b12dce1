"""Maximum-weight paths: the best order where only neighbours count."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from numpy.typing import ArrayLike

from ltr.solvers.core.batches import Interrupted, solve_each
from ltr.solvers.core.budget import Budget
from ltr.solvers.core.inputs import (
    check_limit,
    check_matrix,
    check_method,
    check_order_constraints,
    check_random_state,
    check_scores,
)
from ltr.solvers.core.solution import Solution
from ltr.solvers.paths.held_karp import MAX_ITEMS, lanes, work
from ltr.solvers.paths.lists import KINDS, PathList, path_lists
from ltr.solvers.paths.portfolio import MAX_BATCHED, solve_one, solve_together

METHODS = (
    "auto",
    "dp",
    "branch_and_bound",
    "branch_and_cut",
    "cp_sat",
    "routing",
    "local_search",
)
# Fewer lists of one size are solved one by one.
_MIN_BATCH = 8


def solve_path(
    matrix: ArrayLike,
    *,
    start: ArrayLike | None = None,
    end: ArrayLike | None = None,
    constraints: Iterable[Any] = (),
    method: str = "auto",
    time_limit_s: float | None = None,
    work_limit: float | None = None,
    random_state: int | None = None,
) -> Solution:
    r"""Find the order whose neighbours have the greatest sum of scores.

    Maximises :math:`start_{o_1} + \sum_t matrix_{o_t o_{t+1}} + end_{o_n}` over all
    orders :math:`o`: the asymmetric travelling salesman problem with an open path.

    Parameters
    ----------
    matrix : array-like of shape (n, n)
        Entry [i, j] is what j right after i is worth; -inf forbids it. The diagonal is
        not read.
    start, end : array-like of shape (n,), default=None
        What each item is worth as the first, and as the last; -inf forbids it. None:
        zeros.
    constraints : iterable of Precedence, FixedPosition, Together, default=()
        What the order must keep.
    method : str, default="auto"
        ``"dp"``, the dynamic program of Held and Karp, up to 16 items;
        ``"branch_and_bound"`` on the assignment relaxation; ``"branch_and_cut"`` on the
        subtour relaxation; ``"cp_sat"``, OR-Tools CP-SAT with a circuit; ``"routing"``,
        OR-Tools routing, without constraints;
        ``"local_search"``, 3-opt and 2-opt with kicks, which proves nothing beyond the
        assignment bound. ``"auto"`` takes what is fastest for the size.
    time_limit_s : float, default=None
        Seconds.
    work_limit : float, default=None
        Units of work, about a second each, counted so that the result repeats. With
        neither limit 20 units.
    random_state : int, default=None
        Seed of the kicks of the local search. None: 0.

    Returns
    -------
    solution : Solution
        Order, objective, upper bound and status. When the limit ends the solve, the
        best order so far with a bound that holds.

    Raises
    ------
    ValueError, TypeError
        If an argument is not as described.

    Notes
    -----
    A closed tour through cities 0, …, n of least cost ``c`` is a path: leave out city 0
    and let ``start = -c[0, 1:]``, ``end = -c[1:, 0]``, ``matrix = -c[1:, 1:]``.

    References
    ----------
    M. Held and R. M. Karp, "A dynamic programming approach to sequencing problems",
    1962. G. Carpaneto and P. Toth, "Some new branching and bounding criteria for the
    asymmetric travelling salesman problem", 1980.

    Examples
    --------
    >>> solution = solve_path([[0, 3, 1], [1, 0, 2], [4, 1, 0]], end=[0, 0, 5])
    >>> solution.order, solution.objective, solution.status.value
    (array([0, 1, 2]), 10.0, 'OPTIMAL')
    """
    checked = check_matrix(matrix)
    n = len(checked)
    kept = check_order_constraints(constraints, n, KINDS)
    _check_method(method, n, kept)
    budget = Budget(
        check_limit(time_limit_s, "time_limit_s"), check_limit(work_limit, "work_limit")
    )
    return solve_one(
        PathList(
            checked,
            check_scores(start, n, "start"),
            check_scores(end, n, "end"),
            None,
            {constraint: constraint for constraint in kept},
        ),
        method,
        budget,
        check_random_state(random_state),
    )


def solve_paths(
    matrices: ArrayLike | Sequence[ArrayLike],
    *,
    where: ArrayLike | Sequence[ArrayLike] | None = None,
    start: ArrayLike | Sequence[ArrayLike] | None = None,
    end: ArrayLike | Sequence[ArrayLike] | None = None,
    constraints: Iterable[Any] = (),
    method: str = "auto",
    time_limit_s: float | None = None,
    batch_time_limit_s: float | None = None,
    work_limit: float | None = None,
    n_jobs: int | None = None,
    progress: bool = False,
    random_state: int | None = None,
) -> list[Solution]:
    """Solve many lists by :func:`solve_path`, in threads.

    With ``method="auto"``, lists of up to 12 items that share their size go through the
    dynamic program of Held and Karp together, some hundreds at a time.

    Parameters
    ----------
    matrices : array-like of shape (b, n, n), or sequence of square matrices
        One per list; the sizes may differ.
    where : bool array-like of shape (b, n), or sequence of masks, default=None
        Which items are real; the others are left out. None: all.
    start, end : array-like of shape (b, n), or sequence of vectors, default=None
        What each item is worth as the first, and as the last. None: zeros.
    constraints : iterable of Precedence, FixedPosition, Together, default=()
        What the order of each list must keep.
    method : str, default="auto"
        See :func:`solve_path`.
    time_limit_s : float, default=None
        Seconds for one list.
    batch_time_limit_s : float, default=None
        Seconds for all. Lists whose turn comes late get their patched assignment and
        its bound.
    work_limit : float, default=None
        Units of work for one list; see :func:`solve_path`.
    n_jobs : int, default=None
        Threads. None: as many as there are cores; one if ``method="routing"``.
    progress : bool, default=False
        Whether to write how many lists are done to standard error.
    random_state : int, default=None
        Seed of each list's kicks. None: 0.

    Returns
    -------
    solutions : list of Solution
        One per list, the same for any ``n_jobs``. Orders hold real items only.

    Raises
    ------
    ValueError, TypeError
        If an argument is not as described; the message names the list.
    Interrupted
        On Ctrl-C; its ``partial`` has what is solved so far.

    Examples
    --------
    >>> solutions = solve_paths([[[0, 1], [2, 0]], [[0, 5, 0], [0, 0, 5], [0, 0, 0]]])
    >>> [solution.order.tolist() for solution in solutions]
    [[1, 0], [0, 1, 2]]
    """
    lists = path_lists(matrices, where, start, end, tuple(constraints))
    for one in lists:
        _check_method(method, one.n_items, one.constraints)
    check_limit(work_limit, "work_limit")
    seed = check_random_state(random_state)
    jobs = _jobs(lists, method)

    def solve(k: int, budget: Budget) -> list[Solution]:
        job = [lists[i] for i in jobs[k]]
        n = job[0].n_items
        if len(job) > 1 and not budget.is_spent and work(n) <= budget.work_left:
            found = solve_together(job, budget)
        else:
            found = [solve_one(one, method, budget, seed) for one in job]
        return [
            one.in_user_numbers(solution)
            for one, solution in zip(job, found, strict=True)
        ]

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
            time_limit_s=check_limit(time_limit_s, "time_limit_s"),
            batch_time_limit_s=check_limit(batch_time_limit_s, "batch_time_limit_s"),
            work_limit=work_limit,
            n_jobs=1 if method == "routing" else n_jobs,
            progress=progress,
            counts=[len(job) for job in jobs],
        )
    except Interrupted as stop:
        raise Interrupted(in_order(stop.partial)) from None
    return [solution for solution in in_order(found) if solution is not None]


def _jobs(lists: list[PathList], method: str) -> list[list[int]]:
    """Numbers of the lists that are solved together."""
    alone, together = [], defaultdict(list)
    for i, one in enumerate(lists):
        if method == "auto" and 2 < one.n_items <= MAX_BATCHED:
            together[one.n_items, one.constraints].append(i)
        else:
            alone.append([i])
    jobs = []
    for (n, _), members in together.items():
        size = lanes(n) if len(members) >= _MIN_BATCH else 1
        jobs += [members[k : k + size] for k in range(0, len(members), size)]
    return sorted(jobs + alone)


def _check_method(method: str, n: int, constraints: tuple[Any, ...]) -> None:
    check_method(method, METHODS)
    if method == "dp" and n > MAX_ITEMS:
        raise ValueError(
            f"method='dp' takes at most {MAX_ITEMS} items; got {n}. Use 'auto'."
        )
    if method == "routing" and constraints:
        raise ValueError(
            f"method='routing' takes no constraints; got {constraints[0]}. Use "
            "'cp_sat' or 'auto'."
        )
