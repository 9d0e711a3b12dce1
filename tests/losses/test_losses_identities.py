"""What one loss is of another: special cases, limits and orders of size."""

import functools
import itertools
import math
import pickle
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ltr import NeuralRanker, load_ranker, save_ranker
from ltr import losses as L
from ltr.arguments import ArgumentError
from ltr.datasets import make_ranking

pytestmark = pytest.mark.usefixtures("x64")
S = np.array([1.2, 0.3, -0.5, 2.0, 0.8])
ORDER = np.array([4.0, 1.0, 0.0, 3.0, 2.0])
TIED = np.array([3.0, 1.0, 0.0, 2.0, 0.0])
TEACHER = np.array([2.0, 0.5, -1.0, 1.5, 0.0])
same = functools.partial(np.testing.assert_allclose, rtol=1e-12, atol=1e-14)


def test_ranklist():
    """Neighbours are adjacent RankNet, all skips RankNet; surrogates are below."""
    best_first = jnp.array([0, 3, 4, 1, 2])
    ranked = S[best_first]
    same(
        L.ranklist_loss(S, ORDER, skips=(1,)),
        jax.nn.softplus(-(ranked[:-1] - ranked[1:])).sum(),
    )
    same(L.ranklist_loss(S, TIED), L.ranknet_loss(S, TIED))
    one_two = L.ranklist_loss(S, TIED, skips=(1,)) + L.ranklist_loss(
        S, TIED, skips=(2,)
    )
    same(L.ranklist_loss(S, TIED, skips=(1, 2)), one_two)
    same(L.ranklist_loss(S, ORDER, approx="anchor"), L.listmle_loss(S, ORDER))
    values = [
        float(L.ranklist_loss(S, TIED, approx=a)) for a in ("global", "anchor", "none")
    ]
    assert values == sorted(values)


def test_ranklist_curriculum():
    """One more skip every so many epochs; without the epoch an error."""
    loss = functools.partial(L.ranklist_loss, S, ORDER, epochs_per_skip=5)
    same(loss(epoch=4), L.ranklist_loss(S, ORDER, skips=(1,)))
    same(loss(epoch=5.0), L.ranklist_loss(S, ORDER, skips=(1, 2)))
    same(loss(epoch=100), L.ranklist_loss(S, ORDER))
    with pytest.raises(ValueError, match="epochs_per_skip needs the epoch"):
        loss()


def test_a_ranker_follows_the_curriculum():
    """The loss of an epoch jumps when a skip is admitted."""
    data = make_ranking(20, list_size=6, n_grades=None, noise=3.0, random_state=0)
    staged = functools.partial(L.ranklist_loss, epochs_per_skip=3)
    ranker = NeuralRanker(
        staged,
        "linear",
        metric="spearman",
        learning_rate=1e-9,
        max_epochs=6,
        normalize=False,
    )
    loss = ranker.fit(data.X, data.y, data.qid).history_["loss"]
    assert np.ptp(loss[:3]) < 1e-4 < loss[3] - loss[2]


def test_listmle_special_cases():
    """Unique softmax with gain 1, n = 2, and a constant teacher."""
    binary = jnp.array([1.0, 0.0])
    same(L.unique_softmax_loss(S[:2], binary), L.listmle_loss(S[:2], binary))
    constant = jnp.zeros(5)
    same(L.pld_loss(S, ORDER, teacher_scores=constant), L.listmle_loss(S, ORDER) / 5)


def test_pld_special_cases():
    """A sure teacher is cross-entropy on its choice; the first stage is part of it."""
    one_hot, zeros = jnp.array([0.0, 0, 0, 1, 0]), jnp.zeros(5)
    sure = L.pld_loss(S, zeros, teacher_scores=1e3 * one_hot)
    same(sure, L.softmax_loss(S, one_hot))
    alpha = jax.nn.softmax(TEACHER)[3]
    assert L.pld_loss(S, one_hot, teacher_scores=TEACHER) >= alpha * L.softmax_loss(
        S, one_hot
    )


@pytest.mark.parametrize(
    "loss",
    [L.kl_distillation_loss, L.rankdistil_loss, L.ranknet_loss, L.margin_mse_loss],
)
def test_a_student_that_equals_its_teacher_is_best(loss):
    """The gradient is 0 where the scores are the teacher's up to a constant."""
    labels = jnp.array([1.0, 0, 0, 0, 0])
    value = lambda s: loss(s, labels, teacher_scores=TEACHER)
    same(jax.grad(value)(TEACHER + 3.0), 0.0)
    assert value(TEACHER + 3.0) < value(S)


