"""Items to positions under constraints: quotas, caps, fixed slots, precedences."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from heapq import heapify, heappop, heappush
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ltr.solvers.assignment.exact import (
    MAX_STEPS,
    can_match,
    count_steps,
    solve_by_counting,
    solve_by_matching,
)
from ltr.solvers.assignment.integer_program import (
    build_program,
    solve_with_cpsat,
    solve_with_highs,
)
from ltr.solvers.assignment.problem import (
    Attributes,
    Gains,
    Group,
    Rules,
    check_constraints,
    check_gains,
    compile_rules,
)
from ltr.solvers.core.budget import Budget
from ltr.solvers.core.conflicts import smallest_conflict
from ltr.solvers.core.inputs import check_limit, check_method
from ltr.solvers.core.solution import IntArray, Solution, Status, certify, without_order

METHODS = ("auto", "sort", "matching", "counting", "highs", "cpsat")


@dataclass(frozen=True, eq=False)
class _Found:
    order: IntArray | None
    bound: float | None  # None: the order is best
    method: str
    is_infeasible: bool = False


def solve_assignment(
    gain: ArrayLike,
    *,
    constraints: Iterable[Any] = (),
    attributes: Mapping[str, ArrayLike] | None = None,
    k: int | None = None,
    discount: ArrayLike | None = None,
    method: str = "auto",
    time_limit_s: float | None = None,
    work_limit: float | None = None,
) -> Solution:
    """Put items at positions so that the sum of gains is greatest.

    Parameters
    ----------
    gain : array-like of shape (n_items,) or (n_items, n_positions)
        One score per item, which gains score · discount at a position: with relevance
        gains for scores the sum is the DCG. Or a matrix of what each item gains at each
        position; -inf forbids an entry.
    constraints : iterable of constraints, default=()
        ``Quota``, ``AtMost``, ``ExposureShare``, ``FixedPosition``, ``Precedence``. An
        item that is not placed counts as coming after all that are.
    attributes : mapping of str to array-like of shape (n_items,), default=None
        What constraints speak of, by name; a DataFrame is one.
    k : int, default=None
        Positions to fill. None: all n_items for scores, n_positions for a matrix.
    discount : array-like of shape (≥ k,), default=None
        Exposure of each position, ≥ 0 and not rising. None: 1 / log2(1 + rank), the
        rank from 1. For a matrix, only ``ExposureShare`` reads it.
    method : str, default="auto"
        ``"sort"`` (no constraint), ``"matching"`` (scores with fixed slots, and
        prefix quotas of groups that share no item; any matrix with fixed slots),
        ``"counting"`` (scores, fixed slots, any prefix quotas; a dynamic program over
        the number of items of each class), ``"highs"`` and ``"cpsat"`` (everything,
        by an integer program, to which groups are added as they are found broken).
        ``"auto"``: the first of these that is exact and quick.
    time_limit_s : float, default=None
        Seconds by the clock, for ``"highs"`` and ``"cpsat"``, which are not begun if
        the program is too great to be read in that time. HiGHS looks at the clock now
        and then only, and may end half a second late.
    work_limit : float, default=None
        Units of work that repeat: about a second each for ``"cpsat"``, 500 nodes for
        ``"highs"``, whose first node may take long. None: 20, or no limit if there is
        a time limit.

    Returns
    -------
    solution : Solution
        ``order`` has the items of positions 0, …, k - 1. If the constraints cannot all
        be kept, the status is INFEASIBLE and ``conflict`` is a smallest set of them
        that clash; :func:`explain_conflict` says it in words.

    Raises
    ------
    ValueError
        If an array has another shape, or is not finite; an item, position or
        attribute that a constraint names does not exist; or ``method`` is not exact for
        these constraints.
    TypeError
        If a constraint is of another kind.

    Notes
    -----
    Prefix quotas as in Zehlike et al. (2017, FA*IR) and Geyik et al. (2019). If the
    groups share no item, the members of each may come best first, a quota becomes an
    interval of positions for each of them, and the problem a linear assignment.

    Examples
    --------
    >>> from ltr.solvers import Quota, solve_assignment
    >>> solution = solve_assignment(
    ...     [4, 3, 2, 1],
    ...     constraints=[Quota("group", "b", lower=1, top=2)],
    ...     attributes={"group": ["a", "a", "a", "b"]},
    ... )
    >>> solution.order, solution.is_optimal
    (array([0, 3, 1, 2]), True)
    """
    check_method(method, METHODS)
    budget = Budget(
        check_limit(time_limit_s, "time_limit_s"), check_limit(work_limit, "work_limit")
    )
    gains = check_gains(gain, k, discount)
    known = Attributes(attributes, gains.n_items)
    checked = check_constraints(constraints, gains)
    return assign(gains, checked, known, method, budget)


def assign(
    gains: Gains,
    constraints: tuple[Any, ...],
    attributes: Attributes,
    method: str,
    budget: Budget,
) -> Solution:
    """Solve what is checked already.

    Examples
    --------
    >>> gains = check_gains([1.0, 2.0], None, None)
    >>> assign(gains, (), Attributes(None, 2), "auto", Budget()).order
    array([1, 0])
    """
    rules = compile_rules(constraints, attributes, gains)
    found = _run(_choose(method, gains, rules), gains, rules, budget)
    order, bound, method = found.order, found.bound, found.method
    started = budget.started
    if found.is_infeasible:
        conflict = smallest_conflict(constraints, _Feasibility(gains, attributes))
        return without_order(
            Status.INFEASIBLE, method=method, started=started, conflict=conflict
        )
    if order is None:
        bound = np.inf if bound is None else bound
        return without_order(
            Status.UNKNOWN, method=method, started=started, bound=bound
        )
    broken = broken_rule(order, rules, gains)
    if broken:
        raise RuntimeError(f"{method} gave an order with {broken}. Please report this.")
    objective = gains.value(order)
    return certify(
        order,
        objective,
        objective if bound is None else bound,
        tolerance=gains.tolerance,
        method=method,
        started=started,
    )


def _choose(method: str, gains: Gains, rules: Rules) -> str:
    """Return the method to use; raise if the one asked for is not exact here."""
    is_free = not (rules.fixed or rules.groups or rules.precedences or rules.clash)
    exact = {
        "sort": is_free and gains.scores is not None,
        "matching": can_match(gains, rules),
        "counting": count_steps(gains, rules) <= MAX_STEPS,
    }
    if method == "auto":
        return next((name for name, is_exact in exact.items() if is_exact), "auto")
    if not exact.get(method, True):
        raise ValueError(
            f"method={method!r} is not exact, or too much work, for these constraints. "
            "Use method='auto'."
        )
    return method


def _run(method: str, gains: Gains, rules: Rules, budget: Budget) -> _Found:
    if rules.clash or gains.k == 0:
        none = np.zeros(0, dtype=np.int64)
        kept = all(group.keeps(none, gains.discount) for group in rules.groups)
        return _Found(none, None, "fixed slots", is_infeasible=rules.clash or not kept)
    if method == "sort":
        assert gains.scores is not None
        order = np.argsort(-gains.scores, kind="stable")[: gains.k]
        return _Found(order, None, method)
    if method in ("matching", "counting"):
        solve = solve_by_matching if method == "matching" else solve_by_counting
        found = solve(gains, rules)
        return _Found(found, None, method, is_infeasible=found is None)
    return _solve_lazily(method, gains, rules, budget)


def _solve_lazily(method: str, gains: Gains, rules: Rules, budget: Budget) -> _Found:
    """Solve without the groups, then with those that the order breaks, until none is.

    Without them the problem is a relaxation: its bound holds, and its order is best if
    it breaks nothing. Of a hundred sellers, few come near their caps.
    """
    run = solve_with_cpsat if method == "cpsat" else solve_with_highs
    low, high = gains.extremes()
    loose = solve_by_matching(gains, replace(rules, groups=(), precedences=()))
    if loose is None:
        return _Found(None, None, "matching", is_infeasible=True)
    least = gains.value(loose)  # the least bound so far
    active: tuple[Group, ...] = ()
    while True:
        some = replace(rules, groups=active)
        if method == "auto" and can_match(gains, some):
            used, bound = "matching", None
            order = solve_by_matching(gains, some)
            is_infeasible = order is None
        else:
            used = "highs" if method == "auto" else method
            answer = run(build_program(gains, some), gains.k, budget)
            order, is_infeasible = answer.order, answer.is_infeasible
            bound = gains.k * low + (high - low) * answer.bound
            least = bound = min(least, bound)
            spare = None if is_infeasible else _greedy(gains, rules)
            if spare is not None and (
                order is None or gains.value(order) < gains.value(spare)
            ):
                order, used = spare, "greedy"
        if order is None:
            return _Found(None, bound, used, is_infeasible)
        broken = [g for g in rules.groups if not g.keeps(order, gains.discount)]
        if not broken:
            return _Found(order, bound, used)
        if budget.is_spent:
            bound = min(least, gains.value(order)) if bound is None else bound
            return _Found(None, bound, used)
        active += tuple(broken)


def _greedy(gains: Gains, rules: Rules) -> IntArray | None:
    """Take the best item whose predecessors are placed, again and again.

    None if the problem is not one of scores and precedences only, or they clash.
    """
    if gains.scores is None or rules.groups or rules.fixed:
        return None
    n_before = np.zeros(gains.n_items, dtype=np.int64)
    after: dict[int, list[int]] = {}
    for pair in rules.precedences:
        n_before[pair.after] += 1
        after.setdefault(pair.before, []).append(pair.after)
    free = [(-gains.scores[i], i) for i in np.flatnonzero(n_before == 0).tolist()]
    heapify(free)
    order: list[int] = []
    while free and len(order) < gains.k:
        item = heappop(free)[1]
        order.append(item)
        for later in after.get(item, []):
            n_before[later] -= 1
            if n_before[later] == 0:
                heappush(free, (-gains.scores[later], later))
    return np.array(order) if len(order) == gains.k else None


class _Feasibility:
    """Whether constraints may hold together: False only if that is proven impossible.

    Fewer constraints than some that hold, hold; more than some that clash, clash.
    """

    def __init__(self, gains: Gains, attributes: Attributes) -> None:
        self.gains, self.attributes = gains, attributes
        self.holding: list[frozenset[Any]] = []
        self.clashing: list[frozenset[Any]] = []

    def __call__(self, constraints: tuple[Any, ...]) -> bool:
        """Answer from what is known, or solve."""
        chosen = frozenset(constraints)
        if any(chosen <= known for known in self.holding):
            return True
        if any(chosen >= known for known in self.clashing):
            return False
        rules = compile_rules(constraints, self.attributes, self.gains)
        method = _choose("auto", self.gains, rules)
        is_infeasible = _run(method, self.gains, rules, Budget()).is_infeasible
        (self.clashing if is_infeasible else self.holding).append(chosen)
        return not is_infeasible


def broken_rule(order: IntArray, rules: Rules, gains: Gains) -> str:
    """Say which rule an order breaks; nothing if it keeps all of them.

    Examples
    --------
    >>> gains = check_gains([1.0, 2.0], None, None)
    >>> broken_rule(np.array([0, 1]), Rules({0: 1}, (), (), False), gains)
    'item 0 at position 0, not 1'
    """
    k = gains.k
    if len(np.unique(order)) < k or len(order) != k:
        return "an item twice"
    for position, item in rules.fixed.items():
        if order[position] != item:
            return f"item {order[position]} at position {position}, not {item}"
    place = np.full(gains.n_items, k)
    place[order] = np.arange(k)
    for pair in rules.precedences:
        if place[pair.before] >= place[pair.after] < k:
            return f"item {pair.before} after item {pair.after}"
    if not all(group.keeps(order, gains.discount) for group in rules.groups):
        return "too few or too many of a group"
    return ""
