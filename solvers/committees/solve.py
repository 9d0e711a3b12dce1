"""Choose ``k`` items that represent many rankings, by the rules of committee elections.

A rule says what a committee is worth to the voters; :func:`select_committee` finds the
committee of greatest worth, under quotas for groups of items if there are any.
"""

from collections.abc import Hashable, Mapping, Sequence
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ltr.solvers.committees.ballots import item_values
from ltr.solvers.committees.branch_and_bound import (
    Search,
    greedy,
    greedy_bound,
    in_order,
    round_down,
)
from ltr.solvers.committees.quotas import Quotas, check_bounds, check_groups
from ltr.solvers.committees.rules import (
    ChamberlinCourant,
    Monroe,
    Proportional,
    Score,
    unit_of,
)
from ltr.solvers.core.budget import Budget
from ltr.solvers.core.inputs import check_limit, check_method
from ltr.solvers.core.rankings import check_weights
from ltr.solvers.core.solution import (
    TOLERANCE,
    FloatArray,
    Solution,
    Status,
    solved,
    unsolved,
)

RULES = ("sntv", "bloc", "borda", "cc", "pav", "monroe")
METHODS = ("auto", "greedy", "exact")
_SCORES: dict[str, type[ChamberlinCourant | Proportional | Monroe]] = {
    "cc": ChamberlinCourant,
    "pav": Proportional,
    "monroe": Monroe,
}


def select_committee(
    rankings: ArrayLike | Sequence[Any],
    k: int,
    *,
    rule: str = "cc",
    n_items: int | None = None,
    groups: ArrayLike | Mapping[Hashable, ArrayLike] | None = None,
    lower: Mapping[Any, int] | None = None,
    upper: Mapping[Any, int] | None = None,
    weights: ArrayLike | None = None,
    method: str = "auto",
    time_limit_s: float | None = None,
    work_limit: float | None = None,
) -> Solution:
    """Choose ``k`` items that many voters rank high, with a proof or a bound.

    With u_vi the Borda points of item i from voter v (items ranked below it, and half a
    point for each one tied with it) and w_v the weights, a committee S is worth

    - ``"sntv"``: the weight of the voters whose first item is in S;
    - ``"bloc"``: Σ_v w_v · (how many of the first ``k`` items of v are in S);
    - ``"borda"`` (k-Borda): Σ_v w_v Σ_{i ∈ S} u_vi;
    - ``"cc"`` (Chamberlin-Courant [1]_): Σ_v w_v max_{i ∈ S} u_vi;
    - ``"pav"`` (proportional approval voting): Σ_v w_v (1 + 1/2 + … + 1/c_v), c_v
      items of S being among the first ``k`` of v;
    - ``"monroe"`` [2]_: as ``"cc"``, but each item of S represents an equal share of
      the voters, up to one voter; they are assigned so that the total is greatest.

    The first three add up over items, so a sort is exact, under quotas on disjoint
    groups too; groups that overlap make an integer program of one variable per item.
    For the others ``"exact"`` is greedy, exchanges of one item, and branch and bound on
    a Lagrangian bound in which each voter has a price.

    Parameters
    ----------
    rankings : sequence of sequences, or array
        One ballot per voter: item indices best first. Items in an inner tuple are tied;
        those that a ballot leaves out are tied below all others and not approved.
        Complete ballots are fastest as an int array of shape (n_voters, n_items). A
        bool array of this shape holds approvals instead, for the rules ``"bloc"``,
        ``"cc"``, ``"pav"`` and ``"monroe"``: item i is worth 1 to those who approve it.
    k : int
        Size of the committee, from 1 to the number of items.
    rule : str, default="cc"
        One of the above.
    n_items : int or None, default=None
        How many items there are. None: as many as ``groups`` has labels, or one more
        than the greatest number in the rankings.
    groups : array-like of shape (n_items,) or dict, default=None
        One label per item, or label → items, where an item may be in several groups.
    lower, upper : dict, default=None
        Label → least, or greatest, number of items of that group.
    weights : array-like of shape (n_voters,), default=None
        How much each voter counts, >= 0; an integer weight is as many equal voters, and
        ``"monroe"`` takes no others. None: 1.
    method : str, default="auto"
        ``"exact"``: until the best committee is proven or a limit is reached.
        ``"greedy"``: the item that adds most, ``k`` times. Its bound is the lesser of
        the Lagrangian one at the prices that its committee gives and, for ``"cc"`` and
        ``"pav"``, its guarantee [3]_: 1 - 1/e of the best without quotas, 1/2 with
        quotas on disjoint groups. ``"auto"``: exact.
    time_limit_s : float, default=None
        Seconds; at the end the best committee so far comes with its bound.
    work_limit : float, default=None
        Units of about a second, counted by steps and not by a clock. None: 20, or no
        limit if there is a time limit.

    Returns
    -------
    solution : Solution
        ``order``: the committee, in the order in which greedy would take its items (for
        rules that add up: by own score), ties by index. ``objective``: its worth. If no
        committee keeps the quotas the status is INFEASIBLE, and ``conflict`` holds a
        smallest set of :class:`Quota` that clash (:func:`explain_conflict` says it).

    Raises
    ------
    TypeError, ValueError
        If a parameter is not as described, or a tie stands across place ``k`` where the
        rule needs the first ``k``.

    References
    ----------
    .. [1] J. R. Chamberlin and P. N. Courant. Representative deliberations and
       representative decisions. American Political Science Review 77, 1983.
    .. [2] B. L. Monroe. Fully proportional representation. American Political Science
       Review 89, 1995.
    .. [3] G. L. Nemhauser, L. A. Wolsey and M. L. Fisher. An analysis of approximations
       for maximizing submodular set functions, I. Mathematical Programming 14, 1978.

    Examples
    --------
    >>> rankings = [[0, 1, 2, 3, 4], [1, 0, 3, 2, 4], [4, 2, 0, 1, 3]]
    >>> solution = select_committee(rankings, 2, rule="cc")
    >>> solution.order, solution.objective, solution.is_optimal
    (array([0, 4]), 11.0, True)
    >>> quota = {"groups": ["a", "a", "a", "b", "b"], "lower": {"b": 1}}
    >>> select_committee(rankings, 2, rule="borda", **quota).order
    array([0, 4])
    >>> quota["lower"] = {"a": 2, "b": 1}
    >>> clash = select_committee(rankings, 2, **quota)
    >>> [(bound.value, bound.lower) for bound in clash.conflict]
    [('a', 2), ('b', 1)]
    """
    if rule not in RULES:
        names = ", ".join(repr(name) for name in RULES)
        raise ValueError(f"rule must be one of {names}; got {rule!r}.")
    check_method(method, METHODS)
    budget = Budget(
        check_limit(time_limit_s, "time_limit_s"), check_limit(work_limit, "work_limit")
    )
    k = _check_size(k)
    if n_items is None and groups is not None and not isinstance(groups, Mapping):
        n_items = len(np.asarray(groups))
    values = item_values(rankings, k, rule, n_items)
    n_voters, n_items = values.shape
    if k > n_items:
        raise ValueError(f"k must be at most the number of items, {n_items}; got {k}.")
    voters = _check_voters(weights, n_voters, rule)
    members = check_groups(groups, n_items)
    quotas = Quotas(members, check_bounds(lower, upper, members), k, n_items)
    if not quotas.can_extend([]):
        return unsolved(
            Status.INFEASIBLE,
            method="quotas",
            started=budget.started,
            conflict=quotas.conflict(),
        )
    if rule in _SCORES:
        score = _SCORES[rule](*_merge(values, voters), k)
        return _search(score, quotas, method, budget)
    return _sort(voters @ values, quotas, unit_of(values, voters), budget)


