"""Forged documents and arrays of saved models are refused, with the field's name."""

import io
import json
import re
import shutil
import zipfile

import numpy as np
import pandas as pd
import pytest

from ltr import (
    LambdaMARTRanker,
    LinearRanker,
    NeuralRanker,
    SingleFeatureRanker,
    TSPRanker,
    load_ranker,
    save_ranker,
)
from ltr.datasets import make_ranking
from tests.support.forging import forge, sign

DATA = make_ranking(8, list_size=5, n_features=3, n_informative=2, random_state=0)
FRAME = pd.DataFrame(DATA.X, columns=list("abc")).assign(
    color=pd.Categorical(np.where(DATA.y > 0, "red", "blue"))
)
SMALL = {"max_epochs": 1, "hidden_layer_sizes": (4,), "random_state": 0}


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A saved model of each kind."""
    folder = tmp_path_factory.mktemp("models")
    rankers = {
        "trees": LambdaMARTRanker(n_estimators=2, min_child_samples=1, n_jobs=1),
        "feature": SingleFeatureRanker(),
        "linear": LinearRanker(preprocess="query"),
        "mlp": NeuralRanker("ranknet", "mlp", warm_start=True, **SMALL),
        "pairs": TSPRanker("pairwise", **SMALL),
    }
    for name, ranker in rankers.items():
        X = FRAME if name == "trees" else FRAME.drop(columns="color")
        save_ranker(ranker.fit(X, DATA.y, DATA.qid), folder / name)
    return folder


@pytest.fixture
def model(models, tmp_path):
    """Copy a saved model, to be damaged."""
    return lambda name: shutil.copytree(models / name, tmp_path / "model")


FORGED = [
    (
        "trees",
        ["parameters", "n_jobs"],
        10**9,
        "n_jobs must be a whole number >= -1024",
    ),
    ("trees", ["parameters", "n_jobs"], "x", "n_jobs must be a whole number"),
    ("trees", ["parameters", "metric"], "map@x", "map@x"),
    ("trees", ["parameters", "loss"], [], "loss must be a name of"),
    ("trees", ["parameters", "extra_params"], 3, "extra_params must be a dict or None"),
    ("trees", ["parameters", "x"], 3, "parameters must have the keys .* only; got 'x'"),
    ("trees", ["parameters"], [], r"parameters must be an object; got \[\]"),
    (
        "trees",
        ["attributes", "n_iter_"],
        3,
        "n_iter_ must be a whole number >= 0 and <= 2",
    ),
    (
        "trees",
        ["attributes", "n_features_in_"],
        5,
        "feature_names_in_ must be 5 names",
    ),
    ("trees", ["attributes", "n_features_in_"], True, "n_features_in_ must be a whole"),
    (
        "trees",
        ["attributes", "_fitted_with_qid"],
        "yes",
        "_fitted_with_qid must be one",
    ),
    (
        "trees",
        ["attributes", "history_"],
        {"x": ["y"]},
        "history_ must be lists of num",
    ),
    ("trees", ["categories", "columns"], [3, 3], "categories.columns must be distinct"),
    (
        "trees",
        ["categories", "columns"],
        [4],
        "categories.columns must be .* <= 3; got 4",
    ),
    ("trees", ["categories", "values"], [[3, ["a", "a"]]], "distinct; one is repeated"),
    ("trees", ["categories", "values"], [[9, ["a"]]], "categories.values must be"),
    ("trees", ["categories", "values"], [[3, [{}]]], "strings, numbers or booleans"),
    (
        "trees",
        ["categories", "values"],
        [[3, ["a", "b"]]],
        "pandas_categorical in trees",
    ),
    ("trees", ["categories"], None, "categories must be an object; got None"),
    ("trees", ["sha256"], {}, "sha256 in .* must have the keys"),
    ("trees", ["sha256", "trees.txt"], "../x", "must be 64 hexadecimal digits"),
    ("trees", ["x"], 1, "ranker.json must have the keys .* only; got 'x'"),
    ("feature", ["attributes", "feature_"], 3, "feature_ must be .* <= 2; got 3"),
    ("feature", ["attributes", "feature_"], -1, "feature_ must be a whole number >= 0"),
    (
        "feature",
        ["attributes", "direction_"],
        2,
        "direction_ must be one of 1, -1; got 2",
    ),
    (
        "feature",
        ["attributes", "n_features_in_"],
        4,
        "feature_names_in_ must be 4 names",
    ),
    ("feature", ["column_names"], [1, 1, 2], "column_names must be distinct"),
    ("mlp", ["parameters", "hidden_layer_sizes"], [10**6], "the saved weights must be"),
    ("mlp", ["parameters", "hidden_layer_sizes"], [4] * 10**4, "must fit 4 arrays of"),
    ("mlp", ["parameters", "hidden_layer_sizes"], [10**30], "must fit 4 arrays of"),
    ("mlp", ["parameters", "hidden_layer_sizes"], "x", "hidden_layer_sizes must be"),
    ("mlp", ["parameters", "dtype"], "float64", "the saved weights must be"),
    ("mlp", ["parameters", "scorer"], "x", "scorer must be one of"),
    (
        "mlp",
        ["parameters", "loss"],
        {"loss": "x", "options": {}},
        "loss must be a value",
    ),
    ("mlp", ["parameters", "loss"], {"combine": 3}, "loss must be a value that save_"),
    ("mlp", ["parameters", "random_state"], "x", "random_state must be a whole number"),
    ("mlp", ["parameters", "normalize"], "no", "normalize must be one of True, False"),
    ("pairs", ["parameters", "decoder"], "x", "decoder must be one of"),
    ("pairs", ["parameters", "n_jobs"], 10**9, "n_jobs must be a whole number"),
]


@pytest.mark.parametrize(
    ("name", "path", "value", "message"),
    FORGED,
    ids=[f"{name}-{path[-1]}-{value!s:.10}" for name, path, value, _ in FORGED],
)
def test_forged_fields(model, name, path, value, message):
    """Whatever the checksums say."""
    folder = model(name)

    def change(document):
        for key in path[:-1]:
            document = document[key]
        document[path[-1]] = value

    if "sha256" in path:  # a document that cannot be signed; the old format has no need
        document = json.loads((folder / "ranker.json").read_text())
        change(document)
        (folder / "ranker.json").write_text(json.dumps(document | {"format": 1}))
    else:
        forge(folder, change)
    with pytest.raises(ValueError, match=message) as caught:
        load_ranker(folder)
    assert str(folder) in str(caught.value)


def test_every_flip_of_the_document_is_seen(model):
    """One that changes a value is refused by the checksum of the document itself."""
    folder = model("feature")
    path = folder / "ranker.json"
    text, expected = path.read_bytes(), load_ranker(folder).feature_
    assert b'"feature_": 0' in text or b'"feature_": 1' in text
    n_refused = 0
    for at in range(0, len(text), 2):
        path.write_bytes(text[:at] + bytes([text[at] ^ 2]) + text[at + 1 :])
        try:
            assert load_ranker(folder).feature_ == expected
        except ValueError:
            n_refused += 1
    assert n_refused > len(text) / 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[" * 10**5, "is not JSON: maximum recursion depth"),
        ("[]", "must hold an object; got list"),
        ("\xff", "is not JSON"),
        ('{"format": 2}', "its checksum differs"),
    ],
    ids=["deep", "list", "bytes", "empty"],
)
def test_documents_that_are_none(model, text, message):
    """Deep nesting and other JSON."""
    folder = model("feature")
    (folder / "ranker.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(ValueError, match=message):
        load_ranker(folder)


def _npz(**members):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", members.pop("compression", 0)) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return file.getvalue()


def _npy(header):
    text = header.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


ARCHIVES = {
    "cut": (b"PK\x03\x04", "BadZipFile"),
    "empty": (b"", "BadZipFile"),
    "no array": (_npz(mean=b"x" * 100), "magic string"),
    "empty array": (_npz(mean=b""), "expected 8 bytes"),
    "huge": (
        _npz(mean=_npy("{'descr': '<f8', 'fortran_order': False, 'shape': (10**9,), }")),
        "ValueError|Cannot parse header",
    ),
    "petabytes": (
        _npz(mean=_npy("{'descr': '<f8', 'fortran_order': False, 'shape': (9999999999999,), }")),
        "has 0 bytes for shape",
    ),
    "compressed": (_npz(mean=b"0" * 10**6, compression=8), "not an uncompressed .npy"),
    "objects": (
        _npz(mean=_npy("{'descr': '|O', 'fortran_order': False, 'shape': (), }")),
        "objects are not loaded",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ARCHIVES)
def test_damaged_archives(model, name):
    """Ours, not BadZipFile, EOFError or MemoryError."""
    content, message = ARCHIVES[name]
    folder = model("mlp")
    (folder / "arrays.npz").write_bytes(content)
    sign(folder)
    pattern = f"^{re.escape(str(folder))}: arrays.npz must be an archive.*({message})"
    with pytest.raises(ValueError, match=pattern):
        load_ranker(folder)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"scale": np.zeros(3)}, "scale must be > 0"),
        ({"mean": np.array([0.0, np.nan, 0.0])}, "mean must be finite"),
        (
            {"mean": np.zeros(2)},
            "mean must have one entry a feature, 3; got float64 of",
        ),
        ({"log_features": np.zeros(3)}, "log_features must have one entry a feature"),
        ({"params_0": np.zeros((3, 4))}, "the saved weights must be"),
        ({"last_1": np.zeros((3, 4), np.float32)}, "the saved weights must be"),
        ({"x": np.zeros(3)}, "arrays.npz has 'x', which no ranker has"),
        ({"feature_names_in_": np.array(["a", "a", "b"])}, "must be distinct"),
        ({"feature_names_in_": np.array([1, 2, 3])}, "must be 3 names; got int64"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_forged_arrays(model, changes, message):
    """Of another shape, type or range."""
    folder = model("mlp")
    with np.load(folder / "arrays.npz") as file:
        arrays = dict(file)
    np.savez(folder / "arrays.npz", **arrays | changes)
    sign(folder)
    with pytest.raises(ValueError, match=message):
        load_ranker(folder)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"coef_": None}, "coef_ must be 3 numbers of type float64; got None."),
        ({"coef_": np.zeros(2)}, "coef_ must be 3 numbers of type float64; got array("),
        ({"coef_": np.zeros(3, int)}, "coef_ must be 3 numbers of type float64; got"),
        ({"coef_": np.full(3, np.nan)}, "coef_ must be finite; got [nan, nan, nan]."),
        ({"within_lists": np.False_}, "within_lists must be True; got array(False)."),
        ({"within_lists": np.ones(3, bool)}, "within_lists must be True; got array(["),
        ({"mean": np.zeros(3)}, "arrays.npz has 'within_lists', which no ranker has."),
    ],
)
def test_forged_arrays_of_a_linear_ranker(model, changes, message):
    """Its weights and its scaling."""
    folder = model("linear")
    with np.load(folder / "arrays.npz") as file:
        arrays = dict(file) | changes
    np.savez(
        folder / "arrays.npz", **{k: v for k, v in arrays.items() if v is not None}
    )
    sign(folder)
    with pytest.raises(ValueError, match=f": {re.escape(message)}"):
        load_ranker(folder)


@pytest.mark.parametrize("alpha", [-1.0, "0", None, True])
def test_forged_penalty(model, alpha):
    """As ``fit`` sets it."""
    folder = model("linear")
    forge(folder, lambda document: document["attributes"].update(alpha_=alpha))
    with pytest.raises(ValueError, match="alpha_ must be a number >= 0; got"):
        load_ranker(folder)


def test_training_goes_on_where_it_stopped(models):
    """With the state of the optimizer: saved and loaded or not, it is the same."""
    X = FRAME.drop(columns="color")
    ranker = NeuralRanker("ranknet", "mlp", warm_start=True, **SMALL)
    ranker.fit(X, DATA.y, DATA.qid)
    loaded = load_ranker(models / "mlp")
    np.testing.assert_array_equal(
        loaded.predict(X, DATA.qid), ranker.predict(X, DATA.qid)
    )
    scores = [
        each.fit(X, DATA.y, DATA.qid).predict(X, DATA.qid) for each in (ranker, loaded)
    ]
    np.testing.assert_array_equal(*scores)


def test_invalid_parameters_are_not_saved(tmp_path):
    """What load_ranker would refuse is not written."""
    ranker = SingleFeatureRanker().fit(DATA.X, DATA.y, DATA.qid)
    with pytest.raises(ValueError, match="nonsense"):
        save_ranker(ranker.set_params(metric="nonsense"), tmp_path / "model")
    assert not list(tmp_path.iterdir())
