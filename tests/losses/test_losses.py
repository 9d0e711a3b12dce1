"""Values of the losses: goldens, the case of two items, identities, other libraries."""

import functools
import importlib.util
import itertools
import math
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from registry import CASES

from ltr.losses import LOSSES, NEEDS_TWO_ITEMS, get_loss
from ltr.losses.kernels.loops import inverse

spec = importlib.util.spec_from_file_location(
    "rebuild", Path(__file__).parent.parent / "golden" / "rebuild.py"
)
rebuild = importlib.util.module_from_spec(spec)
spec.loader.exec_module(rebuild)

pytestmark = pytest.mark.usefixtures("x64")


@pytest.mark.parametrize("case", rebuild.load(), ids=lambda case: case["case"])
def test_golden(case):
    """Values and gradients of an independent program, to 1e-9."""
    np.testing.assert_allclose(rebuild.compute(case), case["expected"], atol=1e-9)


def test_every_loss_has_a_row():
    """The registry of laws covers LOSSES, and LOSSES is a literal dict of functions."""
    assert {case.name for case in CASES} == set(LOSSES)
    assert all(name == f.__name__.removesuffix("_loss") for name, f in LOSSES.items())
    assert set(LOSSES.values()) >= NEEDS_TWO_ITEMS


@pytest.mark.parametrize("case", [c for c in CASES if c.pair], ids=lambda c: c.id)
@pytest.mark.parametrize("margin", [-3.0, -0.2, 0.0, 0.7, 5.0])
def test_two_items(case, margin):
    """With labels (1, 0) a loss is a known function of the margin."""
    value = case.loss(jnp.array([margin, 0.0]), jnp.array([1.0, 0.0]))
    np.testing.assert_allclose(value, case.pair(margin), rtol=1e-12, atol=1e-15)


def test_listmle_is_a_distribution_over_orders():
    """exp(−ListMLE) sums to 1 over all orders of the items."""
    s = jnp.array([0.3, -1.2, 2.0, 0.0])
    total = sum(
        math.exp(-LOSSES["listmle"](s, jnp.array(order, float)))
        for order in itertools.permutations(range(4))
    )
    assert abs(total - 1.0) < 1e-12


def test_listmle_of_equal_scores_is_log_factorial():
    """Every order of n equal items has probability 1 / n!."""
    value = LOSSES["listmle"](jnp.zeros(5), jnp.arange(5.0))
    assert abs(value - math.lgamma(6)) < 1e-12


def test_tie_rules_are_ordered():
    """Efron's approximation is at most Breslow's; without ties all rules agree."""
    loss = LOSSES["plackett_luce"]
    s, y = jnp.array([1.2, 0.3, -0.5, 2.0, 0.8]), jnp.array([1.0, 1, 0, 2, 0])
    assert loss(s, y) <= loss(s, y, ties="breslow")
    key = jax.random.key(0)
    values = [
        loss(s, jnp.arange(5.0), ties=ties, key=key)
        for ties in ("efron", "breslow", "stable", "random")
    ]
    np.testing.assert_allclose(values, values[0], rtol=1e-12)


def test_random_ties_average_the_stable_orders():
    """ties="random" draws every order of the tied items equally often."""
    s, y = jnp.array([1.2, 0.3, -0.5]), jnp.array([1.0, 1.0, 0.0])
    loss = functools.partial(LOSSES["plackett_luce"], s, y, ties="random")
    drawn = np.array([loss(key=key) for key in jax.random.split(jax.random.key(0), 64)])
    both = [
        LOSSES["plackett_luce"](s, jnp.array(order), ties="stable")
        for order in ([2.0, 1, 0], [1.0, 2, 0])
    ]
    assert set(np.round(drawn, 9)) == set(np.round(both, 9))


def test_random_ties_need_a_key():
    """The error says what to pass."""
    with pytest.raises(ValueError, match="key is required by ties='random'"):
        LOSSES["plackett_luce"](jnp.zeros(2), jnp.zeros(2), ties="random")


def test_normalize_divides_by_the_weight_of_the_terms():
    """normalize=True gives a weighted mean over the terms of the list."""
    s, y = jnp.array([1.2, 0.3, -0.5, 2.0]), jnp.array([3.0, 1.0, 0.0, 0.0])
    w = jnp.array([1.0, 2.0, 1.0, 3.0])
    both = lambda name: [
        LOSSES[name](s, y, weights=w, normalize=n) for n in (True, False)
    ]
    pair_weight = 1 * 2 + 1 * 1 + 1 * 3 + 2 * 1 + 2 * 3
    for name, terms in {
        "mse": 7.0,
        "bce": 7.0,
        "ranknet": pair_weight,
        "hinge": pair_weight,
        "softmax": 3.0 + 2.0,
    }.items():
        mean, total = both(name)
        np.testing.assert_allclose(mean, total / terms, rtol=1e-12, err_msg=name)


