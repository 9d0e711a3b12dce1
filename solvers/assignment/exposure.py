"""Lotteries over orders: groups get their share of the exposure on average."""

import numbers
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import linear_sum_assignment

from ltr.arguments import check_choice
from ltr.queries import BoolArray, FloatArray, IntArray, check_rows, is_missing
from ltr.solvers.assignment.problem import check_discount
from ltr.solvers.core.inputs import check_scores, to_array
from ltr.solvers.core.linear_program import LinearProgram
from ltr.solvers.core.solution import Lottery, Status

TREATMENTS = ("demographic_parity", "disparate_treatment", "disparate_impact", None)
# Shares of the exposure are kept to within this.
SHARE_TOLERANCE = 1e-7
# A new order must improve on the last prices by this share of the range of values.
_IMPROVEMENT = 1e-9
_GLOP = "primal_feasibility_tolerance: 1e-10 dual_feasibility_tolerance: 1e-10"
# Decomposition ends when at most this much probability remains; entries below the
# second number are rounding errors.
_REMAINDER, _ROUNDING = 1e-9, 1e-15


@dataclass(frozen=True, eq=False)
class FairLottery(Lottery):
    """A lottery over orders, its expected value, and each group's share of exposure.

    Attributes
    ----------
    orders : int array of shape (n_orders, k)
        Each row an order, best first.
    probabilities : float array of shape (n_orders,)
        They sum to 1.
    objective : float
        Expected Σ score · discount.
    bound : float
        No lottery that keeps the constraints has a greater expected value.
    shares : dict of group to float
        Expected share of the exposure of each group.

    Examples
    --------
    >>> lottery = fair_exposure([3.0, 2.0, 1.0], ["a", "a", "b"])
    >>> {group: round(share, 3) for group, share in lottery.shares.items()}
    {'a': 0.667, 'b': 0.333}
    """

    objective: float
    bound: float
    shares: dict[Any, float]


def fair_exposure(
    scores: ArrayLike,
    groups: ArrayLike,
    *,
    treatment: Literal["demographic_parity", "disparate_treatment", "disparate_impact"]
    | None = "demographic_parity",
    minimum: Mapping[Any, float] | None = None,
    maximum: Mapping[Any, float] | None = None,
    discount: ArrayLike | None = None,
    k: int | None = None,
) -> FairLottery:
    """Find the best lottery over orders that is fair to groups in expectation.

    Singh and Joachims (2018, Fairness of exposure in rankings) maximize u'Pv over
    doubly stochastic matrices P, u the scores and v the discount, and decompose P into
    orders. Here the orders are generated directly (column generation): for given prices
    of the constraints, the best order is a sort by adjusted scores; a linear program
    over the orders generated so far gives the prices. The value is the same, P is never
    formed, and the number of orders exceeds that of binding constraints by at most one.

    Parameters
    ----------
    scores : array-like of shape (n_items,)
        Relevance u; ≥ 0, and not all 0 in any group, if ``treatment`` is
        ``"disparate_treatment"`` or ``"disparate_impact"``.
    groups : array-like of shape (n_items,)
        Group of each item: any hashable values except None and NaN.
    treatment : str or None, default="demographic_parity"
        ``"demographic_parity"``: the mean exposure of an item is the same in every
        group (their equation 4). ``"disparate_treatment"``: exposure is proportional to
        the group's relevance (equation 5). ``"disparate_impact"``: so is the sum of
        score · discount, the clicks (equation 7). None: none of these.
    minimum, maximum : mapping of group to float, default=None
        Bounds on a group's share of the exposure, in [0, 1].
    discount : array-like of shape (≥ k,), default=None
        Exposure v of each position, ≥ 0 and not rising. None: 1 / log2(1 + rank).
    k : int, default=None
        Positions that are shown; items after them get no exposure. None: all.

    Returns
    -------
    lottery : FairLottery
        A few orders, their probabilities, the expected value, its bound, and shares.

    Raises
    ------
    ValueError
        If an argument is out of range, or no lottery keeps the constraints.

    Examples
    --------
    >>> lottery = fair_exposure(
    ...     [3.0, 2.0, 1.0], ["a", "a", "b"], discount=[1.0, 0.5, 0.2]
    ... )
    >>> lottery.orders.tolist(), lottery.probabilities.round(3).tolist()
    ([[2, 0, 1], [0, 2, 1]], [0.133, 0.867])
    >>> round(lottery.objective, 3), round(lottery.bound, 3)
    (3.767, 3.767)
    """
    u, members = _check_lists(scores, groups)
    n_items = len(u)
    k = n_items if k is None else k
    if not isinstance(k, numbers.Integral) or not 0 < k <= n_items:
        raise ValueError(
            f"k must be in 1, …, {n_items}, as there are {n_items} items; got {k!r}."
        )
    v = np.zeros(n_items)
    v[:k] = check_discount(discount, k)
    total = float(v.sum()) or 1.0
    rows, low = _treatment_rows(u, members, treatment, total)
    high = list(low)
    for name, bounds in (("minimum", minimum), ("maximum", maximum)):
        for group, share in (bounds or {}).items():
            if group not in members or not 0 <= share <= 1:
                raise ValueError(
                    f"{name} must map groups to shares in [0, 1]; got {share!r} for "
                    f"{group!r}. Groups: {list(members)}."
                )
            rows.append(members[group] / total)
            low.append(share if name == "minimum" else -np.inf)
            high.append(share if name == "maximum" else np.inf)
    fairness = _Fairness(
        np.array(rows).reshape(-1, n_items), np.array(low), np.array(high)
    )
    positions, probabilities, bound = _generate_orders(u, v, fairness)
    exposure = probabilities @ v[positions]
    missing = fairness.violation(exposure)
    if missing > SHARE_TOLERANCE:
        raise ValueError(
            "no lottery keeps these constraints: the nearest misses by "
            f"{missing:.2g} of the whole exposure. {_most_exposure(members, v)} Loosen "
            "minimum, maximum or treatment."
        )
    objective = float(u @ exposure)
    return FairLottery(
        np.argsort(positions, axis=1)[:, :k],
        probabilities,
        objective,
        max(bound, objective),
        {
            group: float(exposure[in_group].sum() / total)
            for group, in_group in members.items()
        },
    )


