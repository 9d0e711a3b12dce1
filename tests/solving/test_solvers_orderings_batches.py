"""Orderings: limits of time and work, batches, Ctrl-C, messages."""

import re
import sys
import time

import numpy as np
import pytest
from support.brute_force import keeps, ordering_value
from support.ordering_checks import check, without_diagonal

from ltr.solvers import (
    AtMost,
    FixedPosition,
    Interrupted,
    Precedence,
    Status,
    Together,
    solve_ordering,
    solve_orderings,
)
from ltr.solvers.dynamic import ordering_marginals


def test_batch_equals_loop():
    """For any number of threads, sizes and masks."""
    rng = np.random.default_rng(5)
    lists = [rng.normal(size=(n, n)) for n in (0, 1, 2, 5, 5, 5, 9, 9, 14, 17)]
    lists[4][0, 1] = lists[4][1, 0] = -np.inf
    single = [solve_ordering(matrix) for matrix in lists]
    for n_jobs in (1, 2, 5):
        batch = solve_orderings(lists, n_jobs=n_jobs)
        assert [s.status for s in batch] == [s.status for s in single]
        assert [s.objective for s in batch] == pytest.approx(
            [s.objective for s in single], nan_ok=True
        )
        for one, other in zip(batch, single, strict=True):
            assert (one.order is None) == (other.order is None)
            assert one.order is None or one.order.tolist() == other.order.tolist()
    assert single[4].status is Status.INFEASIBLE


def test_padding_is_left_out():
    """Orders name real items by their old numbers; constraints do so too."""
    rng = np.random.default_rng(6)
    matrices_, where = rng.normal(size=(3, 6, 6)), np.ones((3, 6), dtype=bool)
    where[0, [1, 4]] = where[2] = False
    where[2, [0, 2]] = True
    matrices_[~where] = np.nan
    matrices_.transpose(0, 2, 1)[~where] = np.nan
    limit = Precedence(2, 0)
    found = solve_orderings(matrices_, where=where, constraints=[limit])
    for solution, matrix, real in zip(found, matrices_, where, strict=True):
        items = np.flatnonzero(real)
        assert sorted(solution.order.tolist()) == items.tolist()
        assert keeps(solution.order, limit)
        inside = ordering_value(solution.order, np.nan_to_num(matrix))
        assert solution.objective == pytest.approx(inside)


def test_time_limits_are_kept():
    """A list and a batch end soon after their limit, with an order and a bound."""
    rng = np.random.default_rng(7)
    matrix = rng.random((60, 60))
    for method in ("auto", "cp_sat", "local_search"):
        started = time.perf_counter()
        solution = solve_ordering(matrix, method=method, time_limit_s=0.3)
        check(solution, matrix)
        assert time.perf_counter() - started < 2.0  # other tests may run beside it
    many = rng.random((6, 45, 45))
    found = solve_orderings(many, batch_time_limit_s=0.2, n_jobs=2)
    for solution, one in zip(found, many, strict=True):
        check(solution, one)


def test_work_limits_repeat():
    """A solve that its work limit ends gives the same order and bound again."""
    matrix = np.random.default_rng(8).random((45, 45))
    first, second = (solve_ordering(matrix, work_limit=0.3) for _ in range(2))
    assert first.status is Status.FEASIBLE
    assert first.order.tolist() == second.order.tolist()
    assert first.bound == second.bound
    for method in ("auto", "cp_sat", "local_search"):
        check(solve_ordering(matrix, method=method, work_limit=0.0), matrix)
    small = matrix[:16, :16]
    check(solve_ordering(small, method="dp", work_limit=0.0), small)


def test_unknown():
    """Places and overlapping groups, and no work to find an order: a bound is left."""
    matrix = np.random.default_rng(10).random((40, 40))
    limits = [FixedPosition(i, 39 - i) for i in range(9)]
    limits += [Together((i, i + 1)) for i in range(10, 39)]
    limits += [Precedence(i, i - 2) for i in range(12, 39)]
    solution = solve_ordering(matrix, constraints=limits, work_limit=0.0)
    assert solution.status is Status.UNKNOWN
    assert solution.order is None
    assert np.isnan(solution.objective)
    plain = without_diagonal(matrix)
    wins = np.maximum(plain, plain.T)[np.triu_indices(40, 1)].sum()
    assert solution.bound == pytest.approx(wins)


def test_search_of_many_items():
    """Hundreds of items: better than Borda's order, and bounded below the trivial."""
    rng = np.random.default_rng(9)
    n = 200
    skill = rng.normal(size=n)
    matrix = np.maximum(0, skill[:, None] - skill + 2 * rng.normal(size=(n, n)))
    solution = solve_ordering(matrix, work_limit=0.5)
    check(solution, matrix)
    plain = without_diagonal(matrix)
    borda = np.argsort(plain.sum(axis=0) - plain.sum(axis=1))
    assert solution.objective > ordering_value_fast(borda, plain)
    wins = np.maximum(plain, plain.T)[np.triu_indices(n, 1)].sum()
    assert solution.bound < wins
    assert solution.gap < 0.2


def ordering_value_fast(order, matrix):
    return np.triu(matrix[np.ix_(order, order)], 1).sum()


