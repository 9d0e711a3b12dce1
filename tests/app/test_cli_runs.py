"""``ltr evaluate`` on judgments and runs."""

import json
import re

import pytest

from ltr.cli import main
from ltr.cli.evaluate import OFFICIAL
from ltr.datasets import write_run
from ltr.metrics import compare_runs, evaluate_run

RUN = {"q1": {"a": 3.0, "b": 2.0, "c": 1.0}, "q2": {"a": 1.0, "x": 0.5}}
OTHER = {"q1": {"b": 1.0}, "q2": {"a": 1.0}}
QRELS = {"q1": {"b": 1, "d": 2, "a": 0}, "q2": {"a": 2}, "q3": {"a": 1}}


@pytest.fixture
def files(tmp_path):
    """Judgments and two runs, as TREC files."""
    write_run(RUN, tmp_path / "one.run")
    write_run(OTHER, tmp_path / "two.run")
    lines = [f"{q} 0 {d} {y}\n" for q, docs in QRELS.items() for d, y in docs.items()]
    (tmp_path / "qrels").write_text("".join(lines))
    return [str(tmp_path / name) for name in ("qrels", "one.run", "two.run")]


def words(text):
    """Words of each line of a table."""
    return [line.split() for line in text.splitlines()]


def test_a_run(files, capsys, tmp_path):
    """What trec_eval's users type: judgments, a run, names in any spelling."""
    asked = ["NDCG@10", "AP(rel=2)", "gm_map"]
    numbers = ["--json", str(tmp_path / "numbers.json")]
    assert main(["evaluate", *files[:2], "-m", *asked, *numbers]) == 0
    rows = words(capsys.readouterr().out)
    assert " ".join(rows[0][1:]) == (
        "5 documents for 3 queries; 2 of 4 relevant documents"
    )
    expected = evaluate_run(RUN, QRELS, asked)
    for row, (name, values) in zip(rows[3:], expected.iterrows(), strict=True):
        assert row == [name, *(f"{v:.4f}" for v in values[:3]), "3"]
    document = json.loads((tmp_path / "numbers.json").read_text())
    assert document["gm_map"]["mean"] == pytest.approx(expected.loc["gm_map", "mean"])


@pytest.mark.parametrize("empty", ["0", "1", "skip"])
def test_counts_do_not_depend_on_blank_queries(files, empty, capsys):
    """q3 has no answer: neither a document, nor left out of the first line."""
    assert main(["evaluate", *files[:2], "-m", "n_returned", "--empty", empty]) == 0
    rows = words(capsys.readouterr().out)
    assert " ".join(rows[0][1:]) == (
        "5 documents for 3 queries; 2 of 4 relevant documents"
    )
    assert rows[3][1] == {"0": "1.6667", "1": "2.0000", "skip": "2.5000"}[empty]


def test_by_query(files, capsys):
    """A line for each query, those without an answer too unless they are skipped."""
    asked = ["evaluate", *files[:2], "-m", "map", "-m", "P_2,mrr", "--by-query"]
    assert main(asked) == 0
    rows = words(capsys.readouterr().out)
    assert rows[0] == ["map", "P_2", "mrr"]
    assert rows[2:] == [
        ["q1", "0.2500", "0.5000", "0.5000"],
        ["q2", "1.0000", "0.5000", "1.0000"],
        ["q3", "0.0000", "0.0000", "0.0000"],
    ]
    assert main([*asked, "--missing", "skip", "--depth", "1"]) == 0
    rows = words(capsys.readouterr().out)
    assert rows[2:] == [["q1", *["0.0000"] * 3], ["q2", "1.0000", "0.5000", "1.0000"]]


def test_several_runs(files, capsys):
    """A comparison with the first one."""
    assert main(["evaluate", *files, "-m", "map,mrr"]) == 0
    runs = {"one.run": RUN, "two.run": OTHER}
    assert (
        capsys.readouterr().out == compare_runs(runs, QRELS, ["map", "mrr"]).to_text()
    )


def test_the_official_list(files, capsys):
    """trec_eval's, and no name twice."""
    assert main(["evaluate", *files[:2], "-m", "official", "map"]) == 0
    assert [row[0] for row in words(capsys.readouterr().out)[3:]] == OFFICIAL


