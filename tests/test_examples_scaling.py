"""The commands of examples/benchmark_scaling.py, on a little data in one process."""

import itertools

import jax
import pytest
from support.examples import load

SOURCES = ["memory", "npy", "parquet, snappy", "parquet, zstd"]


@pytest.fixture
def scaling(monkeypatch):
    """The program; its processes are this one, whose limits stay."""
    module = load("benchmark_scaling")
    monkeypatch.setattr(module, "in_process", lambda f, *arguments: f(*arguments))
    monkeypatch.setattr(module, "compilation_cache", lambda folder: None)
    monkeypatch.setattr(module.resource, "setrlimit", lambda *limit: None)
    return module


@pytest.mark.filterwarnings("ignore")
def test_streams(scaling, capsys):
    """Speeds of both scorers from memory and all kinds of files."""
    pytest.importorskip("pyarrow")
    speeds = scaling.main("streams", n_rows=1200, size=8)
    assert list(speeds) == ["mlp", "linear"]
    assert all(list(row) == SOURCES for row in speeds.values())
    assert all(speed > 0 for row in speeds.values() for speed in row.values())
    assert "asked: >= 2.5 M" in capsys.readouterr().out


def test_memory(scaling, capsys):
    """As many rows as that many bytes hold."""
    assert scaling.main("memory", gigabytes=2e-4, limit=1.0) > 0
    assert capsys.readouterr().out.startswith(
        "1000 rows, 0.0 GB of features, at most 1"
    )


def test_growth(scaling, monkeypatch, capsys):
    """Exponents of a fit whose growth is known."""

    def neural(n_rows, size, loss, scorer, n_lists):
        pairs = n_rows * size**1.0 if loss in ("ranknet", "lambdarank") else 0.0
        return {
            "epoch": 1e-3 * n_rows + 1e-5 * pairs,
            "memory": size**0.9,
            "compilation": 1.0,
            "predict memory": size**1.1,
        }

    monkeypatch.setattr(scaling, "neural", neural)
    exponents = scaling.main("growth", n_rows=100_000)
    for name, value in exponents.items():
        expected = 1.0
        if "adds" in name:
            expected = 2.0
        elif "predict memory" in name:
            expected = 1.1
        elif "memory" in name:
            expected = 0.9
        assert value == pytest.approx(expected), name
    out = capsys.readouterr().out
    assert all(name in out for name in exponents)


@pytest.mark.filterwarnings("ignore")
def test_a_cell_of_growth(scaling):
    """A real one."""
    row = scaling.neural(400, 8, "listnet", "linear", 32)
    assert row["epoch"] > 0
    assert row["compilation"] > 0
    assert row["memory"] >= 0


def test_cache(scaling, monkeypatch, capsys):
    """Shares of what two processes measure."""
    rows = iter([(5.0, 3.0, 1.0), (1.4, 0.3, 1.0)])
    monkeypatch.setattr(scaling, "first_fit", lambda *arguments: next(rows))
    shares = scaling.main("cache", n_rows=100)
    assert shares == pytest.approx({"compilation": 0.1, "with tracing": 0.1})
    assert "compilation 10.0% (asked: <= 10 %), with tracing 10.0%" in (
        capsys.readouterr().out
    )


@pytest.mark.filterwarnings("ignore")
def test_compilation_is_counted(scaling, monkeypatch, tmp_path):
    """That of a fit, and apart from it that of the same fit again."""
    compile_one = jax.stages.Lowered.compile
    clock = itertools.count()  # by calls: two around each compilation
    monkeypatch.setattr(scaling.time, "process_time", lambda: float(next(clock)))
    first, compiled, again = scaling.first_fit(str(tmp_path), 300, "listnet")
    assert (first, compiled, again) == (3.0, 1.0, 3.0)
    assert jax.stages.Lowered.compile is compile_one


def test_hosts(monkeypatch, capsys):
    """Ratios of two processes to one in three rounds, and advice for short steps."""
    module = load("benchmark_hosts")
    seconds = {"attention": 0.4, "mlp": 0.008}
    gains = iter([1.9, 1.5, 2.0, 1.8, 1.1, 2.0, 2.0, 1.6, 2.0])

    def run(n_processes, options):
        gain = next(gains) if n_processes == 2 else 1.0
        if options["scorer"] == "control":
            assert module.burn(0.01) > 0
            return [9.0 * gain / n_processes] * n_processes
        return [seconds[options["scorer"]] / gain] * n_processes

    monkeypatch.setattr(module, "run", run)
    ratios = module.main()
    assert ratios["control"] == pytest.approx([1.9, 1.8, 2.0])
    assert ratios["attention"] == pytest.approx([1.5, 1.1, 1.6])
    assert ratios["mlp"] == pytest.approx([2.0] * 3)
    control, attention, mlp = capsys.readouterr().out.splitlines()
    assert control == "   control  median 1.90 ×, 1.80 to 2.00 in 3 rounds"
    assert attention == (
        " attention  median 1.50 ×, 1.10 to 1.60 in 3 rounds; 100.0 ms a step of 256 "
        "lists of 100 in one"
    )
    assert mlp.endswith("in one, too short to share: raise --batch-size")
