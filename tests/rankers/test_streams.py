"""Training on pieces of data that need not fit into memory."""

import os
import re
import resource
import subprocess
import sys
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from ltr import NeuralRanker, TSPRanker
from ltr.datasets import RankingData, make_ranking, open_shards, save_shards
from ltr.rankers.neural import source as source_module
from ltr.rankers.neural import streaming
from ltr.rankers.neural.source import Source

DATA = make_ranking(80, list_size=6, n_features=4, n_informative=2, random_state=0)
LINEAR = NeuralRanker("mse", "linear", max_epochs=3, random_state=0, batch_size=8)


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    """Five folders with 16 lists each."""
    folder = tmp_path_factory.mktemp("shards") / "train"
    return save_shards(DATA, folder, rows=96)


def fit(ranker, source=DATA, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return clone(ranker).fit_stream(source, **options)


def test_shards(shards, tmp_path):
    """What was written, in order; whole lists, and a longer list by itself."""
    assert repr(shards) == f"Shards(5 in {shards.paths[0].parent})"
    assert len(shards[1:3]) == 2
    for name in ("X", "y", "qid"):
        values = np.concatenate([getattr(shard, name) for shard in shards])
        np.testing.assert_array_equal(values, getattr(DATA, name))
    sizes = [2, 9, 1, 3, 5]
    data = RankingData(
        np.ones((20, 1)), np.arange(20.0), np.repeat([3, 1, 4, 0, 2], sizes)
    )
    pieces = save_shards(iter([data, data]), tmp_path / "new", rows=6)
    ids = [[3] * 2, [1] * 9, [4, 0, 0, 0], [2] * 5]
    assert [piece.qid.tolist() for piece in pieces] == 2 * ids
    assert [p.name for p in pieces.paths[:2]] == ["shard-000000", "shard-000001"]
    (tmp_path / "new" / ".ipynb_checkpoints").mkdir()
    assert len(open_shards(tmp_path / "new")) == 8
    assert repr(pieces[9:]) == "Shards(0)"
    with pytest.raises(FileExistsError):
        save_shards(data, tmp_path / "new")


def test_a_shape_costs_a_share(monkeypatch):
    """The sample of a long stream has its part of what a compilation costs."""
    costs, pack = [], streaming.pack

    def noted(*args, list_size_cost, **options):
        costs.append(list_size_cost)
        return pack(*args, list_size_cost=list_size_cost, **options)

    monkeypatch.setattr(streaming, "pack", noted)
    fit(LINEAR, [DATA])
    of_short = costs[0]
    costs.clear()
    long = [RankingData(DATA.X, DATA.y, DATA.qid + 1000 * k) for k in range(12)]
    fit(LINEAR, long)
    assert costs[0] == pytest.approx(of_short * streaming._SAMPLED_PIECES / 12)


def test_messages_of_shards(tmp_path):
    """What was expected, what came, and what to do."""
    (tmp_path / "empty").mkdir()
    message = (
        f"{tmp_path / 'empty'} must be a folder of shards: folders that "
        "ltr.datasets.save_shards or convert_letor wrote, or Parquet files; it has none."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        open_shards(tmp_path / "empty")
    with pytest.raises(FileNotFoundError, match=r"none does not exist\.$"):
        open_shards(tmp_path / "none")
    ids = np.array([(1, 2), (1, 2)], dtype=object)
    data = RankingData(np.ones((2, 1)), np.ones(2), ids[:, 0])
    message = "qid must hold integers or text; got dtype object. Convert it."
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        save_shards(data, tmp_path / "objects")
    with pytest.raises(ValueError, match="^data must have at least one row; got none"):
        save_shards(iter([]), tmp_path / "nothing")
    with pytest.raises(ValueError, match="^data must be a RankingData or an iterable"):
        save_shards([(DATA.X, DATA.y)], tmp_path / "tuples")
    assert [path.name for path in tmp_path.iterdir()] == ["empty"]


def test_parquet(tmp_path):
    """A file a shard, with the columns that are named."""
    pytest.importorskip("pyarrow")
    for number in range(2):
        frame = pd.DataFrame(DATA.X[:60], columns=list("abcd"))
        frame = frame.assign(grade=DATA.y[:60], query=DATA.qid[:60] + 100 * number)
        frame.to_parquet(tmp_path / f"part-{number}.parquet")
    shards = open_shards(tmp_path, label="grade", qid="query")
    assert [shard.X.shape for shard in shards] == [(60, 4), (60, 4)]
    assert fit(LINEAR, shards).n_features_in_ == 4
    assert shards[0].X.dtype == np.float64
    frame[list("abcd")].astype(np.float32).assign(grade=0, query=0).to_parquet(
        tmp_path / "part-0.parquet"
    )
    for options, dtype in ({}, np.float32), ({"dtype": np.float64}, np.float64):
        X = open_shards(tmp_path, label="grade", qid="query", **options)[0].X
        assert X.dtype == dtype
        assert X.flags.c_contiguous
        np.testing.assert_array_equal(X, DATA.X[:60].astype(np.float32))


def test_ids_of_shards(shards, tmp_path):
    """Without the features, of which those of Parquet files are not even read."""
    for number, shard in enumerate(shards):
        np.testing.assert_array_equal(shards.qid(number), shard.qid)
    pytest.importorskip("pyarrow")
    frame = pd.DataFrame({"q": ["b", "b", "a"], "name": "text"})
    frame.to_parquet(tmp_path / "part-0.parquet")
    only_text = open_shards(tmp_path, label="grade", qid="q", docid="name")
    assert only_text.qid(-1).tolist() == ["b", "b", "a"]
    with pytest.raises(ValueError, match="'grade' is not in"):
        fit(LINEAR, only_text)


@pytest.mark.parametrize("row_group_size", [7, 60, 10**6])
def test_rows_of_shards(shards, tmp_path, monkeypatch, row_group_size):
    """Those of the whole shard; of a Parquet file, no other row groups are read."""
    parquet = pytest.importorskip("pyarrow.parquet")
    frame = pd.DataFrame(DATA.X, columns=list("abcd"), index=DATA.qid + 5)
    frame = frame.assign(label=DATA.y, qid=DATA.qid)
    frame.to_parquet(tmp_path / "all.pq", row_group_size=row_group_size)
    read, groups = parquet.ParquetFile.read_row_groups, []

    def read_and_note(file, numbers, columns):
        groups.append(len(numbers))
        return read(file, numbers, columns)

    monkeypatch.setattr(parquet.ParquetFile, "read_row_groups", read_and_note)
    for folder in shards, open_shards(tmp_path):
        whole = folder[0]
        n_rows = len(whole.y)
        for begin, end in (0, 1), (0, 7), (3, 60), (59, 61), (7, 14), (90, n_rows):
            part = folder.rows(0, begin, end)
            for name in ("X", "y", "qid"):
                values = getattr(whole, name)[begin:end]
                np.testing.assert_array_equal(getattr(part, name), values)
    size = row_group_size
    rows = [(0, 1), (0, 7), (3, 60), (59, 61), (7, 14), (90, 480)]
    assert groups == [(end - 1) // size - begin // size + 1 for begin, end in rows]
    options = {"label": "qid", "qid": "label"}
    message = "rows 3 to 8 of .*all.pq"
    (tmp_path / "b").mkdir()
    frame.assign(qid=np.inf).to_parquet(tmp_path / "b" / "all.pq")
    with pytest.raises(ValueError, match=message):
        open_shards(tmp_path / "b", **options).rows(0, 3, 9)


def test_every_epoch_visits_every_list(monkeypatch, shards):
    """Whole, once, from memory, from shards and from a function."""
    from ltr.training import steps

    visited = []
    step = steps._step

    def watch(plan, state, numbers, data, rows, *arguments):
        real = np.asarray(rows) < data.n_samples
        for row, is_item in zip(np.asarray(rows), real, strict=True):
            visited.append(tuple(np.asarray(data.X)[row[is_item], 0].tolist()))
        return step(plan, state, numbers, data, rows, *arguments)

    watch.lower = step.lower
    monkeypatch.setattr(steps, "_step", watch)
    ranker = clone(LINEAR).set_params(max_epochs=1, preprocess=None, dtype="float64")
    expected = sorted(
        tuple(DATA.X[DATA.qid == query, 0].tolist()) for query in range(80)
    )
    for source in (DATA, shards, lambda epoch: iter(shards)):
        for buffer_rows in (1, 50, 10**9):
            visited.clear()
            fit(ranker, source, buffer_rows=buffer_rows)
            assert sorted(lists for lists in visited if lists) == expected


def test_one_buffer_is_a_fit():
    """The same weights up to the order of lists: batches of all of them."""
    ranker = clone(LINEAR).set_params(
        batch_size=80, dtype="float64", weight_decay=0.01, learning_rate=0.1
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        whole = clone(ranker).fit(DATA.X, DATA.y, DATA.qid)
    streamed = fit(ranker)
    np.testing.assert_allclose(streamed.coef_, whole.coef_, rtol=1e-9)
    np.testing.assert_allclose(
        streamed.history_["loss"], whole.history_["loss"], rtol=1e-9
    )


@pytest.mark.parametrize(
    "ranker",
    [
        NeuralRanker("listnet", "mlp", hidden_layer_sizes=(8,), max_epochs=40,
                     random_state=0),
        NeuralRanker("ranknet", "attention", hidden_layer_sizes=(8,), max_epochs=40,
                     random_state=0, preprocess="query"),
        TSPRanker("pairwise", encoder="identity", n_estimators=2, max_epochs=40,
                  random_state=0),
    ],
    ids=["mlp", "attention", "pairs"],
)  # fmt: skip
def test_it_learns(ranker, shards):
    """As much as in memory, nearly, and stops on validation queries."""
    streamed = fit(ranker, shards[:4], validation=shards[4], buffer_rows=100)
    test = shards[4]
    score = streamed.score(test.X, test.y, test.qid)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        train = DATA.take(np.arange(384))
        whole = clone(ranker).fit(
            train.X, train.y, train.qid, X_val=test.X, y_val=test.y, qid_val=test.qid
        )
    assert score > whole.score(test.X, test.y, test.qid) - 0.03
    assert streamed.best_score_ == pytest.approx(score)


def test_it_repeats_and_goes_on(shards):
    """With one seed; a warm start goes on from the last weights."""
    first, again = fit(LINEAR, shards), fit(LINEAR, shards)
    np.testing.assert_array_equal(first.coef_, again.coef_)
    ranker = clone(LINEAR).set_params(warm_start=True, max_epochs=1)
    losses = [ranker.fit_stream(shards).history_["loss"][-1] for _ in range(3)]
    assert losses == sorted(losses, reverse=True)


def changed(row, **values):
    """The data with other values in a row."""
    arrays = {name: getattr(DATA, name).copy() for name in ("X", "y", "qid")}
    for name, value in values.items():
        arrays[name][row] = value
    return RankingData(**arrays)


class Columns:
    """Columns as they are, of whatever type."""

    def __init__(self, X, y, qid):
        self.X, self.y, self.qid = X, y, qid


ONE_ITERATOR = iter([DATA] * 9)
NOTHING = DATA.take(np.arange(0))


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (changed(301, X=np.nan), "In rows 288 to 383 of source: X must be finite; got "
         "NaN at row 13, column 0. "),
        (changed(7, qid=70), "the rows of a query must stand together in source; those "
         "of query 1 are in 2 places of part 0. Sort the rows by qid, or write them by "
         "ltr.datasets.save_shards."),
        ([DATA.take(np.arange(9)), DATA.take(np.arange(9, 12))], "the rows of a query "
         "must be in one part of source; query 1 ends part 0 and begins part 1. Write "
         "the parts by ltr.datasets.save_shards."),
        (iter([DATA]), "source must be a RankingData, as open_ranking returns, a "
         "sequence of them, as open_shards returns, or a function that takes the number "
         "of an epoch and returns an iterator of them; got list_iterator. An iterator "
         "has only one epoch."),
        ("shards", "source must be a RankingData, as open_ranking returns, a sequence "
         "of them, as open_shards returns, or a function that takes the number of an "
         "epoch and returns an iterator of them; got str. Open a path by "
         "ltr.datasets.open_shards."),
        (lambda epoch: iter([DATA.X]), "source must return an iterator of RankingData; "
         "got ndarray as piece 0 of epoch 0."),
        ([DATA, DATA.take(np.arange(6)).__class__(DATA.X[:6, :3], DATA.y[:6],
                                                   DATA.qid[:6] + 100)],
         "In rows 0 to 5 of part 1 of source: X has 3 features, but NeuralRanker is "
         "expecting 4 features as input"),
        (changed(301, y=-1), "In rows 288 to 383 of source: y must be >= 0 for loss="
         "'lambdarank'; got -1 at row 13."),
        ((DATA.X, DATA.y, DATA.qid), "source must be a sequence of RankingData; got "
         "ndarray as part 0."),
        (Columns(DATA.X, DATA.y, None), "source must have a qid; got None in part 0."),
        (Columns(DATA.X, DATA.y[:9], DATA.qid), "X, y and qid must have the same number "
         "of rows; got 480, 9 and 480 in part 0 of source."),
        (Columns(*(pd.DataFrame(DATA.X)[0:0], [], [])), "source must have at least one "
         "row; got none."),
        (lambda epoch: [NOTHING], "source must return at least one row for each epoch; "
         "got none for epoch 0."),
        (lambda epoch: [DATA][epoch:], "source must return at least one row for each "
         "epoch; got none for epoch 1."),
        (lambda epoch: ONE_ITERATOR, "source must return a new "
         "iterator for each epoch; got the one of the last call for epoch 0. Make it in "
         "the function."),
        (lambda epoch: None, "source must return an iterator of RankingData; got "
         "NoneType for epoch 0."),
    ],
    ids=["nan", "apart", "cut", "iterator", "path", "array", "columns", "grade", "tuples",
         "ids", "lengths", "frames", "empty", "nothing", "once", "none"],
)  # fmt: skip
def test_messages(source, message):
    """With the rows of the piece; a ranker that was fitted stays as it was."""
    ranker = fit(LINEAR)
    before = ranker.coef_
    ranker.set_params(loss="lambdarank")
    with pytest.raises((ValueError, TypeError), match=f"^{re.escape(message)}"):
        ranker.fit_stream(source, buffer_rows=200)
    np.testing.assert_array_equal(ranker.coef_, before)


def test_other_tables_and_empty_parts():
    """Frames by place, whatever their index; ids of several types; parts of no row."""
    index = np.arange(100, 580)
    frame = Columns(
        pd.DataFrame(DATA.X, index=index),
        pd.Series(DATA.y, index=index),
        pd.Series([f"q{i}" if i % 2 else i for i in DATA.qid], index=index),
    )
    lists = Columns(DATA.X.tolist(), DATA.y.tolist(), DATA.qid.tolist())
    expected = fit(LINEAR).coef_
    for source in (frame, lists, [NOTHING, DATA, NOTHING]):
        np.testing.assert_array_equal(fit(LINEAR, source).coef_, expected)
    pieces = fit(LINEAR, lambda epoch: [NOTHING, DATA, NOTHING]).coef_
    np.testing.assert_array_equal(fit(LINEAR, lambda epoch: [DATA]).coef_, pieces)


def test_validation_is_in_the_form_of_the_source():
    """It says so."""
    with pytest.raises(ValueError, match=r"^validation must be a RankingData; got str"):
        clone(LINEAR).fit_stream(DATA, validation="x")


def test_features_of_pairs_are_refused():
    """They would have no part in training."""
    ranker = TSPRanker(encoder="identity", pair_features=lambda X: X @ X.T)
    message = (
        "pair_features are for fit and partial_fit; fit_stream trains on features of "
        "items only. Set pair_features=None."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        ranker.fit_stream(DATA)


def test_validation_is_required_by_early_stopping():
    """Nothing is held out."""
    ranker = clone(LINEAR).set_params(early_stopping=True)
    with pytest.raises(ValueError, match="^validation is required by early_stopping"):
        ranker.fit_stream(DATA)


def test_ids_are_scanned_some_at_a_time(monkeypatch):
    """Lists across the border of two scans."""
    whole = Source(DATA, 100)
    monkeypatch.setattr(source_module, "_SCANNED_ROWS", 7)
    assert Source(DATA, 100)._cuts == whole._cuts


LARGE = """
import json, resource, sys
import numpy as np
from ltr import NeuralRanker
from ltr.datasets import open_ranking

resource.setrlimit(resource.RLIMIT_DATA, (700_000_000,) * 2)
data = open_ranking(sys.argv[1])
ranker = NeuralRanker("mse", "linear", max_epochs=1, preprocess="standard")
ranker.fit_stream(data, buffer_rows=50_000)
print(ranker.n_iter_)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_DATA is enforced on Linux")
def test_data_larger_than_the_limit_of_memory(tmp_path):
    """0.8 GB, most of it a hole in the file, with at most 0.7 GB of a process."""
    n_rows, n_features = 1_000_000, 200
    shape = (n_rows, n_features)
    X = np.lib.format.open_memmap(tmp_path / "X.npy", "w+", np.float32, shape)
    X[::1000] = np.random.default_rng(0).normal(size=(n_rows // 1000, n_features))
    del X
    np.save(tmp_path / "y.npy", (np.arange(n_rows) % 3).astype(np.float32))
    np.save(tmp_path / "qid.npy", (np.arange(n_rows) // 100).astype(np.int32))
    (tmp_path / "ranking.json").write_text(
        '{"description": "", "arrays": ["X", "y", "qid"], "zero_based": false}'
    )
    command = [sys.executable, "-c", LARGE, str(tmp_path)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}
    process = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False
    )
    assert process.stdout == "1\n", process.stderr
    assert resource.getrlimit(resource.RLIMIT_DATA)[0] != 700_000_000


def test_no_order_in_a_stream():
    """It says so, as ``fit`` does, and ends."""
    data = RankingData(DATA.X, np.ones(len(DATA.y)), DATA.qid)
    with pytest.warns(UserWarning, match="^No list of source has two distinct labels"):
        NeuralRanker("ranknet", "linear", max_epochs=1).fit_stream(data)


def test_a_warm_start_with_another_scorer():
    """It is refused in the words of ``fit``; the ranker stays as it was."""
    ranker = clone(LINEAR).set_params(warm_start=True, max_epochs=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ranker.fit_stream(DATA)
    before = ranker.coef_
    ranker.set_params(scorer="mlp")
    with pytest.raises(ValueError, match="^training can go on only with the scorer"):
        ranker.fit_stream(DATA)
    np.testing.assert_array_equal(ranker.set_params(scorer="linear").coef_, before)
