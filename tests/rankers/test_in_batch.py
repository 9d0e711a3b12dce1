"""In-batch negatives, and losses that compare the lists of a batch."""

import re
from functools import partial

import jax.numpy as jnp
import numpy as np
import pytest

from ltr import NeuralRanker
from ltr.losses import infonce_loss, wasserstein_batch_loss
from ltr.training.batches import of_all_lists

WIDTH = 4


def pairs_of(n_queries, seed=0):
    """A query with its one positive each: nothing to learn but from other queries."""
    rng = np.random.default_rng(seed)
    queries = rng.normal(size=(n_queries, WIDTH))
    rotation = np.linalg.qr(np.random.default_rng(9).normal(size=(WIDTH, WIDTH)))[0]
    items = queries @ rotation + 0.1 * rng.normal(size=(n_queries, WIDTH))
    return queries, items


def towers(loss, **options):
    settings = {"learning_rate": 0.03, "max_epochs": 40, "early_stopping": False}
    return NeuralRanker(
        loss, "two_tower", n_query_features=WIDTH, random_state=0, weight_decay=0.0,
        **{**settings, **options},
    )  # fmt: skip


def hits(ranker, n_queries=40):
    """Share of new queries whose own item is the best of all."""
    queries, items = pairs_of(n_queries, seed=1)
    every = np.hstack(
        [queries.repeat(n_queries, axis=0), np.tile(items, (n_queries, 1))]
    )
    scores = ranker.predict(every, np.arange(n_queries).repeat(n_queries))
    best = scores.reshape(n_queries, n_queries).argmax(axis=1)
    return float((best == np.arange(n_queries)).mean())


def test_every_query_scores_all_items():
    """Own labels stand, foreign ones are 0; padding stays padding."""
    X = jnp.arange(12.0).reshape(2, 2, 3)  # a query column and two item columns
    X = X.at[:, 1, 0].set(X[:, 0, 0])
    y = jnp.array([[3.0, 1.0], [2.0, 7.0]])
    where = jnp.array([[True, True], [True, False]])
    weights = jnp.array([[1.0, 2.0], [3.0, 4.0]])
    pairs, labels, real, weight = of_all_lists(X, y, where, weights, 1)
    assert pairs.shape == (2, 4, 3)
    assert pairs[1, 0].tolist() == [X[1, 0, 0], X[0, 0, 1], X[0, 0, 2]]
    assert labels.tolist() == [[3, 1, 0, 0], [0, 0, 2, 7]]
    assert real.tolist() == [[True, True, True, False]] * 2
    assert weight.tolist() == [[1, 2, 3, 4]] * 2
    empty = jnp.array([[True, True], [False, False]])
    assert not of_all_lists(X, y, empty, None, 1)[2][1].any()


def test_one_positive_a_query_is_enough():
    """Without the items of other queries there is nothing to learn from."""
    queries, items = pairs_of(64)
    X, y, qid = np.hstack([queries, items]), np.ones(64), np.arange(64)
    ranker = towers(partial(infonce_loss, temperature=1.0), in_batch=True).fit(
        X, y, qid
    )
    assert hits(ranker) > 0.7
    assert hits(towers("infonce", max_epochs=0, in_batch=True).fit(X, y, qid)) < 0.3
    assert ranker.history_["loss"][-1] < 0.5 * ranker.history_["loss"][0]


def graded():
    """Four items a query with grades 3 to 0, by nearness."""
    queries, items = pairs_of(24)
    noise = np.random.default_rng(2).normal(size=(24, 4, WIDTH))
    graded_items = items[:, None] + np.array([0.1, 0.7, 1.5, 3.0])[:, None] * noise
    X = np.concatenate([queries[:, None].repeat(4, axis=1), graded_items], axis=-1)
    return (
        X.reshape(-1, 2 * WIDTH),
        np.tile([3.0, 2.0, 1.0, 0.0], 24),
        np.arange(24).repeat(4),
    )


def test_a_batch_loss_trains():
    """One number per batch; its epochs add up to the mean over lists."""
    X, y, qid = graded()
    ranker = towers(wasserstein_batch_loss, in_batch=True, batch_size=10).fit(X, y, qid)
    assert ranker.history_["loss"][-1] < 0.7 * ranker.history_["loss"][0]
    whole = towers(wasserstein_batch_loss, in_batch=True, batch_size=24, max_epochs=1)
    assert whole.fit(X, y, qid).history_["loss"][0] > 0


def test_a_batch_loss_of_my_own():
    """It says so by an attribute; its value is that of the batch."""

    def spread(scores, labels, *, where):
        return jnp.sum(jnp.where(where, (scores - labels) ** 2, 0.0)) / jnp.sum(where)

    spread.per_batch = True
    X, y, qid = graded()
    ranker = NeuralRanker(
        spread,
        "linear",
        max_epochs=1,
        batch_size=24,
        early_stopping=False,
        random_state=0,
    ).fit(X, y, qid)
    assert ranker.history_["loss"][0] == pytest.approx((y**2).mean(), rel=0.1)


@pytest.mark.parametrize(
    ("settings", "columns", "message"),
    [
        (
            {"scorer": "linear"},
            {},
            "in_batch=True needs a scorer with n_query_features, which says which columns describe "
            "the query; got LinearScorer(). Set scorer='two_tower'.",
        ),
        ({"in_batch": 1.5}, {}, "in_batch must be True or False; got 1.5."),
        (
            {"loss": "ranknet"},
            {"teacher_scores": np.zeros(96)},
            "in_batch=True takes no teacher_scores, which items of other queries do not have. "
            "Leave it out of fit.",
        ),
        (
            {"loss": wasserstein_batch_loss},
            {"query_weight": np.ones(96)},
            "gives one number per batch, so query_weight has no effect. Leave it out.",
        ),
    ],
)
def test_messages(settings, columns, message):
    X, y, qid = graded()
    ranker = towers("infonce", in_batch=True).set_params(**settings)
    with pytest.raises(ValueError, match=f"{re.escape(message)}$"):
        ranker.fit(X, y, qid, **columns)


def test_a_batch_loss_must_return_one_number():
    def wrong(scores, labels, *, where):
        return jnp.sum(scores, axis=-1)

    wrong.per_batch = True
    message = r"^a loss with per_batch must return one number for scores of shape \(24, 4\); got"
    with pytest.raises(ValueError, match=message):
        NeuralRanker(wrong, "linear", batch_size=24, max_epochs=1).fit(*graded())
