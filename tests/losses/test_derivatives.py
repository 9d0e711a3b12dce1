"""Value, gradient and curvature of losses, against differences of the gradient."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ltr.losses import CURVATURES, LOSSES, combine, derivatives, lambdarank_loss
from ltr.losses.kernels.ranks import tied_discounts

pytestmark = pytest.mark.usefixtures("x64")

rng = np.random.default_rng(0)
S, Y = rng.normal(size=(2, 5)), rng.integers(0, 3, (2, 5)).astype(float)
WHERE = np.array([[True] * 5, [True, True, False, True, True]])
W = rng.integers(1, 4, (2, 5)).astype(float)


@pytest.mark.parametrize(
    "loss",
    [
        LOSSES["mse"],
        LOSSES["ranknet"],
        LOSSES["lambdarank"],
        LOSSES["ndcg_loss2pp"],
        LOSSES["softmax"],
        LOSSES["unique_softmax"],
        LOSSES["plackett_luce"],
        combine((0.5, "exponential"), (1.0, "listnet")),
    ],
    ids=lambda loss: getattr(loss, "__name__", "combination"),
)
def test_exact_curvature(loss):
    """The diagonal of the Hessian is the derivative of the gradient, item by item."""
    inputs = {"where": WHERE, "weights": W}
    exact = jax.jit(
        lambda scores: derivatives(loss, scores, Y, curvature="exact", **inputs)
    )(S)
    exact = jax.tree.map(np.asarray, exact)

    @functools.partial(jax.grad, has_aux=True)
    def gradient_and_values(scores):
        values = loss(scores, Y, **inputs)
        return values.sum(), values

    compiled = jax.jit(gradient_and_values)
    gradient = lambda scores: np.asarray(compiled(scores)[0])
    np.testing.assert_allclose(exact.value, compiled(S)[1], rtol=1e-12)
    np.testing.assert_allclose(exact.gradient, gradient(S), rtol=1e-12)
    h = 1e-5
    for i in range(5):
        step = h * (np.arange(5) == i)
        slope = (gradient(S + step) - gradient(S - step))[:, i] / (2 * h)
        np.testing.assert_allclose(exact.curvature[:, i], slope, rtol=1e-5, atol=1e-8)
    np.testing.assert_array_equal(exact.curvature[~WHERE], 0.0)


@pytest.mark.parametrize("spread", [30.0, 300.0, 600.0])
def test_exact_curvature_of_wide_scores(spread):
    """No worth e^s is so small that the slope of its inverse leaves the range."""
    scores = np.array([-spread, 1.0 - spread, 0.0, 1.0])
    labels = np.array([1.0, 0.0, 2.0, 0.0])
    p = 1 / (1 + np.exp(1.0))  # the neighbors; all other pairs are decided
    for curvature in "exact", "auto":
        found = derivatives(LOSSES["ranknet"], scores, labels, curvature=curvature)
        np.testing.assert_allclose(found.curvature, p * (1 - p), atol=1e-8)


@pytest.mark.parametrize(
    "loss",
    [
        functools.partial(LOSSES["ranknet"], sigma=1.7, normalize=True),
        functools.partial(LOSSES["lambdarank"], sigma=0.6),
        LOSSES["ndcg_loss1"],
        LOSSES["exponential"],
        LOSSES["pair_mse"],
        functools.partial(LOSSES["softmax"], normalize=True),
        functools.partial(LOSSES["kl_distillation"], temperature=0.6, teacher_scores=Y),
        LOSSES["bce"],
    ],
    ids=lambda loss: getattr(loss, "func", loss).__name__,
)
def test_curvature_at_the_price_of_a_gradient(loss):
    """Of items, pairs and a softmax, with their options: the diagonal, also at ties."""
    scores = S.copy()
    scores[0, 1], scores[1] = scores[0, 2], 0.0
    inputs = {"where": WHERE, "weights": W}
    cheap, exact = (
        jax.jit(lambda s, kind=kind: derivatives(loss, s, Y, curvature=kind, **inputs))(
            scores
        )
        for kind in ("auto", "exact")
    )
    for ours, expected in zip(cheap, exact, strict=True):
        np.testing.assert_allclose(ours, expected, rtol=1e-12, atol=1e-14)


def test_scores_far_apart():
    """The kernel's other loop, for margins that e^s cannot hold."""
    scores = np.array([[0.0, 1.0, -4000.0]])
    labels = np.array([[0.0, 1.0, 2.0]])
    d = derivatives(LOSSES["ranknet"], scores, labels, curvature="pairs")
    p = 1 / (1 + np.exp(-1.0))
    np.testing.assert_allclose(d.curvature, [[p * (1 - p), p * (1 - p), 0.0]])


