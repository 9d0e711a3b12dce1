"""Rankers as folders of JSON and arrays."""

import functools
import json
import re

import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ltr import (
    ConstrainedRanker,
    LambdaMARTRanker,
    LinearRanker,
    NeuralRanker,
    RandomRanker,
    SingleFeatureRanker,
    TSPRanker,
    load_ranker,
    save_ranker,
)
from ltr.datasets import make_ranking
from ltr.losses import ranknet_loss
from tests.support.forging import forge, sign

DATA = make_ranking(30, list_size=(3, 9), n_features=6, n_informative=4, random_state=0)
FRAME = pd.DataFrame(DATA.X, columns=[f"f{i}" for i in range(6)])
SKEWED = FRAME.assign(f0=np.exp(5 * DATA.X[:, 0]))

RANKERS = [
    NeuralRanker("ranknet", "linear", max_epochs=2, random_state=0),
    NeuralRanker(
        "ranknet", "mlp", max_epochs=2, hidden_layer_sizes=(8, 4), random_state=0
    ),
    NeuralRanker(
        "listnet", "attention", max_epochs=1, hidden_layer_sizes=(8,), random_state=0
    ),
    NeuralRanker(
        "softmax", "two_tower", n_query_features=3, max_epochs=1, random_state=0
    ),
    NeuralRanker("listnet", "linear", max_epochs=1, dtype="float64", preprocess=None),
    NeuralRanker(functools.partial(ranknet_loss, sigma=2.0), "linear", max_epochs=1),
    LambdaMARTRanker(n_estimators=5, n_jobs=1),
    RandomRanker(),
    SingleFeatureRanker("map"),
    NeuralRanker("ranknet", "linear", preprocess="query", max_epochs=1),
    TSPRanker(encoder="identity", preprocess="query", max_epochs=0, random_state=0),
    LinearRanker(),
    LinearRanker(2.0, preprocess="query"),
    LinearRanker(preprocess=None, metric="map"),
]


@pytest.mark.parametrize("ranker", RANKERS, ids=lambda ranker: type(ranker).__name__)
def test_round_trip(tmp_path, ranker):
    """A loaded ranker predicts the same and has the same parameters."""
    ranker.fit(SKEWED, DATA.y, DATA.qid)
    save_ranker(ranker, tmp_path / "model")
    loaded = load_ranker(tmp_path / "model")
    np.testing.assert_array_equal(
        loaded.predict(SKEWED, DATA.qid), ranker.predict(SKEWED, DATA.qid)
    )
    assert type(loaded) is type(ranker)
    assert repr(loaded) == repr(ranker)
    assert loaded.feature_names_in_.tolist() == list(FRAME.columns)
    with pytest.raises(ValueError, match="score needs qid"):
        loaded.score(SKEWED, DATA.y)
    assert getattr(loaded, "history_", {}) == getattr(ranker, "history_", {})


def test_categories(tmp_path):
    """Categories of a data frame survive."""
    frame = FRAME.assign(color=pd.Categorical(np.where(DATA.y > 0, "red", "blue")))
    ranker = LambdaMARTRanker(n_estimators=5, n_jobs=1, min_child_samples=1)
    ranker.fit(frame, DATA.y, DATA.qid)
    save_ranker(ranker, tmp_path / "model")
    loaded = load_ranker(tmp_path / "model")
    np.testing.assert_array_equal(loaded.predict(frame), ranker.predict(frame))


def test_further_training(tmp_path):
    """A loaded ranker can be trained on."""
    ranker = RANKERS[0].fit(DATA.X, DATA.y, DATA.qid)
    save_ranker(ranker, tmp_path / "model")
    loaded = load_ranker(tmp_path / "model").partial_fit(DATA.X, DATA.y, DATA.qid)
    assert np.abs(loaded.coef_ - ranker.coef_).max() > 0


def test_replaces_only_saved_rankers(tmp_path):
    """A folder with anything else is left alone; nothing half-written stays."""
    folder = tmp_path / "model"
    save_ranker(RandomRanker().fit(DATA.X, DATA.y), folder)
    save_ranker(SingleFeatureRanker().fit(DATA.X, DATA.y, DATA.qid), folder)
    assert isinstance(load_ranker(folder), SingleFeatureRanker)
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "mine.txt").write_text("keep")
    with pytest.raises(FileExistsError, match="which has 'mine.txt'"):
        save_ranker(RandomRanker().fit(DATA.X, DATA.y), tmp_path / "notes")
    assert (tmp_path / "notes" / "mine.txt").read_text() == "keep"
    (folder / "mine.txt").write_text("keep")
    with pytest.raises(FileExistsError, match="which has 'mine.txt'"):
        save_ranker(RandomRanker().fit(DATA.X, DATA.y), folder)


