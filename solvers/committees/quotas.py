"""Quotas on groups: the committees of k items that keep them."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import Bounds, LinearConstraint, milp

from ltr.arguments import check_whole
from ltr.queries import BoolArray, FloatArray, IntArray
from ltr.solvers.core.budget import Budget, BudgetSpent
from ltr.solvers.core.conflicts import smallest_conflict
from ltr.solvers.core.constraints import Quota
from ltr.solvers.core.cp_sat import solve_model
from ltr.solvers.core.interrupts import run_compiled
from ltr.solvers.core.tolerance import are_whole

# The greatest value in HiGHS, whose tolerances are absolute: it drops nodes that are
# better by up to 1e-6, and tolerates reduced costs of the wrong sign up to 1e-7.
_HIGHS_TOP = 1e5
# The greatest value in CP-SAT, in its units.
_CP_SAT_TOP = 2.0**40
Committee = Sequence[int] | IntArray
Groups = ArrayLike | Mapping[Hashable, Iterable[Any]]


class Quotas:
    """Committees of ``k`` out of ``n_items`` that keep the bounds of all groups.

    Parameters
    ----------
    groups : mapping of label → bool array of shape (n_items,)
        Members of each group.
    bounds : sequence of Quota
        Bounds on the number of members in the committee.
    k : int
        Size of the committee.
    n_items : int
        Number of items.

    Examples
    --------
    >>> groups = {"a": np.array([True, True, False, False])}
    >>> quotas = Quotas(groups, [Quota("group", "a", upper=1)], 2, 4)
    >>> quotas.best(np.array([9.0, 8.0, 1.0, 2.0]))
    (array([0, 3]), 0.0)
    """

    def __init__(
        self,
        groups: Mapping[Hashable, BoolArray],
        bounds: Sequence[Quota],
        k: int,
        n_items: int,
    ) -> None:
        self.groups, self.bounds, self.k, self.n_items = groups, bounds, k, n_items
        labels = list(dict.fromkeys(bound.value for bound in bounds))
        rows = [groups[label] for label in labels]
        self.members = np.array(rows, dtype=bool).reshape(len(labels), n_items)
        self.lower = np.zeros(len(labels), dtype=np.int64)
        self.upper = np.full(len(labels), k, dtype=np.int64)
        for bound in bounds:
            place = labels.index(bound.value)
            self.lower[place] = max(self.lower[place], bound.lower)
            if bound.upper is not None:
                self.upper[place] = min(self.upper[place], bound.upper)
        self.are_disjoint = bool((self.members.sum(axis=0) <= 1).all())

    def keeps(self, committee: Committee) -> bool:
        """Whether a committee keeps all bounds."""
        counts = self.members[:, list(committee)].sum(axis=1)
        return bool(((counts >= self.lower) & (counts <= self.upper)).all())

    def can_extend(self, items: Committee) -> bool:
        """Whether some committee that keeps all bounds contains these items."""
        included = np.zeros(self.n_items, dtype=bool)
        included[list(items)] = True
        return self.best(np.zeros(self.n_items), included)[0] is not None

    def next_item(self, gains: FloatArray, items: Sequence[int]) -> int:
        """Item of greatest gain that may join ``items``, the first in case of ties."""
        may_join = np.ones(self.n_items, dtype=bool)
        may_join[list(items)] = False
        if self.are_disjoint:
            counts = self.members[:, list(items)].sum(axis=1)
            may_join &= ~self.members[counts >= self.upper].any(axis=0)
            deficit = np.maximum(self.lower - counts, 0)
            if deficit.sum() >= self.k - len(items):  # every open seat is owed
                may_join &= self.members[deficit > 0].any(axis=0)
            return int(np.argmax(np.where(may_join, gains, -np.inf)))
        for item in np.argsort(-gains, kind="stable").tolist():
            if may_join[item] and self.can_extend([*items, item]):
                return item
        raise RuntimeError("no item may join: the committee so far breaks the quotas")

    def best(
        self,
        values: FloatArray,
        included: BoolArray | None = None,
        excluded: BoolArray | None = None,
        budget: Budget | None = None,
    ) -> tuple[IntArray | None, float]:
        """Return the committee of greatest total value, and a bound on its error.

        Parameters
        ----------
        values : float array of shape (n_items,)
            Finite.
        included, excluded : bool array of shape (n_items,), default=None
            Items that it must and must not contain. None: no such items.

        Returns
        -------
        items : int array of shape (k,) or None
            None if there is no such committee.
        excess : float
            No committee has a total greater by more than this: 0 after a sort, the gap
            of the integer program for overlapping groups.

        Raises
        ------
        BudgetSpent
            If the budget ends before there is a committee and a bound.
        """
        if included is not None:
            values = np.where(included, np.inf, values)
        if excluded is not None:
            values = np.where(excluded, -np.inf, values)
        if not self.are_disjoint:
            return self._best_by_program(values, budget)
        items = self._best_by_sort(values)
        if len(items) != self.k or (len(self.members) and not self.keeps(items)):
            return None, 0.0
        if included is not None and included[items].sum() < included.sum():
            return None, 0.0
        if excluded is not None and excluded[items].any():
            return None, 0.0
        return items, 0.0

    def _best_by_sort(self, values: FloatArray) -> IntArray:
        """The best of each group up to its lower bound, then the best of the others.

        Committees that keep bounds on disjoint groups are the bases of a matroid (a
        truncated partition matroid), so greedy is exact.
        """
        order = np.argsort(-values, kind="stable")
        if not len(self.members):
            return order[: self.k]
        members = self.members[:, order]
        rank = np.cumsum(members, axis=1)  # within the group, from 1
        is_required = (members & (rank <= self.lower[:, None])).any(axis=0)
        is_surplus = (members & (rank > self.upper[:, None])).any(axis=0)
        n_free = max(0, self.k - int(is_required.sum()))
        others = order[~is_required & ~is_surplus][:n_free]
        return np.concatenate([order[is_required], others])

    def _best_by_program(
        self, values: FloatArray, budget: Budget | None = None
    ) -> tuple[IntArray | None, float]:
        """Maximize v·x over x ∈ {0, 1}^n with Σ x = k and lower ≤ members·x ≤ upper."""
        free = np.isfinite(values)
        scale = float(np.abs(values[free]).max(initial=0.0)) or 1.0
        unit = scale / _HIGHS_TOP
        options: Any = {"mip_rel_gap": 0.0}
        if budget is not None and np.isfinite(budget.seconds_left):
            options["time_limit"] = budget.seconds_left
        result = run_compiled(
            lambda: milp(
                -np.where(free, values, 0.0) / unit,
                integrality=np.ones(self.n_items, dtype=np.int64),
                bounds=Bounds(values == np.inf, values != -np.inf),
                constraints=[
                    LinearConstraint(np.ones((1, self.n_items)), self.k, self.k),
                    LinearConstraint(
                        self.members.astype(float), self.lower, self.upper
                    ),
                ],
                options=options,
            ),
            is_cancelled=lambda: budget is not None and budget.is_cancelled,
            stop=None,  # HiGHS cannot be stopped from outside
        )
        if result is None or result.status == 1:  # cancelled, or out of time
            raise BudgetSpent
        if result.x is None:
            return None, 0.0
        items = np.flatnonzero(result.x > 0.5)
        gap = max(0.0, float(result.fun - result.mip_dual_bound))
        # nor does any committee exceed the best one without quotas
        n_free = self.k - int((values == np.inf).sum())
        best_free = np.sort(values[free])[len(values[free]) - n_free :]
        surplus = float(best_free.sum() - values[items][free[items]].sum())
        return items, min((gap + 3e-6 + 1e-7 * self.k) * unit, max(0.0, surplus))

    def best_within(self, values: FloatArray, budget: Budget) -> tuple[IntArray, float]:
        """As :meth:`best` of quotas that can be kept, by a program that can be ended.

        CP-SAT maximizes Σ ⌊v_i / unit⌋ x_i, so v·x is at most unit · (its bound + k).

        Returns
        -------
        items : int array of shape (k,)
            The best committee; another one if the budget ends first.
        excess : float
            No committee has a total greater by more than this.
        """
        from ortools.sat.python import cp_model

        if self.are_disjoint:
            return self._best_by_sort(values), 0.0
        top = float(np.abs(values).max(initial=0.0)) or 1.0
        is_whole = are_whole(values) and top < _CP_SAT_TOP
        unit = 1.0 if is_whole else top / _CP_SAT_TOP
        model = cp_model.CpModel()
        x = [model.new_bool_var("") for _ in values]
        model.add(cp_model.LinearExpr.sum(x) == self.k)
        for row, low, high in zip(self.members, self.lower, self.upper, strict=True):
            members = [x[item] for item in np.flatnonzero(row).tolist()]
            count = cp_model.LinearExpr.sum(members)
            model.add_linear_constraint(count, int(low), int(high))
        integers = np.floor(values / unit).astype(np.int64).tolist()
        model.maximize(cp_model.LinearExpr.weighted_sum(x, integers))
        result = solve_model(model, budget)
        if result.has_solution:
            items = np.flatnonzero(result.values(x))
        else:  # without values, HiGHS looks for the first committee only
            any_items, _ = self._best_by_program(np.zeros(self.n_items))
            assert any_items is not None
            items = any_items
        rounding = 0.0 if is_whole else float(self.k)
        gap = unit * (result.bound + rounding) - float(values[items].sum())
        # nor does any committee exceed the best one without quotas
        surplus = float(np.sort(values)[-self.k :].sum() - values[items].sum())
        return items, max(0.0, min(gap, surplus))

    def swaps(self, committee: IntArray) -> BoolArray:
        """Whether item i may replace the s-th of a committee: shape (k, n_items)."""
        is_allowed = np.ones((len(committee), self.n_items), dtype=bool)
        is_allowed[:, committee] = False
        counts = self.members[:, committee].sum(axis=1)
        for row, count, low, high in zip(
            self.members, counts, self.lower, self.upper, strict=True
        ):
            is_member = row.astype(int)
            new_count = count - is_member[committee][:, None] + is_member[None]
            is_allowed &= (new_count >= low) & (new_count <= high)
        return is_allowed

    def conflict(self) -> tuple[Quota, ...]:
        """Return a smallest set of bounds that no committee of k items keeps."""
        return smallest_conflict(
            self.bounds,
            lambda bounds: Quotas(self.groups, bounds, self.k, self.n_items).can_extend(
                []
            ),
        )


def check_groups(groups: Groups | None, n_items: int) -> dict[Hashable, BoolArray]:
    """Return the members of each label, from labels by item or from label → items.

    Examples
    --------
    >>> check_groups(["a", "b", "a"], 3)["a"].tolist()
    [True, False, True]
    """
    if groups is None:
        return {}
    if isinstance(groups, Mapping):
        members = {}
        for label, items in groups.items():
            row = np.zeros(n_items, dtype=bool)
            for item in np.ravel(list(items)).tolist():
                is_item = isinstance(item, int) and not isinstance(item, bool)
                if not is_item or not 0 <= item < n_items:
                    raise ValueError(
                        f"groups[{label!r}] must hold item indices in 0, …, "
                        f"{n_items - 1}; got {item!r}."
                    )
                row[item] = True
            members[label] = row
        return members
    labels = np.asarray(groups)
    if labels.shape != (n_items,):
        raise ValueError(
            f"groups must be one label per item, shape ({n_items},), or a dict label → "
            f"items; got shape {labels.shape}."
        )
    label_list: list[Hashable] = labels.tolist()
    return {
        label: np.array([other == label for other in label_list])
        for label in dict.fromkeys(label_list)
    }


def check_bounds(
    lower: Mapping[Any, int] | None,
    upper: Mapping[Any, int] | None,
    groups: Mapping[Hashable, BoolArray],
) -> list[Quota]:
    """Return one quota for each bound; lower bounds of 0 are dropped.

    Examples
    --------
    >>> bounds = check_bounds({"a": 1}, None, {"a": np.array([True])})
    >>> bounds[0].value, bounds[0].lower, bounds[0].upper
    ('a', 1, None)
    """
    bounds = []
    for name, counts in (("lower", lower), ("upper", upper)):
        if counts is None:
            continue
        if not isinstance(counts, Mapping):
            raise TypeError(
                f"{name} must be a dict label → number of items; got {counts!r}."
            )
        for label, count in counts.items():
            if label not in groups:
                labels = ", ".join(repr(group) for group in groups)
                raise ValueError(
                    f"{name} refers to the group {label!r}; groups has "
                    f"{labels or 'none: pass groups'}."
                )
            count = check_whole(f"{name}[{label!r}]", count, low=0)
            if name == "upper":
                bounds.append(Quota("group", label, upper=count))
            elif count > 0:
                bounds.append(Quota("group", label, lower=count))
    return bounds