@pytest.mark.parametrize(
    ("order", "more", "message"),
    [
        ([1, 0], [], "It looks like judgments. Are the run and the judgments swapped?"),
        ([0, 0], [], "It looks like judgments. Are the run and the judgments swapped?"),
        ([0, 1], ["-m", "Rndcg"], "metric 'Rndcg' is not here"),
        ([0, 1], ["-m", "gm_map", "-q"], "has a value over all queries only"),
        (
            [0, 1, 2],
            ["-q"],
            "--by-query takes a single run; pass judgments and one run.",
        ),
        ([0], [], "or judgments and runs: ltr evaluate QRELS RUN."),
        (
            [0],
            ["--scores", "s", "--depth", "3"],
            "--depth applies to judgments and runs only",
        ),
    ],
)
def test_errors_are_one_line(files, order, more, message, capsys):
    """Swapped files, names that are not here, options that have no use."""
    assert main(["evaluate", *(files[i] for i in order), *more]) == 2
    err = capsys.readouterr().err.splitlines()
    assert len(err) == 1
    assert re.match("ltr evaluate: ", err[0])
    assert message in err[0]


def test_versions_of_trec_eval(tmp_path, capsys):
    """--trec-eval 9 rounds scores, as pytrec_eval does."""
    (tmp_path / "run").write_text("q Q0 a 1 1700000001 t\nq Q0 b 2 1700000000 t\n")
    (tmp_path / "qrels").write_text("q 0 a 1\n")
    files = [str(tmp_path / name) for name in ("qrels", "run")]
    for options, value in (([], "1.0000"), (["--trec-eval", "9"], "0.5000")):
        assert main(["evaluate", *files, "-m", "map", *options]) == 0
        assert words(capsys.readouterr().out)[-1][1] == value
    assert main(["evaluate", files[0], "--scores", "s", "--trec-eval", "9"]) == 2
    assert "--trec-eval applies to judgments and runs only" in capsys.readouterr().err


def test_ids_of_another_form(tmp_path):
    """A warning from every command that measures runs."""
    (tmp_path / "run").write_text("q Q0 10.0 1 2.5 t\n")
    (tmp_path / "qrels").write_text("q 0 10 1\n")
    qrels, run = (str(tmp_path / name) for name in ("qrels", "run"))
    message = (
        "no document that {} returned for a judged query has a judgment, so every metric "
        "treats them as irrelevant. It has ['10.0'], the judgments ['10']; write "
        "document ids the same way in both."
    )
    commands = {
        ("evaluate", qrels, run): ["the run"],
        ("fuse", run, "--qrels", qrels): ["the run 'rrf'", f"the run {run!r}"],
    }
    for command, names in commands.items():
        with pytest.warns(UserWarning, match="no document") as caught:
            assert main([*command, "--metrics", "map"]) == 0
        assert [str(w.message) for w in caught] == [message.format(n) for n in names]


def test_another_encoding(tmp_path, capsys):
    """--encoding, which the error names."""
    for name, text in (("run", "q Q0 é 1 2.5 t\n"), ("qrels", "q 0 é 1\n")):
        (tmp_path / name).write_bytes(text.encode("latin-1"))
    qrels, run = (str(tmp_path / name) for name in ("qrels", "run"))
    for command in (["evaluate", qrels, run], ["fuse", run, "--qrels", qrels]):
        assert main(command) == 2
        assert "Pass --encoding with its encoding" in capsys.readouterr().err
        assert main([*command, "--encoding", "latin-1"]) == 0
        assert "1.0000" in capsys.readouterr().out


def test_weights_of_queries(files, capsys, tmp_path):
    """A query and its weight on each line, for a run, for several, and for rows."""
    path = tmp_path / "weights"
    path.write_text("q1 3\nq2 1\nq3 0\n")
    weights = {"q1": 3, "q2": 1, "q3": 0}
    option = ["--query-weight", str(path), "-m", "map"]
    assert main(["evaluate", *files[:2], *option]) == 0
    rows = words(capsys.readouterr().out)
    assert " ".join(rows[0][1:]) == (
        "5 documents for 3 queries; 2 of 4 relevant documents"
    )
    table = evaluate_run(RUN, QRELS, "map", query_weight=weights)
    assert rows[-1] == ["map", *(f"{v:.4f}" for v in table.iloc[0, :3]), "2"]
    assert main(["evaluate", *files, *option]) == 0
    runs = {"one.run": RUN, "two.run": OTHER}
    text = compare_runs(runs, QRELS, "map", query_weight=weights).to_text()
    assert capsys.readouterr().out == text
    (tmp_path / "rows.txt").write_text("1 qid:1 1:0\n0 qid:1 1:1\n1 qid:2 1:0\n")
    (tmp_path / "scores").write_text("1\n2\n3\n")
    path.write_text("1 3\n2 1\n")
    rows_of = [str(tmp_path / "rows.txt"), "--scores", str(tmp_path / "scores")]
    assert main(["evaluate", *rows_of, *option]) == 0
    assert words(capsys.readouterr().out)[-1][:2] == ["map", "0.6250"]
    assert main(["evaluate", *rows_of, *option, "--by-query"]) == 2
    assert capsys.readouterr().err == (
        "ltr evaluate: --query-weight weights means over queries, and --by-query prints "
        "no mean. Leave one of them out.\n"
    )
