"""Ensembles of pair matrices, and the decoder that validation lists prefer."""

import copy
import functools
import re
from itertools import permutations

import jax
import numpy as np
import pytest
from support.brute_force import path_value

from ltr import TSPRanker, load_ranker, save_ranker
from ltr.datasets import make_ranking
from ltr.queries import group_queries
from ltr.rankers.neural.fitted import FittedScorer
from ltr.rankers.pairs import parameters
from ltr.rankers.pairs.decoding import Decoder, bayes_is_better
from ltr.rankers.pairs.precedence import MAX_ITEMS, path_precedence
from ltr.rankers.validation import ValidationRows
from ltr.scorers import PairScores, Scorer
from ltr.solvers import dynamic

pytestmark = pytest.mark.filterwarnings("ignore:training ended")
RNG = np.random.default_rng(0)
DATA = make_ranking(40, list_size=5, n_features=4, n_informative=3, random_state=0)
SMALL = {
    "hidden_layer_sizes": (4,),
    "learning_rate": 0.02,
    "max_epochs": 3,
    "n_jobs": 1,
    "random_state": 0,
}


@functools.cache
def fitted(**options):
    """A fitted ranker, made once."""
    return TSPRanker(**SMALL | options).fit(DATA.X, DATA.y, DATA.qid)


def test_longest_list_is_that_of_the_dynamic_programs():
    """Decoding knows the limit without JAX, which the programs import."""
    assert MAX_ITEMS == dynamic.MAX_ITEMS


def draw_lists(n_lists, size, scale=2.0):
    """Pair scores, and an order of each list drawn as exp(path score)."""
    shape = (n_lists, size)
    pairs = PairScores(
        scale * RNG.normal(size=(*shape, size)), *scale * RNG.normal(size=(2, *shape))
    )
    every = list(permutations(range(size)))
    orders = []
    for own in zip(*pairs, strict=True):
        values = np.array([path_value(order, *own) for order in every])
        weights = np.exp(values - values.max())
        orders.append(every[RNG.choice(len(every), p=weights / weights.sum())])
    return pairs, np.array(orders)


class Tables(Scorer):
    """Pair scores as they are: the features of an item are its list and position."""

    uses_list = True

    def __init__(self, pairs):
        self.pairs = pairs

    def init(self, key, n_features):
        """Nothing is learned."""

    def apply(self, params, X, where=None, weights=None):
        """Look the pairs up."""
        own, items = X[:, :1, 0].astype(int), X[..., 1].astype(int)
        matrix = self.pairs.matrix[own[..., None], items[..., None], items[:, None]]
        return PairScores(
            matrix, self.pairs.start[own, items], self.pairs.end[own, items]
        )


def rows_of(pairs, orders):
    """Lists as validation rows, labels from their orders."""
    n_lists, size = orders.shape
    codes = np.repeat(np.arange(n_lists), size)
    labels = -np.argsort(orders, axis=1).ravel().astype(float)
    X = np.column_stack([codes, np.tile(np.arange(size), n_lists)])
    queries = group_queries(codes, len(codes))
    return FittedScorer(Tables(pairs), {}, None), ValidationRows(X, labels, queries)


def test_mean_of_the_members():
    """The matrix of an ensemble is the mean of its members'; the first is the single fit."""
    ensemble, single = fitted(n_estimators=3), fitted()
    state = ensemble._learned_state
    matrices = []
    for params in state.params:
        member = copy.deepcopy(single)
        member._learned_state = single._learned_state._replace(params=params)
        matrices.append(member.pairwise_matrix(DATA.X, DATA.qid)[0])
    whole = ensemble.pairwise_matrix(DATA.X, DATA.qid)[0]
    for part, *own in zip(whole, *matrices, strict=True):
        np.testing.assert_allclose(part, np.mean(own, axis=0), rtol=1e-12, atol=1e-14)
    first = single.pairwise_matrix(DATA.X, DATA.qid)[0].matrix
    np.testing.assert_array_equal(matrices[0].matrix, first)
    assert np.abs(matrices[1].matrix - matrices[2].matrix).max() > 1e-3
    assert ensemble.n_iter_ == len(ensemble.history_["loss"]) == 9
    assert not np.isfinite(ensemble.best_score_)


def test_normalizing_rows_changes_no_path():
    """Log-normalized rows have the same best orders and the same distribution."""
    pairs, _ = draw_lists(6, 5)
    gains = np.where(np.eye(5) > 0, -np.inf, pairs.matrix)
    log_sums = np.logaddexp.reduce([*gains.transpose(2, 0, 1), pairs.end], axis=0)
    normalized = PairScores(
        pairs.matrix - log_sums[:, :, None],
        pairs.start - np.logaddexp.reduce(pairs.start, axis=1)[:, None],
        pairs.end - log_sums,
    )
    np.testing.assert_allclose(
        path_precedence(normalized), path_precedence(pairs), atol=1e-12
    )


