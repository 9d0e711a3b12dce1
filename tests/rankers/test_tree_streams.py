"""Trees from pieces of data that need not fit into memory."""

import re

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from ltr import LambdaMARTRanker
from ltr.datasets import RankingData, make_ranking, open_shards, save_shards
from ltr.rankers.trees import stream as stream_module

DATA = make_ranking(
    60, list_size=(4, 9), n_features=5, n_informative=3, n_grades=3, random_state=0
)
VALIDATION = make_ranking(
    20, list_size=6, n_features=5, n_informative=3, n_grades=3, random_state=1
)
RANKER = LambdaMARTRanker(n_estimators=5, min_child_samples=5, random_state=0, n_jobs=1)
COLUMNS = DATA.X, DATA.y, DATA.qid


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    """Some folders of whole lists."""
    folder = tmp_path_factory.mktemp("shards") / "train"
    save_shards(DATA, folder, rows=90)
    return open_shards(folder)


def pieces(epoch):
    """The same rows whenever they are asked for, the lists of a piece interleaved."""
    assert epoch == 0
    for begin in range(0, 60, 20):
        lists = np.unique(DATA.qid)[begin : begin + 20]
        yield DATA.take(np.isin(DATA.qid, lists))


def trees(ranker):
    """The model without its parameters."""
    return ranker.booster_.model_to_string().partition("\nparameters:\n")[0]


@pytest.mark.parametrize("loss", ["lambdarank", "mse", "plackett_luce"])
def test_trees_are_those_of_fit(loss, shards):
    """From shards, one table and a function; any size of the pieces; any loss."""
    ranker = clone(RANKER).set_params(loss=loss)
    expected = trees(clone(ranker).fit(*COLUMNS))
    assert expected.count("num_leaves") == 5
    assert trees(clone(ranker).fit_stream(shards, buffer_rows=50)) == expected
    if loss == "lambdarank":
        for source in (DATA, pieces):
            streamed = clone(ranker).fit_stream(source)
            assert trees(streamed) == expected
            assert streamed.n_iter_ == 5


def test_bins_of_a_sample(shards):
    """Of many rows, LightGBM takes a sample to make bins: the same one."""
    sample = {"bin_construct_sample_cnt": 100, "max_bin": 15}
    ranker = clone(RANKER).set_params(extra_params=sample)
    expected = trees(clone(ranker).fit(*COLUMNS))
    assert trees(clone(ranker).fit_stream(shards, buffer_rows=1)) == expected
    assert expected != trees(clone(RANKER).fit(*COLUMNS))


def test_validation_and_further_trees(shards):
    """Early stopping, warm starts and init_model do what they do in fit."""
    columns = {"X_val": VALIDATION.X, "y_val": VALIDATION.y, "qid_val": VALIDATION.qid}
    ranker = clone(RANKER).set_params(warm_start=True, n_iter_no_change=2)
    other = clone(ranker).fit(*COLUMNS, **columns)
    ranker.fit_stream(shards, validation=VALIDATION)
    assert ranker.history_ == other.history_
    assert len(ranker.history_["ndcg@10"]) >= ranker.n_iter_
    for model in (ranker, other):
        model.set_params(n_estimators=8, n_iter_no_change=50)
    assert trees(ranker.fit_stream(shards)) == trees(other.fit(*COLUMNS))
    assert ranker.n_iter_ == 8
    more = clone(RANKER).fit_stream(shards, init_model=ranker)
    assert more.n_iter_ == 13
    assert trees(more) == trees(clone(RANKER).fit(*COLUMNS, init_model=other))


def test_one_piece_at_a_time(shards, monkeypatch):
    """Three passes, and no more than a piece of features in memory."""
    read, sizes = stream_module.grouped_table, []

    def counted(piece, check):
        sizes.append(len(piece.y))
        return read(piece, check)

    monkeypatch.setattr(stream_module, "grouped_table", counted)
    clone(RANKER).fit_stream(shards, buffer_rows=60)
    assert sum(sizes) == 2 * len(DATA.y)  # and once the labels alone
    assert max(sizes) <= 30


def test_frames_and_missing_values():
    """Categories of the first piece; NaN; names of columns."""
    rng = np.random.default_rng(0)
    kinds = pd.Categorical(rng.choice(["a", "b", "c"], len(DATA.y)))
    frame = pd.DataFrame(DATA.X, columns=list("vwxyz")).assign(kind=kinds)
    frame.iloc[::7, 1] = np.nan
    data = RankingData(frame, DATA.y, DATA.qid)
    ranker = clone(RANKER).fit_stream(data, buffer_rows=80)
    assert trees(ranker) == trees(clone(RANKER).fit(frame, DATA.y, DATA.qid))
    assert ranker.feature_names_in_.tolist() == [*"vwxyz", "kind"]


def test_messages():
    """What was expected, what came and where."""

    def refused(message, source=DATA, ranker=RANKER, **options):
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            clone(ranker).fit_stream(source, **options)

    bad = DATA.X.copy()
    bad[70, 2] = np.inf
    message = (
        "In rows 66 to 86 of source: X must be finite or NaN; got inf at row 4, column "
        "2. Clip or replace it."
    )
    refused(message, RankingData(bad, DATA.y, DATA.qid), buffer_rows=50)
    message = (
        "validation is required by early_stopping=True: fit_stream holds out no queries. "
        "Pass some as validation, or set early_stopping='auto'."
    )
    refused(message, ranker=clone(RANKER).set_params(early_stopping=True))
    message = (
        "teacher_scores is required by loss='pld'. Pass it to fit(..., "
        "teacher_scores=...)."
    )
    refused(message, ranker=clone(RANKER).set_params(loss="pld"))
    calls = []

    def other_rows(epoch):
        calls.append(epoch)
        yield DATA.take(DATA.qid < 30 + len(calls))

    message = (
        "source must return the same rows whenever it is called for epoch 0; got {} rows "
        "in piece 0 of epoch 0 after {}."
    )
    sizes = [(DATA.qid < 30 + n).sum() for n in (1, 2)]
    refused(message.format(sizes[1], sizes[0]), other_rows)


@pytest.mark.parametrize("loss", ["lambdarank", "plackett_luce"])
@pytest.mark.parametrize(("n_calls", "n_pieces"), [(1, 2), (2, 2), (1, 4)])
def test_a_function_with_other_pieces_in_a_later_call(loss, n_calls, n_pieces):
    """Fewer or more, when the bins are sampled or filled, or for the draws."""
    calls = []

    def other_pieces(epoch):
        calls.append(epoch)
        n = 3 if len(calls) <= n_calls else n_pieces
        return iter([DATA.take(DATA.qid % 4 == k) for k in range(n)])

    n_extra = (DATA.qid % 4 == 3).sum()
    found = {2: "2 pieces after 3", 4: f"{n_extra} rows in piece 3 of epoch 0 after 0"}
    message = (
        "source must return the same rows whenever it is called for epoch 0; got "
        f"{found[n_pieces]}."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        clone(RANKER).set_params(loss=loss).fit_stream(other_pieces)
