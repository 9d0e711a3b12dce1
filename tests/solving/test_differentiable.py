"""Gradients through solvers: what the papers say, on the solvers of ltr."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support.brute_force import best, ordering_value, path_value

from ltr.solvers import Solution, Status, dynamic, solve_orderings, solve_paths
from ltr.solvers import differentiable as through

pytestmark = pytest.mark.usefixtures("x64")

SIZE = 4
rng = np.random.default_rng(5)
MATRIX, START, END = rng.normal(size=(SIZE, SIZE)), *rng.normal(size=(2, SIZE))
ENDS = {"start": START, "end": END}
path_parts = jax.jit(through.path_parts)
TARGET = path_parts(np.array([2, 0, 3, 1]))
close = lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9)


def enumeration(matrices, *, where, start=None, end=None):
    """A solver as a user may write one."""
    found = []
    none = np.zeros(where.shape)
    start, end = (none if x is None else x for x in (start, end))
    for *scores, real in zip(matrices, start, end, where, strict=True):
        items = np.flatnonzero(real)
        value = lambda o, s=scores, i=items: path_value(i[list(o)], *s)
        value, order = best(value, len(items))
        order = items[list(order)]
        found.append(Solution(order, value, value, Status.OPTIMAL, "loop", 0.0))
    return found


LOOP = through.PathOracle(enumeration)  # nothing to compile


def tree_close(a, b):
    jax.tree.map(close, a, b)


def test_solve_in_graph_is_the_solver():
    """Inside jit and vmap, with leading axes and padding in the middle."""
    matrix = rng.normal(size=(3, 2, SIZE, SIZE))
    where = rng.random((3, 2, SIZE)) < 0.7
    solve = lambda a, m: through.solve_in_graph(solve_paths, a, where=m, **ENDS)
    found = jax.jit(jax.vmap(solve))(matrix, where)
    value, order = dynamic.best_path(matrix, where=where, **ENDS)
    assert (found.order == order).all()
    close(found.objective, value)
    assert (found.bound >= found.objective).all()
    assert (found.status == 0).all()
    assert [status.value for status in through.STATUSES] == [
        "OPTIMAL",
        "FEASIBLE",
        "UNKNOWN",
        "INFEASIBLE",
    ]


def test_status_is_data():
    """Unsolved lists show in the status and make a loss NaN: nothing raises."""
    matrix = np.stack([MATRIX] * 3)
    matrix[1] = -np.inf
    matrix[2, 0, 1] = np.nan
    found = jax.jit(lambda a: through.solve_in_graph(solve_paths, a))(matrix)
    names = [through.STATUSES[i].value for i in found.status]
    assert names == ["OPTIMAL", "INFEASIBLE", "UNKNOWN"]
    assert np.isnan(found.objective).tolist() == [False, True, True]
    assert found.bound[1:].tolist() == [-np.inf, np.inf]
    oracle = through.PathOracle(solve_paths)
    loss = jax.jit(lambda a: through.structured_hinge(oracle, a, TARGET))(matrix)
    assert np.isnan(loss).tolist() == [False, True, True]


def test_bounds_are_rounded_up_in_single_precision():
    """A bound rounded to fewer digits is still a bound."""
    value = 1 / 3
    solver = lambda matrices, **_: [
        Solution(np.arange(2), value, value, Status.OPTIMAL, "", 0.0)
    ]
    found = through.solve_in_graph(solver, jnp.zeros((2, 2), jnp.float32))
    assert found.bound.dtype == jnp.float32
    assert value <= float(found.bound) < value * (1 + 1e-6)


def test_every_solver_plugs_in():
    """A user's solver, a partial of one of ours, and the dynamic program agree."""
    partial = functools.partial(solve_paths, method="branch_and_bound")
    where = jnp.ones(SIZE, bool)
    scores = through.Parts(*(jnp.asarray(x) for x in (MATRIX, START, END)))

    @jax.jit
    def solve(scores):
        paths = [through.PathOracle(s) for s in (None, enumeration, partial)]
        orderings = [through.OrderingOracle(s) for s in (None, solve_orderings)]
        found = [oracle(scores, where) for oracle in paths + orderings]
        return found, through.inner(scores, found[-1])

    (first, *others, ours, theirs), value = solve(scores)
    for other in others:
        tree_close(other, first)
    assert first.matrix.sum() == SIZE - 1
    tree_close(ours, theirs)
    assert ours.matrix.sum() == SIZE * (SIZE - 1) / 2
    close(value, best(lambda o: ordering_value(o, MATRIX), SIZE)[0])


def test_structured_hinge():
    """At least 0; its value by enumeration; its gradient is y − y₀; 0 with a margin."""
    loss = jax.jit(lambda a: through.structured_hinge(LOOP, a, TARGET, **ENDS))
    order = [2, 0, 3, 1]
    raised = [x + 1.0 - t for x, t in zip((MATRIX, START, END), TARGET, strict=True)]
    value, found = best(lambda o: path_value(o, *raised), SIZE)
    close(loss(MATRIX), value - path_value(order, MATRIX, START, END))
    used = path_parts(np.array(found))
    close(jax.grad(loss)(MATRIX), used.matrix - TARGET.matrix)
    assert loss(MATRIX) > 0
    assert abs(loss(MATRIX + 99 * TARGET.matrix)) < 1e-9