def birkhoff(matrix: ArrayLike) -> Lottery:
    """Decompose a doubly stochastic matrix into a lottery over orders.

    Parameters
    ----------
    matrix : array-like of shape (n, n)
        Entry [i, j] is the probability that item i is at position j; rows and columns
        sum to 1, up to 1e-9 for each entry. Entries down to -1e-9 are taken as 0.

    Returns
    -------
    lottery : Lottery
        At most (n - 1)² + 1 orders whose mixture is the matrix, up to 1e-9.

    Raises
    ------
    ValueError
        If the matrix is not square, has a negative entry, or a sum that is not 1.

    Notes
    -----
    Birkhoff (1946): while the remainder is not 0, some order has only positive entries
    in it; subtract that order times its least entry. Here it is the order with the
    greatest product of entries, which keeps the number of orders small.

    Examples
    --------
    >>> lottery = birkhoff([[0.25, 0.75], [0.75, 0.25]])
    >>> lottery.orders.tolist(), lottery.probabilities.tolist()
    ([[1, 0], [0, 1]], [0.75, 0.25])
    """
    remainder = _check_doubly_stochastic(matrix)
    columns = np.arange(len(remainder))
    orders, probabilities = [], []
    mass = 1.0
    while mass > _REMAINDER:
        with np.errstate(divide="ignore"):
            order = linear_sum_assignment(np.log(remainder).T, maximize=True)[1]
        step = remainder[order, columns].min(initial=mass)
        orders.append(order)
        probabilities.append(step)
        remainder[order, columns] -= step
        remainder[remainder < _ROUNDING] = 0.0
        mass -= step
    weights = np.array(probabilities)
    return Lottery(np.array(orders, dtype=np.int64), weights / weights.sum())


