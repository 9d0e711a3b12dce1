"""The dynamic programs over subsets, against all orders one by one."""

import functools
import itertools
import re

import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from support.brute_force import ordering_value, path_value
from support.strategies_solvers import matrices

from ltr.solvers import dynamic

pytestmark = pytest.mark.usefixtures("x64")

SIZE = 4  # all lists here are padded to it: each function compiles once
few = settings(max_examples=25)
partition = jax.jit(dynamic.path_log_partition)


@st.composite
def lists(draw, kinds=("normal", "tied", "constant", "symmetric", "preference")):
    """A matrix, start and end scores, and which of SIZE places hold its items."""
    matrix = draw(matrices(max_size=SIZE, kinds=kinds))
    n = len(matrix)
    rng = np.random.default_rng(draw(st.integers(0, 999)))
    where = np.zeros(SIZE, bool)
    where[rng.choice(SIZE, n, replace=False)] = True
    entries = np.full((SIZE, SIZE), np.nan)
    entries[np.ix_(where, where)] = matrix
    ends = np.full((2, SIZE), np.nan)
    ends[:, where] = rng.normal(size=(2, n))
    if draw(st.booleans()):
        forbidden = rng.random((SIZE, SIZE)) < 0.3
        entries[forbidden & where[:, None] & where] = -np.inf
    return entries, *ends, where


def enumerate_orders(where, gain):
    """All orders of the items, their gains, and their probabilities."""
    orders = list(itertools.permutations(np.flatnonzero(where)))
    gains = np.array([gain(order) for order in orders], float)
    worth = np.exp(gains - max(gains.max(), -1e300))
    return orders, gains, worth / max(worth.sum(), 1e-300)


def expected(orders, probabilities, parts):
    """Probability that (i, j) is among the parts of an order."""
    result = np.zeros((SIZE, SIZE))
    for order, probability in zip(orders, probabilities, strict=True):
        for i, j in parts(order):
            result[i, j] += probability
    return result


def log_sum(gains):
    return np.log(np.exp(gains - gains.max()).sum()) + gains.max()


close = lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-10)


@few
@given(lists())
def test_paths_are_those_of_enumeration(problem):
    """Log Z, marginals, precedence and the best path, with garbage in the padding."""
    matrix, start, end, where = problem
    options = {"start": start, "end": end, "where": where}
    gain = lambda order: path_value(order, matrix, start, end)
    orders, gains, probabilities = enumerate_orders(where, gain)
    value, order = dynamic.best_path(matrix, **options)
    assert sorted(order.tolist()) == list(range(SIZE))
    n = where.sum()
    close(value, gains.max())
    used = dynamic.path_marginals(matrix, **options)
    before = dynamic.path_precedence(matrix, **options)
    if gains.max() == -np.inf:
        assert partition(matrix, **options) == -np.inf
        assert not any(np.any(part) for part in (*used, before))
        return
    assert order[n:].tolist() == np.flatnonzero(~where).tolist()
    close(gain(order[:n].tolist()), gains.max())
    close(partition(matrix, **options), log_sum(gains))
    close(used.arcs, expected(orders, probabilities, itertools.pairwise))
    close(
        before, expected(orders, probabilities, lambda o: itertools.combinations(o, 2))
    )
    if n:
        close(used.arcs.sum(axis=1) + used.end, where)
        close(used.arcs.sum(axis=0) + used.start, where)
        close(used.start.sum(), 1)


@few
@given(lists())
def test_orderings_are_those_of_enumeration(problem):
    """Log Z, P(i before j) and the best ordering, with garbage in the padding."""
    matrix, _, _, where = problem
    gain = lambda order: ordering_value(order, matrix)
    orders, gains, probabilities = enumerate_orders(where, gain)
    value, order = dynamic.best_ordering(matrix, where=where)
    n = where.sum()
    assert sorted(order.tolist()) == list(range(SIZE))
    close(value, gains.max())
    before = dynamic.ordering_marginals(matrix, where=where)
    if gains.max() == -np.inf:
        assert dynamic.ordering_log_partition(matrix, where=where) == -np.inf
        assert not before.any()
        return
    assert order[n:].tolist() == np.flatnonzero(~where).tolist()
    close(gain(order[:n].tolist()), gains.max())
    close(dynamic.ordering_log_partition(matrix, where=where), log_sum(gains))
    close(
        before, expected(orders, probabilities, lambda o: itertools.combinations(o, 2))
    )


