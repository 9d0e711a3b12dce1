"""``solve_assignment``: selects a method, and adds violated groups lazily."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from ltr.queries import FloatArray, IntArray, check_rows
from ltr.solvers.assignment.exact import (
    MAX_STEPS,
    MUCH_LESS,
    can_match,
    count_steps,
    solve_by_counting,
    solve_by_matching,
)
from ltr.solvers.assignment.greedy import greedy_order
from ltr.solvers.assignment.integer_program import (
    build_program,
    solve_with_cp_sat,
    solve_with_highs,
)
from ltr.solvers.assignment.problem import (
    Gains,
    Rules,
    check_constraints,
    check_gains,
    compile_rules,
)
from ltr.solvers.core.attributes import Attributes
from ltr.solvers.core.budget import Budget
from ltr.solvers.core.conflicts import smallest_conflict
from ltr.solvers.core.constraints import Constraint
from ltr.solvers.core.groups import Group
from ltr.solvers.core.inputs import check_method
from ltr.solvers.core.observation import Callback, observed
from ltr.solvers.core.solution import (
    Margin,
    Outcome,
    Solution,
    Status,
    certify,
    in_sense,
    without_order,
)
from ltr.solvers.core.tolerance import EPSILON

# Rounding is added to a gap if it exceeds this share of the objective.
_NOTICED = 1e-12
# HiGHS solves again, with this limit, after it was interrupted.
_SECONDS_AGAIN = 1.0
METHODS = ("auto", "sort", "matching", "counting", "highs", "cp_sat")

Report = Callable[[Outcome], None]


def solve_assignment(
    gain: ArrayLike,
    *,
    constraints: Iterable[Constraint] = (),
    attributes: Mapping[str, ArrayLike] | None = None,
    k: int | None = None,
    discount: ArrayLike | None = None,
    sense: Literal["max", "min"] = "max",
    method: str = "auto",
    time_limit_s: float | None = None,
    work_limit: float | None = None,
    callback: Callback | None = None,
    verbose: int = 0,
) -> Solution:
    """Assign items to positions so that the sum of gains is greatest.

    Parameters
    ----------
    gain : array-like of shape (n_items,) or (n_items, n_positions)
        One score per item: at a position it gains score · discount, so with relevance
        gains as scores the sum is the DCG. Or a matrix of the gain of each item at each
        position; -inf forbids an entry.
    constraints : iterable of constraints, default=()
        ``Quota``, ``AtMost``, ``ExposureShare``, ``FixedPosition``, ``Window``,
        ``Precedence``, ``Together``. Unplaced items count as coming after all placed
        ones; items that stand together are all placed, or none of them is.
    attributes : mapping of str to array-like of shape (n_items,), default=None
        The attributes that constraints refer to, by name; a DataFrame will do.
    k : int, default=None
        Positions to fill. None: all n_items for scores, n_positions for a matrix.
    discount : array-like of shape (≥ k,), default=None
        Exposure of each position, ≥ 0 and nonincreasing. None: 1 / log2(1 + rank) with
        ranks from 1. For a matrix, only ``ExposureShare`` reads it.
    sense : {"max", "min"}, default="max"
        "min": entries are costs, inf forbids one in a matrix, and the sum is minimized;
        ``bound`` is then a lower bound.
    method : str, default="auto"
        ``"sort"``: scores without constraints. ``"matching"``: scores with positions or
        windows of items, and prefix quotas of disjoint groups of other items; or a
        matrix with positions and windows.
        ``"counting"``: scores with fixed slots and any prefix quotas, by a dynamic
        program over the counts of classes. ``"highs"`` and ``"cp_sat"``: all
        constraints, by an integer program to which violated groups are added lazily.
        ``"auto"``: the first of these that is exact and fast.
    time_limit_s : float, default=None
        Wall-clock seconds, for ``"highs"`` and ``"cp_sat"``, which are not started if
        reading the program would take longer. HiGHS checks the clock only now and then
        and may overrun by half a second.
    work_limit : float, default=None
        Units of deterministic work: about a second each for ``"cp_sat"``, 500 nodes for
        ``"highs"``, whose root node may take long. None: 20, or no limit if there is a
        time limit.
    callback : callable, default=None
        Called with the best :class:`Solution` so far at each better order or bound, and
        at the end; True ends the solve. The result is the same without it. ``"highs"``
        reports after each program only, ``"cp_sat"`` within it, too.
    verbose : int, default=0
        1: a line a second at most, on standard error.

    Returns
    -------
    solution : Solution
        ``order`` has the items of positions 0, …, k - 1. If no order keeps all
        constraints, the status is INFEASIBLE and ``conflict`` is a smallest set of them
        that clash; :func:`explain_conflict` puts it in words. Ctrl-C ends the solve
        with the best order so far and ``is_interrupted=True``; a second one raises
        KeyboardInterrupt. HiGHS, which cannot be interrupted, is left behind, and
        solves again for a second; so after Ctrl-C there may be no order.

    Raises
    ------
    ValueError
        If an array has the wrong shape or is not finite; if an item, position or
        attribute that a constraint names does not exist; or if ``method`` is not exact
        for these constraints.
    TypeError
        If a constraint is of another kind.

    Notes
    -----
    Prefix quotas are those of FA*IR [1]_ and of [2]_. If the groups are disjoint, some
    best order has the members of each best first; a quota then confines each member to
    an interval of positions, and the problem is a linear assignment.

    References
    ----------
    .. [1] M. Zehlike et al. FA*IR: a fair top-k ranking algorithm. CIKM 2017.
    .. [2] S. C. Geyik, S. Ambler and K. Kenthapadi. Fairness-aware ranking in search
       and recommendation systems with application to LinkedIn talent search. KDD 2019.

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
    >>> solve_assignment([[4, 1, 3], [2, 0, 5], [3, 2, 2]], sense="min").objective
    5.0

    Stop as soon as the gap is below 1 %:

    >>> solve_assignment([4, 3], method="cp_sat", callback=lambda s: s.gap < 0.01).gap
    0.0
    """
    method = check_method(method, METHODS, renamed={"cpsat": "cp_sat"})
    columns = {} if attributes is None else attributes
    by_name = {f"attributes[{name!r}]": v for name, v in columns.items()}
    check_rows({"gain": gain, **by_name})
    gains = check_gains(gain, k, discount, sense)
    groups = Attributes(attributes, gains.n_items)
    checked = check_constraints(constraints, gains)

    def solve(budget: Budget) -> Solution:
        observer = budget.observer
        report = None
        if observer is not None:

            def report(solution: Solution) -> None:
                observer.report(in_sense(solution, sense))

        solution = assign(gains, checked, groups, method, budget, report)
        return in_sense(solution, sense)

    return observed(
        solve,
        time_limit_s=time_limit_s,
        work_limit=work_limit,
        callback=callback,
        verbose=verbose,
    )


def assign(
    gains: Gains,
    constraints: tuple[Constraint, ...],
    attributes: Attributes,
    method: str,
    budget: Budget,
    report: Callable[[Solution], None] | None = None,
) -> Solution:
    """Solve a problem whose inputs have been checked, and report better orders.

    Examples
    --------
    >>> gains = check_gains([1.0, 2.0], None, None)
    >>> assign(gains, (), Attributes(None, 2), "auto", Budget()).order
    array([1, 0])
    """
    rules = compile_rules(constraints, attributes, gains)
    if not rules.clash:
        gains = replace(gains, fixed=tuple(rules.fixed.items()))

    def certified(outcome: Outcome) -> Solution:
        assert outcome.order is not None
        return certify(
            outcome.order,
            gains.value(outcome.order),
            outcome.bound,
            tolerance=gains.tolerance(outcome.order),
            method=outcome.method,
            started=budget.started,
            is_whole=gains.is_whole,
            is_unique=outcome.margin.is_unique(gains.tolerance(outcome.order)),
        )

    def report_outcome(outcome: Outcome) -> None:
        if report is not None and outcome.order is not None:
            report(certified(outcome))

    outcome = _solve(
        _select(method, gains, rules),
        gains,
        rules,
        budget,
        None if report is None else report_outcome,
    )
    status, order, bound, method, _ = outcome
    started = budget.started
    if status is Status.INFEASIBLE:
        conflict = smallest_conflict(constraints, _Feasibility(gains, attributes))
        return without_order(status, method=method, started=started, conflict=conflict)
    if order is None:
        return without_order(status, method=method, started=started, bound=bound)
    violation = broken_rule(order, rules, gains)
    if violation:
        raise RuntimeError(
            f"{method} returned an order with {violation}. Please report this."
        )
    return certified(outcome)


def _select(method: str, gains: Gains, rules: Rules) -> str:
    """Return the method to use; raise if the requested one is not exact here."""
    is_exact: dict[str, Callable[[], bool]] = {
        "sort": lambda: rules.is_empty and gains.scores is not None,
        "matching": lambda: can_match(gains, rules),
        "counting": lambda: count_steps(gains, rules) <= MAX_STEPS,
    }
    if method == "auto":
        return next((name for name, check in is_exact.items() if check()), "auto")
    if method in is_exact and not is_exact[method]():
        raise ValueError(
            f"method={method!r} is not exact for these constraints, or too slow. Use "
            "method='auto'."
        )
    return method


def _solve(
    method: str,
    gains: Gains,
    rules: Rules,
    budget: Budget,
    report: Report | None = None,
) -> Outcome:
    """Run a method that is exact for the problem."""
    if rules.clash:
        return Outcome(Status.INFEASIBLE, method="fixed slots")
    if gains.k == 0:
        empty = np.zeros(0, dtype=np.int64)
        is_kept = all(group.keeps(empty, gains.discount) for group in rules.groups)
        return _exact(empty if is_kept else None, gains, "fixed slots")
    if method == "sort":
        assert gains.scores is not None
        order = np.argsort(-gains.scores, kind="stable")
        margin = _margin_of_exchanges(gains.scores[order], gains.discount)
        return _exact(order[: gains.k], gains, method)._replace(margin=margin)
    if method == "matching":
        return _exact(solve_by_matching(gains, rules), gains, method)
    if method == "counting":
        return _exact(solve_by_counting(gains, rules), gains, method)
    return _solve_lazily(method, gains, rules, budget, report)


def _margin_of_exchanges(scores: FloatArray, discount: FloatArray) -> Margin:
    """Loss of the second best order, given scores s_1 ≥ s_2 ≥ … ≥ s_n.

    Any order is sorted by exchanging items at positions t and t + 1, the last one among
    them with the unplaced ones, without a loss; so the second best is one exchange from
    the best: it loses (s_t - s_{t+1}) · (d_t - d_{t+1}), with d_{k+1} = 0.
    """
    k = len(discount)
    drops = -np.diff(discount, append=0.0)[: len(scores) - 1]
    losses = (scores[:-1] - scores[1:])[:k] * drops
    least = float(losses.min(initial=np.inf))
    return Margin(least, least)


def _exact(order: IntArray | None, gains: Gains, method: str) -> Outcome:
    """Outcome of an exact method: a best order, or the proof that there is none."""
    if order is None:
        return Outcome(Status.INFEASIBLE, method=method)
    return Outcome(Status.FEASIBLE, order, gains.value(order), method)


def _solve_lazily(
    method: str,
    gains: Gains,
    rules: Rules,
    budget: Budget,
    report: Report | None,
) -> Outcome:
    """Solve without the groups, then with those that the order violates, and so on.

    A problem with fewer groups is a relaxation: its bound is valid, and its order is
    best if it violates no group. Of a hundred sellers, few come near their caps.
    """
    run = solve_with_cp_sat if method == "cp_sat" else solve_with_highs
    relaxed = solve_by_matching(
        gains, replace(rules, groups=(), precedences=(), together=())
    )
    if relaxed is None:
        return Outcome(Status.INFEASIBLE, method="matching")
    least = gains.loss(relaxed)  # no order loses less
    limit = float("inf")  # placements that lose more are left out
    best = Outcome(Status.UNKNOWN, method=method)
    active: tuple[Group, ...] = ()
    while True:
        relaxation = replace(rules, groups=active)
        top = 0.0  # greatest loss of a placement in the program
        if method == "auto" and can_match(gains, relaxation):
            outcome = _exact(solve_by_matching(gains, relaxation), gains, "matching")
            if outcome.status is Status.INFEASIBLE:
                return outcome
            order, name = outcome.order, outcome.method
            assert order is not None
            least = max(least, gains.loss(order))
        else:
            name = "cp_sat" if run is solve_with_cp_sat else "highs"
            program = build_program(gains, relaxation, limit)
            within = report and partial(
                _report_within, report, best, name, least, gains, rules
            )
            outcome, top = run(program, gains.k, budget, within), program.top
            if outcome.order is None and name == "highs" and budget.is_cancelled:
                outcome = _solve_again(outcome, gains, rules)
            if outcome.status is Status.INFEASIBLE:
                return outcome._replace(method=name) if best.order is None else best
            least = max(least, -outcome.bound)
            order = outcome.order
            greedy = greedy_order(gains, rules)
            if greedy is not None and (
                order is None or gains.value(order) < gains.value(greedy)
            ):
                order, name = greedy, "greedy"
        best = _better(best, order, name, least, gains, rules)
        if report is not None:
            report(best)
        if order is None:
            return best
        violated = [g for g in rules.groups if not g.keeps(order, gains.discount)]
        active += tuple(violated)
        if not violated:
            assert best.order is not None
            limit = gains.loss(best.order) * (1 + EPSILON * gains.k)
            is_proven = limit - least <= gains.tolerance(best.order)
            if is_proven:
                return best
            # solve again: losses that no better order has took the solver's digits, or
            # HiGHS, which computes in floating point, leaves a gap that integers close
            if limit > MUCH_LESS * top:
                if method != "auto" or run is solve_with_cp_sat:
                    return best
                run = solve_with_cp_sat
        if budget.is_spent:
            return best


def _report_within(
    report: Report,
    best: Outcome,
    name: str,
    least: float,
    gains: Gains,
    rules: Rules,
    order: IntArray | None,
    bound: float,
) -> None:
    """Report an order and a bound on minus the loss, while a program is solved."""
    report(_better(best, order, name, max(least, -bound), gains, rules))


def _solve_again(outcome: Outcome, gains: Gains, rules: Rules) -> Outcome:
    """Solve for a second; HiGHS keeps what it has found if it is interrupted."""
    program = build_program(gains, rules)
    brief = solve_with_highs(program, gains.k, Budget(_SECONDS_AGAIN))
    return outcome if brief.order is None else brief


def _better(
    best: Outcome,
    order: IntArray | None,
    name: str,
    least: float,
    gains: Gains,
    rules: Rules,
) -> Outcome:
    """The better of two orders that keeps the groups, and a bound by the least loss."""
    if (
        order is not None
        and all(group.keeps(order, gains.discount) for group in rules.groups)
        and (best.order is None or gains.loss(order) < gains.loss(best.order))
    ):
        best = Outcome(Status.FEASIBLE, order, method=name)
    if best.order is None:
        return best._replace(bound=float(gains.greatest.sum()) - least, method=name)
    loss, value = gains.loss(best.order), gains.value(best.order)
    gap, rounding = max(0.0, loss - least), 4 * EPSILON * gains.k * loss
    if not gains.is_whole and rounding > _NOTICED * abs(value):
        gap += rounding  # of losses that constraints force
    return best._replace(bound=value + gap)


class _Feasibility:
    """Whether constraints can hold together: False only if proven infeasible.

    Every subset of a feasible set is feasible, and every superset of a conflict is a
    conflict, which saves most solves. All gains that are not -inf count as 0.
    """

    def __init__(self, gains: Gains, attributes: Attributes) -> None:
        self.gains, self.attributes = gains.as_zeros(), attributes
        self.feasible: list[frozenset[Constraint]] = []
        self.conflicts: list[frozenset[Constraint]] = []

    def __call__(self, constraints: tuple[Constraint, ...]) -> bool:
        """Answer from earlier solves, or solve."""
        subset = frozenset(constraints)
        if any(subset <= feasible for feasible in self.feasible):
            return True
        if any(subset >= conflict for conflict in self.conflicts):
            return False
        rules = compile_rules(constraints, self.attributes, self.gains)
        method = _select("auto", self.gains, rules)
        status = _solve(method, self.gains, rules, Budget()).status
        is_feasible = status is not Status.INFEASIBLE
        (self.feasible if is_feasible else self.conflicts).append(subset)
        return is_feasible


def broken_rule(order: IntArray, rules: Rules, gains: Gains) -> str:
    """Describe the first rule that an order breaks; "" if it keeps all of them.

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
    for item, (first, last) in rules.windows.items():
        if not first <= place[item] <= last:
            return f"item {item} at position {place[item]}, not {first}, …, {last}"
    for pair in rules.precedences:
        if place[pair.before] >= place[pair.after] < k:
            return f"item {pair.before} after item {pair.after}"
    for items in rules.together:
        places = place[list(items)]
        if places.min() < k and np.ptp(places) != len(items) - 1:
            return f"items {', '.join(map(str, items))} apart"
        if places.min() < k <= places.max():
            return f"only some of the items {', '.join(map(str, items))}"
    if not all(group.keeps(order, gains.discount) for group in rules.groups):
        return "too few or too many items of a group"
    return ""
