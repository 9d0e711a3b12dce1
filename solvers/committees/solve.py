"""``select_committee``: the best committee of k items under a rule and quotas."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ltr.arguments import check_choice, check_whole
from ltr.queries import FloatArray, check_rows
from ltr.solvers.committees.ballots import utilities
from ltr.solvers.committees.branch_and_bound import (
    Incumbent,
    Search,
    greedy,
    greedy_bound,
    in_greedy_order,
    margin_of_swaps,
    round_down,
)
from ltr.solvers.committees.quotas import Groups, Quotas, check_bounds, check_groups
from ltr.solvers.committees.rules import (
    ChamberlinCourant,
    Monroe,
    Proportional,
    Score,
    unit_of,
)
from ltr.solvers.committees.sequential import COMPLETIONS, SEQUENTIAL_RULES, elect
from ltr.solvers.core.budget import Budget
from ltr.solvers.core.inputs import check_method
from ltr.solvers.core.observation import Callback, observed
from ltr.solvers.core.rankings import Rankings, check_weights
from ltr.solvers.core.solution import (
    Margin,
    Solution,
    Status,
    certify,
    without_order,
)
from ltr.solvers.core.tolerance import tolerance

RULES = ("sntv", "bloc", "borda", "cc", "pav", "monroe", *SEQUENTIAL_RULES)
METHODS = ("auto", "greedy", "exact")
# The squares of greater weights, or of smaller ones, leave the range of floats.
_WIDE = 1e100
_SCORES: dict[str, type[ChamberlinCourant | Proportional | Monroe]] = {
    "cc": ChamberlinCourant,
    "pav": Proportional,
    "monroe": Monroe,
}


def select_committee(
    rankings: Rankings,
    k: int,
    *,
    rule: str = "cc",
    n_items: int | None = None,
    groups: Groups | None = None,
    lower: Mapping[Any, int] | None = None,
    upper: Mapping[Any, int] | None = None,
    weights: ArrayLike | None = None,
    completion: str | None = None,
    method: str = "auto",
    time_limit_s: float | None = None,
    work_limit: float | None = None,
    callback: Callback | None = None,
    verbose: int = 0,
) -> Solution:
    """Choose ``k`` items that many voters rank high, with a proof or a bound.

    Let u_vi be the Borda points that voter v gives item i (one per item ranked below it
    and 1/2 per item tied with it) and w_v the weight of v. A committee S has the value

    - ``"sntv"``: Σ_v w_v · [the first item of v is in S];
    - ``"bloc"``: Σ_v w_v · (number of the first ``k`` items of v that are in S);
    - ``"borda"`` (k-Borda): Σ_v w_v Σ_{i ∈ S} u_vi;
    - ``"cc"`` (Chamberlin-Courant [1]_): Σ_v w_v max_{i ∈ S} u_vi;
    - ``"pav"`` (proportional approval voting): Σ_v w_v (1 + 1/2 + … + 1/c_v), where
      c_v items of S are among the first ``k`` of v;
    - ``"monroe"`` [2]_: as ``"cc"``, but each item of S represents an equal number of
      voters, up to one; voters are assigned so that the total is greatest.

    The first three are sums over items, so a sort is exact, also under quotas on
    disjoint groups; overlapping groups require an integer program with one variable per
    item. For the others ``"exact"`` runs greedy, improves it by swaps of one item, and
    proves it by branch and bound on a Lagrangian bound with a price per voter.

    Two rules are procedures on approvals, of which a voter has the first ``k`` items.
    They elect one item after another, so that every group of voters with common
    approvals gets its share of the seats, and the lowest index wins a tie, which is
    decided in rational arithmetic:

    - ``"phragmen"`` (sequential Phragmén [4]_): voters earn money at rates w_v, and
      buy an item as soon as its supporters have its price together, with all they have;
    - ``"equal_shares"`` (method of equal shares [5]_): voters have equal budgets per
      unit of weight, ``k`` prices in all. The item is next whose supporters can share
      its price with the least ρ, where each pays ρ or all that is left of its budget.
      ``completion`` says what fills seats that nobody can pay for.

    No objective is maximized by them. ``objective`` is the number of approvals
    Σ_v w_v c_v of the committee, ``bound`` is inf and the status FEASIBLE: a proof of a
    best committee does not exist. They take no quotas, which would break the shares.

    Parameters
    ----------
    rankings : sequence of sequences, or array
        One ballot per voter: item indices, best first. Items in an inner tuple are
        tied; items absent from a ballot are tied below all others and not approved.
        Complete ballots are fastest as an int array of shape (n_voters, n_items). A
        bool array of this shape holds approvals instead, for all rules but ``"sntv"``
        and ``"borda"``: u_vi is 1 if v approves i, else 0.
    k : int
        Size of the committee, from 1 to the number of items.
    rule : str, default="cc"
        One of the above.
    n_items : int, default=None
        Number of items. None: the number of labels in ``groups``, or one more than the
        greatest item number in the rankings.
    groups : array-like of shape (n_items,) or dict, default=None
        One label per item; or label → items, where an item may be in several groups.
    lower, upper : dict, default=None
        Label → least, or greatest, number of items of that group in the committee.
    weights : array-like of shape (n_voters,), default=None
        Weight of each voter, >= 0; an integer weight w means w equal voters, and
        ``"monroe"`` takes integers only. None: 1.
    completion : str, default=None
        For ``"equal_shares"`` only. ``"phragmen"``: go on by Phragmén's rule with the
        money that is left. ``"utilitarian"``: items by their weighted number of
        approvals. ``"none"``: the committee may have fewer than ``k`` items. None:
        ``"phragmen"``.
    method : str, default="auto"
        ``"exact"``: search until the best committee is proven or a limit is reached.
        ``"greedy"``: add the item of greatest gain, ``k`` times. Its bound is the
        lesser of the Lagrangian bound at the prices of its committee and, for ``"cc"``
        and ``"pav"``, its guarantee [3]_: 1 - 1/e of the optimum without quotas, 1/2
        with quotas on disjoint groups. ``"auto"``: exact; the only one of procedures.
    time_limit_s : float, default=None
        Wall-clock seconds, after which the incumbent is returned with its bound (of a
        procedure nothing, with the status UNKNOWN).
    work_limit : float, default=None
        Units of about a second, counted in steps instead of time, so that results
        repeat. None: 20, or no limit if there is a time limit.
    callback : callable, default=None
        Called with the best :class:`Solution` so far at each better committee or bound,
        and at the end; True ends the solve. The result is the same without it. Sums
        over items and procedures are computed in one step.
    verbose : int, default=0
        1: a line a second at most, on standard error.

    Returns
    -------
    solution : Solution
        ``order``: the committee, in the order in which greedy would add its items (for
        sums over items: by their own value; for procedures: of election), ties by
        index. ``objective``: its value.
        If no committee keeps the quotas, the status is INFEASIBLE and ``conflict``
        holds a smallest set of :class:`Quota` that clash; see
        :func:`explain_conflict`. Ctrl-C ends the solve with the best committee so far
        and ``is_interrupted=True``; a second one raises KeyboardInterrupt.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described, or a ballot ties items across position
        ``k`` under a rule that needs its first ``k``.

    References
    ----------
    .. [1] J. R. Chamberlin and P. N. Courant. Representative deliberations and
       representative decisions. American Political Science Review 77, 1983.
    .. [2] B. L. Monroe. Fully proportional representation. American Political Science
       Review 89, 1995.
    .. [3] G. L. Nemhauser, L. A. Wolsey and M. L. Fisher. An analysis of approximations
       for maximizing submodular set functions, I. Mathematical Programming 14, 1978.
    .. [4] M. Brill, R. Freeman, S. Janson and M. Lackner. Phragmén's voting methods and
       justified representation. AAAI, 2017.
    .. [5] D. Peters and P. Skowron. Proportionality and the limits of welfarism. EC,
       2020.

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

    Stop as soon as the gap is below 1 %:

    >>> select_committee(rankings, 2, callback=lambda best: best.gap < 0.01).gap
    0.0

    Three voters approve items 0 to 3, one approves item 4, and there are four seats:

    >>> approvals = np.array([[1, 1, 1, 1, 0]] * 3 + [[0, 0, 0, 0, 1]], dtype=bool)
    >>> for rule in ("bloc", "phragmen", "equal_shares"):
    ...     print(rule, select_committee(approvals, 4, rule=rule).order)
    bloc [0 1 2 3]
    phragmen [0 1 2 4]
    equal_shares [0 1 2 4]
    """
    check_choice("rule", rule, RULES)
    completion = _check_procedure(rule, completion, method, lower, upper)
    k = check_whole("k", k, low=1)
    if n_items is None and groups is not None and not isinstance(groups, Mapping):
        n_items = len(np.asarray(groups))
    values = utilities(rankings, k, rule, n_items)
    n_voters, n_items = values.shape
    if k > n_items:
        raise ValueError(f"k must be at most the number of items, {n_items}; got {k}.")
    voters = _check_voters(weights, n_voters, rule)
    check_rows({"rankings": rankings, "weights": weights})
    members = check_groups(groups, n_items)
    quotas = Quotas(members, check_bounds(lower, upper, members), k, n_items)

    def solve(budget: Budget) -> Solution:
        if rule in SEQUENTIAL_RULES:
            return _elect(values, voters, k, rule, completion, budget)
        return _solve(values, voters, quotas, k, rule, method, budget)

    return observed(
        solve,
        time_limit_s=time_limit_s,
        work_limit=work_limit,
        callback=callback,
        verbose=verbose,
    )


def _solve(
    values: FloatArray,
    voters: FloatArray,
    quotas: Quotas,
    k: int,
    rule: str,
    method: str,
    budget: Budget,
) -> Solution:
    """Solve a problem whose inputs have been checked."""
    if not quotas.can_extend([]):
        return without_order(
            Status.INFEASIBLE,
            method="quotas",
            started=budget.started,
            conflict=quotas.conflict(),
        )
    if rule in _SCORES:
        size = float(voters.max())
        unit = 1.0 if 1 / _WIDE < size < _WIDE else 2.0 ** np.floor(np.log2(size))
        score = _SCORES[rule](*_merge(values, voters / unit), k)
        return _search(score, quotas, method, budget, unit)
    return _sort(voters @ values, quotas, unit_of(values, voters), budget)


def _check_procedure(
    rule: str, completion: str | None, method: str, lower: Any, upper: Any
) -> str:
    """Return the completion, if it, the method and the quotas suit the rule."""
    if rule not in SEQUENTIAL_RULES:
        check_method(method, METHODS)
    elif method != "auto":
        check_method(method, METHODS)
        raise ValueError(
            f"rule {rule!r} is a procedure, without an objective that a method could "
            f"maximize: method must be 'auto'; got {method!r}."
        )
    elif lower or upper:
        raise ValueError(
            f"rule {rule!r} takes no quotas, because they would overrule the shares of "
            "the voters; got lower or upper. Rule 'pav' is proportional and takes them."
        )
    if completion is not None and rule != "equal_shares":
        raise ValueError(
            "completion fills the seats that rule 'equal_shares' leaves open; got "
            f"completion={completion!r} with rule {rule!r}."
        )
    return check_choice("completion", completion or "phragmen", COMPLETIONS)


def _elect(
    values: FloatArray,
    voters: FloatArray,
    k: int,
    rule: str,
    completion: str,
    budget: Budget,
) -> Solution:
    """Run a procedure; its value is the weighted number of approvals."""
    committee = elect(values, voters, k, rule, completion, budget)
    method = rule.replace("_", " ")
    if committee is None:
        return without_order(Status.UNKNOWN, method=method, started=budget.started)
    value = float(voters @ values[:, list(committee)].sum(axis=1))
    return certify(
        np.array(committee, dtype=np.int64),
        value,
        float("inf"),
        tolerance=0.0,
        method=method,
        started=budget.started,
    )


def _sort(totals: FloatArray, quotas: Quotas, unit: float, budget: Budget) -> Solution:
    """Solve under a rule whose value is a sum over the items."""
    items, excess = quotas.best_within(totals, budget)
    value = float(totals[items].sum())
    if excess >= unit:  # multiples of the unit cannot be told apart
        unit = 0.0
    bound = max(value, round_down(value + excess, unit)) if excess else value
    gap = unit / 2 or tolerance(totals[items])
    # of the bases of a matroid, the second best is one exchange from the best
    losses = totals[items][:, None] - totals  # (k, n_items)
    upper = float(np.where(quotas.swaps(items), losses, np.inf).min())
    margin = Margin(upper if quotas.are_disjoint else 0.0, upper)
    return certify(
        items[np.lexsort((items, -totals[items]))],
        value,
        bound,
        tolerance=gap,
        method="sort" if quotas.are_disjoint else "integer program",
        started=budget.started,
        is_unique=margin.is_unique(gap),
    )


def _search(
    score: Score, quotas: Quotas, method: str, budget: Budget, unit: float
) -> Solution:
    """Solve under a rule where items of a committee substitute for each other.

    The weights of the score are those of the voters divided by ``unit``.
    """
    name = "greedy" if method == "greedy" else "branch_and_bound"

    def certified(incumbent: Incumbent) -> Solution:
        return certify(
            in_greedy_order(score, incumbent.items),
            incumbent.value * unit,
            incumbent.bound * unit,
            tolerance=gap * unit,
            method=name,
            started=budget.started,
            is_unique=margin_of_swaps(score, quotas, incumbent.items).is_unique(gap),
        )

    if method == "greedy":
        committee = greedy(score, quotas)
        value, bound = score.value(committee), greedy_bound(score, quotas, committee)
        gap = _provable(score, value, bound)
        return certified(Incumbent(committee, value, bound))
    search = Search(score, quotas, budget)
    bound = greedy_bound(score, quotas, search.committee)
    gap = _provable(score, search.value, bound)
    observer = budget.observer
    if observer is not None:
        observer.report(certified(Incumbent(search.committee, search.value, bound)))
        search.report = lambda incumbent: observer.report(certified(incumbent))
    incumbent = search.run(gap / 2)
    return certified(incumbent._replace(bound=min(incumbent.bound, bound)))


def _provable(score: Score, value: float, bound: float) -> float:
    """Greatest gap that counts as a proof: less than a unit, where there is one.

    Otherwise by the rule for the terms of the voters, all >= 0; committees that are
    still candidates have values from ``value`` to ``bound``.
    """
    n_voters = len(score.weights)
    terms = np.full(n_voters, value / n_voters)
    return score.unit / 2 or tolerance(terms, max(0.0, bound - value))


def _check_voters(weights: ArrayLike | None, n_voters: int, rule: str) -> FloatArray:
    array = check_weights(weights, n_voters, "ballot")
    if not array.any():
        raise ValueError("weights must not all be 0: nobody votes.")
    is_fraction = array != np.rint(array)
    if rule == "monroe" and is_fraction.any():
        voter = int(np.argmax(is_fraction))
        raise ValueError(
            "rule 'monroe' needs integer weights, because it assigns whole voters; got "
            f"{array[voter]} at [{voter}]."
        )
    return array


def _merge(values: FloatArray, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Merge equal voters, sorted, so that the order of the voters does not matter."""
    has_weight = weights > 0
    rows = np.ascontiguousarray(values[has_weight])
    as_bytes = rows.view(np.dtype((np.void, rows.strides[0]))).ravel()
    _, voters, index = np.unique(as_bytes, return_index=True, return_inverse=True)
    totals = np.zeros(len(voters))
    np.add.at(totals, index, weights[has_weight])
    return rows[voters], totals