def test_rankdistil_by_sampling_agrees_with_the_exact_value():
    """k = 3 by enumeration of all orders, within 5 standard errors."""
    exact = 0.0
    listmle = jax.jit(functools.partial(L.listmle_loss, k=3))
    log_pl = lambda x, order: -listmle(x, -np.argsort(order).astype(float))
    for order in itertools.permutations(range(5)):
        # an order of the first three stands for the 2! orders of the others
        exact -= math.exp(log_pl(TEACHER, order)) * float(log_pl(S, order)) / 2
    keys = jax.random.split(jax.random.key(0), 50)
    loss = functools.partial(
        L.rankdistil_loss, S, S, teacher_scores=TEACHER, k=3, n_samples=200
    )
    compiled = jax.jit(lambda key: loss(key=key))
    drawn = np.array([compiled(key) for key in keys])
    assert abs(drawn.mean() - exact) < 5 * drawn.std() / 50**0.5


def test_exact_ties_are_the_sum_over_consistent_orders():
    """−log of the total probability of all orders that agree with the labels."""
    labels = np.array([1, 1, 0, 2, 1])
    total, listmle = 0.0, jax.jit(L.listmle_loss)
    for order in itertools.permutations(range(5)):
        if all(np.diff(labels[list(order)]) <= 0):
            total += math.exp(-listmle(S, -np.argsort(order).astype(float)))
    exact = L.plackett_luce_loss(S, jnp.array(labels), ties="exact")
    np.testing.assert_allclose(exact, -math.log(total), rtol=1e-10)


def test_preference_special_cases():
    """DPO is RankNet of the rewards; S-DPO is InfoNCE; IRPO of two is half of DPO."""
    rewards = 0.5 * (S - TEACHER)
    ours = L.dpo_loss(S, TIED, reference_scores=TEACHER, beta=0.5)
    same(ours, L.ranknet_loss(rewards, TIED))
    two, binary = S[:2], jnp.array([1.0, 0.0])
    irpo = L.irpo_loss(two, binary, position=jnp.array([1, 2]))
    same(irpo, L.dpo_loss(two, binary) / 2)
    same(L.dpo_loss(jnp.array([0.3, 0]), binary), 0.554355244469, rtol=1e-11)
    same(L.slic_loss(jnp.array([0.3, 0]), binary), 0.7)
    factor = 1 - 1 / math.log2(3)
    lipo = L.lipo_lambda_loss(two, binary, discount="log2")
    same(lipo, factor * L.dpo_loss(two, binary))


def test_arp_bounds_the_sum_of_relevant_ranks():
    """ARP-Loss1 with log2 is at least Σ y r."""
    ranks = 1 + (S[None, :] > S[:, None]).sum(1)
    assert L.arp_loss(S, TIED, variant=1) / math.log(2) >= (TIED * ranks).sum()


