"""Rows about losses: the effect of each on data where the paper says that it is."""

from __future__ import annotations

from functools import partial

import jax.numpy as jnp
import numpy as np
from row import PaperRow, Setting, interval
from special_cases import digit_students, two_sided

from ltr import NeuralRanker
from ltr.datasets import RankingData, make_ranking
from ltr.losses import (
    bce_loss,
    gap_margin_loss,
    infonce_loss,
    loss_weights,
    ranklist_loss,
    wasserstein_batch_loss,
    wasserstein_loss,
)
from ltr.metrics import kendall_tau_score, ndcg_score
from ltr.rewards import length_normalized


def linear(loss, **options) -> NeuralRanker:
    """A linear scorer that is trained without early stopping."""
    settings = {"max_epochs": 60, "early_stopping": False, "random_state": 0}
    return NeuralRanker(loss, "linear", **{**settings, **options})


def per_query(metric, data: RankingData, ranker: NeuralRanker, **options) -> np.ndarray:
    """A metric of each query of test data."""
    scores = ranker.predict(data.X, data.qid)
    return metric(data.y, scores, qid=data.qid, per_query=True, **options)


def pld(setting: Setting) -> PaperRow:
    """PLD: an image is a list of ten classes; the teacher knows which are alike."""
    seeds = range(1 if setting.small else 4)
    runs = [digit_students(100, 16, 0.3, seed, ("CE", "PLD")) for seed in seeds]
    accuracy = {name: np.concatenate([run[name] for run in runs]) for name in runs[0]}
    gain = interval(accuracy["PLD"] - accuracy["CE"])
    return PaperRow(
        5,
        [
            f"100 labels, 30 % wrong: teacher {accuracy['teacher'].mean():.3f}, CE on "
            f"labels {accuracy['CE'].mean():.3f}, PLD {accuracy['PLD'].mean():.3f}",
            f"PLD: top-1 minus CE {gain}",
        ],
        "interval above 0",
        gain.low > 0,
    )


def ranklist(setting: Setting) -> PaperRow:
    """RankList: distant labels first, then neighbors, where labels are noisy."""
    n_seeds = 2 if setting.small else 5
    curriculum = partial(ranklist_loss, epochs_per_skip=3)
    differences, means = [], []
    for seed in range(n_seeds):
        data = subjective(seed)
        train, test = data.train_test_split(0.5, random_state=seed)
        taus = []
        for loss in (curriculum, "ranknet"):
            ranker = NeuralRanker(
                loss, "mlp", hidden_layer_sizes=(32,), max_epochs=20,
                early_stopping=False, random_state=seed,
            ).fit(train.X, train.y, train.qid)  # fmt: skip
            truth = RankingData(test.X, test.true_scores, test.qid)
            taus.append(per_query(kendall_tau_score, truth, ranker))
        differences.append(taus[0] - taus[1])
        means.append([values.mean() for values in taus])
    gain = interval(np.concatenate(differences))
    tau, base = np.mean(means, axis=0)
    return PaperRow(
        16,
        [
            f"RankList: curriculum τ {tau:.4f}, RankNet {base:.4f}, difference {gain}"
            + ("" if gain.low > 0 else "; effect not shown")
        ],
        "the curriculum does not lose significantly to RankNet",
        gain.high > 0,
    )


def subjective(seed: int) -> RankingData:
    """Ratings from 0 to 4 with errors, of 120 sessions of 20."""
    return make_ranking(
        120, list_size=20, nonlinearity=0.3, noise=2.0, random_state=seed
    )


