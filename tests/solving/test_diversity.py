"""Diversified top k: maximal marginal relevance, greedy and exact."""

import math
import re
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from ltr.solvers import Status, diversify, verify
from ltr.solvers.core.budget import Budget
from ltr.solvers.diversity.concave_bound import ConcaveRelaxation
from ltr.solvers.diversity.dispersion import Dispersion


def value(relevance, similarity, items, trade_off):
    """The objective, as the docstring reads."""
    k = len(items)
    pairs = math.fsum(similarity[i][j] for i, j in combinations(items, 2))
    total = trade_off * math.fsum(relevance[i] for i in items)
    return total - ((1 - trade_off) * 2 / (k - 1) * pairs if k > 1 else 0.0)


def mmr(relevance, similarity, items, k, trade_off):
    """Carbonell and Goldstein, in plain Python; the first item wins ties."""
    order = []
    while len(order) < k:
        marginal = {
            i: trade_off * relevance[i]
            - (1 - trade_off) * max(similarity[i][j] for j in order)
            if order
            else relevance[i]
            for i in sorted(items)
            if i not in order
        }
        order.append(max(marginal, key=marginal.get))
    return order


def draw(seed, n, kind):
    """Relevance, and similarities: cosines, uniform numbers, ties, or penalties."""
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(n, 3))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    relevance, similarity = rng.random(n), vectors @ vectors.T
    if kind == "uniform":
        similarity = rng.random((n, n))
    elif kind == "ties":
        relevance = rng.integers(0, 3, n).astype(float)
        similarity = rng.integers(-1, 2, (n, n)).astype(float)
    elif kind == "penalties":
        similarity = np.where(rng.random((n, n)) < 0.2, 1e9, similarity)
    return relevance, np.triu(similarity) + np.triu(similarity, 1).T


@settings(max_examples=40)
@given(
    st.integers(0, 2**31),
    st.integers(2, 11),
    st.sampled_from(["cosines", "uniform", "ties", "penalties"]),
    st.floats(0, 1),
    st.data(),
)
def test_exact_is_the_best_of_all_sets(seed, n, kind, trade_off, data):
    """The order is that of MMR within the set; greedy is MMR, and its bound holds."""
    relevance, similarity = draw(seed, n, kind)
    k = data.draw(st.integers(1, n))
    arguments = (relevance, similarity, k)
    solution = diversify(*arguments, trade_off=trade_off)
    greedy = diversify(*arguments, trade_off=trade_off, method="greedy")
    best = max(
        value(relevance, similarity, items, trade_off)
        for items in combinations(range(n), k)
    )
    assert solution.is_optimal
    size = np.abs(relevance).sum() + abs(best)
    assert solution.objective == pytest.approx(best, rel=1e-9, abs=1e-9 * size)
    assert greedy.bound >= best - 1e-12 * size
    for other in (solution, greedy):
        assert verify(other, diversify, *arguments, trade_off=trade_off).is_right
        order = other.order.tolist()
        assert order == mmr(relevance, similarity, order, k, trade_off)
    items = range(n)
    assert greedy.order.tolist() == mmr(relevance, similarity, items, k, trade_off)


@settings(max_examples=25)
@given(
    st.integers(0, 2**31),
    st.sampled_from(["cosines", "uniform", "ties"]),
)
def test_concave_bound(seed, kind):
    """With some items included and others excluded, no set of the node has more."""
    relevance, similarity = draw(seed, 9, kind)
    np.fill_diagonal(similarity, 0.0)
    rng = np.random.default_rng(seed)
    problem = Dispersion(relevance, similarity, 4)
    included, _, candidates = np.split(rng.permutation(9), [rng.integers(3), 3])
    concave = ConcaveRelaxation(problem)
    relaxation = concave.tighten(
        included, np.sort(candidates), Budget(), -np.inf, lambda _: False
    )
    n_open = 4 - len(included)
    best = max(
        problem.value(np.array([*included, *items]))
        for items in combinations(candidates.tolist(), n_open)
    )
    assert relaxation.bound >= best
    assert len(relaxation.top) == n_open


def test_cosines_of_a_hundred_items_are_proven():
    """Which the bound by pairs alone does not do in a hundred times the work."""
    relevance, similarity = draw(0, 100, "cosines")
    solution = diversify(relevance, similarity, 10, work_limit=1.0)
    assert solution.is_optimal
    greedy = diversify(relevance, similarity, 10, method="greedy")
    assert greedy.status is Status.FEASIBLE
    assert greedy.objective < solution.objective <= greedy.bound


