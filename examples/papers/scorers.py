"""Rows about models: two scorers of one's own, and orders scored by pairs."""

from __future__ import annotations

import contextlib
import io
from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from row import PaperRow, Setting, interval

from ltr import NeuralRanker
from ltr.datasets import RankingData
from ltr.rewards import prefix_deviation, weighted_edit_distance
from ltr.scorers import Scorer

MASS = {"G": 57.02146, "N": 114.04293, "K": 128.09496, "A": 71.03711, "Q": 128.05858}
UNIT = {name: mass / 51.4238 for name, mass in MASS.items()}
LETTERS = "GNKAQ"


@dataclass(frozen=True)
class AxialScorer(Scorer):
    """Attention along the positions of a candidate, then across the candidates.

    A row is ``n_positions`` blocks of columns, one for each position.
    """

    n_positions: int
    width: int = 16
    uses_list: ClassVar[bool] = True

    def init(self, key, n_features):
        """Draw one embedding, two attentions and an output."""
        sizes = {"embed": (n_features // self.n_positions, self.width)}
        for axis in ("row", "column"):
            sizes |= {axis + part: (self.width, self.width) for part in "qkv"}
        sizes["out"] = (self.width, 1)
        keys = jax.random.split(key, len(sizes))
        return {
            name: jax.random.normal(k, shape) / shape[0] ** 0.5
            for k, (name, shape) in zip(keys, sizes.items(), strict=True)
        }

    def apply(self, params, X, where=None, weights=None):
        """Score the candidates of each list."""
        xp = X.__array_namespace__()
        h = X.reshape(*X.shape[:-1], self.n_positions, -1) @ params["embed"]

        def attend(h, axis, mask):  # over the last axis but one
            q, k, v = (h @ params[axis + part] for part in "qkv")
            logits = q @ xp.swapaxes(k, -1, -2) / self.width**0.5
            if mask is not None:
                logits = xp.where(mask, logits, -1e9)
            share = xp.exp(logits - logits.max(axis=-1, keepdims=True))
            return h + (share / share.sum(axis=-1, keepdims=True)) @ v

        h = attend(h, "row", None)  # (..., n, positions, width)
        mask = None if where is None else where[..., None, None, :]
        h = xp.swapaxes(attend(xp.swapaxes(h, -2, -3), "column", mask), -2, -3)
        return (xp.tanh(h) @ params["out"])[..., 0].mean(axis=-1)


def peptides(seed: int, n_queries: int) -> RankingData:
    """Six noisy readings of a peptide of six letters; labels are −distance."""
    rng = np.random.default_rng(seed)
    swap = lambda x, y: abs(UNIT[x] - UNIT[y])
    rows, labels = [], []
    for _ in range(n_queries):
        truth = rng.integers(5, size=6)
        peaks = [UNIT[LETTERS[i]] for i in truth] + rng.normal(0, 0.15, 6)
        for _ in range(6):
            errs = rng.random(6) < 0.3
            read = np.where(errs, rng.integers(5, size=6), truth)
            masses = np.array([UNIT[LETTERS[i]] for i in read])
            rows.append(np.c_[np.eye(5)[read], masses - peaks, peaks].ravel())
            words = ["".join(LETTERS[i] for i in letters) for letters in (read, truth)]
            labels.append(-weighted_edit_distance(*words, swap))
    qid = np.arange(n_queries).repeat(6)
    return RankingData(np.array(rows), np.array(labels), qid)


def rank_novo(setting: Setting) -> PaperRow:
    """RankNovo: readings of one peptide, compared position by position."""
    swap = lambda x, y: abs(UNIT[x] - UNIT[y])
    distance = weighted_edit_distance("GGK", "NK", swap)
    deviation = prefix_deviation("GGK", "NK", UNIT)[0]
    train, test = peptides(0, 150), peptides(1, 150)
    first = {}
    for scorer in (AxialScorer(6), "mlp"):
        ranker = NeuralRanker(
            "mse", scorer, hidden_layer_sizes=(32,), max_epochs=25, learning_rate=3e-3,
            early_stopping=False, weight_decay=0.0, metric="spearman", random_state=0,
        ).fit(train.X, train.y, train.qid)  # fmt: skip
        best = ranker.predict(test.X, test.qid).reshape(-1, 6).argmax(axis=1)
        first[str(scorer)[:3]] = -test.y.reshape(-1, 6)[np.arange(150), best]
    gain = interval(first["mlp"] - first["Axi"])
    effect = "" if gain.low > 0 else "; effect not shown"
    return PaperRow(
        1,
        [
            f"GGK to NK: distance {distance:.7f}, first deviation {deviation:.6f}",
            f"RankNovo: distance of the first, mlp minus axial {gain}{effect}",
        ],
        "golden distances, and both scorers beat the mean of the candidates",
        abs(distance - 2.1088537) < 1e-6
        and abs(deviation + 1.108854) < 1e-6
        and all(values.mean() < -test.y.mean() for values in first.values()),
    )


@dataclass(frozen=True)
class MultiViewScorer(Scorer):
    """Several views of a passage, each compared with an anchor of its list."""

    n_views: int = 4
    width: int = 8
    orthogonality: float = 0.0
    uses_list: ClassVar[bool] = True

    def init(self, key, n_features):
        """Draw a projection for each view, and what its attention looks for."""
        a, b = jax.random.split(key)
        scale = n_features**-0.5
        return {
            "view": scale
            * jax.random.normal(a, (self.n_views, n_features, self.width)),
            "seek": jax.random.normal(b, (self.n_views, self.width)),
        }

    def anchors(self, params, X, where):
        """Views (..., k, n, w), and the anchor of each view and list, (..., k, w)."""
        xp = X.__array_namespace__()
        views = xp.einsum("...nf,kfw->...knw", X, params["view"])
        logits = xp.einsum("...knw,kw->...kn", views, params["seek"])
        if where is not None:
            logits = xp.where(where[..., None, :], logits, -1e9)
        share = xp.exp(logits - logits.max(axis=-1, keepdims=True))
        share = share / share.sum(axis=-1, keepdims=True)
        return views, xp.einsum("...kn,...knw->...kw", share, views)

    def apply(self, params, X, where=None, weights=None):
        """Mean over the views of the product with the anchor."""
        xp = X.__array_namespace__()
        views, anchor = self.anchors(params, X, where)
        return xp.einsum("...knw,...kw->...kn", views, anchor).mean(axis=-2)

    def penalty(self, params, X, where):
        """How far the anchors of a list are from orthogonal; added to the loss."""
        return self.orthogonality * jnp.mean(self.overlap(params, X, where))

    def overlap(self, params, X, where=None):
        """Mean squared cosine between the anchors of each list."""
        xp = X.__array_namespace__()
        anchor = self.anchors(params, X, where)[1]
        norm = xp.sqrt((anchor**2).sum(axis=-1, keepdims=True) + 1e-9)
        cosine = xp.einsum("...kw,...jw->...kj", anchor / norm, anchor / norm)
        off = 1.0 - xp.eye(self.n_views)
        n_pairs = max(self.n_views * (self.n_views - 1), 1)
        return (cosine**2 * off).sum(axis=(-2, -1)) / n_pairs


def mvp(setting: Setting) -> PaperRow:
    """MVP: an orthogonality weight turns the anchors of the views apart."""
    from ltr.datasets import make_ranking
    from ltr.metrics import ndcg_score

    data = make_ranking(120, list_size=10, noise=0.5, nonlinearity=0.5, random_state=0)
    train, test = data.train_test_split(0.5, random_state=0)
    cosines, values = [], []
    for scorer in (
        MultiViewScorer(1, 32),
        MultiViewScorer(4, 8),
        MultiViewScorer(4, 8, orthogonality=3.0),
    ):
        ranker = NeuralRanker(
            "listnet", scorer, max_epochs=25, learning_rate=3e-3, early_stopping=False,
            weight_decay=0.0, random_state=0,
        ).fit(train.X, train.y, train.qid)  # fmt: skip
        scores = ranker.predict(test.X, test.qid)
        values.append(ndcg_score(test.y, scores, qid=test.qid, k=10, per_query=True))
        X = (test.X - train.X.mean(0)) / train.X.std(0)
        params = ranker._learned_state.params
        lists = X.reshape(-1, 10, X.shape[1])
        cosines.append(float(scorer.overlap(params, lists).mean()))
    gain = interval(values[1] - values[0])
    effect = "" if gain.low > 0 else "; effect not shown"
    return PaperRow(
        36,
        [
            f"squared cosine between anchors: {cosines[1]:.3f}, with the penalty "
            f"{cosines[2]:.3f}",
            f"MVP: four views minus one of the same width, NDCG@10 {gain}{effect}",
        ],
        "the penalty makes the cosine between anchors smaller",
        cosines[2] < cosines[1],
    )


def tsp_rank(setting: Setting) -> PaperRow:
    """TSPRank: an order from scores of pairs, beside one from scores of items."""
    from event_ordering import RANKERS, main  # the example has the full table

    names = ["random", "ridge regression of the year", "TSP successor, path"]
    for name in set(RANKERS) - set(names):
        del RANKERS[name]
    with contextlib.redirect_stdout(io.StringIO()):  # its own table
        taus = main(n_seeds=1, n_events=200) if setting.small else main(n_seeds=2)
    ridge, tsp = taus["ridge regression of the year"], taus["TSP successor, path"]
    return PaperRow(
        14,
        [
            f"TSPRank: τ of events {tsp:.3f}, ridge regression of the year "
            f"{ridge:.3f}; effect not shown"
        ],
        "as measured: ridge regression of the year is not behind",
        bool(ridge >= tsp),
    )


PAPERS = {1: rank_novo, 14: tsp_rank, 36: mvp}
