"""ltr.testing finds planted faults and names the law, on the smallest input."""

import functools
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ltr import SingleFeatureRanker
from ltr.losses import ranknet_loss
from ltr.scorers import LinearScorer, Scorer
from ltr.testing import (
    LawBroken,
    check_loss,
    check_metric,
    check_ranker,
    check_scorer,
)

# ---------------------------------------------------------------- losses


def pair_losses(
    scores,
    labels,
    where,
    weights,
    pair=lambda margin: jax.nn.softplus(-margin),
    counts=lambda w: w[..., :, None] * w[..., None, :],
    counted=lambda pairs: pairs,
):
    """RankNet over the full matrix of pairs, with a part to plant a fault in."""
    better = labels[..., :, None] > labels[..., None, :]
    pairs = counted(better & where[..., :, None] & where[..., None, :])
    scores = jnp.where(where, scores, 0.0)
    margin = jnp.where(pairs, scores[..., :, None] - scores[..., None, :], 0.0)
    return jnp.where(pairs, counts(weights) * pair(margin), 0.0).sum((-2, -1))


def good(scores, labels, *, where, weights):
    return pair_losses(scores, labels, where, weights)


def leaks(scores, labels, *, where, weights):
    return pair_losses(scores, labels, where | True, weights)


def counts_rows(scores, labels, *, where, weights):
    return pair_losses(scores, labels, where, weights, counted=jnp.triu)


def turned(scores, labels, *, where, weights):
    return pair_losses(scores, labels, where, weights, pair=jax.nn.softplus)


def ignores_weights(scores, labels, *, where, weights):
    return pair_losses(scores, labels, where, jnp.ones_like(weights))


def squares_weights(scores, labels, *, where, weights):
    return pair_losses(scores, labels, where, weights**2)


def overflows(scores, labels, *, where, weights):
    pair = lambda margin: jnp.log(1 + jnp.exp(-margin))
    return pair_losses(scores, labels, where, weights, pair=pair)


def takes_the_mean(scores, labels, *, where, weights):
    return pair_losses(scores, labels, where, weights).mean()


@jax.custom_vjp
def wrong_gradient(margin):
    return jax.nn.softplus(-margin)


wrong_gradient.defvjp(
    lambda margin: (wrong_gradient(margin), margin),
    lambda margin, g: (-g * jax.nn.sigmoid(margin),),
)


def slopes_wrong(scores, labels, *, where, weights):
    return pair_losses(scores, labels, where, weights, pair=wrong_gradient)


