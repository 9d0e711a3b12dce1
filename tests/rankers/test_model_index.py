"""ModelIndex: by hand, against the derivative, documents added, saved, stopped."""

import re

import numpy as np
import pandas as pd
import pytest

from ltr import ModelIndex, load_ranker, save_ranker
from ltr.arguments import ArgumentError
from ltr.refine import search
from ltr.refine.vectors import unit
from tests.support.forging import sign

RNG = np.random.default_rng(0)
ITEMS = RNG.normal(size=(30, 8))
NAMES = [f"d{i}" for i in range(30)]
QUERIES = RNG.normal(size=(12, 8))


def loss_of(weights, X, target, weight, temperature):
    """Mean of −log p, one row at a time."""
    total = 0.0
    for x, t, w in zip(unit(X), target, weight, strict=True):
        logits = weights @ x / temperature
        total += w * (np.log(np.exp(logits - logits.max()).sum()) + logits.max())
        total -= w * logits[t]
    return total / weight.sum()


@pytest.fixture(scope="module")
def index():
    return ModelIndex(learning_rate=0.05, random_state=0).fit(ITEMS, NAMES)


def test_without_epochs_it_is_dense_retrieval():
    """From the vectors of the items, before any step, the run is that of search."""
    items = dict(zip(NAMES, ITEMS, strict=True))
    for form in (items, pd.DataFrame(ITEMS, index=NAMES)):
        model = ModelIndex("items", max_epochs=0, dtype="float64").fit(
            ITEMS[:1], NAMES[:1], items=form
        )
        run = model.predict_run(QUERIES, k=7)
        dense = search(QUERIES, ITEMS, 7, docids=NAMES)
        assert sorted(model.docids_) == sorted(NAMES)
        assert run["docid"].tolist() == dense["docid"].tolist()
        assert run["score"].to_numpy() == pytest.approx(dense["score"] / 0.05)


def test_first_step_is_along_the_derivative():
    """Adam's first step has the sign of the derivative, and its length is the rate."""
    X, target = ITEMS[:5], np.array([0, 1, 2, 0, 1])
    weight, rate = np.array([1.0, 2.0, 0.5, 0.0, 1.0]), 1e-3
    model = ModelIndex(
        learning_rate=rate, max_epochs=1, temperature=0.3, dtype="float64"
    ).fit(X, target, weight)
    zeros = np.zeros((3, 8))
    derivative = np.empty((3, 8))
    for place in np.ndindex(3, 8):
        shifted = [zeros.copy(), zeros.copy()]
        shifted[0][place], shifted[1][place] = 1e-6, -1e-6
        high, low = (loss_of(w, X, target, weight, 0.3) for w in shifted)
        derivative[place] = (high - low) / 2e-6
    assert model.weights_ == pytest.approx(-rate * np.sign(derivative), rel=1e-3)
    assert model.history_["loss"] == [pytest.approx(np.log(3.0))]


def test_it_learns(index):
    """Each document is the first for its own text, and the loss falls."""
    run = index.predict_run(ITEMS, NAMES, k=1)
    assert (run["docid"].astype(str) == run["qid"].astype(str)).mean() > 0.9
    assert index.history_["loss"][-1] < index.history_["loss"][0]
    again = ModelIndex(learning_rate=0.05, random_state=0).fit(ITEMS, NAMES)
    np.testing.assert_array_equal(again.weights_, index.weights_)


def test_documents_are_added(index):
    """The others keep their vectors until the pass over the new rows changes them."""
    before = index.weights_.copy()
    items = {"new": QUERIES[0], "d0": QUERIES[1]}
    still = ModelIndex("items", learning_rate=1e-12, random_state=0)
    still.fit(ITEMS, NAMES, items=dict(zip(NAMES, ITEMS, strict=True)))
    still.partial_fit(QUERIES[:1], ["new"], items=items)
    assert still.docids_.tolist() == [*NAMES, "new"]
    assert still.weights_[-1] == pytest.approx(unit(QUERIES[0]), rel=1e-6)
    assert still.weights_[0] == pytest.approx(unit(ITEMS[0]), rel=1e-6)
    grown = load_copy(index).partial_fit(QUERIES[:1], ["new"])
    run = grown.predict_run(QUERIES[:1], k=31)
    assert len(run) == 31
    assert grown.n_iter_ == 1
    np.testing.assert_array_equal(index.weights_, before)


def load_copy(index):
    copy = ModelIndex(**index.get_params())
    vars(copy).update(vars(index))
    return copy