def test_validation_and_further_training():
    """The metric is that of the ensemble; warm_start goes on with each member."""
    ranker = TSPRanker(n_estimators=2, warm_start=True, **SMALL)
    X, y, qid = DATA.X, DATA.y, DATA.qid
    ranker.fit(X, y, qid, X_val=X, y_val=y, qid_val=qid)
    assert ranker.best_score_ == pytest.approx(ranker.score(X, y, qid))
    before = ranker.history_["loss"]
    ranker.fit(X, y, qid)
    assert ranker.history_["loss"][: len(before)] == before
    after = ranker.history_["loss"][len(before) :]
    assert all(a < b for a, b in zip(after[::3], before[::3], strict=True))
    message = (
        "n_estimators must be 2, as in the fit that goes on; got 1. Set it back, or "
        "fit with warm_start=False."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        ranker.set_params(n_estimators=1).fit(X, y, qid)
    ranker.set_params(n_estimators=2, random_state=np.random.RandomState(3))
    ranker.set_params(warm_start=False, early_stopping=True, max_epochs=0)
    ranker.fit(X, y, qid)  # members share what is held out
    states = jax.tree.leaves(ranker._learned_state.params)
    assert len(states) == 2 * len(jax.tree.leaves(fitted()._learned_state.params))
    with pytest.raises(ValueError, match="n_estimators must be a whole number >= 1"):
        TSPRanker(n_estimators=0).fit(X, y, qid)


def test_saved(tmp_path):
    """An ensemble and its decoder are loaded as they were."""
    ranker = copy.deepcopy(fitted(n_estimators=3))
    ranker.decoder_ = "bayes"
    save_ranker(ranker, tmp_path / "model")
    loaded = load_ranker(tmp_path / "model")
    np.testing.assert_array_equal(
        loaded.predict(DATA.X, DATA.qid), ranker.predict(DATA.X, DATA.qid)
    )
    assert loaded.decoder_ == "bayes"


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_precedence(size):
    """P(i before j) is that of enumeration, for gains of any size."""
    for scale in (1.0, 100.0):
        pairs, _ = draw_lists(3, size, scale)
        for start, end in ((pairs.start, pairs.end), (None, None)):
            lists = PairScores(pairs.matrix, start, end)
            every = list(permutations(range(size)))
            for k, precedence in enumerate(path_precedence(lists)):
                own = [None if part is None else part[k] for part in lists]
                values = np.array([path_value(order, *own) for order in every])
                weights = np.exp(values - np.logaddexp.reduce(values))
                expected = np.zeros((size, size))
                for order, weight in zip(every, weights, strict=True):
                    for i in range(size):
                        expected[order[i], list(order[i + 1 :])] += weight
                np.testing.assert_allclose(precedence, expected, atol=1e-9)


def test_bayes_where_it_is_better():
    """Orders drawn from the distribution prefer it, best paths do not."""
    decoder = Decoder("path", n_jobs=1)
    pairs, orders = draw_lists(300, 5, 0.7)
    fitted_tables, rows = rows_of(pairs, orders)
    assert bayes_is_better(fitted_tables, rows, "kendall_tau", decoder)
    few = ValidationRows(rows.X[:95], rows.y[:95], rows.queries.of_rows(np.arange(95)))
    assert not bayes_is_better(fitted_tables, few, "kendall_tau", decoder)
    paths = np.array([s.order for s in decoder.solve(pairs)])
    fitted_tables, rows = rows_of(pairs, paths)
    assert not bayes_is_better(fitted_tables, rows, "kendall_tau", decoder)
    long, orders = (
        PairScores(RNG.normal(size=(20, 13, 13)), *RNG.normal(size=(2, 20, 13))),
        [RNG.permutation(13) for _ in range(20)],
    )
    assert not bayes_is_better(*rows_of(long, np.array(orders)), "kendall_tau", decoder)


def test_auto_decoder(monkeypatch):
    """decoder_ follows the validation lists, where the choice is open."""
    X, y, qid = DATA.X, DATA.y, DATA.qid
    validation = {"X_val": X, "y_val": y, "qid_val": qid}
    monkeypatch.setattr(parameters, "bayes_is_better", lambda *arguments: True)
    ranker = TSPRanker(**SMALL | {"max_epochs": 0}).fit(X, y, qid, **validation)
    assert ranker.decoder_ == "bayes"
    assert ranker.best_score_ == pytest.approx(ranker.score(X, y, qid))
    bayes = copy.deepcopy(ranker).set_params(decoder="bayes")
    np.testing.assert_array_equal(ranker.predict(X, qid), bayes.predict(X, qid))
    rows = np.repeat(["long", "short"], [16, 5])
    paths = copy.deepcopy(ranker).set_params(decoder="path")
    scores = ranker.predict(X[:21], rows)
    np.testing.assert_array_equal(scores[:16], paths.predict(X[:21], rows)[:16])
    np.testing.assert_array_equal(scores[16:], bayes.predict(X[16:21]))
    assert ranker.fit(X, y, qid).decoder_ == "path"  # no validation lists
    for options, expected in (
        ({"decoder": "path"}, "path"),
        ({"solver": "dp"}, "path"),
        ({"loss": "pairwise"}, "ordering"),
    ):
        other = TSPRanker(**SMALL | {"max_epochs": 0} | options)
        assert other.fit(X, y, qid, **validation).decoder_ == expected
    paper = TSPRanker(compat="paper", **SMALL | {"max_epochs": 0})
    with pytest.warns(UserWarning, match="is for comparison"):
        assert paper.fit(X, y, qid, **validation).decoder_ == "path"