def _check_doubly_stochastic(matrix: ArrayLike) -> FloatArray:
    array = to_array(matrix, "matrix must be a square array of numbers")
    if array.ndim != 2 or array.shape[0] != array.shape[1]:
        raise ValueError(
            "matrix must be square, one row per item and one column per position; got "
            f"shape {array.shape}."
        )
    if not (array >= -_REMAINDER).all():
        row, column = np.argwhere(~(array >= -_REMAINDER))[0]
        raise ValueError(
            f"matrix must be >= 0; got {array[row, column]} at [{row}, {column}]."
        )
    array = np.maximum(array, 0.0)
    for axis, name in ((1, "row"), (0, "column")):
        sums = array.sum(axis=axis)
        if (wrong := np.abs(sums - 1) > 1e-9 * max(len(array), 1)).any():
            place = int(wrong.argmax())
            raise ValueError(
                f"matrix must have rows and columns that sum to 1; got "
                f"{sums[place]:.12g} "
                f"for {name} {place}."
            )
    return array


def _check_lists(
    scores: ArrayLike, groups: ArrayLike
) -> tuple[FloatArray, dict[Any, BoolArray]]:
    """Return the scores, and the members of each group by first appearance."""
    names = groups.tolist() if isinstance(groups, np.ndarray) else list(groups)  # type: ignore[arg-type]
    u = check_scores(scores, len(names), "scores")
    check_rows({"scores": scores, "groups": groups})
    if not np.isfinite(u).all():
        row = int((~np.isfinite(u)).argmax())
        raise ValueError(f"scores must be finite; got {u[row]} at [{row}].")
    for i, name in enumerate(names):
        if is_missing(name):
            raise ValueError(
                f"groups must have a group for every item; got {name!r} at [{i}]. Name "
                "one, say 'other', or leave the item out."
            )
    codes: dict[Any, int] = {}
    number = np.array([codes.setdefault(name, len(codes)) for name in names])
    return u, {name: number == code for name, code in codes.items()}


@dataclass(frozen=True, eq=False)
class _Fairness:
    """``low <= rows @ exposure <= high``, in shares of the whole exposure."""

    rows: FloatArray
    low: FloatArray
    high: FloatArray

    def violation(self, exposure: FloatArray) -> float:
        """Greatest violation of a row."""
        shares = self.rows @ exposure
        return float(np.maximum(self.low - shares, shares - self.high).max(initial=0.0))


def _treatment_rows(
    u: FloatArray, members: dict[Any, BoolArray], treatment: str | None, total: float
) -> tuple[list[FloatArray], list[float]]:
    """Rows F and targets of F · exposure = target; one group needs no row."""
    check_choice("treatment", treatment, TREATMENTS)
    if treatment is None:
        return [], []
    merits = {group: float(u[in_group].sum()) for group, in_group in members.items()}
    if treatment != "demographic_parity":
        poor = [group for group, merit in merits.items() if not merit > 0]
        if (u < 0).any() or poor:
            raise ValueError(
                "scores must be >= 0, and not all 0 within a group, for "
                f"{treatment!r}; got {u.min():g} as the least"
                + (f" and only zeros in group {poor[0]!r}." if poor else ".")
            )
    first, *others = members
    rows, targets = [], []
    for group in others:
        if treatment == "disparate_impact":
            clicks = [u * members[g] / merits[g] for g in (group, first)]
            rows.append((clicks[0] - clicks[1]) / total)
            targets.append(0.0)
        else:
            parity = treatment == "demographic_parity"
            share = members[group].mean() if parity else merits[group] / u.sum()
            rows.append(members[group] / total)
            targets.append(float(share))
    return rows, targets


def _most_exposure(members: dict[Any, BoolArray], v: FloatArray) -> str:
    most = [
        f"{group!r} {100 * v[: in_group.sum()].sum() / (v.sum() or 1.0):.3g} %"
        for group, in_group in members.items()
    ]
    return f"The most that a group can have: {', '.join(most)}."


def _generate_orders(
    u: FloatArray, v: FloatArray, fairness: _Fairness
) -> tuple[IntArray, FloatArray, float]:
    """Column generation: positions of the items in each order, probabilities, a bound.

    Phase 1 minimizes the violation of the rows, phase 2 maximizes the value. Scores are
    first scaled to values in [0, 1]; every item has a position, so for any exposure e
    u·e = min(u)·Σv + range(u)·(values·e).
    """
    span = float(np.ptp(u)) or 1.0
    values = (u - u.min()) / span
    master = _MasterProgram(v, fairness)
    master.add(_best_positions(values), 0.0)
    master.generate(np.zeros_like(values))
    master.freeze_slacks()
    bound = master.generate(values)
    positions, probabilities = master.mixture()
    return positions, probabilities, float(u.min() * v.sum() + span * bound)


