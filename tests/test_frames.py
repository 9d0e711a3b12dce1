"""The way from a call to the function that does the work: how many of our frames."""

import jax.numpy as jnp
import lightgbm
from support.frames import frames_between

from ltr import LambdaMARTRanker, NeuralRanker, TSPRanker
from ltr.datasets import make_ranking
from ltr.metrics import ndcg_score
from ltr.metrics.runs import evaluate_run
from ltr.solvers.orderings.subset_dp import order_by_sets
from ltr.solvers.paths.held_karp import cheapest_tours

# Lists of a size without padding: fit tries the mask of a loss on those that have some.
DATA = make_ranking(12, list_size=8, n_features=3, n_informative=2, random_state=0)
TRAIN = DATA.X, DATA.y, DATA.qid


def squared(scores, labels, *, where):
    """A loss of a user's own."""
    return jnp.sum(jnp.where(where, (scores - labels) ** 2, 0.0), axis=-1)


def of_pairs(scores, labels, *, where, start, end):
    """One on a matrix of pairs."""
    return jnp.sum(
        jnp.where(where, start * scores.sum(axis=-1) - end * labels, 0.0), -1
    )


def test_the_counter():
    """It counts our frames only, and the longest of several ways."""
    info = ndcg_score.info
    names = frames_between(
        lambda: list(map(lambda y: ndcg_score(y, [2, 1]), [[1, 0], [0, 1]])),
        ndcg_score,
        info.kernel,
    )
    assert names == ["score", "MetricInfo.measure"]


def test_evaluate_run():
    """At most 6 frames between a run and the kernel of its metric."""
    run, qrels = {"q": {"a": 2, "b": 1}}, {"q": {"b": 1}}
    names = frames_between(
        lambda: evaluate_run(run, qrels, "ndcg@10"),
        evaluate_run,
        ndcg_score.info.kernel,
    )
    assert len(names) <= 6, names


def test_from_fit_to_the_loss():
    """At most 5 frames between: the loss is the sixth below fit."""
    neural = NeuralRanker(squared, "linear", max_epochs=1)
    names = frames_between(lambda: neural.fit(*TRAIN), NeuralRanker.fit, squared)
    assert len(names) <= 5, names
    pairs = TSPRanker(of_pairs, encoder="identity", max_epochs=1)
    names = frames_between(lambda: pairs.fit(*TRAIN), TSPRanker.fit, of_pairs)
    assert len(names) <= 5, names


def test_from_fit_to_lightgbm():
    """At most 4 frames between: LightGBM is the fifth below fit."""
    trees = LambdaMARTRanker(n_estimators=1, n_jobs=1)
    names = frames_between(
        lambda: trees.fit(*TRAIN), LambdaMARTRanker.fit, lightgbm.train
    )
    assert len(names) <= 4, names


def test_from_predict_to_the_solver():
    """At most 6 frames between: the dynamic program is the seventh below predict."""
    for loss, dynamic_program in (
        ("successor", cheapest_tours),
        ("pairwise", order_by_sets),
    ):
        ranker = TSPRanker(loss, encoder="identity", max_epochs=0, n_jobs=1)
        ranker.fit(*TRAIN)
        names = frames_between(
            lambda ranker=ranker: ranker.predict(DATA.X, DATA.qid),
            TSPRanker.predict,
            dynamic_program,
        )
        assert len(names) <= 6, names