@few
@given(lists(kinds=("normal", "huge", "tiny")), st.permutations(range(SIZE)))
def test_permuting_items_permutes_everything(problem, permutation):
    """New names for the items, new names in the results."""
    matrix, start, end, where = problem
    p = np.array(permutation)
    options = {"start": start, "end": end, "where": where}
    moved = {name: values[p] for name, values in options.items()}
    scale = np.nanmax(np.abs(matrix[np.isfinite(matrix)]), initial=1e-12)
    same = lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9 * scale)
    permuted = matrix[p][:, p]
    same(partition(permuted, **moved), partition(matrix, **options))
    same(
        dynamic.best_ordering(permuted, where=where[p])[0],
        dynamic.best_ordering(matrix, where=where)[0],
    )
    before = dynamic.path_precedence(matrix, **options)
    if scale < 1e6:  # at 1e12 rounding decides between the two best paths
        close(dynamic.path_precedence(permuted, **moved), before[p][:, p])


def test_gradients():
    """Of log Z: the marginals, as central differences say; of the best value: its path."""
    rng = np.random.default_rng(3)
    matrix, ends = rng.normal(size=(SIZE, SIZE)), rng.normal(size=(2, SIZE))
    direction = rng.normal(size=(SIZE, SIZE))
    options = {"start": ends[0], "end": ends[1]}
    gradient = dynamic.path_marginals(matrix, **options).arcs
    step = lambda h: partition(matrix + h * direction, **options)
    slope = (step(1e-6) - step(-1e-6)) / 2e-6
    np.testing.assert_allclose(slope, (gradient * direction).sum(), rtol=1e-6)
    best = lambda a: dynamic.best_path(a, **options)
    adjacency, order = jax.jit(jax.grad(best, has_aux=True))(matrix)
    assert np.argwhere(adjacency == 1).tolist() == sorted(
        [int(i), int(j)] for i, j in itertools.pairwise(order)
    )
    assert adjacency.sum() == SIZE - 1
    before, order = jax.jit(jax.grad(dynamic.best_ordering, has_aux=True))(matrix)
    assert before.sum() == SIZE * (SIZE - 1) / 2
    assert (before.sum(axis=1) == SIZE - 1 - np.argsort(order)).all()


def test_a_batch_is_a_loop():
    """Leading axes and vmap give what one list after the other gives."""
    rng = np.random.default_rng(0)
    matrix = jnp.asarray(rng.normal(size=(3, 2, SIZE, SIZE)))
    start = jnp.asarray(rng.normal(size=(2, SIZE)))
    alone = [
        [partition(matrix[i, j], start=start[j]) for j in (0, 1)] for i in range(3)
    ]
    both = lambda a: dynamic.path_log_partition(a, start=start)
    close(both(matrix), alone)
    close(jax.vmap(both)(matrix), alone)


def test_more_lists_than_lanes():
    """Lists are solved in chunks, the last of which is padded."""
    matrix = jnp.tile(jnp.arange(9.0).reshape(3, 3), (40_000, 1, 1))
    orders = dynamic.best_path(matrix)[1]
    assert orders.shape == (40_000, 3)
    assert (orders == jnp.tile(orders[:1], (40_000, 1))).all()