def _best_positions(adjusted: FloatArray) -> IntArray:
    """Position of each item when they are sorted by adjusted score, greatest first."""
    positions = np.empty(len(adjusted), dtype=np.int64)
    positions[np.argsort(-adjusted, kind="stable")] = np.arange(len(adjusted))
    return positions


class _MasterProgram:
    """The linear program over the orders generated so far.

    With v[o], the exposure of each item in order o, and F, the fairness rows,

        maximize Σ_o p_o · values·v[o]  subject to  Σ_o p_o = 1,
        low ≤ Σ_o p_o · F v[o] + s⁺ - s⁻ ≤ high,  p ≥ 0,  0 ≤ s ≤ slack limits.
    """

    def __init__(self, v: FloatArray, fairness: _Fairness) -> None:
        self._v, self._fairness = v, fairness
        self._lp = LinearProgram(_GLOP)  # which minimizes: its costs are minus values
        self._lp.add_rows([1.0], [1.0])
        self._rows = self._lp.add_rows(fairness.low, fairness.high)
        n_rows = len(self._rows)
        self._slacks = self._lp.add_columns(np.ones(2 * n_rows))
        signs = np.tile([1.0, -1.0], n_rows)
        self._lp.add_entries(np.repeat(self._rows, 2), self._slacks, signs)
        self._orders: list[IntArray] = []
        self._keys: set[bytes] = set()

    @property
    def _order_columns(self) -> IntArray:
        return np.arange(len(self._slacks), self._lp.n_columns)

    def add(self, positions: IntArray, value: float) -> None:
        """Add an order."""
        shares = self._fairness.rows @ self._v[positions]
        columns = self._lp.add_columns([-value])
        rows = np.append([0], self._rows)
        self._lp.add_entries(rows, np.repeat(columns, len(rows)), [1.0, *shares])
        self._orders.append(positions)
        self._keys.add(positions.tobytes())

    def freeze_slacks(self) -> None:
        """Make slack free of cost, and limit it to what the last solution needs."""
        needed = np.maximum(self._lp.x[self._slacks], 0.0)
        self._lp.set_bounds(self._slacks, np.zeros(len(needed)), needed)
        self._lp.set_costs(self._slacks, np.zeros(len(needed)))

    def generate(self, values: FloatArray) -> float:
        """Add orders while one with positive reduced gain remains; return the bound.

        With the dual values y of the fairness rows and π of the row of probabilities,
        an order o gains values·v[o] - y·F v[o] - π = adjusted·v[o] - π, which is
        greatest if the items are sorted by adjusted = values - yF. Whatever y is,
        max_o adjusted·v[o] + Σ_rows max(y·low, y·high) bounds the value of every
        lottery (Lagrangian bound); the least of these is returned.
        """
        v, columns = self._v, self._order_columns
        gains = np.array([values @ v[positions] for positions in self._orders])
        self._lp.set_costs(columns, -gains)
        bound = np.inf
        while True:
            if self._lp.solve() is not Status.OPTIMAL:
                raise RuntimeError("GLOP did not solve a program. Please report this.")
            prices = self._lp.prices  # of the minimization: -π and -y
            adjusted = values + prices[self._rows] @ self._fairness.rows
            positions = _best_positions(adjusted)
            best = float(adjusted @ v[positions])
            bound = min(bound, best - float(self._lp.rows_bound()[self._rows].sum()))
            gain = best + float(prices[0])
            is_present = positions.tobytes() in self._keys
            if is_present or gain <= _IMPROVEMENT * v.sum():
                return bound
            self.add(positions, float(values @ v[positions]))

    def mixture(self) -> tuple[IntArray, FloatArray]:
        """Orders of the last solution, and their probabilities."""
        probabilities = self._lp.x[self._order_columns]
        support = np.flatnonzero(probabilities > _ROUNDING)
        weights = probabilities[support]
        return np.array(self._orders)[support], weights / weights.sum()
