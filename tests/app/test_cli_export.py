"""``ltr export``: the files of :mod:`ltr.export`, and messages in words of options."""

import json

import numpy as np
import pytest

from ltr import AutoRanker, LambdaMARTRanker, LinearRanker, save_ranker
from ltr.cli import main
from ltr.datasets import make_ranking

DATA = make_ranking(20, n_features=3, n_informative=2, random_state=0)


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Folders of saved rankers by name."""
    folder = tmp_path_factory.mktemp("models")
    rankers = {
        "trees": LambdaMARTRanker(n_estimators=3, n_jobs=1),
        "linear": LinearRanker(preprocess="standard"),
        "auto": AutoRanker(members=("linear",), random_state=0),
    }
    for name, ranker in rankers.items():
        save_ranker(ranker.fit(DATA.X, DATA.y, DATA.qid), folder / name)
    return folder


def run(models, name, kind, out, *options):
    words = ["export", "--model", str(models / name), "--format", kind]
    return main([*words, "--out", str(out), *options])


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("trees", "lightgbm"),
        ("trees", "xgboost"),
        ("trees", "ranklib"),
        ("trees", "solr"),
        ("linear", "linear"),
        ("linear", "ranklib"),
        ("linear", "solr"),
    ],
)
def test_formats(models, name, kind, tmp_path, capsys):
    """Each writes its file, and says so."""
    out = tmp_path / "model"
    assert run(models, name, kind, out) == 0
    assert capsys.readouterr().out.endswith(f" written to {out}\n")
    assert out.stat().st_size > 20


def test_onnx(models, tmp_path, capsys):
    """Blends need --one-list, which the message names."""
    runtime = pytest.importorskip("onnxruntime")
    out = tmp_path / "m.onnx"
    assert run(models, "auto", "onnx", out) == 2
    message = capsys.readouterr().err
    assert "Pass --one-list, and run the model on one query at a time." in message
    assert run(models, "auto", "onnx", out, "--one-list", "--dtype", "float64") == 0
    session = runtime.InferenceSession(out, providers=["CPUExecutionProvider"])
    (scores,) = session.run(None, {"X": np.zeros((2, 3))})
    assert scores.tolist() == [0.0, 0.0]


def test_features(models, tmp_path, capsys):
    """Names reach the model and the definitions of the features."""
    out, features = tmp_path / "m.json", tmp_path / "f.json"
    options = ("--features", "a,b,c", "--feature-set", str(features))
    assert run(models, "linear", "linear", out, *options) == 0
    assert list(json.loads(out.read_text())) == ["a", "b", "c"]
    body = json.loads(features.read_text())["featureset"]["features"]
    assert [feature["name"] for feature in body] == ["a", "b", "c"]
    assert run(models, "linear", "solr", out, *options) == 0
    assert json.loads(features.read_text())[0]["name"] == "a"
    capsys.readouterr()


def test_option_of_another_format(models, tmp_path, capsys):
    """Options that would do nothing are refused."""
    out = tmp_path / "trees.txt"
    assert run(models, "trees", "lightgbm", out, "--missing", "zero") == 2
    assert capsys.readouterr().err == (
        "ltr export: --missing is for --format ranklib or solr; got --format "
        "lightgbm. Drop the option.\n"
    )
    assert run(models, "linear", "lightgbm", out) == 2
    assert "got LinearRanker" in capsys.readouterr().err
    assert not out.exists()