@pytest.mark.parametrize("name", ["arrays.npz", "trees.txt"])
def test_damaged_files_are_refused(tmp_path, name):
    """Before another library reads them."""
    folder = tmp_path / "model"
    save_ranker(LambdaMARTRanker(n_estimators=3).fit(DATA.X, DATA.y, DATA.qid), folder)
    whole = (folder / name).read_bytes()
    (folder / name).write_bytes(whole[: len(whole) // 2])
    message = (
        f"{folder / name} is not the file that was saved with ranker.json: its checksum "
        "differs, or it is missing. Save the ranker again."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        load_ranker(folder)
    (folder / name).unlink()
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        load_ranker(folder)


def test_parameters_changed_after_fit(tmp_path):
    """The model goes on with what it was fitted with, or says why not."""
    ranker = NeuralRanker("ranknet", "mlp", max_epochs=1, warm_start=True)
    before = ranker.fit(DATA.X, DATA.y, DATA.qid).predict(DATA.X)
    ranker.set_params(hidden_layer_sizes=(3,))
    np.testing.assert_array_equal(ranker.predict(DATA.X), before)
    with pytest.raises(ValueError, match="fitted with another scorer"):
        save_ranker(ranker, tmp_path / "model")
    with pytest.raises(ValueError, match="go on only with the scorer"):
        ranker.fit(DATA.X, DATA.y, DATA.qid)


@pytest.mark.parametrize(
    ("ranker", "message"),
    [
        (
            NeuralRanker(
                lambda s, y, *, where: (s * where).sum(-1), "linear", max_epochs=1
            ),
            "loss must be a function that can be imported to be saved; got <function",
        ),
    ],
)
def test_what_cannot_be_saved(tmp_path, ranker, message):
    """Functions that only exist here would have to be executed to be loaded."""
    ranker.fit(DATA.X, DATA.y, DATA.qid)
    with pytest.raises(ValueError, match=re.escape(message)):
        save_ranker(ranker, tmp_path / "model")
    assert not list(tmp_path.iterdir())


def test_wrapped_rankers(tmp_path):
    """Pipelines and constrained rankers are saved; other estimators can be pickled."""
    inner = SingleFeatureRanker()
    fair = ConstrainedRanker(inner).fit(DATA.X, DATA.y, DATA.qid)
    save_ranker(fair, tmp_path / "fair")
    again = load_ranker(tmp_path / "fair")
    assert repr(again) == repr(fair)
    np.testing.assert_array_equal(
        again.predict(DATA.X, DATA.qid), fair.predict(DATA.X, DATA.qid)
    )
    pipeline = make_pipeline(StandardScaler(), inner).fit(DATA.X, DATA.y)
    save_ranker(pipeline, tmp_path / "pipeline")
    again = load_ranker(tmp_path / "pipeline")
    assert repr(again) == repr(pipeline)
    np.testing.assert_array_equal(again.predict(DATA.X), pipeline.predict(DATA.X))
    with pytest.raises(
        ValueError, match="; got StandardScaler. Other estimators can be"
    ):
        save_ranker(StandardScaler().fit(DATA.X), tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_unfitted(tmp_path):
    """Saving needs a fitted ranker."""
    from sklearn.exceptions import NotFittedError

    for ranker in (NeuralRanker(), LambdaMARTRanker(), RandomRanker()):
        with pytest.raises(NotFittedError):
            save_ranker(ranker, tmp_path / "model")


def test_bad_folders(tmp_path):
    """Not a ranker, or one of another format."""
    file = tmp_path / "file"
    file.write_text("mine", encoding="utf-8")
    cure = " A model file of LightGBM: LambdaMARTRanker.from_booster reads it."
    for path, fault, more in (
        (tmp_path, "has no ranker.json", ""),
        (tmp_path / "nowhere", "does not exist", ""),
        (file, "is a file", cure),
    ):
        message = (
            f"folder must hold a saved ranker; got {str(path)!r}, which {fault}. Write "
            f"one with save_ranker or `ltr train`.{more}"
        )
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            load_ranker(path)
    ranker = RandomRanker().fit(DATA.X, DATA.y)
    for path, fault in (
        (file, "which is a file"),
        (file / "model", f"below {str(file)!r}, which is a file"),
    ):
        message = (
            f"folder must be new or hold a saved ranker only; got {str(path)!r}, "
            f"{fault}. Choose another name."
        )
        with pytest.raises(FileExistsError, match=f"^{re.escape(message)}$"):
            save_ranker(ranker, path)
    assert file.read_text(encoding="utf-8") == "mine"
    folder = tmp_path / "model"
    save_ranker(RandomRanker().fit(DATA.X, DATA.y), folder)
    forge(folder, lambda document: document.update(format=99))
    message = (
        f"{folder / 'ranker.json'} must have format 2 or 1; got 99. Update ltr, or save "
        "the ranker again."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        load_ranker(folder)
    forge(folder, lambda document: document.update({"format": 2, "class": "os.system"}))
    with pytest.raises(ValueError, match="class in ranker.json must be one of.*system"):
        load_ranker(folder)


def test_loading_executes_nothing(tmp_path):
    """Arrays with pickled objects are refused."""
    folder = tmp_path / "model"
    save_ranker(RANKERS[0].fit(DATA.X, DATA.y, DATA.qid), folder)

    class Bomb:
        def __reduce__(self):
            return (pytest.fail, ("code from the folder was executed",))

    np.savez(folder / "arrays.npz", params_0=np.array([Bomb()], dtype=object))
    sign(folder)
    with pytest.raises(ValueError, match="items of type object; objects are not load"):
        load_ranker(folder)


def test_a_document_without_checksums_is_refused(tmp_path):
    """Leaving a file out of the document does not leave out its check."""
    folder = tmp_path / "model"
    save_ranker(LambdaMARTRanker(n_estimators=3).fit(DATA.X, DATA.y, DATA.qid), folder)
    document = json.loads((folder / "ranker.json").read_text())
    changed = json.loads(json.dumps(document))
    del changed["checksum"]
    (folder / "ranker.json").write_text(json.dumps(changed))
    with pytest.raises(ValueError, match="is not the file that was saved: its checksu"):
        load_ranker(folder)
    del changed["sha256"]["trees.txt"]
    (folder / "ranker.json").write_text(json.dumps({**changed, "format": 1}))
    with pytest.raises(ValueError, match="must have the keys .*'trees.txt'"):
        load_ranker(folder)
    (folder / "ranker.json").write_text("{")
    with pytest.raises(
        ValueError, match="ranker.json is not JSON.*Save the ranker again"
    ):
        load_ranker(folder)
