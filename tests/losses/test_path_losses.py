"""Losses on pairwise matrices: goldens, all orders one by one, and the laws."""

import functools
import json
import math
from itertools import pairwise, permutations
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support.brute_force import best, path_value

from ltr import losses
from ltr.losses.paths import published
from ltr.rankers.pairs.decoding import borda_scores
from ltr.solvers import differentiable, dynamic, solve_paths

pytestmark = pytest.mark.usefixtures("x64")

GOLDEN = json.loads(
    Path(__file__).parents[1].joinpath("golden").joinpath("paths.json").read_text()
)
SIZE, N_LISTS = 4, 12
close = functools.partial(np.testing.assert_allclose, rtol=1e-9, atol=1e-9)


@functools.cache
def golden_results():
    """What ltr has for each golden value, in one compiled program."""
    matrix, start, end, order = map(np.array, GOLDEN["inputs"].values())
    labels = -np.argsort(order)
    ends = {"start": start, "end": end}

    @jax.jit
    def compute():
        target = differentiable.path_parts(order)
        raised = matrix + 1 - target.matrix
        raised_ends = {
            "start": start + 1 - target.start,
            "end": end + 1 - target.end,
        }
        path, path_ends = dynamic.best_path(matrix), dynamic.best_path(matrix, **ends)
        ordering = dynamic.best_ordering(matrix)
        used = dynamic.path_marginals(matrix, **ends)
        return {
            "successor.paper": published.published_successor_loss(matrix, labels),
            "successor.paper_rank_weighted": published.published_successor_loss(
                matrix, labels, rank_weighted=True
            ),
            "successor.masked": losses.successor_loss(matrix, labels),
            "successor.start_end": losses.successor_loss(matrix, labels, **ends),
            "gap_weighted_bce.paper": published.published_gap_weighted_loss(
                matrix, labels
            ),
            "pairwise_logistic": losses.pairwise_logistic_loss(matrix, labels),
            "max_margin.paper": published.published_max_margin_loss(matrix, labels),
            "max_margin.paper.argmax": dynamic.best_path(raised)[1],
            "max_margin.start_end": losses.max_margin_loss(matrix, labels, **ends),
            "max_margin.start_end.argmax": dynamic.best_path(raised, **raised_ends)[1],
            "path_log_z": dynamic.path_log_partition(matrix),
            "path_log_z.start_end": dynamic.path_log_partition(matrix, **ends),
            "path_crf": losses.path_crf_loss(matrix, labels),
            "path_crf.start_end": losses.path_crf_loss(matrix, labels, **ends),
            "path_crf.tie_blocks": losses.path_crf_loss(
                matrix, np.array([1, 1, 0, 0]), **ends
            ),
            "path_crf.edge_marginals": used.arcs,
            "path_crf.start_marginals": used.start,
            "path_crf.end_marginals": used.end,
            "best_path": path[1],
            "best_path.objective": path[0],
            "best_path.start_end": path_ends[1],
            "best_path.start_end.objective": path_ends[0],
            "best_ordering": ordering[1],
            "best_ordering.objective": ordering[0],
        }

    borda = borda_scores(matrix)
    return compute() | {"borda_scores": borda, "borda_order": np.argsort(-borda)}


@pytest.mark.parametrize("name", GOLDEN["cases"])
def test_golden(name):
    """Values of an independent program, to 1e-9."""
    found = golden_results()[name.removeprefix("tsp.")]
    np.testing.assert_allclose(found, GOLDEN["cases"][name], rtol=1e-9, atol=1e-9)


def test_names():
    """PATH_LOSSES holds them all, by the names that TSPRanker takes."""
    assert list(losses.PATH_LOSSES) == [
        "successor",
        "crf",
        "max_margin",
        "hybrid",
        "pairwise",
        "gap_weighted",
        "perturbed_fy",
    ]
    assert all(f.__name__ in losses.__all__ for f in losses.PATH_LOSSES.values())


# -- references, for one list without padding


def true_orders(y):
    """Every order of descending labels."""
    return [o for o in permutations(range(len(y))) if (np.diff(y[list(o)]) <= 0).all()]


def log_softmax(values, chosen):
    return values[chosen] - math.log(sum(math.exp(v) for v in values.values()))


def successor(y, A, start, end, weight=lambda k: 1.0):
    """Mean over the true orders; "end" is one more successor."""
    n, total = len(y), 0.0
    for o in true_orders(y):
        total -= weight(1) * log_softmax(dict(enumerate(start)), o[0])
        for k, (i, j) in enumerate(pairwise((*o, "end")), start=2):
            row = {j: A[i, j] for j in range(n) if j != i} | {"end": end[i]}
            total -= weight(k) * log_softmax(row, j)
    return total / len(true_orders(y)) / (n + 1)


def crf(y, A, start, end):
    worth = lambda orders: sum(math.exp(path_value(o, A, start, end)) for o in orders)
    return math.log(worth(permutations(range(len(y)))) / worth(true_orders(y)))


