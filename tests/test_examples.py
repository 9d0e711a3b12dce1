"""The examples, in small mode: their numbers are what they promise."""

import importlib.util
from pathlib import Path

import jax
import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"


def load(name):
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_example_is_short_and_tested():
    """Under 150 lines, with a main, and run below."""
    tested = Path(__file__).read_text()
    for path in EXAMPLES.glob("*.py"):
        lines = path.read_text().splitlines()
        assert len(lines) < 150 or path.stem.startswith("benchmark_")
        assert any(line.startswith("def main(") for line in lines)
        assert f'load("{path.stem}")' in tested


def test_quickstart(capsys):
    """Both rankers beat a random order by far."""
    result = load("quickstart").main(n_queries=80, max_epochs=30)
    assert capsys.readouterr().out.count("NDCG@10") == 3
    assert result["LambdaMART"] > result["random order"] + 0.15
    assert result["MLP with RankNet"] > result["random order"] + 0.15


def test_rerank_embeddings():
    """Untrained towers are the cosine; trained ones beat it."""
    result = load("rerank_embeddings").main(n_queries=60)
    assert result["untrained"] == pytest.approx(result["cosine"])
    assert result["low"] > 0


def test_rerank_cranfield(ltr_data):
    """On real embeddings the interval of the gain excludes 0."""
    result = load("rerank_embeddings").main(ltr_data)
    assert result["untrained"] == pytest.approx(result["cosine"])
    assert result["low"] > 0


def test_benchmark_training():
    """It runs and prints a ratio; how large is for the machine to say."""
    pytest.importorskip("rax")
    small = {"n_lists": 64, "n_epochs": 2, "n_timed": 2, "rounds": 1}
    with jax.numpy_rank_promotion("allow"):  # the peer's code, as people write it
        rows = load("benchmark_training").main(**small)
    assert [row["loss"] for row in rows] == ["softmax", "ranknet"]
    assert all(row["ratio"] > 0 for row in rows)


def test_benchmark_overhead(capsys):
    """It runs, and the trees are LightGBM's."""
    load("benchmark_overhead").main(n_lists=10, n_rows=1000, rounds=1)
    assert "equal predictions: True" in capsys.readouterr().out


def test_benchmark_loading():
    """Both loaders give equal arrays, which it checks; times are for the machine."""
    table = load("benchmark_loading").main(megabytes=0.5, rounds=1)
    assert set(table) == {"dense", "half-empty"}
    assert all(row["ratio"] > 0 for row in table.values())


def test_benchmark_losses():
    """The gradients are those of the peer."""
    pytest.importorskip("rax")
    table = load("benchmark_losses").main(4, 16, rounds=1, names="ranknet,listmle")
    assert all(row["gradient"] < 1e-5 for row in table.values())


def test_distillation():
    """A student of the teacher beats a random order by far."""
    means = load("distillation").main(n_queries=60, n_seeds=1)
    assert min(means["PLD"], means["KL"]) > means["random"] + 0.1


def test_preference():
    """Every loss improves on the frozen reference."""
    means = load("preference").main(n_queries=60, n_seeds=1)
    assert min(means["LiPO-λ"], means["DPO"]) > means["reference: cosine"] + 0.01


def test_train_every_loss():
    """At least .9 of the noise-free NDCG, by losses of each family."""
    names = ("ranknet", "ranklist", "listnet", "pld", "lipo_lambda", "lambdarank")
    result = load("train_every_loss").main(names=names)
    assert all(result[name] > 0.9 > result["random"] for name in names)


def test_fair_committee(capsys):
    """Without bias the ranked committee is the best; a random one is not."""
    result = load("fair_committee").main(n_seeds=2, n_voters=15, n_items=12, k=4)
    for rule in ("sntv", "borda", "cc"):
        assert result[rule, "as ranked", 0.0] == [1.0, 1.0]
        assert max(result[rule, "random", 0.0]) < 1.0
    assert capsys.readouterr().out.count("with a quota") == 15


def test_benchmark_committees():
    """Greedy is below exact, exact is below the bound."""
    rows = load("benchmark_committees").main(sizes=((12, 3),), n_seeds=2, peer=False)
    assert all(row["greedy"] <= row["exact"] <= row["bound"] for row in rows)


def test_stock_ranking(capsys):
    """A strong planted signal is found, by trees what no linear score has; rules fail."""
    example = load("stock_ranking")
    market = example.make_stocks(60, 250, 4, signal=0.5, random_state=1)
    table = example.main(market, n_seeds=1)
    assert table["ridge"]["tau"][1] > 0.15
    assert table["LambdaMART"]["tau - ridge"][1] > 0.0
    for name in ("random", "momentum", "reversal"):
        assert table[name]["tau"][1] < 0.03
        assert table[name]["tau - ridge"][2] < -0.1
    assert capsys.readouterr().out.count("[") == 6 * len(table)


def test_stock_ranking_in_a_market_of_noise():
    """Where nothing can be found, nothing is: every interval of tau holds 0."""
    example = load("stock_ranking")
    market = example.make_stocks(60, 250, 4, signal=0.0, random_state=1)
    table = example.main(market, n_seeds=1)
    assert all(row["tau"][1] < 0.0 < row["tau"][2] for row in table.values())
