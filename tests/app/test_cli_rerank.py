"""``ltr rerank``: a run, a judge, a budget; out come a run and a report."""

import pandas as pd
import pytest

from ltr.cli import main
from ltr.datasets import read_run

RUN = """1 Q0 a 1 3.0 bm25
1 Q0 b 2 2.0 bm25
1 Q0 c 3 1.0 bm25
2 Q0 a 1 9.0 bm25
2 Q0 d 2 8.0 bm25
"""
QRELS = "1 0 c 2\n1 0 b 1\n2 0 a 0\n2 0 d 1\n"
JUDGES = '''"""Judges of the tests."""
def compare(qid, a, b):
    return a > b if qid == "1" else a < b

async def order(qid, ids):
    return sorted(ids, reverse=True)

def cyclic(qid, a, b):
    return (a, b) in (("a", "b"), ("b", "c"), ("c", "a"))

def broken(qid, a, b):
    raise OSError("no model")

def text(qid, ids):
    return " > ".join(f"[{i}]" for i in range(len(ids), 0, -1))

def query_blind(a, b):
    return a > b

class Model:
    best = staticmethod(lambda qid, ids: max(ids))

nothing = 3
'''


@pytest.fixture
def files(tmp_path, monkeypatch):
    (tmp_path / "bm25.run").write_text(RUN)
    (tmp_path / "qrels.txt").write_text(QRELS)
    (tmp_path / "judges_of_rerank.py").write_text(JUDGES)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def rerank(*words):
    return main(["rerank", "bm25.run", *map(str, words)])


def test_a_function(files, capsys):
    assert rerank("--judge", "judges_of_rerank:compare", "--out", "new.run") == 0
    assert (files / "new.run").read_text().splitlines() == [
        "1 Q0 c 1 -1.0 pairwise",
        "1 Q0 b 2 -2.0 pairwise",
        "1 Q0 a 3 -3.0 pairwise",
        "2 Q0 a 1 -1.0 pairwise",
        "2 Q0 d 2 -2.0 pairwise",
    ]
    assert capsys.readouterr().out == REPORT


REPORT = """\
qid  calls  rounds  cached  failed  repaired  tied  complete  answers  against  least  implied  margin
  1      6       1       0       0         0     0      True        3        0      0     True       3
  2      2       1       0       0         0     0      True        1        0      0     True       1
8 calls for 2 queries in 2 rounds; 0 of 4 answers are contradicted; the answers imply the top of 2 queries
"""


@pytest.mark.parametrize(
    ("driver", "judge"),
    [
        ("listwise", ["--judge", "judges_of_rerank:order"]),
        ("listwise", ["--judge", "judges_of_rerank:text"]),
        ("setwise", ["--judge", "judges_of_rerank:Model.best"]),
        *(
            (driver, ["--judge-qrels", "qrels.txt"])
            for driver in (
                "pointwise",
                "pairwise",
                "setwise",
                "listwise",
                "groupwise",
                "sequential",
            )
        ),
    ],
)
def test_drivers(files, capsys, driver, judge):
    assert rerank("--driver", driver, *judge, "--out", "new.run") == 0
    run = read_run(files / "new.run")
    assert run["docid"].tolist() == ["c", "b", "a", "d", "a"]
    assert "calls for 2 queries" in capsys.readouterr().out


def test_report_and_evaluation(files, capsys):
    words = ["--judge", "judges_of_rerank:cyclic", "--report", "report.csv", "--k", "1"]
    words += ["--qrels", "qrels.txt", "--method", "all", "--one-order"]
    assert rerank(*words) == 0
    report = pd.read_csv(files / "report.csv", dtype={"qid": str})
    assert report["against"].tolist() == report["least"].tolist() == [1, 0]
    assert report["calls"].tolist() == [3, 1]
    text = capsys.readouterr().out
    assert text.startswith("4 calls for 2 queries in 2 rounds; 1 of 4 answers are ")
    assert "bm25.run" in text
    assert "ndcg@10" in text


def test_budget_and_cache(files, capsys):
    words = ["--judge", "judges_of_rerank:compare", "--cache", "answers.jsonl"]
    assert rerank(*words, "--budget", 2) == 0
    assert "1 of 2 queries ended early" in capsys.readouterr().out
    assert rerank(*words) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("4 calls for 2 queries")
    assert rerank(*words) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("0 calls for 2 queries")


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ([], "pass either --judge MODULE:FUNCTION or --judge-qrels QRELS."),
        (["--judge", "no"], "--judge must be module:function; got 'no'."),
        (
            ["--judge", "no_such_module_x:f"],
            "--judge no_such_module_x:f: there is no module 'no_such_module_x' in the "
            "working directory, nor is one installed.",
        ),
        (
            ["--judge", "judges_of_rerank:f"],
            "--judge judges_of_rerank:f: judges_of_rerank has no 'f'.",
        ),
        (
            ["--judge", "judges_of_rerank:nothing"],
            "--judge judges_of_rerank:nothing: it is no function; got 3.",
        ),
        (
            ["--judge", "judges_of_rerank.py:text"],
            "--judge judges_of_rerank.py:text: pass the module without .py: "
            "judges_of_rerank:text.",
        ),
        (
            ["--judge", "judges_of_rerank:query_blind"],
            "--judge judges_of_rerank:query_blind: it must take (qid, a, b); got a "
            "function of (a, b).",
        ),
        (["--judge", "judges_of_rerank:broken"], "no model"),
        (
            ["--judge-qrels", "qrels.txt", "--driver", "setwise", "--one-order"],
            "--one-order does not apply to --driver setwise.",
        ),
        (
            ["--judge-qrels", "qrels.txt", "--method", "quick"],
            "method must be one of 'all', 'heap', 'bubble', 'tournament', 'verified'; "
            "got 'quick'.",
        ),
        (["--judge-qrels", "qrels.txt", "--k", 0], "k must be >= 1; got 0."),
    ],
)
def test_errors(files, capsys, words, text):
    assert rerank(*words) == 2
    assert capsys.readouterr().err == f"ltr rerank: {text}\n"