@pytest.mark.parametrize("kind", ["path", "ordering"])
def test_samples_come_as_often_as_they_should(kind):
    """Frequencies of 4,000 draws, within 5 standard deviations; padding comes last."""
    rng = np.random.default_rng(1)
    matrix = rng.normal(size=(SIZE, SIZE))
    where = np.array([True, True, False, True])
    sample = getattr(dynamic, f"sample_{kind}s")
    gain = {"path": path_value, "ordering": ordering_value}[kind]
    orders, _, probabilities = enumerate_orders(where, lambda o: gain(o, matrix))
    drawn = np.array(
        sample(matrix, jax.random.key(0), where=where, n_samples=4000), int
    )
    assert (drawn[:, 3] == 2).all()
    for order, probability in zip(orders, probabilities, strict=True):
        share = (drawn[:, :3] == order).all(axis=1).mean()
        assert abs(share - probability) < 5 * np.sqrt(probability / 4000)


def test_small_and_empty_lists():
    """One item, no item, no list."""
    one = jnp.full((1, 1), jnp.nan)
    assert dynamic.path_log_partition(one, start=jnp.ones(1), end=jnp.ones(1)) == 2
    assert dynamic.best_ordering(one)[0] == 0
    none = jnp.zeros((2, 0, 0))
    assert dynamic.path_log_partition(none).tolist() == [0, 0]
    assert dynamic.path_marginals(none).arcs.shape == (2, 0, 0)
    assert dynamic.path_precedence(none).shape == (2, 0, 0)
    assert dynamic.best_path(none)[1].shape == (2, 0)
    assert dynamic.best_ordering(none)[0].tolist() == [0, 0]
    assert dynamic.ordering_log_partition(jnp.zeros((0, 3, 3))).shape == (0,)
    key = jax.random.key(0)
    assert dynamic.sample_paths(none, key, n_samples=3).shape == (2, 3, 0)
    assert dynamic.sample_orderings(none, key).shape == (2, 1, 0)


def test_wide_scores_in_single_precision():
    """Weights that are e^±300 apart lose nothing: no product is formed outside logs."""
    rng = np.random.default_rng(0)
    matrix = rng.integers(-150, 150, (4, 4)).astype(np.float32)
    np.fill_diagonal(matrix, 0)
    orders = [path_value(o, matrix) for o in itertools.permutations(range(4))]
    assert dynamic.path_log_partition(matrix).dtype == jnp.float32
    np.testing.assert_allclose(
        dynamic.path_log_partition(matrix), log_sum(np.array(orders, float)), rtol=1e-6
    )


def test_messages():
    """They say what was expected, what came, and what to do."""
    too_many = (
        "matrix has lists of 16 items; the dynamic program over subsets takes at most "
        "15, because its work doubles with each item. For best orders use "
        "ltr.solvers.solve_paths or solve_orderings, inside jit through "
        "ltr.solvers.differentiable; for training, a loss without log Z, such as "
        "successor_loss or perturbed_fy_loss."
    )
    not_square = (
        "matrix must have shape (..., n, n), one row and one column per item; got shape "
        "(2, 3)."
    )
    no_start = (
        "start must have the shape of matrix without its last axis, (3, 2), or of one "
        "list, (2,); got (3,)."
    )
    for call, message in (
        (lambda: dynamic.best_path(np.zeros((16, 16))), too_many),
        (lambda: dynamic.ordering_marginals(np.zeros((2, 3))), not_square),
        (lambda: dynamic.best_path(np.zeros((3, 2, 2)), start=np.zeros(3)), no_start),
    ):
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            call()


@pytest.mark.parametrize(
    "program",
    [
        dynamic.best_path,
        dynamic.path_marginals,
        functools.partial(dynamic.sample_paths, key=jax.random.key(0), n_samples=2),
        dynamic.best_ordering,
        dynamic.ordering_marginals,
        functools.partial(dynamic.sample_orderings, key=jax.random.key(0), n_samples=2),
    ],
)
def test_single_after_double_precision(program):
    """Compiled in double precision first, a program still works in single precision."""
    matrix = np.random.default_rng(0).normal(size=(2, 3, 3))
    jax.jit(program)(jnp.asarray(matrix))
    with jax.enable_x64(False):
        jax.jit(program)(jnp.asarray(matrix, jnp.float32))