def sycl(setting: Setting) -> PaperRow:
    """SyCL: losses of graded lists with in-batch negatives, beside InfoNCE."""
    train, test = graded_lists(0), graded_lists(1)
    losses = {
        "InfoNCE": partial(infonce_loss, temperature=1.0),
        "W2 of the batch": wasserstein_batch_loss,
        "W1 per list": wasserstein_loss,
    }
    values = {}
    for name, loss in losses.items():
        ranker = NeuralRanker(
            loss, "two_tower", n_query_features=16, in_batch=True, learning_rate=3e-3,
            max_epochs=20 if setting.small else 60, early_stopping=False,
            random_state=0,
        ).fit(train.X, train.y, train.qid)  # fmt: skip
        values[name] = per_query(ndcg_score, test, ranker, k=10)
    means = ", ".join(f"{name} {v.mean():.4f}" for name, v in values.items())
    gain = interval(values["W2 of the batch"] - values["InfoNCE"])
    effect = "" if gain.low > 0 else "; effect not shown"
    return PaperRow(
        18,
        [means, f"SyCL: W2 of the batch minus InfoNCE, NDCG@10 {gain}{effect}"],
        "the batch loss trains, and the interval is printed",
        bool(np.isfinite(values["W2 of the batch"]).all()),
    )


def graded_lists(seed: int, n_queries: int = 100) -> RankingData:
    """Queries with four documents of grades 3 to 0, farther and farther away."""
    rng = np.random.default_rng(seed)
    rotation = np.linalg.qr(np.random.default_rng(9).normal(size=(16, 16)))[0]
    queries = rng.normal(size=(n_queries, 16))
    noise = (
        rng.normal(size=(n_queries, 4, 16)) * np.array([0.8, 1.2, 2.0, 4.0])[:, None]
    )
    items = 0.5 * (queries + queries @ rotation)[:, None] + noise
    X = np.concatenate([np.repeat(queries[:, None], 4, axis=1), items], axis=-1)
    y = np.tile([3.0, 2.0, 1.0, 0.0], n_queries)
    return RankingData(X.reshape(-1, 32), y, np.arange(n_queries).repeat(4))


def brio(setting: Setting) -> PaperRow:
    """BRIO: candidates of a beam are reordered by a score trained with rank gaps."""
    golden = float(
        gap_margin_loss(jnp.array([-0.9, -1.0, -0.8, -1.2]), jnp.array([3, 2, 1, 0]))
    )
    beams = [candidates(seed) for seed in (0, 1)]
    ranker = linear(partial(gap_margin_loss, margin=0.1), metric="spearman")
    ranker.fit(beams[0].X, beams[0].y, beams[0].qid)
    test = beams[1]
    quality = test.y.reshape(-1, 8)
    first = lambda scores: quality[
        np.arange(len(quality)), np.reshape(scores, (-1, 8)).argmax(1)
    ]
    beam = first(length_normalized(test.X[:, 0], np.exp(test.X[:, 1]), 1.0))
    reranked = first(ranker.predict(test.X, test.qid))
    gain = interval(reranked - beam)
    return PaperRow(
        22,
        [
            f"quality of the first: beam {beam.mean():.3f}, reranked "
            f"{reranked.mean():.3f}, mean of all {quality.mean():.3f}, oracle "
            f"{quality.max(1).mean():.3f}",
            f"BRIO: reranked minus beam order {gain}; golden loss {golden:.3f}",
        ],
        "golden .118, and interval above 0",
        abs(golden - 0.118) < 1e-5 and gain.low > 0,
    )


def candidates(seed: int, n_queries: int = 150) -> RankingData:
    """Eight candidates each: log-probability, log length, two signals of quality."""
    rng = np.random.default_rng(seed)
    shape = (n_queries, 8)
    length = np.log(rng.integers(10, 40, shape))
    signals = rng.normal(size=(*shape, 2))
    quality = signals.sum(-1) - np.abs(length - 3.2) + 0.5 * rng.normal(size=shape)
    log_prob = -np.exp(length) * (1.5 - 0.1 * quality + 0.3 * rng.normal(size=shape))
    X = np.concatenate([log_prob[..., None], length[..., None], signals], axis=-1)
    qid = np.arange(n_queries).repeat(8)
    return RankingData(X.reshape(-1, 4), quality.ravel(), qid)


