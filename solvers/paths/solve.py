"""Maximum-weight paths: the best order where only neighbors count."""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Literal

from numpy.typing import ArrayLike

from ltr.solvers.core.batches import solve_batch
from ltr.solvers.core.constraints import PATH_KINDS, PathConstraint
from ltr.solvers.core.inputs import check_method, check_random_state
from ltr.solvers.core.lists import ItemList, check_list, check_lists, jobs_of
from ltr.solvers.core.observation import Callback, observed
from ltr.solvers.core.solution import Solution
from ltr.solvers.paths.held_karp import MAX_ITEMS, lanes
from ltr.solvers.paths.portfolio import MAX_BATCHED, solve_list, solve_lists

METHODS = (
    "auto",
    "dp",
    "branch_and_bound",
    "branch_and_cut",
    "cp_sat",
    "routing",
    "local_search",
)
# If fewer lists than this have the same size, each is solved alone.
_MIN_BATCH = 8


def solve_path(
    matrix: ArrayLike,
    *,
    start: ArrayLike | None = None,
    end: ArrayLike | None = None,
    constraints: Iterable[PathConstraint] = (),
    attributes: Mapping[str, ArrayLike] | None = None,
    sense: Literal["max", "min"] = "max",
    closed: bool = False,
    method: str = "auto",
    time_limit_s: float | None = None,
    work_limit: float | None = None,
    random_state: int | None = None,
    callback: Callback | None = None,
    verbose: int = 0,
) -> Solution:
    r"""Find the order whose neighbors have the greatest sum of scores.

    Maximizes :math:`start_{o_1} + \sum_t matrix_{o_t o_{t+1}} + end_{o_n}` over all
    orders :math:`o`: the asymmetric traveling salesman problem with an open path.

    Parameters
    ----------
    matrix : array-like of shape (n, n)
        Entry [i, j] is the gain of placing j directly after i; -inf forbids it. The
        diagonal is not read.
    start, end : array-like of shape (n,), default=None
        Gain of each item in the first and in the last position; -inf forbids it. None:
        zeros.
    constraints : iterable of constraints, default=()
        What the order must keep: ``Precedence``, ``FixedPosition``, ``Window``,
        ``Together``, ``Quota``, ``AtMost``.
    attributes : mapping of str to array-like of shape (n,), default=None
        The attributes that ``Quota`` and ``AtMost`` refer to, by name; a DataFrame will
        do.
    sense : {"max", "min"}, default="max"
        "min": entries are costs or distances, inf forbids one, and the sum is
        minimized; ``bound`` is then a lower bound.
    closed : bool, default=False
        Whether to close the path to a tour: the sum has the arc from the last item back
        to the first. The order starts at item 0, from which positions, prefixes and
        precedences count; ``Together`` is about neighbors on the tour. ``start`` and
        ``end`` must be None.
    method : str, default="auto"
        ``"dp"``, the dynamic program of Held and Karp, up to 16 items, which takes an
        ``AtMost`` with a window only between neighbors (``count=1, window=2``);
        ``"branch_and_bound"`` on the assignment relaxation; ``"branch_and_cut"`` on the
        subtour relaxation; ``"cp_sat"``, OR-Tools CP-SAT with a circuit constraint;
        ``"routing"``, OR-Tools routing, without constraints; ``"local_search"``, 3-opt
        and 2-opt with kicks, under constraints swaps of adjacent segments, 2-opt
        and reinsertion, then simulated annealing by the same moves, which proves
        nothing beyond the assignment bound.
        ``"auto"`` combines all but ``"routing"``, by size and structure; under
        precedences also a dynamic program over the sets that they allow, without the
        states that a bound excludes (Morin and Marsten, 1976).
    time_limit_s : float, default=None
        Wall-clock seconds.
    work_limit : float, default=None
        Units of work, about a second each, counted so that the result repeats. With
        neither limit, 20 units.
    random_state : int, default=None
        Seed of the kicks of the local search. None: 0.
    callback : callable, default=None
        Called with the best :class:`Solution` so far at each better order or bound, and
        at the end; True ends the solve. The result is the same without it.
    verbose : int, default=0
        1: a line a second at most, on standard error.

    Returns
    -------
    solution : Solution
        Order, objective, upper bound and status. If a limit, the callback or Ctrl-C
        ends the solve, the order is the best so far, and the bound still holds.

    Raises
    ------
    ValueError, TypeError
        If an argument is not as described.
    KeyboardInterrupt
        On a second Ctrl-C; the first one ends the solve, which sets
        ``solution.is_interrupted``.

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

    The shortest round trip through four cities:

    >>> distance = [[0, 2, 9, 10], [1, 0, 6, 4], [15, 7, 0, 8], [6, 3, 12, 0]]
    >>> tour = solve_path(distance, sense="min", closed=True)
    >>> tour.order, tour.objective, tour.bound
    (array([0, 2, 3, 1]), 21.0, 21.0)

    No two clips of one artist next to each other, and one by "b" first:

    >>> from ltr.solvers import AtMost, Quota
    >>> clips = [[0, 3, 1, 2], [1, 0, 1, 1], [4, 1, 0, 5], [2, 2, 2, 0]]
    >>> solve_path(clips).order
    array([2, 3, 0, 1])
    >>> rules = [AtMost("artist", 1, window=2), Quota("artist", "b", lower=1, top=1)]
    >>> artists = {"artist": ["a", "a", "b", "b"]}
    >>> solve_path(clips, constraints=rules, attributes=artists).order
    array([2, 0, 3, 1])
    """
    item_list = check_list(
        matrix,
        start=start,
        end=end,
        constraints=constraints,
        attributes=attributes,
        kinds=PATH_KINDS,
        solver="solve_path",
        sense=sense,
        closed=closed,
    )
    check_method(method, METHODS)
    _check_sizes(method, [item_list])
    seed = check_random_state(random_state)
    return observed(
        lambda budget: solve_list(item_list, method, budget, seed),
        time_limit_s=time_limit_s,
        work_limit=work_limit,
        callback=callback,
        verbose=verbose,
    )