def test_perturbed_fenchel_young():
    """The gradient is the mean indicator less the target; σ → 0 is the perceptron."""
    key = jax.random.key(0)

    def loss(matrix, sigma=1.0, noise="normal"):
        return through.perturbed_fenchel_young(
            LOOP, matrix, TARGET, key, sigma=sigma, n_samples=32, noise=noise
        )

    @jax.jit
    def all_at_once(matrix):
        value, gradient = jax.value_and_grad(loss)(matrix)
        others = loss(matrix, 1e-9), loss(matrix, noise="gumbel")
        return value, gradient, *others, loss(jnp.stack([matrix, matrix]))

    value, gradient, cold, gumbel, twice = map(np.asarray, all_at_once(MATRIX))
    assert ((gradient + np.asarray(TARGET.matrix)) * 32 % 1 == 0).all()
    close(gradient.sum(), 0)
    value_of = lambda order: path_value(order, MATRIX)
    perceptron = best(value_of, SIZE)[0] - value_of([2, 0, 3, 1])
    np.testing.assert_allclose(cold, perceptron, atol=1e-7)
    assert value > perceptron
    assert gumbel > perceptron
    close(twice, [value, value])  # common random numbers
    with pytest.raises(
        ValueError, match=r"^noise must be one of 'normal', 'gumbel'; got 1\.$"
    ):
        loss(MATRIX, noise=1)


def test_blackbox():
    """(y*(θ) − y*(θ − λg)) / λ for a linear loss, also for start and end."""
    cost = through.Parts(*(jnp.asarray(rng.normal(size=x.shape)) for x in TARGET))

    def loss(matrix, start, end):
        used = through.blackbox(LOOP, matrix, start=start, end=end, strength=3.0)
        return sum((u * c).sum() for u, c in zip(used, cost, strict=True))

    found = jax.jit(jax.grad(loss, argnums=(0, 1, 2)))(MATRIX, START, END)
    solve = lambda *scores: path_parts(
        np.array(best(lambda o: path_value(o, *scores), SIZE)[1])
    )
    here = solve(MATRIX, START, END)
    there = solve(MATRIX - 3 * cost[0], START - 3 * cost[1], END - 3 * cost[2])
    tree_close(found, tuple((a - b) / 3 for a, b in zip(here, there, strict=True)))
    assert any(np.any(part) for part in found)


def test_identity():
    """The gradient is that of the projected scores, and moves neither mean nor norm."""
    cost = rng.normal(size=MATRIX.shape)
    scores = MATRIX.copy()
    scores[1, 2] = -np.inf
    allowed = ~np.eye(SIZE, dtype=bool) & np.isfinite(scores)

    def loss(matrix):
        return (through.identity(LOOP, matrix).matrix * cost).sum()

    def projected(values):
        centered = values - values.mean()
        return (centered / jnp.linalg.norm(centered) * cost[allowed]).sum()

    gradient = jax.jit(jax.grad(loss))(scores)
    close(gradient[allowed], jax.grad(projected)(jnp.asarray(scores[allowed])))
    assert not gradient[~allowed].any()
    close(gradient.sum(), 0)
    used = jax.jit(lambda a: through.identity(LOOP, a).matrix)(scores)
    order = np.array(best(lambda o: path_value(o, scores), SIZE)[1])
    close(used, path_parts(order).matrix)


def test_sinkhorn():
    """Doubly stochastic with one more node; cold, it is the best path if that is one."""
    where = jnp.array([True, False, True, True])
    many = jax.jit(functools.partial(through.sinkhorn, n_iterations=200))
    relaxed = many(MATRIX, where=where, **ENDS)
    close(relaxed.matrix.sum(axis=1) + relaxed.end, where)
    close(relaxed.matrix.sum(axis=0) + relaxed.start, where)
    close(relaxed.start.sum(), 1)
    matrix, start, end = (9.0 * np.asarray(x) for x in TARGET)
    warm = jax.jit(through.sinkhorn)
    cold = warm(matrix, start=start, end=end, temperature=0.1)
    np.testing.assert_allclose(cold.matrix, TARGET.matrix, atol=1e-6)
    loss = jax.jit(functools.partial(through.sinkhorn_loss, target=TARGET))
    assert loss(MATRIX) > loss(matrix) > 0
    matrix[0, 1] = -np.inf
    value, gradient = jax.value_and_grad(loss)(matrix)
    assert np.isfinite(value)
    assert np.isfinite(gradient).all()
    assert warm(matrix, start=start, end=end, temperature=1.0).matrix[0, 1] == 0


def test_empty_lists():
    """No real item: gain 0, gradient 0, whatever stands there."""
    nothing = jnp.zeros(SIZE, bool)
    target = path_parts(np.arange(SIZE), where=nothing)
    matrix = jnp.full((SIZE, SIZE), jnp.nan)
    options = {"where": nothing, "start": START, "end": END}
    key = jax.random.key(0)

    @jax.jit
    def all_at_once(matrix):
        found = []
        for oracle in (through.PathOracle(), LOOP):
            hinge = functools.partial(through.structured_hinge, oracle, target=target)
            noisy = functools.partial(
                through.perturbed_fenchel_young, oracle, target=target, key=key
            )
            for loss in (hinge, noisy):
                value = functools.partial(loss, **options)
                found.append(jax.value_and_grad(value)(matrix))
        return found, through.sinkhorn_loss(matrix, target, **options)

    assert not any(np.any(part) for part in jax.tree.leaves(all_at_once(matrix)))


def test_path_parts():
    """Arcs, first and last item of an order with masked items behind."""
    parts = path_parts(np.array([2, 0, 1, 3]), where=np.array([1, 0, 1, 0], bool))
    assert np.argwhere(parts.matrix).tolist() == [[2, 0]]
    assert parts.start.tolist() == [0, 0, 1, 0]
    assert parts.end.tolist() == [1, 0, 0, 0]
    for i, j in itertools.pairwise([2, 0, 3, 1]):
        assert TARGET.matrix[i, j] == 1
