"""Rows about what language models give back: logits, grades, attention, embeddings."""

from __future__ import annotations

import numpy as np
from collection import digits, ndcg_at_10
from row import PaperRow, Setting, interval
from sklearn.linear_model import LogisticRegression

from ltr import NeuralRanker
from ltr.datasets import make_ranking
from ltr.metrics import ndcg_score
from ltr.refine import grounding_scores, icr_scores, integer_score, yes_no_score


def integer_scores(setting: Setting) -> PaperRow:
    """ERank: the expected grade of a judge against its most probable one."""
    n = 60 if setting.small else 300
    data = make_ranking(2 * n, list_size=20, n_features=10, random_state=0)
    train, test = data.train_test_split(test_size=0.5, random_state=0)
    judge = LogisticRegression(max_iter=300).fit(train.X, train.y.astype(int))
    probs = judge.predict_proba(test.X)
    scores = {
        "most probable grade": probs.argmax(axis=1).astype(float),
        "peak": integer_score(probs, "peak"),
        "expected": integer_score(probs),
    }
    lines, values = [], {}
    for name, score in scores.items():
        options = {"k": 10, "empty": 0, "per_query": True}
        values[name] = ndcg_score(test.y, score, qid=test.qid, **options)
        n_distinct = len(np.unique(score.round(12)))
        mean = values[name].mean()
        lines.append(f"{name}: NDCG@10 {mean:.4f}, {n_distinct} distinct scores")
    over_peak = interval(values["expected"] - values["peak"])
    over_grade = interval(values["expected"] - values["most probable grade"])
    lines.append(f"expected less peak {over_peak}, less the grade itself {over_grade}")
    holds = over_peak.mean >= 0 and over_grade.low > 0
    criterion = "expected not below peak, above the grade with its interval"
    return PaperRow(7, lines, criterion, holds)


def two_stages(setting: Setting) -> PaperRow:
    """ProRank: coarse yes/no first, then fine grades on the same weights."""
    n = 150 if setting.small else 600
    data = make_ranking(n, list_size=20, n_features=30, random_state=0)
    train, test = data.train_test_split(test_size=0.5, random_state=0)
    options = {"early_stopping": False, "random_state": 0, "max_epochs": 40}
    options |= {"learning_rate": 0.01, "weight_decay": 0.0, "preprocess": "standard"}
    is_relevant = (train.y > 0).astype(float)
    ranker = NeuralRanker("bce", "linear", warm_start=True, **options)
    ranker.fit(train.X, is_relevant, train.qid)
    logits = ranker.predict(test.X, test.qid)
    scores = [yes_no_score(np.stack([logits, np.zeros(len(logits))], axis=1))]
    ranker.set_params(loss="mse").fit(train.X, train.y, train.qid)
    scores.append(ranker.predict(test.X, test.qid))
    alone = NeuralRanker("mse", "linear", **options | {"max_epochs": 80})
    scores.append(alone.fit(train.X, train.y, train.qid).predict(test.X, test.qid))
    options = {"k": 10, "empty": 0, "per_query": True}
    coarse, fine, one = (
        ndcg_score(test.y, score, qid=test.qid, **options) for score in scores
    )
    rise, gain = interval(fine - coarse), interval(fine - one)
    shown = "" if rise.low > 0 and gain.low > 0 else ": effect not shown"
    lines = [
        f"two stages less one of the same length ({one.mean():.4f}): {gain}",
        f"NDCG@10 coarse {coarse.mean():.4f} → fine {fine.mean():.4f}, {rise}{shown}",
    ]
    criterion = "the second stage above the first in the mean; the interval is printed"
    return PaperRow(11, lines, criterion, rise.mean > 0)


def in_context(setting: Setting) -> PaperRow:
    """ICR: attention less that of a query without content, with a bias of position."""
    rng = np.random.default_rng(0)
    n_lists, n_documents, n_tokens = 50 if setting.small else 400, 20, 8
    spans = [(i * n_tokens, (i + 1) * n_tokens) for i in range(n_documents)]
    shape = (2, 4, 5, n_documents * n_tokens)  # layers, heads, query tokens, tokens
    place = np.linspace(-1.0, 1.0, shape[-1])
    bias = 1.5 * place**2 + 0.4 * rng.normal(size=shape[-1])  # lost in the middle
    relevance = rng.integers(0, 3, size=(n_lists, n_documents)).astype(float)
    scores = {"raw": [], "calibrated": []}
    for labels in relevance:
        content = 0.3 * labels.repeat(n_tokens)
        logits = bias + content + 0.7 * rng.normal(size=shape)
        attention = np.exp(logits)
        null = np.exp(bias + 0.7 * rng.normal(size=shape))
        attention /= attention.sum(axis=-1, keepdims=True)
        null /= null.sum(axis=-1, keepdims=True)
        scores["raw"].append(icr_scores(attention, np.zeros(shape), spans))
        scores["calibrated"].append(icr_scores(attention, null, spans))
    raw, calibrated = (
        ndcg_at_10(relevance, np.array(rows)) for rows in scores.values()
    )
    gain = interval(calibrated - raw)
    lines = [
        f"planted attention: NDCG@10 raw {raw.mean():.4f}, calibrated "
        f"{calibrated.mean():.4f}, {gain}"
    ]
    return PaperRow(24, lines, "calibrated above raw, interval above 0", gain.low > 0)


def grounding(setting: Setting) -> PaperRow:
    """BIGRec: a generated item is grounded by distance and popularity."""
    rng, x = np.random.default_rng(0), digits().embeddings
    items = x[rng.choice(len(x), 300, replace=False)]
    popularity = rng.pareto(1.0, size=len(items))
    chance = (popularity + 0.05) / (popularity + 0.05).sum()
    truth = rng.choice(len(items), size=400 if setting.small else 2000, p=chance)
    generated = items[truth] + 0.2 * rng.normal(size=(len(truth), x.shape[1]))
    tune, test = np.split(np.arange(len(truth)), 2)
    prior = np.log1p(popularity)
    gammas = (0.0, 0.25, 0.5, 1.0, 2.0)
    hits = {
        (form, gamma): truth
        == [first(point, items, prior, gamma, form) for point in generated]
        for form in ("published", "log")
        for gamma in gammas
    }
    best = max(gammas, key=lambda gamma: hits["log", gamma][tune].mean())
    nearest, moved = hits["log", 0.0][test], hits["log", best][test]
    is_fixed = all(
        (hits["published", gamma] == hits["log", 0.0]).all() for gamma in gammas
    )
    gain = interval(moved.astype(float) - nearest)
    lines = [
        f"the published form changes the first rank: {'never' if is_fixed else 'yes'}",
        f"hits at rank 1: distance {nearest.mean():.4f}, log form with gamma {best:g} "
        f"{moved.mean():.4f}, {gain}",
    ]
    criterion = "published form never, log form above the distance, interval above 0"
    return PaperRow(42, lines, criterion, is_fixed and gain.low > 0)


def first(point, items, prior, gamma: float, form: str) -> int:
    """The best item; the published form is a distance."""
    scores = grounding_scores(point, items, prior=prior, gamma=gamma, form=form)
    return int(scores.argmin() if form == "published" else scores.argmax())


PAPERS = {7: integer_scores, 11: two_stages, 24: in_context, 42: grounding}