@pytest.mark.parametrize(
    ("loss", "law"),
    [
        (leaks, "padding_changes_nothing"),
        (counts_rows, "order_of_rows_changes_nothing"),
        (turned, "right_order_costs_no_more"),
        (ignores_weights, "weight_0_removes_an_item"),
        (squares_weights, "weight_k_repeats_an_item"),
        (overflows, "extreme_scores_stay_finite"),
        (takes_the_mean, "one_value_per_list"),
        (slopes_wrong, "gradient_is_the_derivative"),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_planted_faults_of_a_loss(loss, law):
    """Each is found, and the law that it breaks is named."""
    with pytest.raises(LawBroken) as caught:
        check_loss(loss)
    assert caught.value.law == law


def test_a_good_loss_passes():
    """A user's loss without a declaration keeps every law that is not claimed."""
    table = check_loss(good, max_examples=20)
    assert table["padding_changes_nothing"] == 20
    assert table["convex_in_the_scores"] == "skipped: convex is not claimed"
    skipped = [law for law, result in table.items() if isinstance(result, str)]
    assert skipped == [
        "one_item_is_0",
        "equal_labels_are_0",
        "adding_a_constant_changes_nothing",
        "convex_in_the_scores",
        "value_is_within_bounds",
    ]


@pytest.mark.parametrize(
    "loss",
    ["softmax", "margin_mse", functools.partial(ranknet_loss, sigma=2.0)],
    ids=["softmax", "margin_mse", "partial"],
)
def test_our_losses_pass(loss):
    """By name and as a partial, with the inputs that they need."""
    assert check_loss(loss, max_examples=5)["padding_changes_nothing"] == 5


def test_message_of_a_loss():
    """Object, law, input, numbers, and how to declare an exception."""
    with pytest.raises(LawBroken) as caught:
        check_loss(squares_weights)
    assert str(caught.value) == (
        "squares_weights breaks the law weight_k_repeats_an_item.\n"
        "Law: An item of weight k is the item k times.\n"
        "Smallest input found:\n"
        "    scores = [0.0, 0.0]\n"
        "    labels = [1.0, 0.0]\n"
        "    weights = [2.0, 1.0]\n"
        "Expected: 1.3862943611198906 (the value of the copies)\n"
        "Got: 2.772588722239781\n"
        "If that is intended, declare @ranking_loss(repeats=False), or pass "
        'skip=("weight_k_repeats_an_item",).'
    )


def test_errors_of_the_object_are_reported():
    """What a loss raises is the cause of the report."""
    with pytest.raises(LawBroken, match="Got: TypeError: .* keyword argument 'where'"):
        check_loss(lambda scores, labels: scores.sum(-1))


def test_skip():
    """A law that is broken on purpose is left out; an unknown one is refused."""
    table = check_loss(turned, skip=("right_order_costs_no_more",), max_examples=5)
    assert table["right_order_costs_no_more"] == "skipped: you asked for it"
    with pytest.raises(ValueError, match="Did you mean 'empty_list_is_0'"):
        check_loss(good, skip="empty_lists_is_0")


# ---------------------------------------------------------------- metrics


def over_queries(value):
    """Turn a function of one list into a metric."""

    def metric(y_true, y_score, *, qid):
        values = [
            value(y_true[qid == q], y_score[qid == q])
            for q in dict.fromkeys(qid.tolist())
        ]
        return np.mean(values)

    metric.__name__ = value.__name__
    return metric


@over_queries
def mean_label_of_the_best(y_true, y_score):
    return y_true[y_score == y_score.max()].mean()


@over_queries
def label_of_the_first_row(y_true, y_score):
    return y_true[0]


@over_queries
def stable_top(y_true, y_score):
    return y_true[np.argsort(-y_score, kind="stable")[0]]


@over_queries
def lucky_top(y_true, y_score):
    return y_true[y_score == y_score.max()].max()


@over_queries
def bottom(y_true, y_score):
    return y_true[y_score == y_score.min()].mean()


@over_queries
def reads_scores(y_true, y_score):
    return float(y_true @ np.exp(y_score))


def sum_over_queries(y_true, y_score, *, qid):
    return len(set(qid)) * mean_label_of_the_best(y_true, y_score, qid=qid)


def heeds_names(y_true, y_score, *, qid):
    return mean_label_of_the_best(y_true, y_score, qid=np.sort(qid))


def ignores_weights(y_true, y_score, *, qid, query_weight=None):
    return mean_label_of_the_best(y_true, y_score, qid=qid)


def weights_rows(y_true, y_score, *, qid, query_weight=None):
    """Right for lists of one length only."""
    values = [
        mean_label_of_the_best(y_true[qid == q], y_score[qid == q], qid=qid[qid == q])
        for q in qid
    ]
    if query_weight is None:
        return mean_label_of_the_best(y_true, y_score, qid=qid)
    return np.average(values, weights=query_weight)


@pytest.mark.parametrize(
    ("metric", "law"),
    [
        (label_of_the_first_row, "order_of_rows_changes_nothing"),
        (heeds_names, "order_of_rows_changes_nothing"),
        (stable_top, "ties_do_not_follow_the_rows"),
        (lucky_top, "a_constant_score_beats_no_random_order"),
        (bottom, "no_scores_beat_the_labels"),
        (sum_over_queries, "mean_over_queries"),
        (ignores_weights, "a_weight_repeats_a_query"),
        (weights_rows, "a_weight_repeats_a_query"),
        (reads_scores, "only_the_order_of_scores_counts"),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_planted_faults_of_a_metric(metric, law):
    """Each is found, and the law that it breaks is named."""
    with pytest.raises(LawBroken) as caught:
        check_metric(metric)
    assert caught.value.law == law


def test_good_metrics_pass():
    """A user's metric of one list or of many, and ours by name."""
    check_metric(mean_label_of_the_best, max_examples=20)
    check_metric(lambda y_true, y_score: y_true[y_score == y_score.max()].mean())
    table = check_metric("ndcg@2", max_examples=20)
    assert set(table.values()) == {20}


def test_message_of_a_metric():
    """Rows as they are pasted."""
    with pytest.raises(LawBroken) as caught:
        check_metric(stable_top)
    assert str(caught.value) == (
        "stable_top breaks the law ties_do_not_follow_the_rows.\n"
        "Law: Permuting the rows changes nothing where scores are equal, either.\n"
        "Smallest input found:\n"
        "    y_true = [1.0, 0.0]\n"
        "    y_score = [0.0, 0.0]\n"
        "    qid = [0, 0]\n"
        "    order = [1, 0]\n"
        "Expected: 1.0 (before permuting)\n"
        "Got: 0.0\n"
        'If that is intended, pass skip=("ties_do_not_follow_the_rows",).'
    )


# ---------------------------------------------------------------- scorers


class Numbers(LinearScorer):
    """Numbers the rows."""

    def apply(self, params, X, where=None, weights=None):
        scores = super().apply(params, X)
        return scores + scores.__array_namespace__().arange(X.shape[-2])


class Centers(LinearScorer):
    """Centers the scores of a list, padding included."""

    def apply(self, params, X, where=None, weights=None):
        scores = super().apply(params, X)
        return scores - scores.mean(-1, keepdims=True)


class CentersAll(LinearScorer):
    """Centers the scores of all lists together."""

    def apply(self, params, X, where=None, weights=None):
        scores = super().apply(params, X)
        mean = scores.__array_namespace__().mean
        return scores - (mean(scores) if X.ndim > 2 else 0.0)


class Unhashable(Scorer):
    """A scorer that is no frozen dataclass."""

    def init(self, key, n_features):
        return jax.random.normal(key, (n_features,))

    def apply(self, params, X, where=None, weights=None):
        return X @ params


@pytest.mark.parametrize(
    ("scorer", "law"),
    [
        (Numbers(), "permuting_items_permutes_scores"),
        (Centers(), "padding_changes_nothing"),
        (CentersAll(), "lists_do_not_see_each_other"),
        (Unhashable(), "equal_scorers_share_a_program"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Scorer) else value,
)
def test_planted_faults_of_a_scorer(scorer, law):
    """Each is found, and the law that it breaks is named."""
    with pytest.raises(LawBroken) as caught:
        check_scorer(scorer)
    assert caught.value.law == law


def test_message_of_a_scorer():
    """The message has features and order of the smallest list."""
    with pytest.raises(LawBroken) as caught:
        check_scorer(Unhashable())
    assert str(caught.value).splitlines()[1:] == [
        "Law: A copy is equal and has the same hash, so that nothing compiles twice.",
        "Expected: a copy that is equal, with an equal hash",
        "Got: one that is not",
        'If that is intended, pass skip=("equal_scorers_share_a_program",).',
    ]


# ---------------------------------------------------------------- rankers


class Turned(SingleFeatureRanker):
    def predict(self, X, qid=None):
        return -super().predict(X, qid)


class CountsRows(SingleFeatureRanker):
    def predict(self, X, qid=None):
        return super().predict(X, qid) + np.arange(len(X))


class Remembers(SingleFeatureRanker):
    def predict(self, X, qid=None):
        self.n_seen_ = len(X)
        return super().predict(X, qid)


class ScalesAll(SingleFeatureRanker):
    def predict(self, X, qid=None):
        scores = super().predict(X, qid)
        return scores - scores.max()


class SortsNames(SingleFeatureRanker):
    def predict(self, X, qid=None):
        return super().predict(X, qid) + np.unique(qid, return_inverse=True)[1]


@pytest.mark.parametrize(
    ("ranker", "law"),
    [
        (Turned(), "the_scores_have_learned"),
        (CountsRows(), "order_of_rows_permutes_the_scores"),
        (Remembers(), "predict_writes_no_attribute"),
        (ScalesAll(), "queries_do_not_see_each_other"),
        (SortsNames(), "names_of_queries_change_nothing"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_planted_faults_of_a_ranker(ranker, law):
    """Each is found, and the law that it breaks is named."""
    with pytest.raises(LawBroken) as caught:
        check_ranker(ranker)
    assert caught.value.law == law


def test_message_of_a_ranker():
    """The smallest rows that show it."""
    with pytest.raises(LawBroken) as caught:
        check_ranker(Remembers())
    assert str(caught.value) == (
        "Remembers() breaks the law predict_writes_no_attribute.\n"
        "Law: A fitted ranker is the same after predict, and so are its inputs.\n"
        "Smallest input found:\n"
        "    X = [[0.0, 0.0, 0.0]]\n"
        "    qid = [0]\n"
        "Expected: no attribute changed\n"
        "Got: changed: n_seen_\n"
        'If that is intended, pass skip=("predict_writes_no_attribute",).'
    )


# ---------------------------------------------------------------- solvers


def test_hypothesis_is_asked_for():
    """Without it the message says what to install."""
    code = (
        "import sys; sys.modules['hypothesis'] = None\n"
        "try:\n    import ltr.testing\n"
        "except ImportError as error:\n    print(error)"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == (
        "ltr.testing draws its inputs with hypothesis, which is not installed. "
        'Install it with: pip install "ltr[testing]".'
    )