def test_secant():
    """Its mean over all signs is the diagonal of a quadratic loss; it takes the signs."""
    labels = np.array([2.0, 0.0, 1.0])
    signs = np.array(list(itertools.product((1.0, -1.0), repeat=3)))
    scores = np.broadcast_to(S[0, :3], signs.shape)
    loss = LOSSES["pair_mse"]
    d = derivatives(loss, scores, labels, curvature="secant", signs=signs)
    exact = derivatives(loss, S[0, :3], labels, curvature="exact")
    np.testing.assert_allclose(d.curvature.mean(axis=0), exact.curvature, rtol=1e-9)
    np.testing.assert_allclose(d.gradient[0], exact.gradient, rtol=1e-12)


def test_user_loss_without_kernels():
    """It declares pairs but uses no kernel that knows its diagonal: the secant."""

    def loss(scores, labels, *, where=None):
        return jnp.sum(jax.nn.softplus(scores[..., ::-1] - scores), axis=-1)

    pairs, secant = (
        derivatives(loss, S, Y, curvature=kind).curvature
        for kind in ("pairs", "secant")
    )
    np.testing.assert_array_equal(pairs, secant)


def test_table_of_curvatures():
    """Beside LOSSES, from what each loss declares."""
    assert set(CURVATURES) == set(LOSSES)
    assert CURVATURES["ranknet"] == "pairs"
    assert CURVATURES["listnet"] == "softmax"
    assert CURVATURES["approx_ndcg"] == "secant"


@pytest.mark.parametrize(("metric", "k"), [("ndcg", None), ("ndcg", 3), ("mrr", None)])
def test_lambdas_of_ties_are_means_over_their_orders(metric, k):
    """LambdaRank's gradient at ties is the mean over the orders of the items that tie."""
    scores = np.array([1.0, 0.0, 0.0, 0.0, 2.0, 2.0])
    labels = np.array([0.0, 2.0, 1.0, 0.0, 1.0, 3.0])
    gains = 2.0**labels - 1
    by_rank = (
        1 / np.arange(1.0, 7.0) if metric == "mrr" else 1 / np.log2(np.arange(2, 8))
    )
    by_rank[6 if k is None else k :] = 0.0
    orders = [
        order
        for order in itertools.permutations(range(6))
        if all(scores[a] >= scores[b] for a, b in itertools.pairwise(order))
    ]
    expected = np.zeros(6)
    for order in orders:
        discount = np.empty(6)
        discount[list(order)] = by_rank
        for i, j in itertools.permutations(range(6), 2):
            if labels[i] > labels[j]:
                change = abs(discount[i] - discount[j])
                if metric == "ndcg":
                    ideal = np.sort(gains)[::-1] @ by_rank
                    change *= (gains[i] - gains[j]) / ideal
                slope = change / (1 + np.exp(scores[i] - scores[j])) / len(orders)
                expected[i] -= slope
                expected[j] += slope
    assert len(orders) == 12
    loss = functools.partial(lambdarank_loss, metric=metric, k=k)
    d = derivatives(loss, scores, labels)
    np.testing.assert_allclose(d.gradient, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("m", [2, 10])
def test_change_of_discount_in_single_precision(m):
    """Ties deep in a long list: the mean of the differences keeps its size."""
    n = 5000
    values = -np.repeat(np.arange(n // m), m).astype(np.float32)
    change = tied_discounts(jnp.asarray(values), np.ones(n, bool), None).change
    by_rank = (1 / np.log2(1 + np.arange(1.0, n + 1))).reshape(-1, m)
    differences = [abs(a - b) for a, b in itertools.combinations(by_rank.T, 2)]
    expected = np.repeat(np.mean(differences, axis=0), m)
    np.testing.assert_allclose(change[:200], expected[:200], rtol=1e-2)
    rtol = 1e-2 if m == 2 else 2.0  # of one pair it is exact, of more within bounds
    np.testing.assert_allclose(change, expected, rtol=rtol)


def test_ones_and_errors():
    """A curvature of 1 for real items; another name is refused."""
    ones = derivatives(LOSSES["hinge"], jnp.array(S), Y, where=WHERE)
    np.testing.assert_array_equal(ones.curvature, WHERE)
    with pytest.raises(ValueError, match="curvature must be one of 'items', 'pairs', "):
        derivatives(LOSSES["mse"], S, Y, curvature="newton")
