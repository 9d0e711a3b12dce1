"""The loop that answers rounds: caches, files, kills, and a moment of the fuzzer."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from fuzz_judges import fuzz

from ltr.rerank import (
    Calls,
    listwise_rerank,
    parse_ranking,
    pointwise_rerank,
    rerank_run,
    sequential_rerank,
    setwise_rerank,
)
from ltr.rerank.judging import judge
from ltr.rerank.protocol import BudgetSpent, Kind, Reading, Verdict

IDS = ["d4", "d1", "d3", "d2"]


def score(id):
    return -int(id[1:])


def no_call(*question):
    raise AssertionError(f"asked {question}")


def parts(reranking):
    return reranking.ids, reranking.repairs, [a[:3] for a in reranking.answers]


@pytest.mark.parametrize(
    ("rerank", "judge"),
    [
        (pointwise_rerank, score),
        (setwise_rerank, lambda ids: min((*ids, "d9"))),
        (listwise_rerank, lambda ids: np.array([*sorted(ids)[:2], "d9"])),
        (
            lambda ids, order, **k: listwise_rerank(
                ids, order, parse=parse_ranking, **k
            ),
            lambda ids: "[2] > [9] > ² [",
        ),
        (sequential_rerank, lambda chosen, rest: None if chosen else min(rest)),
    ],
    ids=("pointwise", "setwise", "listwise", "text", "sequential"),
)
@pytest.mark.parametrize("form", ["file", "mapping"])
def test_the_cache_answers_everything(tmp_path, rerank, judge, form):
    cache = tmp_path / "answers.jsonl" if form == "file" else {}
    cold = rerank(IDS, judge, calls=Calls(cache=cache))
    warm = rerank(IDS, no_call, calls=Calls(cache=cache, budget=0))
    assert parts(warm) == parts(cold)
    assert warm.n_calls == warm.n_rounds == warm.cost == 0
    assert warm.n_hits == cold.n_calls + cold.n_hits
    assert warm.is_complete
    assert all(answer.from_cache for answer in warm.answers)


def test_a_file_of_lines(tmp_path):
    path = tmp_path / "answers.jsonl"
    with pytest.warns(UserWarning, match="no preference"):
        pointwise_rerank(
            ["é", 3, 2.5, ("a", 1), None],
            lambda id: np.float32(1.5),
            calls=Calls(cache=path),
        )
    lines = path.read_text().splitlines()
    assert lines[0] == (r'{"kind": "pointwise", "question": ["\u00e9"], "answer": 1.5}')
    questions = [json.loads(line)["question"] for line in lines]
    assert questions[1:] == [[3], [2.5], [{"tuple": ["a", 1]}], [None]]


@pytest.mark.parametrize("cut", range(1, 55, 6))
def test_a_torn_line_costs_that_line_alone(tmp_path, cut):
    path = tmp_path / "answers.jsonl"
    pointwise_rerank(IDS, score, calls=Calls(cache=path))
    whole = path.read_bytes()
    path.write_bytes(whole[:-cut])
    reranking = pointwise_rerank(IDS, score, calls=Calls(cache=path))
    assert reranking.n_calls == (cut > 1)  # without the line feed, it is whole
    assert pointwise_rerank(IDS, no_call, calls=Calls(cache=path)).ids == sorted(IDS)
    assert reranking.ids == sorted(IDS)


def test_other_files_are_refused(tmp_path):
    path = tmp_path / "answers.jsonl"
    setwise_rerank(IDS, min, calls=Calls(cache=path))
    before = path.read_bytes()
    with pytest.raises(ValueError, match="cache must be a file of answers") as error:
        pointwise_rerank(IDS, score, calls=Calls(cache=path))
    assert str(error.value) == (
        f"cache must be a file of answers of a pointwise driver; {path}: line 1 is an "
        "answer of a setwise driver. Choose another file."
    )
    assert path.read_bytes() == before
    path.write_text("qid,docid\n1,2\n")
    with pytest.raises(ValueError, match=r"line 1 is 'qid,docid'\. Choose another"):
        pointwise_rerank(IDS, score, calls=Calls(cache=path))


def test_ids_that_a_file_cannot_hold(tmp_path):
    with pytest.raises(TypeError, match="ids must be text, numbers or tuples") as error:
        pointwise_rerank(
            [Path("a"), Path("b")], no_call, calls=Calls(cache=tmp_path / "c")
        )
    assert str(error.value) == (
        "ids must be text, numbers or tuples of them for a cache file; got "
        f"{Path('a')!r}. Use such ids, or a mapping as the cache."
    )


def test_failed_and_malformed_answers_are_not_stored():
    cache = {}

    def best(ids):
        if len(cache) == 1:
            raise OSError
        return "d9" if "d2" in ids else min(ids)

    with pytest.warns(UserWarning, match="failed for"):
        setwise_rerank(
            IDS, best, size=2, calls=Calls(cache=cache, strict=True, on_failure="keep")
        )
    assert len(cache) == 1
    # a run that was less strict may have stored answers that must be asked for again
    cache = {("setwise", tuple(IDS)): "d9"}
    with pytest.warns(UserWarning, match="no preference"):
        assert setwise_rerank(IDS, min, k=1, calls=Calls(cache=cache)).n_hits == 1
    strict = setwise_rerank(IDS, min, k=1, calls=Calls(cache=cache, strict=True))
    assert (strict.ids[0], strict.n_calls) == ("d1", 1)


def test_the_queries_of_a_run_share_a_file(tmp_path):
    """The same question of another query is another question."""
    run = {"q1": {"a": 2, "b": 1}, "q2": {"a": 2, "b": 1}}
    path = tmp_path / "answers.jsonl"
    n_calls = 0

    def rerank(qid, ids):
        def best(ids):
            nonlocal n_calls
            n_calls += 1
            return "a" if qid == "q1" else "b"

        return setwise_rerank(ids, best, k=1, calls=Calls(cache=path))

    for n_jobs in (1, 2, 2):
        table = rerank_run(run, rerank, n_jobs=n_jobs)
        assert table["docid"].tolist() == ["a", "b", "b", "a"]
        assert n_calls == 2
    assert [row["n_hits"] for row in table.attrs["calls"]] == [1, 1]


def test_the_file_of_a_run_is_read_once(tmp_path, monkeypatch):
    run = {f"q{number}": {"a": 2, "b": 1} for number in range(5)}
    path = tmp_path / "answers.jsonl"

    def rerank(qid, ids):
        return setwise_rerank(ids, max, k=1, calls=Calls(cache=path))

    rerank_run(run, rerank)
    n_reads = 0
    read = Path.read_bytes

    def read_bytes(self):
        nonlocal n_reads
        n_reads += self == path
        return read(self)

    monkeypatch.setattr(Path, "read_bytes", read_bytes)
    table = rerank_run(run, rerank)
    assert sum(row["n_hits"] for row in table.attrs["calls"]) == 5
    assert n_reads == 1


def test_rerank_run(tmp_path):
    run = {"q2": {"a": 1, "b": 3, "c": 3, "d": 0}, "q1": {"x": 1.0}}
    seen = []

    def rerank(qid, ids):
        seen.append((qid, ids))
        return ids[::-1] if qid == "q2" else setwise_rerank(ids, min)

    done = []
    table = rerank_run(
        run, rerank, depth=3, progress=lambda n_done, n: done.append((n_done, n))
    )
    assert seen == [("q2", ["c", "b", "a"]), ("q1", ["x"])]
    assert list(table.itertuples(index=False, name=None)) == [
        ("q2", "a", -1.0),
        ("q2", "b", -2.0),
        ("q2", "c", -3.0),
        ("q2", "d", -4.0),
        ("q1", "x", -1.0),
    ]
    assert done == [(1, 2), (2, 2)]
    assert [row["qid"] for row in table.attrs["calls"]] == ["q2", "q1"]
    assert [row["n_calls"] for row in table.attrs["calls"]] == [None, 0]


def test_errors_of_a_query():
    run = {"q1": {"a": 2, "b": 1}, "q2": {"a": 2, "b": 1}}

    def rerank(qid, ids):
        if qid == "q2":
            raise OSError("no model")
        return ids[::-1]

    with pytest.raises(OSError, match="no model") as error:
        rerank_run(run, rerank)
    assert error.value.__notes__ == ["query 'q2'"]
    with pytest.warns(UserWarning, match="keep their order") as found:
        table = rerank_run(run, rerank, on_error="keep")
    assert str(found[0].message) == (
        "rerank raised for 1 of 2 queries, which keep their order; the first, 'q2': "
        "OSError: no model."
    )
    assert table["docid"].tolist() == ["b", "a", "a", "b"]


def test_a_driver_gets_what_the_budget_reaches_and_then_the_signal():
    seen = []

    def driver():
        seen.append((yield [(0,), (1,), (2,)]))
        seen.append((yield [(1,), (0,)]))  # asked before: free
        try:
            yield [(2,)]
        except BudgetSpent:
            return Verdict([2, 1, 0])

    kind = Kind("test", "ask", lambda raw, *_: Reading(raw, raw), is_spread=True)
    reranking = judge(
        driver(), str, kind, list("abc"), k=3, method="test", calls=Calls(budget=2)
    )
    assert seen == [["a", "b", None], ["b", "a"]]
    assert reranking.ids == ["c", "b", "a"]
    assert (reranking.n_calls, reranking.n_hits, reranking.n_rounds) == (2, 2, 1)


def test_fuzzed_judges():
    counts, failures = fuzz(seconds=60, seed=0, numbers=range(400))
    assert failures == []
    assert all(counts[name] > 20 for name in ("setwise", "listwise", "raising", "slow"))


@pytest.mark.skipif(sys.platform == "win32", reason="it forks")
def test_killed_processes_resume():
    """In a process of its own, since it forks."""
    fuzzer = Path(__file__).parent.parent / "fuzz_judges.py"
    run = subprocess.run(
        [sys.executable, fuzzer, "--kills", "3", "--cases", "0"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "3 lists killed and resumed\n0 faults" in run.stdout