def test_a_limit_leaves_a_gap_that_holds():
    """With the best set so far."""
    relevance, similarity = draw(1, 40, "uniform")
    early = diversify(relevance, similarity, 12, work_limit=0.02)
    later = diversify(relevance, similarity, 12, work_limit=0.3)
    assert early.status is Status.FEASIBLE
    assert later.objective >= early.objective
    assert later.bound <= early.bound
    assert later.objective <= early.bound


def test_extremes():
    """Relevance alone is a sort; diversity alone starts at the most relevant item."""
    relevance, similarity = draw(2, 8, "cosines")
    by_relevance = diversify(relevance, similarity, 3, trade_off=1.0)
    assert by_relevance.order.tolist() == np.argsort(-relevance)[:3].tolist()
    diverse = diversify(relevance, similarity, 3, trade_off=0.0)
    assert diverse.is_optimal
    assert diverse.order[0] == diverse.order[relevance[diverse.order].argmax()]
    assert diversify([5.0], [[1.0]], 1).objective == 2.5


def test_arguments_stay_as_they_are():
    """The arrays of the user are not changed."""
    relevance, similarity = draw(3, 8, "cosines")
    before = similarity.copy()
    diversify(relevance, similarity, 3)
    assert (similarity == before).all()


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (
            ([1.0, 2.0], [[1.0, 0.5]], 1),
            "similarity must have shape (2, 2), a row and a column for each item of "
            "relevance; got shape (1, 2).",
        ),
        (
            ([1.0, 2.0], [[1.0, 0.5], [0.2, 1.0]], 1),
            "similarity must be symmetric; got 0.5 at [0, 1] and 0.2 at [1, 0]. Pass "
            "(similarity + similarity.T) / 2.",
        ),
        (
            ([1.0, 2.0], [[1.0, np.nan], [0.2, 1.0]], 1),
            "similarity must be finite; got nan at [0, 1].",
        ),
        (
            ([1.0, -np.inf], np.eye(2), 1),
            "relevance must be finite; got -inf at [1]. Leave items out that must not "
            "be in the set.",
        ),
        (
            ([], np.zeros((0, 0)), 1),
            "relevance must have shape (n_items,), one number for each of at least one "
            "item; got shape (0,).",
        ),
        (
            ([1.0, 2.0], np.eye(2), 3),
            "k must be at most the number of items, 2; got 3.",
        ),
    ],
)
def test_messages(arguments, text):
    """What was expected, and what came where."""
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        diversify(*arguments)


@pytest.mark.parametrize("method", ["greedy", "exact"])
def test_a_small_bound_above_a_set_of_large_cost(method):
    """The bound is not value + (bound - value), which loses its digits."""
    for best in np.linspace(0.1, 0.2, 9):
        similarity = np.array([[0.0, 1e8, 1e8], [1e8, 0.0, best], [1e8, best, 0.0]])
        arguments = ([3.0, 2.0, 1.0], similarity, 2)
        options = {"trade_off": 0.0, "method": method}
        solution = diversify(*arguments, **options)
        assert solution.bound >= -2 * best
        assert verify(solution, diversify, *arguments, **options).is_right


def test_similarities_may_be_tiny_beside_relevance():
    similarity = -1e-300 * np.array([[0.0, 1.0, 1.0], [1.0, 0.0, 2.0], [1.0, 2.0, 0.0]])
    relevance = np.array([2e12, 1e12, 0.0])
    with np.errstate(over="raise"):
        solution = diversify(relevance, similarity, 2, trade_off=0.3)
    assert solution.is_optimal
    assert solution.order[0] == 0


def test_rows_and_columns_of_a_frame_in_two_orders_are_refused():
    similarity = pd.DataFrame(np.eye(3), index=list("abc"), columns=list("cab"))
    with pytest.raises(
        ValueError, match="^similarity must have rows and columns in one order; got"
    ):
        diversify([3.0, 2.0, 1.0], similarity, 2)


def test_sparse_similarities_are_refused():
    message = (
        "similarity must be a square array of numbers; got a sparse array. Pass its "
        "toarray()."
    )
    with pytest.raises(ValueError, match="^" + re.escape(message) + "$"):
        diversify([1.0, 2.0], csr_array((2, 2)), 1)
