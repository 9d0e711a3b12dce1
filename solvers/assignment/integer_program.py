"""The general case: one integer program, solved by HiGHS or by CP-SAT."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.optimize
import scipy.sparse

from ltr.queries import FloatArray, IntArray
from ltr.solvers.assignment.problem import Gains, Rules
from ltr.solvers.core.budget import Budget
from ltr.solvers.core.cp_sat import Report, solve_model
from ltr.solvers.core.groups import SHARE_TOLERANCE, Group
from ltr.solvers.core.interrupts import run_compiled
from ltr.solvers.core.solution import Outcome, Status
from ltr.solvers.core.tolerance import are_whole

# CP-SAT works with integers: the greatest loss is divided into UNITS units, the total
# exposure into EXPOSURE_UNITS.
UNITS = 2**36
EXPOSURE_UNITS = 10**12
# The greatest loss in HiGHS, whose tolerances are absolute: it drops nodes that are
# better by up to 1e-6 and tolerates reduced costs of the wrong sign up to 1e-7, so its
# bound gets these slacks, in all and for each position.
HIGHS_TOP, HIGHS_SLACK, HIGHS_SLACK_PER_POSITION = 1e5, 3e-6, 2e-7
# Nodes of HiGHS in a unit of work.
NODES = 500.0
# Seconds per variable that HiGHS needs to read and presolve a program, or that building
# the model for CP-SAT takes, before the time limit is first checked.
READING = 2e-5


@dataclass(frozen=True, eq=False)
class Program:
    """Minimize loss·x subject to low ≤ rows·x ≤ high, least ≤ x ≤ most, x integer.

    Attributes
    ----------
    items, positions : int array of shape (n_placements,)
        The first variables are 1 if the item is placed at the position; the others
        count the members of a group in a prefix.
    loss : float array of shape (n_placements,)
        Losses of the placements, >= 0; see :meth:`Gains.losses`.
    rows : sparse matrix of shape (n_rows, n_variables)
        Coefficients.
    low, high : float array of shape (n_rows,)
        Bounds of the rows.
    least, most : float array of shape (n_variables,)
        Bounds of the variables.
    """

    items: IntArray
    positions: IntArray
    loss: FloatArray
    rows: Any
    low: FloatArray
    high: FloatArray
    least: FloatArray
    most: FloatArray

    @property
    def top(self) -> float:
        """Greatest loss of a placement; 1 if all are 0."""
        return float(self.loss.max(initial=0.0)) or 1.0

    @property
    def is_void(self) -> bool:
        """Whether it has no placement, or a variable without a value."""
        return not len(self.items) or bool((self.least > self.most).any())

    def order(self, values: FloatArray | IntArray) -> IntArray:
        """Return the item at each position, given the values of the variables."""
        placed = np.flatnonzero(values[: len(self.items)] > 0.5)
        return self.items[placed[np.argsort(self.positions[placed])]]


class _Rows:
    """Collects the rows of a sparse matrix and their bounds."""

    def __init__(self) -> None:
        self.parts: list[tuple[Any, Any, Any]] = []
        self.low: list[Any] = []
        self.high: list[Any] = []
        self.n_rows = 0

    def add(self, row: Any, column: Any, value: Any, low: Any, high: Any) -> None:
        """Append rows; ``row`` counts from the first of them."""
        row, column, value = np.broadcast_arrays(row, column, value)
        low, high = np.broadcast_arrays(np.atleast_1d(low), np.atleast_1d(high))
        self.parts.append((row.ravel() + self.n_rows, column.ravel(), value.ravel()))
        self.low.append(low)
        self.high.append(high)
        self.n_rows += len(low)

    def assemble(self, n_columns: int) -> tuple[Any, FloatArray, FloatArray]:
        """Return the matrix and the bounds of its rows."""
        row, column, value = (
            np.concatenate(part) for part in zip(*self.parts, strict=True)
        )
        shape = (self.n_rows, n_columns)
        matrix = scipy.sparse.csr_array((value, (row, column)), shape=shape)
        return matrix, np.concatenate(self.low), np.concatenate(self.high)


def build_program(gains: Gains, rules: Rules, limit: float = float("inf")) -> Program:
    """Formulate gains and constraints as an integer program.

    Placements that lose more than ``limit`` are left out: losses are >= 0, so an order
    that loses at most the limit has none of them.

    Each position has one item, and each item at most one position. For each group a
    counter c_t, the number of members among the first t positions, follows from
    c_t = c_{t-1} + Σ_{i in group} x_it: prefix quotas are its bounds, a window of
    length w is c_t - c_{t-w}, the exposure is Σ_t c_t·(d_t - d_{t+1}) (summation by
    parts), and a precedence compares the counters of two items: after_t ≤ before_{t-1}.

    Examples
    --------
    >>> from ltr.solvers.assignment.problem import check_gains
    >>> gains = check_gains([2.0, 1.0], None, None)
    >>> build_program(gains, Rules({}, (), (), False)).loss.round(2).tolist()
    [0.0, 0.0, 0.63]
    """
    k = gains.k
    items, positions, loss = _placements(gains, rules, limit)
    n_placements = len(items)
    rows = _Rows()
    columns = np.arange(n_placements)
    rows.add(positions, columns, 1.0, np.ones(k), np.ones(k))
    candidates, row = np.unique(items, return_inverse=True)
    n_candidates = len(candidates)
    # an item whose window ends before position k must be placed
    must = {item for item, (_, last) in rules.windows.items() if last < k}
    is_placed = np.isin(candidates, list(must)).astype(np.float64)
    rows.add(row, columns, 1.0, is_placed, np.ones(n_candidates))
    counted = [*rules.groups]
    single = {}  # number of the counter of an item that a precedence names
    for item in {i for pair in rules.precedences for i in (pair.before, pair.after)}:
        members = np.zeros(gains.n_items, dtype=bool)
        members[item] = True
        single[item] = len(counted)
        counted.append(Group(members, np.zeros(k + 1, int), np.ones(k + 1, int)))
    counters = n_placements + np.arange(len(counted) * k).reshape(len(counted), k)
    least = np.zeros(n_placements + counters.size)
    most = np.ones(n_placements + counters.size)
    steps = np.arange(k)
    for group, counter in zip(counted, counters, strict=True):
        least[counter], most[counter] = group.lower[1:], group.upper[1:]
        inside = group.members[items]
        rows.add(
            np.concatenate([positions[inside], steps, steps[1:]]),
            np.concatenate([columns[inside], counter, counter[:-1]]),
            np.repeat([1.0, -1.0, 1.0], [inside.sum(), k, k - 1]),
            np.zeros(k),
            np.zeros(k),
        )
        for count, length, top in group.windows:
            # the first window is a bound of c_length itself
            ends = np.arange(length, top)
            most[counter[length - 1]] = min(most[counter[length - 1]], count)
            rows.add(
                np.tile(np.arange(len(ends)), 2),
                np.concatenate([counter[ends], counter[ends - length]]),
                np.repeat([1.0, -1.0], len(ends)),
                np.full(len(ends), -np.inf),
                np.full(len(ends), float(count)),
            )
        drops = -np.diff(gains.discount, append=0.0) / gains.exposure
        for low, high in group.shares:
            slack = SHARE_TOLERANCE / 2
            rows.add(np.zeros(k, int), counter, drops, low - slack, high + slack)
    for pair in rules.precedences:
        before, after = counters[single[pair.before]], counters[single[pair.after]]
        most[after[0]] = 0.0
        rows.add(
            np.tile(steps[:-1], 2),
            np.concatenate([after[1:], before[:-1]]),
            np.repeat([1.0, -1.0], k - 1),
            np.full(k - 1, -np.inf),
            np.zeros(k - 1),
        )
    n_variables = len(least)
    for group_items in rules.together:
        n_starts = max(0, k - len(group_items) + 1)
        inside = np.isin(items, group_items)
        starts = n_variables + np.arange(n_starts)
        _add_block(rows, positions[inside], columns[inside], starts, k)
        n_variables += n_starts
    n_blocks = n_variables - len(least)
    least = np.append(least, np.zeros(n_blocks))
    most = np.append(most, np.ones(n_blocks))
    if not must.issubset(candidates.tolist()):
        most = least - 1  # no order: an item that must be placed has no placement
    matrix, lowest, highest = rows.assemble(n_variables)
    return Program(items, positions, loss, matrix, lowest, highest, least, most)


def _add_block(
    rows: _Rows, positions: IntArray, columns: IntArray, starts: IntArray, k: int
) -> None:
    """Add the rows of m items that stand next to each other, or are all unplaced.

    With s_t = 1 if the block begins at position t = 0, …, k - m, Σ_t s_t ≤ 1, and the
    number of its items at position p is Σ_{t = p - m + 1}^{p} s_t.
    """
    length = k - len(starts) + 1
    if len(starts):
        rows.add(0, starts, 1.0, 0.0, 1.0)
    offsets = np.arange(length)
    covered = np.add.outer(np.arange(len(starts)), offsets)  # (n_starts, m)
    rows.add(
        np.concatenate([positions, covered.ravel()]),
        np.concatenate([columns, np.repeat(starts, length)]),
        np.repeat([1.0, -1.0], [len(positions), covered.size]),
        np.zeros(k),
        np.zeros(k),
    )


def _placements(
    gains: Gains, rules: Rules, limit: float
) -> tuple[IntArray, IntArray, FloatArray]:
    """Items, positions and losses of the placements that are allowed."""
    k = gains.k
    items, first = _candidates(gains, rules)
    losses = gains.losses(items)
    allowed = np.isfinite(losses) & (losses <= limit)
    allowed &= np.arange(k) >= first[:, None]
    for item, (earliest, latest) in rules.windows.items():
        allowed[items == item, :earliest] = False
        allowed[items == item, latest + 1 :] = False
    for position, item in rules.fixed.items():
        allowed[:, position] &= items == item
        allowed[items == item] &= np.arange(k) == position
    rows, positions = np.nonzero(allowed)
    return items[rows], positions.astype(np.int64), losses[rows, positions]


def _candidates(gains: Gains, rules: Rules) -> tuple[IntArray, IntArray]:
    """Items that suffice for a best order, and the earliest position of each.

    Among items that no constraint distinguishes, and whose gain is score · discount,
    exchanging two so that the better one comes first loses nothing: the j-th best of
    such a class (from 0) is at position j or later, and not placed at all if j ≥ k.
    """
    n_items = gains.n_items
    if gains.scores is None:
        return np.arange(n_items), np.zeros(n_items, dtype=np.int64)
    # an item that a constraint names is a class of its own
    named = rules.named_items()
    mark = np.zeros(n_items, dtype=np.int64)
    mark[list(named)] = 1 + np.arange(len(named))
    best_first = np.argsort(-gains.scores, kind="stable")
    rank = rank_in_class(rules.groups, mark, best_first)
    candidates = best_first[rank[best_first] < gains.k]
    return candidates, rank[candidates]


def rank_in_class(
    groups: tuple[Group, ...], mark: IntArray, best_first: IntArray
) -> IntArray:
    """Return the number of better items with the same groups and mark as each item.

    Examples
    --------
    >>> members = np.array([True, False, True])
    >>> group = Group(members, np.zeros(4, int), np.arange(4))
    >>> rank_in_class((group,), np.zeros(3, int), np.array([2, 1, 0])).tolist()
    [1, 0, 0]
    """
    # classes: each group refines the codes by one bit, renumbered to stay small
    codes = mark
    for group in groups:
        codes = np.unique(2 * codes + group.members, return_inverse=True)[1]
    by_class = best_first[np.argsort(codes[best_first], kind="stable")]
    starts = np.flatnonzero(np.diff(codes[by_class], prepend=-1))
    sizes = np.diff(starts, append=len(by_class))
    rank = np.empty(len(by_class), dtype=np.int64)
    rank[by_class] = np.arange(len(by_class)) - np.repeat(starts, sizes)
    return rank


def _is_too_large(program: Program, budget: Budget) -> bool:
    """Whether the time limit would pass before the search starts."""
    return budget.seconds_left < READING * len(program.least)


def solve_with_highs(
    program: Program, k: int, budget: Budget, report: Report | None = None
) -> Outcome:
    """Solve a program by HiGHS's branch and cut, its tolerances added to the bound.

    The bound is on minus the loss. SciPy's HiGHS reports nothing before its end.
    """
    if program.is_void:
        return Outcome(Status.INFEASIBLE)
    if _is_too_large(program, budget):
        return Outcome(Status.UNKNOWN, None, 0.0)
    cost, unit = np.zeros(len(program.least)), program.top / HIGHS_TOP
    cost[: len(program.loss)] = program.loss / unit
    options: Any = {"mip_rel_gap": 0.0}
    if np.isfinite(budget.work_left):
        options["node_limit"] = max(1, int(NODES * budget.work_left))
    if np.isfinite(budget.seconds_left):
        options["time_limit"] = budget.seconds_left
    result = run_compiled(
        lambda: scipy.optimize.milp(
            cost,
            integrality=np.ones(len(cost), dtype=np.int64),
            bounds=scipy.optimize.Bounds(program.least, program.most),
            constraints=scipy.optimize.LinearConstraint(
                program.rows, program.low, program.high
            ),
            options=options,
        ),
        is_cancelled=lambda: budget.is_cancelled,
        stop=None,  # HiGHS cannot be stopped from outside
    )
    if result is None:
        return Outcome(Status.UNKNOWN, None, 0.0)
    budget.spend((result.mip_node_count or 1) / NODES)
    if result.status == 2:  # infeasible
        return Outcome(Status.INFEASIBLE)
    bound = 0.0
    if result.mip_dual_bound is not None and np.isfinite(result.mip_dual_bound):
        slack = HIGHS_SLACK + HIGHS_SLACK_PER_POSITION * k
        bound = min(bound, unit * (slack - float(result.mip_dual_bound)))
    if result.x is None:
        return Outcome(Status.UNKNOWN, None, bound)
    return Outcome(Status.FEASIBLE, program.order(result.x), bound)


def solve_with_cp_sat(
    program: Program, k: int, budget: Budget, report: Report | None = None
) -> Outcome:
    """Solve a program by CP-SAT in integers, their rounding added to the bound.

    The bound, also of what is reported, is on minus the loss.
    """
    from ortools.sat.python import cp_model

    if program.is_void:
        return Outcome(Status.INFEASIBLE)
    if _is_too_large(program, budget):
        return Outcome(Status.UNKNOWN, None, 0.0)
    model = cp_model.CpModel()
    n_placements = len(program.loss)
    variables = [
        model.new_bool_var("")
        if column < n_placements
        else model.new_int_var(int(least), int(most), "")
        for column, (least, most) in enumerate(
            zip(program.least, program.most, strict=True)
        )
    ]
    add_rows(model, cp_model.LinearExpr.weighted_sum, variables, program)
    is_whole = program.top < UNITS and are_whole(program.loss)
    unit = 1.0 if is_whole else program.top / UNITS
    weights = np.floor(program.loss / unit).astype(np.int64).tolist()
    model.minimize(cp_model.LinearExpr.weighted_sum(variables[:n_placements], weights))

    def pass_on(values: IntArray | None, bound: float) -> None:
        if report is not None:
            order = None if values is None else program.order(values)
            report(order, min(0.0, -unit * bound))

    result = solve_model(
        model,
        budget,
        variables=variables[:n_placements],
        report=None if report is None else pass_on,
    )
    if result.status is Status.INFEASIBLE:
        return Outcome(Status.INFEASIBLE)
    # losses are rounded down, so the bound holds for the losses themselves
    bound = min(0.0, -unit * result.bound)
    if not result.has_solution:
        return Outcome(Status.UNKNOWN, None, bound)
    order = program.order(result.values(variables[:n_placements]))
    return Outcome(Status.FEASIBLE, order, bound)


def add_rows(model: Any, weighted_sum: Any, variables: Any, program: Program) -> None:
    """Add the rows of a program to a CP-SAT model.

    Rows with fractional coefficients, those of exposure, are multiplied by
    EXPOSURE_UNITS and rounded; their bounds are relaxed by the greatest effect of that
    rounding, half a unit per member counted.
    """
    matrix = program.rows
    for row in range(matrix.shape[0]):
        span = slice(matrix.indptr[row], matrix.indptr[row + 1])
        if span.start == span.stop and program.low[row] <= 0 <= program.high[row]:
            continue
        values = matrix.data[span]
        low, high = program.low[row], program.high[row]
        if (values != np.rint(values)).any():
            slack = program.most[matrix.indices[span]].sum() / 2
            values = values * EXPOSURE_UNITS
            low, high = low * EXPOSURE_UNITS - slack, high * EXPOSURE_UNITS + slack
        terms = [variables[column] for column in matrix.indices[span]]
        total = weighted_sum(terms, np.rint(values).astype(np.int64).tolist())
        if low == high:
            model.add(total == int(low))
        else:
            if np.isfinite(low):
                model.add(total >= int(np.ceil(low)))
            if np.isfinite(high):
                model.add(total <= int(np.floor(high)))
