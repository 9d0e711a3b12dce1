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
    load("benchmark_overhead").main(n_lists=20, n_rows=2000, rounds=1)
    assert "equal predictions: True" in capsys.readouterr().out