def max_margin(y, A, start, end):
    n, true = len(y), true_orders(y)
    arcs = {("start", o[0]) for o in true} | {(o[-1], "end") for o in true}
    arcs |= {arc for o in true for arc in pairwise(o)}

    def raised(o):
        wrong = [a for a in pairwise(("start", *o, "end")) if a not in arcs]
        return path_value(o, A, start, end) + len(wrong)

    gain = max(path_value(o, A, start, end) for o in true)
    return (best(raised, n)[0] - gain) / (n + 1)


def pairs(y):
    return [(i, j) for i in range(len(y)) for j in range(len(y)) if y[i] > y[j]]


def pairwise_logistic(y, A, start, end):
    return sum(math.log1p(math.exp(A[j, i] - A[i, j])) for i, j in pairs(y))


def gap_weighted(y, A, start, end):
    n, total = len(y), 0.0
    rank = [(y > v).sum() + ((y == v).sum() + 1) / 2 for v in y]
    for i, j in pairs(y):
        gap = abs(rank[i] - rank[j]) / (n / 2)
        total += gap * math.log1p(math.exp(-A[i, j]))
        total += gap * math.log1p(math.exp(A[j, i]))
    return total / n**2


REFERENCES = {
    "successor": (losses.successor_loss, successor),
    "successor-top": (
        functools.partial(losses.successor_loss, arc_weight="top"),
        functools.partial(successor, weight=lambda k: 1 / math.log2(k + 1)),
    ),
    "crf": (losses.path_crf_loss, crf),
    "max_margin": (losses.max_margin_loss, max_margin),
    "max_margin-solver": (
        functools.partial(losses.max_margin_loss, solver=solve_paths),
        max_margin,
    ),
    "pairwise": (losses.pairwise_logistic_loss, pairwise_logistic),
    "gap_weighted": (losses.gap_weighted_bce_loss, gap_weighted),
}


@functools.cache
def compiled(name):
    """Values of a batch, and the gradients of their sum."""
    loss = REFERENCES[name][0] if name in REFERENCES else losses.PATH_LOSSES[name]

    def total(scores, labels, where):
        matrix, start, end = scores
        values = loss(matrix, labels, start=start, end=end, where=where)
        return values.sum(), values

    return jax.jit(jax.grad(total, has_aux=True))


@functools.cache
def batch():
    """Lists of 0 to 4 items in any places, rubbish elsewhere and on the diagonal."""
    rng = np.random.default_rng(0)
    where = np.arange(SIZE) < np.array([0, 1, 2, 3, *[4] * (N_LISTS - 4)])[:, None]
    where = rng.permuted(where, axis=1)
    labels = rng.integers(0, 3, (N_LISTS, SIZE)).astype(float)
    labels[-1] = 2.0
    labels[~where] = 9.0
    matrix = rng.normal(size=(N_LISTS, SIZE, SIZE))
    matrix[~(where[:, :, None] & where[:, None])] = np.nan
    matrix[:, np.arange(SIZE), np.arange(SIZE)] = np.nan
    ends = np.where(where, rng.normal(size=(2, N_LISTS, SIZE)), np.nan)
    return (matrix, *ends), labels, where


@pytest.mark.parametrize("name", REFERENCES)
def test_values(name):
    """Each list of the batch has the value of the slow formula; no block, no loss."""
    scores, labels, where = batch()
    _, values = compiled(name)(scores, labels, where)
    expected = []
    for *parts, y, real in zip(*scores, labels, where, strict=True):
        matrix, start, end = parts
        y = y[real]
        informative = len(set(y)) > 1
        inner = (matrix[np.ix_(real, real)], start[real], end[real])
        expected.append(REFERENCES[name][1](y, *inner) if informative else 0.0)
    close(values, expected)
    assert values[0] == values[1] == values[-1] == 0


@pytest.mark.parametrize("name", [*REFERENCES, "perturbed_fy"])
def test_gradients(name):
    """0 where there is nothing, finite elsewhere; as central differences say."""
    scores, labels, where = batch()
    gradient, values = compiled(name)(scores, labels, where)
    assert np.isfinite(values).all()
    pairs = where[:, :, None] & where[:, None] & ~np.eye(SIZE, dtype=bool)
    for part, real in zip(gradient, (pairs, where, where), strict=True):
        assert np.isfinite(part).all()
        assert not np.any(part[~real])
    assert not any(part[-1].any() for part in gradient)
    rng = np.random.default_rng(1)
    direction = [rng.normal(size=x.shape) for x in scores]
    ahead, behind = (
        compiled(name)(
            tuple(x + h * d for x, d in zip(scores, direction, strict=True)),
            labels,
            where,
        )[1]
        for h in (1e-6, -1e-6)
    )
    slope = sum(
        (g * d).reshape(N_LISTS, -1).sum(axis=1)
        for g, d in zip(gradient, direction, strict=True)
    )
    np.testing.assert_allclose((ahead - behind) / 2e-6, slope, atol=1e-6)


