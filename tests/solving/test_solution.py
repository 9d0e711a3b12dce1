"""Solutions and constraints as values: pickles, advice, constraints made of others."""

import pickle
from dataclasses import dataclass

import numpy as np
import pytest

import ltr.solvers
from ltr.solvers import (
    FixedPosition,
    Precedence,
    Quota,
    Solution,
    Status,
    Together,
    Window,
    solve_ordering,
    solve_orderings,
    solve_path,
    solve_paths,
)
from ltr.solvers.core import lists
from ltr.solvers.core.constraints import PATH_KINDS, Rule
from ltr.solvers.core.order_rules import OrderRules, order_rules

CLASH = [Precedence(0, 1), Precedence(1, 0)]


def same(first, second):
    """Whether two solutions are equal, field by field."""
    return (
        np.array_equal(first.order, second.order)
        and np.array_equal(first.objective, second.objective, equal_nan=True)
        and (first.bound, first.status, first.method, first.conflict)
        == (second.bound, second.status, second.method, second.conflict)
    )


def test_pickles_name_the_public_module():
    """A pickle outlasts moves inside the package."""
    for solution in (solve_path(np.eye(3)), solve_path(np.eye(3), constraints=CLASH)):
        data = pickle.dumps(solution, protocol=0)
        assert same(pickle.loads(data), solution)
        assert b"solvers.core" not in data
    for name in ltr.solvers.__all__:
        value = getattr(ltr.solvers, name)
        if isinstance(value, type):
            assert value.__module__ == "ltr.solvers", name


def test_pickles_of_0_1_load():
    """Their classes were in private modules, which the table of moved paths knows."""
    solution = solve_path(np.eye(3), constraints=CLASH)
    data = pickle.dumps(solution, protocol=0)
    for name, module in (
        ("Solution", "_solution"),
        ("Status", "_solution"),
        ("Precedence", "constraints"),
    ):
        now, before = (
            f"c{path}\n{name}\n".encode()
            for path in ("ltr.solvers", f"ltr.solvers.{module}")
        )
        assert now in data
        data = data.replace(now, before)
    with pytest.warns(DeprecationWarning, match="has moved to ltr.solvers.core"):
        old = pickle.loads(data)
    assert type(old) is Solution
    assert same(old, solution)


def test_advice():
    """One sentence for every status."""
    for status in Status:
        assert status.advice.endswith(".")
        assert ". " not in status.advice


@dataclass(frozen=True)
class Chain(Rule):
    """A user's constraint, made of others: the items come in this order."""

    items: tuple[int, ...]

    def in_words(self):
        """Return the constraint in words."""
        return f"items {self.items} come in this order"

    def parts(self):
        """Return a precedence for each two items in a row."""
        return tuple(map(Precedence, self.items[:-1], self.items[1:]))

    def named_items(self):
        """Return the items."""
        return self.items

    def renumbered(self, numbers):
        """Return it with new item numbers."""
        return Chain(tuple(numbers[list(self.items)].tolist()))


def test_parts_are_sorted_by_kind():
    """A new kind of constraint says what it consists of."""
    rules = order_rules([Chain((3, 1, 2)), FixedPosition(0, 1), Together((1, 2))])
    assert rules == OrderRules(
        (Precedence(3, 1), Precedence(1, 2)),
        (Window(0, 1, 1),),
        (Together((1, 2)),),
    )
    assert not rules.is_empty
    assert OrderRules().is_empty
    assert rules.before(4)[3].tolist() == [False, True, True, False]


@pytest.fixture
def with_chains(monkeypatch):
    """Chain, among the kinds that paths and orderings take."""
    monkeypatch.setattr(lists, "ORDER_KINDS", (*lists.ORDER_KINDS, Chain))
    monkeypatch.setattr("ltr.solvers.paths.solve.PATH_KINDS", (*PATH_KINDS, Chain))


@pytest.mark.parametrize("n", [6, 13])
def test_a_constraint_made_of_others(with_chains, n):
    """Every solver keeps it, and names it, not its parts, in a conflict."""
    matrix = np.random.default_rng(0).normal(size=(n, n))
    chain = Chain((4, 2, 0))
    where = np.ones((1, n), dtype=bool)
    where[0, 1] = False
    for solve, solve_many in (
        (solve_path, solve_paths),
        (solve_ordering, solve_orderings),
    ):
        solution = solve(matrix, constraints=[chain])
        assert solution.is_optimal
        position = np.argsort(solution.order)
        assert position[4] < position[2] < position[0]
        clash = [FixedPosition(4, n - 1), FixedPosition(1, 0), chain]
        assert solve(matrix, constraints=clash).conflict == (clash[0], chain)
        (padded,) = solve_many(matrix[None], where=where, constraints=[chain])
        place = {int(item): k for k, item in enumerate(padded.order)}
        assert place[4] < place[2] < place[0]


def test_a_quota_refuses_what_every_order_keeps():
    """The message shows the constraint."""
    with pytest.raises(ValueError, match="which every order keeps"):
        Quota("group", "b")
