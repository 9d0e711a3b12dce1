"""Examples of blends and of judges, in small mode."""

import numpy as np
import pytest
from support.examples import EXAMPLES, load


def test_auto_ranker(capsys):
    """The blend is ahead of its members on average; each has a row."""
    members = ["linear", "trees", "lambdamart"]
    values = load("auto_ranker").main(60, members=members)
    assert list(values) == [*members, "blend"]
    means = {name: np.nanmean(column) for name, column in values.items()}
    assert means["blend"] > np.mean([means[name] for name in members])
    assert capsys.readouterr().out.count("blend minus it") == 4


def test_benchmark_auto(monkeypatch, tmp_path, capsys):
    """A row per ranker and member, paired with both settings of the peer."""
    pytest.importorskip("lightgbm")
    monkeypatch.syspath_prepend(str(EXAMPLES))
    example = load("benchmark_auto")
    trees = example.AutoRanker(members=["linear"])
    monkeypatch.setattr(example, "AutoRanker", lambda **settings: trees)
    monkeypatch.setitem(example.GOOD_SETTINGS, "n_estimators", 3)
    values = example.main(tmp_path, ["mq2008", "generated"], 20)
    assert list(values["generated"]) == [
        "LGBMRanker()", "LGBMRanker(good)", "AutoRanker()", "linear",
    ]  # fmt: skip
    out = capsys.readouterr().out
    assert f"mq2008     skipped: no folder {tmp_path / 'mq2008'}" in out
    equal = "minus its best member here, linear: +0.0000 [+0.0000, +0.0000]"
    assert f"generated  AutoRanker() {equal}" in out, "one member is the blend"
    assert len(values["generated"]["linear"]) == 20


def test_benchmark_rerank_on_events(capsys, monkeypatch):
    """Judges of sentences, trained on other lists, beat the random first stage."""
    monkeypatch.syspath_prepend(str(EXAMPLES))
    module = load("benchmark_rerank")
    monkeypatch.setattr(module, "DEPTH", 12)
    monkeypatch.setattr(module, "N_FOLDS", 2)
    clean, noisy = module.main(n_flips=1, n_queries=8)
    assert clean.keys() == noisy.keys()
    first_stage = float(capsys.readouterr().out.split("first stage")[1].split()[0])
    assert clean["verified"] > first_stage


def test_benchmark_rerank(capsys, monkeypatch):
    """Errors that a best order outvotes mislead a count of wins less than a tournament."""
    monkeypatch.syspath_prepend(str(EXAMPLES))
    module = load("benchmark_rerank")
    monkeypatch.setattr(module, "DEPTH", 16)
    rng = np.random.default_rng(0)
    grades = rng.integers(0, 4, (12, 16)) + rng.random((12, 16))
    labels = np.floor(grades)
    ideal = module.dcg(-np.sort(-labels, axis=1))
    data = module.Judged(labels, ideal, grades[:, :, None] > grades[:, None])
    clean = module.table(data, 0.0, 1)
    assert clean.pop("verified, top only") < 0.99  # deep documents are never seen
    assert list(clean.values()) == pytest.approx([1.0] * len(clean))
    noisy = module.table(data, 0.15, 1)
    assert noisy["all pairs, best order"] > noisy["tournament"] + 0.05
    assert capsys.readouterr().out.count("windows 20/10, stable") == 2


def test_benchmark_auto_on_stocks(monkeypatch, tmp_path):
    """The test days come after the training days, with days between."""
    monkeypatch.syspath_prepend(str(EXAMPLES))
    example = load("benchmark_auto")
    from ltr.datasets import make_stocks

    market = make_stocks(n_stocks=20, n_days=120, n_industries=2, random_state=0)
    files = []

    def load_files(prices, industries):
        files.extend([prices.name, industries.name])
        return market

    monkeypatch.setattr(example, "load_stocks", load_files)
    ((train, test),) = example.folds_of("stocks", tmp_path, 0)
    assert files == ["NASDAQ.ohlcv.npz", "NASDAQ_industry_ticker.json"]
    days = dict(zip(market.qid.tolist(), market.dates.tolist(), strict=True))
    last, first = (max(days[q] for q in train.qid), min(days[q] for q in test.qid))
    assert last < first
    assert len(set(train.qid) | set(test.qid)) < len(set(market.qid)) / 4