class TestCombine:
    """Weighted sums are losses."""

    loss = L.combine(
        (0.5, "ranknet"), (2.0, functools.partial(L.hinge_loss, margin=0.5))
    )

    def test_value(self):
        """The sum, with options, weights and normalize handed on."""
        for options in ({}, {"normalize": True}, {"weights": jnp.arange(1.0, 6.0)}):
            parts = L.ranknet_loss(S, TIED, **options) / 2
            parts += 2 * L.hinge_loss(S, TIED, margin=0.5, **options)
            same(self.loss(S, TIED, **options), parts)

    def test_is_a_value(self):
        """Equal to one of the same parts, hashable, and pickled by value."""
        again = L.combine((0.5, L.ranknet_loss), (2.0, self.loss.losses[1][0]))
        assert pickle.loads(pickle.dumps(self.loss)) == self.loss != again
        assert hash(pickle.loads(pickle.dumps(self.loss))) == hash(self.loss)

    def test_trains_and_is_saved(self, tmp_path):
        """In a ranker, with the extras of its parts."""
        data = make_ranking(
            10, list_size=5, n_features=4, n_informative=2, random_state=0
        )
        mixed = L.combine(
            (0.3, functools.partial(L.ranklist_loss, skips=(1, 2))), (1.0, "pld")
        )
        ranker = NeuralRanker(mixed, "linear", max_epochs=2, random_state=0)
        with pytest.raises(ValueError, match="teacher_scores is required by loss="):
            ranker.fit(data.X, data.y, data.qid)
        ranker.fit(data.X, data.y, data.qid, teacher_scores=data.true_scores)
        save_ranker(ranker, tmp_path / "model")
        assert load_ranker(tmp_path / "model").loss == mixed

    def test_errors(self):
        """Nothing to add, terms that are none, and an unknown name."""
        with pytest.raises(ValueError, match="combine needs at least one"):
            L.combine()
        start = (
            "a term of combine must be (weight, loss), a finite number and a name or"
        )
        for term in ("mse", (1.0, 3), ("mse", 1.0), (np.nan, "mse"), (True, "mse")):
            message = f"^{re.escape(f'{start} function; got {term!r}.')}$"
            with pytest.raises(ArgumentError, match=message):
                L.combine(term)
        terms = [(1.0, "mse"), (0.5, "listnet")]
        hint = f"{start} function; got {terms!r}. Pass the terms of a list as"
        with pytest.raises(ArgumentError, match=f"^{re.escape(hint)} combine"):
            L.combine(terms)
        with pytest.raises(ValueError, match="Did you mean 'ranknet'"):
            L.combine((1.0, "ranknett"))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: L.ranklist_loss(S, TIED, skips=(0,)), "skips must be one or more whole numbers >= 1; got (0,)."),
        (lambda: L.ranknet_loss(S, TIED, sigma=-1.0), "sigma must be a number > 0; got -1.0."),
        (lambda: L.lambdarank_loss(S, TIED, k=0), "k must be a whole number >= 1, or None; got 0."),
        (lambda: L.arp_loss(S, TIED, variant=3), "variant must be one of 1, 2; got 3."),
        (
            lambda: L.listnet_loss(S[:, None], TIED),
            "labels must have the shape of scores, (5, 1), or of one list; got (5,).",
        ),
        (
            lambda: L.rankdistil_loss(S, S, teacher_scores=S, k=3),
            "key is required by k=3 > 2; got None. Pass a JAX PRNG key, for instance "
            "key=jax.random.key(0), a new one at each step.",
        ),
    ],
)  # fmt: skip
def test_errors(call, message):
    """Static options and shapes are checked."""
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        call()


def test_gradients_flow_into_the_scores_only():
    """Weights and labels are constants, for all losses alike."""
    weights = jnp.arange(1.0, 6.0)
    for loss in (L.ranknet_loss, L.softmax_loss, L.listmle_loss, L.mse_loss):
        same(jax.grad(lambda w, loss=loss: loss(S, TIED, weights=w))(weights), 0.0)


def test_half_precision_is_summed_in_single():
    """bfloat16 scores of a long list give the value of single precision."""
    rng = np.random.default_rng(0)
    s = jnp.asarray(rng.normal(size=1000), jnp.bfloat16)
    y = jnp.asarray(rng.integers(0, 4, 1000), jnp.float32)
    single = L.ranknet_loss(s.astype(jnp.float32), y, normalize=True)
    assert L.ranknet_loss(s, y, normalize=True) == single
    assert jax.grad(lambda s: L.ranknet_loss(s, y))(s).dtype == jnp.bfloat16