@pytest.mark.parametrize("name", ["lambdarank", "listmle", "plackett_luce"])
@pytest.mark.parametrize("options", [{}, {"weights": True}])
def test_long_lists_are_sorted(monkeypatch, name, options):
    """Long lists are sorted, short ones counted in a loop, with the same result."""
    rng = np.random.default_rng(0)
    s, y = (
        jnp.array(rng.normal(size=(3, 40)).round(1)),
        jnp.array(rng.integers(0, 9, (3, 40))),
    )
    where = jnp.array(rng.random((3, 40)) < 0.8)
    weights = jnp.array(rng.uniform(0.5, 2, (3, 40))) if options else None
    function = lambda s: LOSSES[name](s, y, where=where, weights=weights).sum()
    counted = jax.value_and_grad(function)(s)
    for module in ("kernels.ranks", "kernels.draws"):
        monkeypatch.setattr(f"ltr.losses.{module}.COUNT_UP_TO", 4)
    ordered = jax.value_and_grad(function)(s)
    np.testing.assert_allclose(ordered[0], counted[0], rtol=1e-12)
    np.testing.assert_allclose(ordered[1], counted[1], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", ["ranknet", "listmle"])
def test_wide_scores(name):
    """Scores too wide for e^s take another path to the same formula."""
    rng = np.random.default_rng(0)
    y = jnp.array(rng.integers(0, 5, 30), float)
    loss = jax.value_and_grad(lambda s: LOSSES[name](s, y))
    s = jnp.array(rng.normal(size=30))
    near, wide = loss(s), loss(jnp.concatenate([s[:-1], jnp.array([-2000.0])]))
    assert np.isfinite(wide[1]).all()
    # without its last item, whose terms are linear, the wide list is the near one
    keep = jnp.arange(30) < 29
    short = jax.value_and_grad(lambda s: LOSSES[name](s, y, where=keep))(s)
    pairs_lost = (y[:-1] < y[-1]).sum() if name == "ranknet" else None
    if name == "ranknet":
        lost = jnp.where(y[:-1] < y[-1], s[:-1] + 2000.0, 0.0).sum()
        np.testing.assert_allclose(wide[0], short[0] + lost, rtol=1e-12)
        np.testing.assert_allclose(wide[1][-1], -float(pairs_lost), rtol=1e-12)
    assert near[0] != wide[0]


@pytest.mark.parametrize("name", ["ranknet", "lambdarank", "listmle", "softmax"])
def test_list_of_50000(name):
    """A long list needs no n × n array."""
    n = 50_000 if name in ("softmax", "listmle") else 5_000
    rng = np.random.default_rng(0)
    scores = jnp.array(rng.normal(size=n), jnp.float32)
    labels = jnp.array(rng.integers(0, 5, n), jnp.float32)
    function = jax.jit(jax.value_and_grad(LOSSES[name]))
    value, gradient = function(scores, labels)
    assert np.isfinite(value)
    assert np.isfinite(gradient).all()
    memory = function.lower(scores, labels).compile().memory_analysis()
    assert memory.temp_size_in_bytes < 100 * n * 4


def test_unknown_loss():
    """The message lists the losses and suggests the nearest."""
    with pytest.raises(ValueError, match="is not a known loss") as caught:
        get_loss("ranknett")
    assert str(caught.value).endswith("Did you mean 'ranknet'?")


# rax: which of its losses is which of ours, and by what factor they differ.
RAX = {
    "mse": "pointwise_mse_loss",
    "bce": "pointwise_sigmoid_loss",
    "ranknet": "pairwise_logistic_loss",
    "hinge": "pairwise_hinge_loss",
    "softmax": "softmax_loss",
    "listmle": "listmle_loss",
}


@pytest.mark.parametrize("name", RAX)
@pytest.mark.parametrize("weighted", [False, True])
def test_equals_rax(name, weighted):
    """Value and gradient of rax, whose weights are our label_weights."""
    rax = pytest.importorskip("rax")
    rng = np.random.default_rng(0)
    s, where = jnp.array(rng.normal(size=9)), jnp.array(rng.random(9) < 0.8)
    y = jnp.array(rng.permutation(9) if name == "listmle" else rng.integers(0, 3, 9))
    y = y.astype(float)
    ours, theirs = {"where": where}, {"where": where, "reduce_fn": jnp.sum}
    if weighted:
        if name == "listmle":
            pytest.skip("rax's listmle_loss takes no weights")
        w = jnp.array(rng.uniform(0.5, 2.0, 9))
        ours["weights" if name in ("mse", "bce") else "label_weights"] = w
        theirs["weights"] = w
    if name == "bce":
        y = jnp.clip(y, 0.0, 1.0)
    a = jax.value_and_grad(lambda s: LOSSES[name](s, y, **ours))(s)
    b = jax.value_and_grad(lambda s: getattr(rax, RAX[name])(s, y, **theirs))(s)
    np.testing.assert_allclose(a[0], b[0], rtol=1e-12)
    np.testing.assert_allclose(a[1], b[1], rtol=1e-10, atol=1e-14)


def test_lambdarank_equals_rax():
    """rax's DCG λ-weights are ours times the length of the list."""
    rax = pytest.importorskip("rax")
    rng = np.random.default_rng(1)
    s, y = jnp.array(rng.normal(size=8)), jnp.array(rng.integers(0, 3, 8), float)
    theirs = rax.pairwise_logistic_loss(
        s, y, lambdaweight_fn=rax.dcg_lambdaweight, reduce_fn=jnp.sum
    )
    ours = LOSSES["lambdarank"](s, y, metric="dcg")
    np.testing.assert_allclose(8 * ours, theirs, rtol=1e-12)


@pytest.mark.parametrize("shape", [(0,), (1,), (7,), (3, 5), (2, 3, 600), (0, 4)])
def test_inverse_of_an_order(shape):
    """What sorting the order gives, list by list or at once."""
    order = np.argsort(np.random.default_rng(0).random(shape), axis=-1)
    expected = np.argsort(order, axis=-1)
    np.testing.assert_array_equal(inverse(jnp.asarray(order)), expected)
    if len(shape) > 1:
        np.testing.assert_array_equal(jax.vmap(inverse)(jnp.asarray(order)), expected)