def solve_paths(
    matrices: ArrayLike | Sequence[ArrayLike],
    *,
    where: ArrayLike | Sequence[ArrayLike] | None = None,
    start: ArrayLike | Sequence[ArrayLike] | None = None,
    end: ArrayLike | Sequence[ArrayLike] | None = None,
    constraints: Iterable[PathConstraint] = (),
    attributes: Mapping[str, ArrayLike | Sequence[ArrayLike]] | None = None,
    sense: Literal["max", "min"] = "max",
    closed: bool = False,
    method: str = "auto",
    time_limit_s: float | None = None,
    batch_time_limit_s: float | None = None,
    work_limit: float | None = None,
    n_jobs: int | None = None,
    progress: bool = False,
    random_state: int | None = None,
) -> list[Solution]:
    """Solve many lists by :func:`solve_path`, several at a time.

    With ``method="auto"``, lists of equal size, up to 12 items, go through the dynamic
    program of Held and Karp together, some hundreds at a time.

    Parameters
    ----------
    matrices : array-like of shape (b, n, n), or sequence of square matrices
        One per list; the sizes may differ.
    where : bool array-like of shape (b, n), or sequence of masks, default=None
        True: a real item; False: padding, which is removed. None: all are real.
    start, end : array-like of shape (b, n), or sequence of vectors, default=None
        Gain of each item in the first and in the last position. None: zeros.
    constraints : iterable of constraints, default=()
        What each order must keep, in the item numbers before padding is removed:
        ``Precedence``, ``FixedPosition``, ``Window``, ``Together``, ``Quota``,
        ``AtMost``.
    attributes : mapping of str to (b, n) array or sequence of vectors, default=None
        The attributes that ``Quota`` and ``AtMost`` refer to: by name, a row per list,
        as long as its matrix.
    sense : {"max", "min"}, default="max"
        "min": entries are costs, and inf forbids one.
    closed : bool, default=False
        Whether to close each path to a tour, which starts at the first real item.
    method : str, default="auto"
        See :func:`solve_path`.
    time_limit_s : float, default=None
        Wall-clock seconds for one list.
    batch_time_limit_s : float, default=None
        Wall-clock seconds for all. Lists that are reached too late get their patched
        assignment and its bound.
    work_limit : float, default=None
        Units of work for one list; see :func:`solve_path`.
    n_jobs : int, default=None
        Threads, and processes for what is left of a batch once they save more than
        five seconds. None: one per core; ``method="routing"`` always takes one.
    progress : bool, default=False
        Whether to write the number of solved lists to standard error.
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
        On Ctrl-C; its ``partial`` has the solutions so far.

    Examples
    --------
    >>> solutions = solve_paths([[[0, 1], [2, 0]], [[0, 5, 0], [0, 0, 5], [0, 0, 0]]])
    >>> [solution.order.tolist() for solution in solutions]
    [[1, 0], [0, 1, 2]]
    """
    check_method(method, METHODS)
    lists = check_lists(
        matrices,
        where=where,
        start=start,
        end=end,
        constraints=constraints,
        attributes=attributes,
        kinds=PATH_KINDS,
        solver="solve_paths",
        alone="solve_path",
        sense=sense,
        closed=closed,
    )
    _check_sizes(method, lists)
    seed = check_random_state(random_state)

    def can_share(item_list: ItemList) -> bool:
        is_short = 2 < item_list.n_items <= MAX_BATCHED
        is_local = all(group.is_local for group in item_list.groups)
        return method == "auto" and is_short and is_local

    return solve_batch(
        partial(solve_lists, method=method, random_state=seed),
        lists,
        jobs_of(
            lists,
            can_share,
            lanes,
            least=_MIN_BATCH,
        ),
        time_limit_s=time_limit_s,
        batch_time_limit_s=batch_time_limit_s,
        work_limit=work_limit,
        n_jobs=1 if method == "routing" else n_jobs,
        progress=progress,
    )


def _check_sizes(method: str, lists: list[ItemList]) -> None:
    """Raise if the method cannot solve one of the lists."""
    largest = max((item_list.n_items for item_list in lists), default=0)
    if method == "dp" and largest > MAX_ITEMS:
        raise ValueError(
            f"method='dp' takes at most {MAX_ITEMS} items; got {largest}. Use 'auto'."
        )
    for item_list in lists if method == "dp" else ():
        if not all(group.is_local for group in item_list.groups):
            raise ValueError(
                "method='dp' takes no AtMost with a window of more than two positions, "
                "or up to a top; use 'auto', 'branch_and_bound', 'branch_and_cut' or "
                "'cp_sat'."
            )
    if method == "routing" and lists and lists[0].user_constraints:
        raise ValueError(
            "method='routing' takes no constraints; got "
            f"{lists[0].user_constraints[0]}. Use 'cp_sat' or 'auto'."
        )