def test_interrupt_keeps_what_is_solved(monkeypatch):
    """Ctrl-C in the third list: the first two are in partial."""
    orderings = sys.modules["ltr.solvers.orderings.portfolio"]
    solve_list, n_solved = orderings.solve_list, []

    def interrupted(*args):
        if len(n_solved) == 2:
            raise KeyboardInterrupt
        n_solved.append(1)
        return solve_list(*args)

    monkeypatch.setattr(orderings, "solve_list", interrupted)
    with pytest.raises(Interrupted) as stop:
        solve_orderings([np.zeros((n, n)) for n in (1, 13, 14, 15)], n_jobs=1)
    assert [s is not None for s in stop.value.partial] == [True, True, False, False]


def test_progress(capsys):
    """Lists are counted, not the tables that solve them together."""
    solve_orderings(np.zeros((7, 4, 4)), progress=True, n_jobs=1)
    assert capsys.readouterr().err.endswith("solved 7 of 7 lists\n")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: solve_ordering(np.zeros((2, 3))),
            "matrix must be square, one row and one column per item; got shape (2, 3).",
        ),
        (
            lambda: solve_orderings([np.zeros((2, 2)), [[0, np.nan], [0, 0]]]),
            "matrices[1] must be finite (-inf forbids); got nan at [0, 1]. Replace it by a "
            "number, or by -inf to forbid it.",
        ),
        (
            lambda: solve_orderings(np.zeros((2, 2))),
            "matrices must have shape (b, n, n), one square matrix per list; got shape "
            "(2, 2). Use solve_ordering for a single list.",
        ),
        (
            lambda: solve_orderings(np.zeros((2, 3, 3)), where=[[True] * 3]),
            "where must have one row per list, 2; got 1.",
        ),
        (
            lambda: solve_orderings(np.zeros((1, 3, 3)), where=[[True, True]]),
            "where[0] must be a mask with one bool per item of matrices[0], which has "
            "shape (3, 3); got bool of shape (2,).",
        ),
        (
            lambda: solve_orderings(
                np.zeros((1, 3, 3)),
                where=[[True, True, False]],
                constraints=[Precedence(0, 2)],
            ),
            "constraints must name real items; Precedence(before=0, after=2) names item "
            "2, which is padding in list 0.",
        ),
        (
            lambda: solve_ordering(np.zeros((19, 19)), method="dp"),
            "method='dp' takes at most 18 items; got 19. Use 'auto'.",
        ),
        (
            lambda: solve_ordering(np.zeros((2, 2)), method="simplex"),
            "method must be one of 'auto', 'dp', 'branch_and_cut', 'cp_sat', "
            "'local_search'; got 'simplex'.",
        ),
    ],
)
def test_messages(call, message):
    """Expected, got, where, what to do."""
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        call()


@pytest.mark.parametrize("method", ["auto", "dp", "branch_and_cut", "cp_sat"])
def test_gains_that_almost_vanish(method):
    """Their units would be 0."""
    matrix = [[0, 5e-323, 0], [0, 0, 1e-323], [1e-322, 0, 0]]
    assert solve_ordering(matrix, method=method).order.tolist() == [2, 0, 1]


@pytest.mark.parametrize(
    "solve",
    [solve_ordering, lambda matrix, **options: solve_orderings([matrix], **options)[0]],
)
def test_old_name_of_branch_and_cut(solve):
    """It is still taken, with a warning at the line of the caller."""
    message = (
        "method='cutting_planes' is now called 'branch_and_cut'; the old name goes away "
        "in ltr 0.3."
    )
    matrix = [[0, 2, 0], [0, 0, 2], [3, 0, 0]]
    with pytest.warns(DeprecationWarning, match=f"^{re.escape(message)}$") as record:
        solution = solve(matrix, method="cutting_planes")
    assert record[0].filename == __file__
    assert solution.method == "branch_and_cut"
    assert solution.order.tolist() == [1, 2, 0]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: solve_orderings([np.eye(2)], where=[[1.0, np.nan]]),
            ValueError,
            "where[0] must be a mask with one bool per item of matrices[0], which has "
            "shape (2, 2); got float64 of shape (2,).",
        ),
        (
            lambda: solve_orderings([np.eye(2)], n_jobs=0),
            ValueError,
            "n_jobs must be a whole number >= 1, or None; got 0.",
        ),
        (
            lambda: solve_ordering(np.eye(2), random_state="a"),
            TypeError,
            "random_state must be a whole number >= 0, or None; got 'a'.",
        ),
        (
            lambda: solve_ordering(np.eye(2), constraints=[AtMost("group", 1)]),
            TypeError,
            "solve_ordering takes the constraints Precedence, Window, FixedPosition, "
            "Together; got AtMost(attribute='group', count=1, top=None, window=None), "
            "which solve_assignment takes.",
        ),
        (
            lambda: solve_orderings([np.eye(2)], constraints=["first"]),
            TypeError,
            "solve_orderings takes the constraints Precedence, Window, FixedPosition, "
            "Together; got 'first'.",
        ),
        (
            lambda: solve_ordering([[0, 10**400], [0, 0]]),
            ValueError,
            "matrix must be a square array of numbers; int too large to convert to "
            "float.",
        ),
        (
            lambda: solve_ordering(np.eye(4), constraints=[Together(3)]),
            TypeError,
            "items of Together must be a tuple of items; got Together(items=3).",
        ),
        (
            lambda: ordering_marginals([[0.0, np.nan], [1.0, 0.0]]),
            ValueError,
            "matrix must be finite (-inf forbids); got nan at [0, 1]. Replace it by a "
            "number, or by -inf to forbid it.",
        ),
    ],
)
def test_more_messages(call, error, message):
    """Masks, threads, seeds, huge integers, NaN in the dynamic programme."""
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        call()