def test_saved_and_forged(tmp_path, index):
    """A folder of JSON and arrays gives the same run; forged arrays are refused."""
    index = load_copy(index).partial_fit(QUERIES[:1], ["Zürich 1"])
    save_ranker(index, tmp_path / "index")
    loaded = load_ranker(tmp_path / "index")
    pd.testing.assert_frame_equal(
        loaded.predict_run(QUERIES, k=9), index.predict_run(QUERIES, k=9)
    )
    assert repr(loaded) == repr(index)
    one, two = (m.partial_fit(QUERIES, NAMES[:12]) for m in (index, loaded))
    np.testing.assert_array_equal(one.weights_, two.weights_)
    for change in (
        {"weights_": np.full((31, 8), np.nan, np.float32)},
        {"weights_": np.zeros((30, 8), np.float32)},
        {"weights_": np.zeros((31, 8))},
        {"docids_": np.zeros(31, np.uint8)},
        {"docids_": np.zeros(31)},
    ):
        save_ranker(index, tmp_path / "index")
        path = tmp_path / "index" / "arrays.npz"
        with np.load(path) as arrays:
            np.savez(path, **(dict(arrays) | change))
        sign(tmp_path / "index")
        with pytest.raises(ValueError, match="must be"):
            load_ranker(tmp_path / "index")


def test_where_a_ranker_is_needed(tmp_path, index, capsys):
    """An index scores no rows of features: the command says so, a blend refuses it."""
    from ltr.cli import main
    from ltr.rankers import RandomRanker
    from ltr.rankers.blend.numeric import NumericRanker
    from ltr.rankers.saved_members import set_members

    save_ranker(index, tmp_path / "index")
    rows = tmp_path / "rows.txt"
    rows.write_text("1 qid:1 1:0.5\n")
    assert main(["predict", str(rows), "--model", str(tmp_path / "index")]) != 0
    message = "must hold a ranker of features; got a ModelIndex. Load it in Python"
    assert message in capsys.readouterr().err
    with pytest.raises(ValueError, match="must have rankers as members; got ModelI"):
        set_members(NumericRanker(RandomRanker()), [index])


def test_stopped(monkeypatch):
    """Ctrl-C keeps the last whole epoch, and raises; in the first, nothing changes."""
    from ltr.rankers import model_index

    steps, last = 0, 5
    original = model_index._Adam.step

    def step(self, weights, gradient):
        nonlocal steps
        steps += 1
        if steps == last:
            raise KeyboardInterrupt
        original(self, weights, gradient)

    monkeypatch.setattr(model_index._Adam, "step", step)
    model = ModelIndex(learning_rate=0.05, batch_size=16, random_state=0)
    with pytest.raises(KeyboardInterrupt, match="after 2 epochs; the index is usable"):
        model.fit(ITEMS, NAMES)
    two = ModelIndex(
        learning_rate=0.05, batch_size=16, random_state=0, max_epochs=2
    ).fit(ITEMS, NAMES)
    np.testing.assert_array_equal(model.weights_, two.weights_)
    steps, last = 0, 1
    with pytest.raises(KeyboardInterrupt, match="the index is as it was before"):
        model.fit(ITEMS, NAMES)
    assert len(model.history_["loss"]) == 2


def test_progress(capsys):
    """A line an epoch with verbose=2."""
    ModelIndex(max_epochs=2, verbose=2, random_state=0).fit(ITEMS, NAMES)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert re.fullmatch(r"epoch 2/2  loss \d\.\d{5}  \d\.\d s", lines[1])


@pytest.mark.parametrize(
    ("options", "rows", "message"),
    [
        ({}, {"docid": NAMES[:3]}, "docid must have one id per row of X; got 3 ids for "
         "30 rows."),
        ({}, {"docid": [*NAMES[:29], None]}, "docid must not have missing values; got "
         "None at row 29."),
        ({}, {"docid": [NAMES]}, "docid must be one-dimensional; got shape (1, 30)."),
        ({"init": "items"}, {}, "items is required by init='items': the embedding of "
         "each document, as {docid: vector}."),
        ({}, {"items": [1]}, "items must be {docid: vector}, or a DataFrame with docids "
         "as its index; got list."),
        ({}, {"items": {1: ITEMS[0], "1": ITEMS[1]}}, "items must have distinct docids; "
         "got '1' twice."),
        ({}, {"sample_weight": -np.ones(30)}, "sample_weight must be >= 0; got -1 at row "
         "0."),
        ({}, {"sample_weight": np.zeros(30)}, "X must have a row of positive weight; got "
         "none."),
        ({"temperature": 0.0}, {}, "temperature must be a number > 0; got 0.0."),
        ({"init": "ones"}, {}, "init must be one of 'zeros', 'items'; got 'ones'."),
    ],
)  # fmt: skip
def test_messages(options, rows, message):
    """What was expected, what came, what to do."""
    with pytest.raises(ArgumentError, match=f"^{re.escape(message)}$"):
        ModelIndex(**options).fit(ITEMS, **{"docid": NAMES, **rows})
