"""Sequential committee rules, step by step in fractions, as the papers tell them.

Only :func:`ltr.solvers.verify` uses this: it must share nothing with the solvers.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction


def committee_of(
    approvals: Sequence[Sequence[float]],
    weights: Sequence[float],
    k: int,
    rule: str,
    completion: str | None,
) -> list[int]:
    """Return the items that a rule elects, in order; the lowest index wins ties.

    Parameters
    ----------
    approvals : sequence of shape (n_voters, n_items)
        Positive where a voter approves an item.
    weights : sequence of shape (n_voters,)
        Weights of the voters.
    k : int
        Number of seats.
    rule : {"equal_shares", "phragmen"}
        Name of the rule.
    completion : {"phragmen", "utilitarian", "none"} or None
        What fills the seats that equal shares leave open. None: "phragmen".

    Returns
    -------
    committee : list of int
        Items in order of election.

    Examples
    --------
    >>> committee_of([[1, 1, 0], [0, 0, 1]], [1.0, 1.0], 2, "phragmen", None)
    [0, 2]
    """
    rates = [Fraction(weight) for weight in weights]
    n_items = len(approvals[0])
    fans = [[v for v, row in enumerate(approvals) if row[i]] for i in range(n_items)]
    fans = [[v for v in voters if rates[v]] for voters in fans]
    purses, committee = [Fraction()] * len(rates), []
    if rule == "equal_shares":
        purses = [k * rate / sum(rates) for rate in rates]
        committee = _spend(fans, rates, purses, k)
        if completion == "none":
            return committee
        if completion == "utilitarian":
            support = [sum((rates[v] for v in voters), Fraction()) for voters in fans]
            others = [i for i in range(n_items) if i not in committee]
            others.sort(key=lambda i: -support[i])  # stable: by index among equals
            return committee + others[: k - len(committee)]
    return committee + _earn(fans, rates, purses, committee, k)


def _spend(
    fans: list[list[int]], rates: list[Fraction], purses: list[Fraction], k: int
) -> list[int]:
    """Equal shares: buy what costs a unit of weight least, while it can be paid."""
    committee: list[int] = []
    while len(committee) < k:
        offers = []
        for item, voters in enumerate(fans):
            if item in committee or sum(purses[v] for v in voters) < 1:
                continue
            # those who cannot pay as much as the others give all they have
            payers, due = list(voters), Fraction(1)
            while True:
                price = due / sum(rates[v] for v in payers)
                poor = [v for v in payers if purses[v] < price * rates[v]]
                if not poor:
                    break
                due -= sum(purses[v] for v in poor)
                payers = [v for v in payers if v not in poor]
            offers.append((price, item))
        if not offers:
            break
        price, item = min(offers)
        for v in fans[item]:
            purses[v] -= min(purses[v], price * rates[v])
        committee.append(item)
    return committee


def _earn(
    fans: list[list[int]],
    rates: list[Fraction],
    purses: list[Fraction],
    members: list[int],
    k: int,
) -> list[int]:
    """Phragmén: voters earn at their rates, and buy an item as soon as they can."""
    committee: list[int] = []
    while len(members) + len(committee) < k:
        waits = [
            (_wait([purses[v] for v in voters], [rates[v] for v in voters]), item)
            for item, voters in enumerate(fans)
            if voters and item not in members and item not in committee
        ]
        if not waits:
            others = [i for i in range(len(fans)) if i not in members + committee]
            return committee + others[: k - len(members) - len(committee)]
        wait, item = min(waits)
        purses = [
            purse + wait * rate for purse, rate in zip(purses, rates, strict=True)
        ]
        for v in fans[item]:
            purses[v] = Fraction()
        committee.append(item)
    return committee


def _wait(purses: list[Fraction], rates: list[Fraction]) -> Fraction:
    """Time until some voters have the price of 1 together."""
    return (1 - sum(purses, Fraction())) / sum(rates, Fraction())
