"""The command line, end to end."""

import json
import subprocess
import sys

import numpy as np
import pytest

from ltr.cli import main
from ltr.datasets import load_letor, make_ranking
from ltr.metrics import ndcg_score

FAST = "random,best_feature,lambdamart"


def write_letor(path, data):
    with open(path, "w") as file:
        for x, y, q in zip(data.X, data.y, data.qid, strict=True):
            features = " ".join(f"{i}:{v!r}" for i, v in enumerate(x.tolist(), start=1))
            file.write(f"{y} qid:{q} {features}\n")
    return str(path)


@pytest.fixture
def files(tmp_path):
    """Five parts of generated lists as LETOR files."""
    data = make_ranking(
        40, list_size=(12, 25), n_features=4, n_informative=3, random_state=0
    )
    return [
        write_letor(tmp_path / f"S{i}.txt", data.take(data.qid % 5 == i))
        for i in range(5)
    ]


@pytest.mark.parametrize("how", ["data", "parts", "files"])
def test_compare(files, how, capsys, tmp_path):
    """Split by query, by LETOR's rotation, or by files; table, Markdown and JSON."""
    where = {
        "data": [*files, "--folds", "3"],
        "parts": ["--parts", *files],
        "files": ["--train", files[0], "--valid", files[1], "--test", files[2]],
    }[how]
    markdown, numbers = tmp_path / "table.md", tmp_path / "table.json"
    report = ["--markdown", str(markdown), "--json", str(numbers)]
    assert main(["compare", *where, "--rankers", FAST, "--empty", "0", *report]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines()[1].split()[0] in FAST.split(",")
    n_folds = {"data": 3, "parts": 5, "files": 1}[how]
    assert err.count("\n[") + err.startswith("[") == 3 * n_folds
    document = json.loads(numbers.read_text())
    n_lists = 8 if how == "files" else 40
    assert document["n_lists"] == n_lists
    assert f"{24 if how == 'files' else 40} queries" in document["data"]
    assert "| random |" in markdown.read_text()


def test_compare_resumes(files, capsys, tmp_path):
    """A second run finds the fits of the first."""
    run = ["compare", *files, "--folds", "3", "--rankers", FAST, "--quiet"]
    run += ["--work-dir", str(tmp_path / "work"), "--seeds", "2"]
    assert main(run) == 0
    first = capsys.readouterr()
    assert first.err == ""
    assert len(list((tmp_path / "work").iterdir())) == 3 * (1 + 1 + 2)
    assert main(run) == 0
    assert capsys.readouterr().out == first.out


def test_describe(files, capsys):
    """Counts, and the lists that stand in both data sets."""
    assert main(["describe", *files[:2], "--other", *files[1:]]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0].startswith("16 queries, ")
    assert out[5].endswith(" rows, 8 whole lists")
    assert out[6].startswith(
        "! 8 of 16 queries are also in the other data set, row by row"
    )
    assert main(["describe", files[0]]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 5


def test_compare_says_what_is_off(files, capsys):
    """A test file that is one of the training lists."""
    where = ["--train", files[0], "--valid", files[1], "--test", files[0]]
    assert main(["compare", *where, "--rankers", "random"]) == 0
    assert (
        "! training data of fold 1: 8 of 8 queries are also in the other data set, "
        "row by row" in capsys.readouterr().err
    )


def test_train_predict_evaluate(files, capsys, tmp_path):
    """A model folder goes from one command to the next."""
    model, scores = str(tmp_path / "model"), str(tmp_path / "scores.txt")
    train = ["train", *files[:3], "--model", model, "--ranker", "linear_ranknet"]
    assert main([*train, "--valid", files[3], "--quiet"]) == 0
    assert main(["predict", files[4], "--model", model, "--out", scores]) == 0
    capsys.readouterr()
    assert (
        main(["evaluate", files[4], "--model", model, "--metrics", "ndcg@3,mrr"]) == 0
    )
    by_model = capsys.readouterr().out
    again = ["evaluate", files[4], "--scores", scores, "--metrics", "ndcg@3,mrr"]
    assert main([*again, "--json", str(tmp_path / "numbers.json")]) == 0
    assert capsys.readouterr().out == by_model
    data = load_letor(files[4])
    expected = ndcg_score(data.y, np.loadtxt(scores), qid=data.qid, k=3)
    document = json.loads((tmp_path / "numbers.json").read_text())
    np.testing.assert_allclose(document["ndcg@3"]["mean"], expected, rtol=1e-9)
    assert main(["predict", files[4], "--model", model]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert [float(line) for line in printed] == np.loadtxt(scores).tolist()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["compare", "missing.txt"], "No such file or directory: 'missing.txt'"),
        (
            ["compare", "--train", "a.txt"],
            "pass one of DATA (split by query), --parts, or --train",
        ),
        (["compare", "--rankers", "magic"], "unknown ranker 'magic'. Known rankers: "),
        (["compare", "--metrics", "ndgc"], "Did you mean 'ndcg'?"),
        (["compare", "--rankers", "random", "--folds", "2"], "n_folds must be >= 3"),
        (["predict", "x.txt", "--model", "nowhere"], "which does not exist. Write one"),
        (
            ["evaluate", "x.txt"],
            "pass --model or --scores to evaluate LETOR files, or judgments",
        ),
    ],
)
def test_errors_are_one_line(arguments, message, capsys):
    """Exit status 2 and a line on standard error, no traceback."""
    assert main(arguments) == 2
    err = capsys.readouterr().err.splitlines()
    assert err[-1].startswith(f"ltr {arguments[0]}: ")
    assert message in err[-1]


def test_scores_of_another_length(files, capsys, tmp_path):
    """As many scores as rows."""
    (tmp_path / "scores.txt").write_text("1\n2\n")
    status = main(["evaluate", files[0], "--scores", str(tmp_path / "scores.txt")])
    assert status == 2
    assert (
        "must have one score per row of the data; got 2 scores"
        in capsys.readouterr().err
    )


def test_help_and_version_of_python():
    """The installed command runs."""
    run = subprocess.run(
        [sys.executable, "-m", "ltr", "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    for command in ("compare", "describe", "train", "predict", "evaluate"):
        assert command in run.stdout
