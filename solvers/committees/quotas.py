"""Quotas of groups: which committees of k items they leave."""

from collections.abc import Hashable, Mapping, Sequence
from numbers import Integral
from typing import Any

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp

from ltr.solvers.core.conflicts import smallest_conflict
from ltr.solvers.core.constraints import Quota
from ltr.solvers.core.solution import BoolArray, FloatArray, IntArray

Chosen = Sequence[int] | IntArray


class Quotas:
    """Committees of ``k`` out of ``n_items`` that keep the bounds of all groups.

    Parameters
    ----------
    groups : mapping of label → bool array of shape (n_items,)
        Who belongs to each group.
    bounds : sequence of Quota
        What must hold.
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

    def keeps(self, chosen: Chosen) -> bool:
        """Whether a committee keeps all bounds."""
        counts = self.members[:, list(chosen)].sum(axis=1)
        return bool(((counts >= self.lower) & (counts <= self.upper)).all())

    def can_extend(self, chosen: Chosen) -> bool:
        """Whether items can be added to these so that the bounds hold."""
        included = np.zeros(self.n_items, dtype=bool)
        included[list(chosen)] = True
        return self.best(np.zeros(self.n_items), included)[0] is not None

    def next_item(self, gains: FloatArray, chosen: Sequence[int]) -> int:
        """Item of greatest gain that can still be added, the first among equals."""
        open_ = np.ones(self.n_items, dtype=bool)
        open_[list(chosen)] = False
        if self.are_disjoint:
            counts = self.members[:, list(chosen)].sum(axis=1)
            open_ &= ~self.members[counts >= self.upper].any(axis=0)
            missing = np.maximum(self.lower - counts, 0)
            if missing.sum() >= self.k - len(chosen):
                open_ &= self.members[missing > 0].any(axis=0)
            return int(np.argmax(np.where(open_, gains, -np.inf)))
        for item in np.argsort(-gains, kind="stable").tolist():
            if open_[item] and self.can_extend([*chosen, item]):
                return item
        raise RuntimeError("no item can be added: the committee so far was not checked")

    def best(
        self,
        values: FloatArray,
        included: BoolArray | None = None,
        excluded: BoolArray | None = None,
    ) -> tuple[IntArray | None, float]:
        """Return the committee of greatest total value, and what another may have more.

        Parameters
        ----------
        values : float array of shape (n_items,)
            Finite.
        included, excluded : bool array of shape (n_items,), optional
            Items that it must and must not have.

        Returns
        -------
        items : int array of shape (k,) or None
            None if there is no such committee.
        excess : float
            0 where a sort finds it; the gap of the integer program for groups that
            overlap.
        """
        if included is not None:
            values = np.where(included, np.inf, values)
        if excluded is not None:
            values = np.where(excluded, -np.inf, values)
        if not self.are_disjoint:
            return self._best_by_program(values)
        items = self._best_by_sort(values)
        if len(items) != self.k or (len(self.members) and not self.keeps(items)):
            return None, 0.0
        if included is not None and included[items].sum() < included.sum():
            return None, 0.0
        if excluded is not None and excluded[items].any():
            return None, 0.0
        return items, 0.0

    def _best_by_sort(self, values: FloatArray) -> IntArray:
        """The best of each group up to its lower bound, then the best of the rest.

        Committees that keep bounds on disjoint groups are the bases of a matroid, so
        taking the best first is exact.
        """
        order = np.argsort(-values, kind="stable")
        if not len(self.members):
            return order[: self.k]
        members = self.members[:, order]
        place = np.cumsum(members, axis=1)  # 1 = best of its group
        needed = (members & (place <= self.lower[:, None])).any(axis=0)
        closed = (members & (place > self.upper[:, None])).any(axis=0)
        rest = order[~needed & ~closed][: max(0, self.k - int(needed.sum()))]
        return np.concatenate([order[needed], rest])

    def _best_by_program(self, values: FloatArray) -> tuple[IntArray | None, float]:
        """An integer program, one 0/1 variable per item."""
        free = np.isfinite(values)
        scale = float(np.abs(values[free]).max(initial=0.0)) or 1.0
        found = milp(
            -np.where(free, values, 0.0) / scale,
            integrality=np.ones(self.n_items, dtype=np.int64),
            bounds=Bounds(values == np.inf, values != -np.inf),
            constraints=[
                LinearConstraint(np.ones((1, self.n_items)), self.k, self.k),
                LinearConstraint(self.members.astype(float), self.lower, self.upper),
            ],
            options={"mip_rel_gap": 0.0},
        )
        if found.x is None:
            return None, 0.0
        items = np.flatnonzero(found.x > 0.5)
        gap = max(0.0, float(found.fun - found.mip_dual_bound))
        return items, (gap + 1e-7 * self.k) * scale  # 1e-7: the tolerance of HiGHS

    def swaps(self, chosen: IntArray) -> BoolArray:
        """Whether item i may replace the s-th of a committee: shape (k, n_items)."""
        may = np.ones((len(chosen), self.n_items), dtype=bool)
        may[:, chosen] = False
        counts = self.members[:, chosen].sum(axis=1)
        for row, count, low, high in zip(
            self.members, counts, self.lower, self.upper, strict=True
        ):
            after = count - row[chosen].astype(int)[:, None] + row.astype(int)[None]
            may &= (after >= low) & (after <= high)
        return may

    def conflict(self) -> tuple[Quota, ...]:
        """Return a smallest set of bounds that no committee of k items keeps."""
        return smallest_conflict(
            self.bounds,
            lambda chosen: Quotas(self.groups, chosen, self.k, self.n_items).can_extend(
                []
            ),
        )


def check_groups(groups: Any, n_items: int) -> dict[Hashable, BoolArray]:
    """Return label → members, from one label per item or from label → items.

    Examples
    --------
    >>> check_groups(["a", "b", "a"], 3)["a"].tolist()
    [True, False, True]
    """
    if groups is None:
        return {}
    if isinstance(groups, Mapping):
        found = {}
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
            found[label] = row
        return found
    labels = np.asarray(groups)
    if labels.shape != (n_items,):
        raise ValueError(
            f"groups must be one label per item, shape ({n_items},), or a dict label → "
            f"items; got shape {labels.shape}."
        )
    plain: list[Hashable] = labels.tolist()
    return {
        label: np.array([other == label for other in plain])
        for label in dict.fromkeys(plain)
    }


def check_bounds(
    lower: Any, upper: Any, groups: Mapping[Hashable, BoolArray]
) -> list[Quota]:
    """Return one quota for each number that says something.

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
                known = ", ".join(repr(group) for group in groups)
                raise ValueError(
                    f"{name} names the group {label!r}; groups has "
                    f"{known or 'none: pass groups'}."
                )
            is_number = isinstance(count, Integral) and not isinstance(count, bool)
            if not is_number or int(count) < 0:
                raise ValueError(
                    f"{name}[{label!r}] must be an integer >= 0; got {count!r}."
                )
            if name == "upper":
                bounds.append(Quota("group", label, upper=int(count)))
            elif count > 0:
                bounds.append(Quota("group", label, lower=int(count)))
    return bounds
