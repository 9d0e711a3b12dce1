"""A step that computes its gradient in parts moves as one that has all lists at once."""

from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.sparse import csr_matrix

from ltr import NeuralRanker, TSPRanker
from ltr.losses import listnet_loss, wasserstein_batch_loss
from ltr.rankers.neural import training
from ltr.scorers import MLPScorer
from ltr.training import get_optimizer, memory
from ltr.training.steps import _step, init_optimizer

RNG = np.random.default_rng(0)
N_LISTS, SIZES = 14, RNG.integers(3, 5, 14)
QID = np.repeat(np.arange(N_LISTS), SIZES)
X = RNG.normal(size=(len(QID), 4))
Y = np.concatenate([RNG.permutation(size) for size in SIZES]).astype(float)
WEIGHTS = RNG.uniform(0.5, 2.0, len(QID))
EXTRA = RNG.normal(size=len(QID))
OF_PAIRS = [RNG.normal(size=(size, size, 2)) for size in SIZES]
SMALL = {
    "dtype": "float64",
    "batch_size": 10,
    "early_stopping": False,
    "random_state": 0,
}


class Captured(Exception):
    """What a fit would have trained with."""


@pytest.fixture
def steps(monkeypatch):
    """Ranker, arguments of ``fit`` → the steps of the first epoch."""

    def stop(plan, params, optimizer_state, lists, *, numbers, **_):
        raise Captured(plan, params, lists, numbers)

    monkeypatch.setattr(training, "train", stop)

    def captured(ranker, **columns):
        features = columns.pop("X", X)
        with pytest.raises(Captured) as caught:
            ranker.fit(features, Y, QID, **columns)
        return Steps(monkeypatch, *caught.value.args)

    return captured


def n_lists_of(batch):
    """Lists of a mini-batch."""
    return int((batch[1][:, 0] < len(Y)).sum())


class Steps:
    """The mini-batches of a fit, and what a step computes of them."""

    def __init__(self, monkeypatch, plan, params, lists, numbers):
        self._monkeypatch = monkeypatch
        self.plan = replace(plan, optimizer=get_optimizer("sgd"))
        self.state = params, init_optimizer(self.plan, params)
        # a step of this size along the gradient shows it
        self.numbers = numbers._replace(learning_rate=1.0, weight_decay=0.0)
        self.batches = [*lists.epoch(0, np.random.default_rng(0))]

    def step(self):
        """A step that is traced anew."""
        return jax.jit(partial(_step.__wrapped__, self.plan))

    def of_size(self, size, batches=None):
        """Loss and gradient of each batch, in parts of this size."""
        for module in ("steps", "sums"):
            name = f"ltr.training.{module}.part_size"
            self._monkeypatch.setattr(name, lambda *_: size)
        step, results = self.step(), []
        with jax.enable_x64(True):
            for data, rows in batches or self.batches:
                inputs = self.state, self.numbers, data, rows, jax.random.key(3), 5
                (params, _), loss = step(*inputs)
                results.append((loss, jax.tree.map(np.subtract, self.state[0], params)))
        return results


def assert_same(one, parts):
    """To rounding, in double precision."""
    for whole, parted in zip(one, parts, strict=True):
        for a, b in zip(*map(jax.tree.leaves, (whole, parted)), strict=True):
            assert a.dtype == b.dtype == np.float64
            np.testing.assert_allclose(b, a, rtol=1e-12, atol=1e-12)
        assert any(np.any(leaf) for leaf in jax.tree.leaves(whole[1]))


def neural(loss, scorer="mlp", **options):
    return NeuralRanker(loss, scorer, hidden_layer_sizes=(8,), **SMALL | options)


@pytest.mark.parametrize(
    ("ranker", "columns"),
    [
        (neural("listnet"), {}),
        (neural("ranknet", "attention"), {}),
        (neural("lambdarank"), {"query_weight": 1.0 + QID % 3}),
        (neural("mse"), {"sample_weight": WEIGHTS}),
        (neural("kl_distillation"), {"teacher_scores": EXTRA}),
        (neural("listnet"), {"query_features": RNG.normal(size=(N_LISTS, 3))}),
    ],
    ids=[
        "listnet",
        "attention",
        "weights",
        "rows",
        "extras",
        "query_features",
    ],
)
def test_parts_are_one(ranker, columns, steps):
    """Of ten lists by four: the last part has two, and two empty ones."""
    fit = steps(ranker, **columns)
    assert fit.plan.in_parts
    assert fit.plan.is_sum_over_lists
    assert max(map(n_lists_of, fit.batches)) == 10
    assert_same(fit.of_size(10), fit.of_size(4))


def test_a_single_list(steps):
    """And none, as a process may have of the mini-batch of all."""
    fit = steps(neural("listnet"))
    data, rows = fit.batches[0]
    single = [(data, rows[:1])]
    assert_same(fit.of_size(2, single), fit.of_size(1, single))
    empty = [(data, np.full_like(rows, len(Y)))]
    ((loss, gradient),) = fit.of_size(4, empty)
    assert float(loss) == 0.0
    assert not any(np.any(leaf) for leaf in jax.tree.leaves(gradient))