def weight_and_direction(setting: Setting) -> PaperRow:
    """SFT vs CL: gradients of two objectives on the same scores; both are trained."""
    scores, labels = jnp.array([1.0, -0.5, 0.2]), jnp.array([1.0, 0.0, 0.0])
    pointwise = loss_weights(bce_loss, scores, labels).weight
    contrastive = loss_weights(
        partial(infonce_loss, temperature=1.0), scores, labels
    ).weight
    p = 1 / (1 + np.exp(-np.asarray(scores)))
    share = np.exp(scores) / np.exp(scores).sum()
    data = make_ranking(150, noise=1.0, random_state=0)
    binary = RankingData(data.X, (data.y >= 3).astype(float), data.qid)
    train, test = binary.train_test_split(0.5, random_state=0)
    values = {
        name: per_query(
            ndcg_score, test, linear(name).fit(train.X, train.y, train.qid), k=10
        )
        for name in ("bce", "infonce")
    }
    gap = interval(values["infonce"] - values["bce"])
    return PaperRow(
        23,
        [
            "item weights: bce " + ", ".join(f"{w:.3f}" for w in pointwise)
            + "; infonce " + ", ".join(f"{w:.3f}" for w in contrastive),
            f"SFT vs CL: infonce minus bce, NDCG@10 {gap}",
        ],
        "weights are |label − p| and the share of the softmax",
        bool(
            np.allclose(pointwise, np.abs(labels - p), atol=1e-5)
            and np.allclose(contrastive, np.abs(labels - share), atol=1e-5)
        ),
    )  # fmt: skip


def irpo(setting: Setting) -> PaperRow:
    """IRPO: positions weigh the pairs of a list with two items marked as good."""
    differences, means = [], []
    for seed in range(2 if setting.small else 3):
        data = make_ranking(200, list_size=10, noise=0.5, random_state=seed)
        grade = data.true_scores.reshape(-1, 10)
        shown = np.argsort(np.argsort(-grade + np.random.default_rng(seed).normal(
            size=grade.shape), axis=1), axis=1)  # fmt: skip
        best = np.argsort(np.argsort(-grade, axis=1), axis=1)
        y = np.maximum(2.0 - best, 0.0).ravel()
        marked = RankingData(data.X, y, data.qid)
        columns = {
            "position": 1.0 + shown.ravel(),
            "reference_scores": np.zeros(len(y)),
        }
        half = data.qid < 100
        part = {name: values[half] for name, values in columns.items()}
        test = RankingData(data.X[~half], data.y[~half], data.qid[~half])
        by_position = linear("irpo").fit(
            marked.X[half], y[half], data.qid[half], **part
        )
        plain = linear("dpo").fit(
            marked.X[half], y[half], data.qid[half],
            reference_scores=part["reference_scores"],
        )  # fmt: skip
        values = [per_query(ndcg_score, test, r, k=5) for r in (by_position, plain)]
        differences.append(values[0] - values[1])
        means.append([v.mean() for v in values])
    gain = interval(np.concatenate(differences))
    ours, dpo = np.mean(means, axis=0)
    effect = "" if gain.low > 0 else "; effect not shown"
    return PaperRow(
        38,
        [
            f"NDCG@5 {ours:.4f}, DPO {dpo:.4f}",
            f"IRPO: NDCG@5 minus DPO {gain}{effect}",
        ],
        "IRPO trains to within .02 of DPO or better, the interval is printed",
        ours > dpo - 0.02,
    )


def lipo(setting: Setting) -> PaperRow:
    """LiPO-λ: where no model is right everywhere, it is right at the top."""
    values = two_sided(n_seeds=1 if setting.small else 3)
    gain = interval(values["LiPO-λ"] - values["DPO"])
    return PaperRow(
        46,
        [f"LiPO-λ: utility of the first minus DPO {gain} where DPO cannot fit all"],
        "interval above 0",
        gain.low > 0,
    )


PAPERS = {
    5: pld,
    16: ranklist,
    18: sycl,
    22: brio,
    23: weight_and_direction,
    38: irpo,
    46: lipo,
}