@pytest.mark.parametrize("name", REFERENCES)
def test_permuting_items_and_lists(name):
    """New places for the items and the lists: the same values."""
    scores, labels, where = batch()
    _, values = compiled(name)(scores, labels, where)
    rng = np.random.default_rng(2)
    p, q = rng.permutation(SIZE), rng.permutation(N_LISTS)
    matrix, start, end = (x[q] for x in scores)
    moved = (matrix[:, p][:, :, p], start[:, p], end[:, p])
    _, found = compiled(name)(moved, labels[q][:, p], where[q][:, p])
    close(found, values[q])


def test_crf_is_a_distribution_over_orders():
    """exp(−CRF) sums to 1 over all orders, and over the orders within the blocks."""
    scores, _, _ = batch()
    matrix, start, end = (np.nan_to_num(x[:1] * 0 + x[5:6]) for x in scores)
    orders = np.array(list(permutations(range(SIZE))))
    labels = -np.argsort(orders, axis=1).astype(float)
    tile = lambda x: jnp.tile(x, (len(orders), *(1,) * (x.ndim - 1)))
    values = jax.jit(losses.path_crf_loss)(
        tile(matrix), labels, start=tile(start), end=tile(end)
    )
    close(np.exp(-values).sum(), 1)


def test_max_margin_is_0_iff_the_margin_holds():
    """True arcs that gain 9 more than others, which differ by less than 1, or only .1."""
    scores, _, _ = batch()
    target = jax.jit(differentiable.path_parts)(np.arange(SIZE))
    rng = np.random.default_rng(0)
    lead = np.array([9.0] * 6 + [0.1] * 6)
    raised = tuple(
        rng.uniform(size=x.shape) + lead.reshape(-1, *(1,) * t.ndim) * np.asarray(t)
        for x, t in zip(scores, target, strict=True)
    )
    labels = np.tile(-np.arange(4.0), (N_LISTS, 1))
    where = np.ones((N_LISTS, SIZE), bool)
    _, values = compiled("max_margin")(raised, labels, where)
    assert (np.abs(values[:6]) < 1e-12).all()
    assert (values[6:] > 1e-3).all()


def test_perturbed_fy_becomes_the_perceptron():
    """As σ → 0 the loss is the best gain less that of the true path."""
    matrix = np.random.default_rng(0).normal(size=(SIZE, SIZE))
    labels = -jnp.arange(4.0)
    key = jax.random.key(0)
    options = {"key": key, "solver": solve_paths}  # nothing to compile
    loss = jax.jit(functools.partial(losses.perturbed_fy_loss, **options))
    cold, warm = (float(loss(matrix, labels, sigma=sigma)) for sigma in (1e-9, 1.0))
    value = lambda o: path_value(o, matrix)
    perceptron = best(value, SIZE)[0] - value(range(SIZE))
    assert abs(cold - perceptron) < 1e-7
    assert warm > perceptron


def test_hybrid_takes_turns():
    """Successor at even steps, max-margin at odd ones."""
    matrix = np.random.default_rng(0).normal(size=(SIZE, SIZE))
    labels = jnp.array([1.0, 0.0, 2.0, 1.0])

    @jax.jit
    def compute(step):
        return (
            losses.hybrid_loss(matrix, labels, step=step),
            losses.successor_loss(matrix, labels),
            losses.max_margin_loss(matrix, labels),
        )

    for step in (0, 1, 2):
        hybrid, *parts = compute(step)
        close(hybrid, parts[step % 2])
        assert abs(parts[0] - parts[1]) > 1e-3


def test_published_losses_follow_the_file():
    """Equal labels are told apart by position: the later row counts as better."""
    matrix = np.random.default_rng(0).normal(size=(SIZE, SIZE))
    where = np.array([True, True, False, True])
    tied, strict = np.array([1.0, 1, 9, 0]), np.array([2.0, 3, 9, 1])
    found = published.ordinal_labels(tied, where=where)
    assert found[where].tolist() == [2, 3, 1]

    @jax.jit
    def compute(labels):
        functions = [getattr(published, name) for name in published.__all__[1:]]
        return [function(matrix, labels, where=where) for function in functions]

    close(compute(tied), compute(strict))


def test_messages():
    """Too many items for log Z; shapes that do not fit."""
    with pytest.raises(
        ValueError,
        match=r"^the path CRF sums over all orders, of at most 15 items; got 16. Use the "
        r"successor or the perturbed_fy loss\.(\n|$)",
    ):
        jax.eval_shape(losses.path_crf_loss, np.zeros((16, 16)), np.arange(16.0))
    with pytest.raises(
        ValueError, match=r"^labels must have the shape \(3,\), one value"
    ):
        jax.eval_shape(losses.successor_loss, np.zeros((3, 3)), np.zeros(2))
