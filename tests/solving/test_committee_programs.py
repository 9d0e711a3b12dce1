"""Committees under overlapping quotas: integer programs that can be ended."""

import threading
import time
from itertools import combinations

import numpy as np
import pytest

from ltr.solvers import Quota, select_committee
from ltr.solvers.committees import quotas
from ltr.solvers.committees.branch_and_bound import Search
from ltr.solvers.committees.quotas import Quotas
from ltr.solvers.committees.rules import ChamberlinCourant
from ltr.solvers.core.budget import Budget, BudgetSpent


def overlapping(n=8, k=3):
    """Quotas on groups that overlap, for which an integer program is solved."""
    rng = np.random.default_rng(0)
    groups = {name: rng.random(n) < 0.5 for name in "abc"}
    bounds = [Quota("group", name, lower=1, upper=2) for name in groups]
    return Quotas(groups, bounds, k, n), rng.random((20, n))


def test_an_integer_program_ends_with_the_budget(monkeypatch):
    """On Ctrl-C within 1 s, although HiGHS itself cannot be stopped; on the clock."""
    quota, values = overlapping()
    assert not quota.are_disjoint
    cancelled, release = threading.Event(), threading.Event()
    budget = Budget(cancelled=cancelled)
    expected = quota.best(values[0])
    assert quota.best(values[0], budget=budget)[0].tolist() == expected[0].tolist()
    with pytest.raises(BudgetSpent):
        quota.best(values[0], budget=Budget(time_limit_s=0.0))
    monkeypatch.setattr(quotas, "milp", lambda *args, **kwargs: release.wait(60))
    threading.Timer(0.1, cancelled.set).start()
    started = time.perf_counter()
    with pytest.raises(BudgetSpent):
        quota.best(values[0], budget=budget)
    release.set()
    assert time.perf_counter() - started < 30


@pytest.mark.parametrize("n_programs", [0, 1, 5])
def test_a_search_that_ends_amid_a_program_has_a_bound(n_programs, monkeypatch):
    """The node at which it ended stays open."""
    quota, values = overlapping()
    score = ChamberlinCourant(values, np.ones(20), 3)
    best = max(
        score.value(np.array(items))
        for items in combinations(range(8), 3)
        if quota.keeps(items)
    )
    search = Search(score, quota, Budget())
    solve, calls = quota.best, []

    def limited(*args):
        calls.append(args)
        if len(calls) > n_programs:
            raise BudgetSpent
        return solve(*args)

    monkeypatch.setattr(quota, "best", limited)
    incumbent = search.run(1e-9)
    assert len(calls) == n_programs + 1
    assert quota.keeps(incumbent.items)
    assert incumbent.value <= best <= incumbent.bound


def test_without_a_program_the_greedy_bound_holds(monkeypatch):
    """The first program of the search ends with the budget."""
    quota, values = overlapping()
    labels = {name: np.flatnonzero(row).tolist() for name, row in quota.groups.items()}
    options = {"lower": dict.fromkeys(labels, 1), "upper": dict.fromkeys(labels, 2)}
    rankings = np.argsort(-values, axis=1)
    exact = select_committee(rankings, 3, rule="cc", groups=labels, **options)

    def end(*args):
        raise BudgetSpent

    monkeypatch.setattr(Search, "_tighten", end)
    solution = select_committee(rankings, 3, rule="cc", groups=labels, **options)
    assert exact.is_optimal
    assert exact.objective - 1e-9 <= solution.bound < np.inf
    assert solution.objective <= exact.objective + 1e-9