RAX = {
    "soft_zero_one": ("pairwise_soft_zero_one_loss", {}, {}),
    "pair_mse": ("pairwise_mse_loss", {}, {}),
    "quantile": ("pairwise_qr_loss", {}, {}),
    "quantile squared": ("pairwise_qr_loss", {"squared": True}, {"squared": True}),
    "unique_softmax": ("unique_softmax_loss", {}, {}),
    "ranknet": (
        "pairwise_logistic_loss",
        {"pair_weight": "label_difference"},
        {"lambdaweight_fn": "labeldiff_lambdaweight"},
    ),
    "ndcg_loss2": (
        "pairwise_logistic_loss",
        {"metric": "dcg"},
        {"lambdaweight_fn": "dcg2_lambdaweight"},
    ),
    "ndcg_loss2 at 3": (
        "pairwise_logistic_loss",
        {"metric": "dcg", "k": 3},
        {"lambdaweight_fn": "dcg2_lambdaweight", "topn": 3},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", RAX)
def test_equals_rax(name):
    """Value and gradient of what rax has too; its λ-weights are times the list size."""
    rax = pytest.importorskip("rax")
    rng = np.random.default_rng(0)
    s, y = jnp.array(rng.normal(size=9)), jnp.array(rng.integers(0, 4, 9), float)
    peer, own, theirs = RAX[name]
    loss = L.LOSSES[name.split()[0]]
    if "lambdaweight_fn" in theirs:
        weight = getattr(rax, theirs["lambdaweight_fn"])
        if "topn" in theirs:
            weight = functools.partial(weight, topn=theirs["topn"])
        theirs = {"lambdaweight_fn": weight}
    factor = 9.0 if name.startswith("ndcg") else 1.0
    a = jax.value_and_grad(lambda s: factor * loss(s, y, **own))(s)
    b = jax.value_and_grad(
        lambda s: getattr(rax, peer)(s, y, reduce_fn=jnp.sum, **theirs)
    )(s)
    np.testing.assert_allclose(a[0], b[0], rtol=1e-12)
    np.testing.assert_allclose(a[1], b[1], rtol=1e-10, atol=1e-13)


def test_poly1_equals_rax():
    """rax does not normalise the labels of the first part."""
    rax = pytest.importorskip("rax")
    y = TIED / TIED.sum()
    same(L.poly1_loss(S, y), rax.poly1_softmax_loss(S, y, reduce_fn=jnp.sum))


@functools.cache
def value_and_gradient(loss):
    """In one program, which both scales share."""
    return jax.jit(jax.value_and_grad(loss))


def naive_ranknet(s, y):
    margin, better = s[:, None] - s[None, :], y[:, None] > y[None, :]
    return jnp.sum(jnp.where(better, jax.nn.softplus(-margin), 0.0))


def naive_lambdarank(s, y):
    gain, ranks = 2.0**y - 1, 1 + jnp.argsort(jnp.argsort(-s))
    discount = 1 / jnp.log2(1.0 + jax.lax.stop_gradient(ranks))
    ideal = jnp.sort(gain)[::-1] @ (1 / jnp.log2(2.0 + jnp.arange(len(s))))
    gains = gain[:, None] - gain[None, :]
    change = jnp.abs(gains * (discount[:, None] - discount[None, :])) / ideal
    margin, better = s[:, None] - s[None, :], y[:, None] > y[None, :]
    return jnp.sum(jnp.where(better, change * jax.nn.softplus(-margin), 0.0))


def naive_listmle(s, y):
    ranked = s[jnp.argsort(-y)]
    return sum(jax.nn.logsumexp(ranked[k:]) - ranked[k] for k in range(len(s)))


def naive_approx_ndcg(s, y):
    ranks = 0.5 + jax.nn.sigmoid((s[None, :] - s[:, None]) / 0.1).sum(1)
    gain = 2.0**y - 1
    ideal = jnp.sort(gain)[::-1] @ (1 / jnp.log2(2.0 + jnp.arange(len(s))))
    return -jnp.sum(gain / jnp.log2(1 + ranks)) / ideal


def naive_unique_softmax(s, y):
    below = jnp.where(y[None, :] < y[:, None], s[None, :], -jnp.inf)
    both = jnp.concatenate([s[:, None], below], axis=1)
    return jnp.sum((2.0**y - 1) * (jax.nn.logsumexp(both, axis=1) - s))


@pytest.mark.parametrize(
    "naive",
    [
        naive_ranknet,
        naive_lambdarank,
        naive_listmle,
        naive_approx_ndcg,
        naive_unique_softmax,
    ],
)
@pytest.mark.parametrize("scale", [0.5, 300.0])
def test_closed_form_gradients_equal_autodiff(naive, scale):
    """Of the formula with an n × n array; also where scores spread too far for e^s."""
    rng = np.random.default_rng(0)
    s = jnp.asarray(scale * rng.normal(size=12))
    y = jnp.asarray(rng.permutation(12) / 3.0)
    loss = L.LOSSES[naive.__name__.removeprefix("naive_")]
    ours = value_and_gradient(loss)(s, y)
    theirs = value_and_gradient(naive)(s, y)
    np.testing.assert_allclose(ours[0], theirs[0], rtol=1e-11)
    np.testing.assert_allclose(ours[1], theirs[1], rtol=1e-9, atol=1e-11)