def _sort(totals: FloatArray, quotas: Quotas, unit: float, budget: Budget) -> Solution:
    """Rules that add up over the items."""
    items, excess = quotas.best(totals)
    assert items is not None
    worth = float(totals[items].sum())
    if excess >= unit:  # too coarse to tell multiples of the unit apart
        unit = 0.0
    return solved(
        items[np.lexsort((items, -totals[items]))],
        worth,
        max(worth, round_down(worth + excess, unit)),
        tolerance=_tolerance(totals, quotas.k, unit),
        method="sort" if quotas.are_disjoint else "integer program",
        started=budget.started,
    )


def _search(score: Score, quotas: Quotas, method: str, budget: Budget) -> Solution:
    """Rules under which the items of a committee stand in for one another."""
    tolerance = _tolerance(score.weights @ score.values, quotas.k, score.unit)
    if method == "greedy":
        chosen = greedy(score, quotas)
        value, bound = score.value(chosen), greedy_bound(score, quotas, chosen)
    else:
        found = Search(score, quotas, tolerance / 2, budget).run()
        chosen, value, bound = found.chosen, found.value, found.bound
    return solved(
        in_order(score, chosen),
        value,
        bound,
        tolerance=tolerance,
        method="greedy" if method == "greedy" else "branch and bound",
        started=budget.started,
    )


def _tolerance(totals: FloatArray, k: int, unit: float) -> float:
    """Greatest gap that counts as a proof: less than a unit, where there is one."""
    return unit / 2 if unit else TOLERANCE * k * float(totals.max())


def _check_size(k: Any) -> int:
    if not isinstance(k, Integral) or isinstance(k, bool):
        raise TypeError(f"k must be an integer, the size of the committee; got {k!r}.")
    if k < 1:
        raise ValueError(f"k must be at least 1; got {k}.")
    return int(k)


def _check_voters(weights: Any, n_voters: int, rule: str) -> FloatArray:
    array = check_weights(weights, n_voters, "ballot")
    if not array.any():
        raise ValueError("weights must not all be 0: nobody votes.")
    split = array != np.rint(array)
    if rule == "monroe" and split.any():
        first = int(np.argmax(split))
        raise ValueError(
            "rule 'monroe' needs integer weights, because it shares out whole voters; "
            f"got {array[first]} at [{first}]."
        )
    return array


def _merge(values: FloatArray, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Equal voters as one, in an order that does not depend on theirs."""
    counted = weights > 0
    rows = np.ascontiguousarray(values[counted])
    as_bytes = rows.view(np.dtype((np.void, rows.strides[0]))).ravel()
    _, first, index = np.unique(as_bytes, return_index=True, return_inverse=True)
    totals = np.zeros(len(first))
    np.add.at(totals, index, weights[counted])
    return rows[first], totals