def test_empty_parts_are_skipped(steps):
    """Of ten lists five are empty, and so is the last of three parts."""
    n_lists = []

    def loss(scores, labels, *, where):
        jax.debug.callback(lambda real: n_lists.append(int(real.sum())), where[:, 0])
        return listnet_loss(scores, labels, where=where)

    fit = steps(neural(loss))
    data, rows = max(fit.batches, key=n_lists_of)
    rows = np.concatenate([rows[:5], np.full((5, rows.shape[1]), len(Y))])
    n_lists.clear()
    fit.of_size(4, [(data, rows)])
    jax.effects_barrier()
    assert n_lists == [4, 1]


@pytest.mark.parametrize("drawn", ["loss", "dropout"])
def test_every_part_draws_other_numbers(drawn, steps):
    """Five parts of two lists; the same ones when the step is done again."""
    keys = []

    def see(key):
        words = jax.random.key_data(key)
        jax.debug.callback(lambda words: keys.append(tuple(words.tolist())), words)

    def loss(scores, labels, *, where, key):
        see(key)
        return listnet_loss(scores, labels, where=where)

    class Dropping(MLPScorer):
        def apply(self, params, X, where, weights=None, *, key=None):
            see(key)
            return super().apply(params, X, where, weights)

    ranker = (
        neural(loss)
        if drawn == "loss"
        else neural("listnet", Dropping((3,), dropout=0.5))
    )
    fit = steps(ranker)
    full = max(fit.batches, key=n_lists_of)
    keys.clear()
    fit.of_size(2, [full])
    jax.effects_barrier()
    first = list(keys)
    assert len(set(first)) == len(first) == 5
    fit.of_size(2, [full])
    jax.effects_barrier()
    assert sorted(keys) == sorted(first * 2)


class Shrinking(MLPScorer):
    """Its penalty is no sum over lists."""

    def penalty(self, params, X, where):
        n_lists = where[:, 0].sum()
        return n_lists**2 * sum(jnp.sum(leaf**2) for leaf in jax.tree.leaves(params))


TOWERS = {"n_query_features": 2, "in_batch": True}


@pytest.mark.parametrize(
    "ranker",
    [
        neural(wasserstein_batch_loss),
        neural("infonce", "two_tower", **TOWERS),
        neural("listnet", Shrinking((3,))),
    ],
    ids=["per_batch", "in_batch", "penalty"],
)
def test_what_is_no_sum_over_lists(ranker, steps):
    """It is never computed in parts."""
    fit = steps(ranker)
    assert not fit.plan.is_sum_over_lists
    assert_same(fit.of_size(10), fit.of_size(3))


@pytest.mark.parametrize(
    ("ranker", "columns"),
    [
        (neural("listnet"), {"X": csr_matrix(X)}),
        (TSPRanker("pairwise", encoder="identity", **SMALL), {}),
        (
            TSPRanker("successor", pair_hidden_layer_sizes=(3,), **SMALL),
            {"pair_features": OF_PAIRS},
        ),
    ],
    ids=["sparse", "tsp", "pairs"],
)
def test_what_costs_as_much_in_parts(ranker, columns, steps):
    """A gather of sparse rows or a loop over pairs is not repeated for each part."""
    plan = steps(ranker, **columns).plan
    assert not plan.in_parts
    assert memory.part_size(1000, 100, [np.zeros((50, 50))], plan) == 1000


def test_memory_does_not_grow(steps):
    """Sixteen times as many lists need no more than their row numbers."""
    fit = steps(neural("listnet"))
    inputs = fit.batches[0][0], jax.random.key(0), 0

    def n_bytes(n_lists):
        rows = jax.ShapeDtypeStruct((n_lists, 64), np.int32)
        data, *others = inputs
        lowered = fit.step().lower(fit.state, fit.numbers, data, rows, *others)
        return lowered.compile().memory_analysis().temp_size_in_bytes

    with jax.enable_x64(True):
        few, many = n_bytes(2048), n_bytes(32768)
    assert many < few + 5 * 4 * 32768 * 64
    assert memory.part_size(8, 64, fit.state[0], fit.plan) == 8


def test_parts_are_even(steps, monkeypatch):
    """One list more than fits is no second part of empty lists."""
    fit = steps(neural("listnet"))
    sizes = []
    monkeypatch.setattr(memory, "_PART_BYTES", 2**18)
    for n_lists in range(1, 200):
        sizes.append(memory.part_size(n_lists, 64, fit.state[0], fit.plan))
        n_parts = -(-n_lists // sizes[-1])
        assert n_parts * sizes[-1] - n_lists < n_parts
    assert 1 < max(sizes) < 100
    monkeypatch.setattr(memory, "_PART_BYTES", 1)
    assert memory.part_size(10, 64, fit.state[0], fit.plan) == 1
