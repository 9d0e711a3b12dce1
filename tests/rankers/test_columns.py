"""Columns of X: their names, of any type, and their kinds, in pandas and polars."""

import re
import warnings
from datetime import date

import numpy as np
import pandas as pd
import pytest

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
from ltr.model_selection import QueryMinMaxScaler, QueryStandardScaler

DATA = make_ranking(8, list_size=5, n_features=3, n_informative=2, random_state=0)
TREES = LambdaMARTRanker(n_estimators=2, min_child_samples=1, n_jobs=1)
RANKERS = {
    "random": RandomRanker(),
    "feature": SingleFeatureRanker(),
    "linear": LinearRanker(),
    "neural": NeuralRanker("mse", "linear", max_epochs=0, random_state=0),
    "pairs": TSPRanker(encoder="identity", max_epochs=0, random_state=0),
    "trees": TREES,
    "constrained": ConstrainedRanker(SingleFeatureRanker()),
}
SAVED = sorted(set(RANKERS) - {"constrained"})
FIT = "where fit had"
CASES = {
    "numbers": (
        [0, 1, 2], [2, 1, 0],
        f"X must have the columns of fit in their order; got 2 at position 0, {FIT} 0. "
        "Pass X[columns], with the columns of fit.",
    ),
    "mixed": (
        [0, "b", 2.5], [0, 2.5, "b"],
        "X must have the columns of fit in their order; got 2.5 at position 1, "
        f"{FIT} 'b'. Pass X[columns], with the columns of fit.",
    ),
    "tuples": (
        [("a", 1), ("a", 2), ("b", 1)], [("a", 2), ("a", 1), ("b", 1)],
        "X must have the columns of fit in their order; got ('a', 2) at position 0, "
        f"{FIT} ('a', 1). Pass X[columns], with the columns of fit.",
    ),
    "others": (
        [10, 11, 12], [11, 12, 13],
        "X must have the columns of fit; it lacks 10 and has 13, which fit had not. A "
        "number and its text are different names.",
    ),
    "text for numbers": (
        [0, 1, 2], ["0", "1", "2"],
        "X must have the columns of fit; it lacks 0 and 2 others and has '0' and 2 "
        "others, which fit had not. A number and its text are different names.",
    ),
    "numbers for text": (
        ["0", "1", "2"], [0, 1, 2],
        "X must have the columns of fit; it lacks '0' and 2 others and has 0 and 2 "
        "others, which fit had not. A number and its text are different names.",
    ),
    "fewer": (
        [0, 1, 2], [0, 1],
        "X must have the columns of fit; it lacks 2. A number and its text are "
        "different names.",
    ),
}  # fmt: skip


def frame(names):
    """The features under these names."""
    return pd.DataFrame(DATA.X[:, : len(names)], columns=pd.Index(names, dtype=object))


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("name", RANKERS)
def test_names_in_another_order(name, case):
    """Names that are no text are compared as those that are."""
    before, after, message = CASES[case]
    ranker = RANKERS[name].fit(frame(before), DATA.y, DATA.qid)
    expected = ranker.predict(frame(before), DATA.qid)
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        ranker.predict(frame(after), DATA.qid)
    if case != "text for numbers" and name != "pairs":
        RANKERS[name].fit(DATA.X, DATA.y, DATA.qid)
        assert np.array_equal(expected, ranker.predict(DATA.X, DATA.qid))


@pytest.mark.parametrize("name", SAVED)
@pytest.mark.parametrize("case", ["numbers", "mixed", "tuples", "text for numbers"])
def test_names_are_saved_with_their_type(tmp_path, name, case):
    """A loaded ranker compares them too."""
    before, after, message = CASES[case]
    ranker = RANKERS[name].fit(frame(before), DATA.y, DATA.qid)
    save_ranker(ranker, tmp_path / "model")
    loaded = load_ranker(tmp_path / "model")
    scores = ranker.predict(frame(before), DATA.qid)
    assert np.array_equal(loaded.predict(frame(before), DATA.qid), scores)
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        loaded.predict(frame(after), DATA.qid)


def test_names_that_json_cannot_hold(tmp_path):
    """A day as a column name is compared, but not saved."""
    days = [date(2020, 1, day) for day in (1, 2, 3)]
    ranker = RandomRanker().fit(frame(days), DATA.y)
    with pytest.raises(ValueError, match="at position 0, where fit had datetime.date"):
        ranker.predict(frame(days[::-1]))
    with pytest.raises(ValueError, match="a column name must be a plain value or a"):
        save_ranker(ranker, tmp_path / "model")


def test_an_array_after_a_frame():
    """Default names are positions; others are lost, and that is said."""
    ranker = RandomRanker().fit(frame([0, 1, 2]), DATA.y)
    ranker.predict(DATA.X)
    ranker.fit(frame([10, 11, "c"]), DATA.y)
    message = (
        "X has no column names, but the ranker was fitted with 10, 11, 'c'. Its "
        "columns are taken in that order; pass a DataFrame to have them checked."
    )
    with pytest.warns(UserWarning, match=f"^{re.escape(message)}$"):
        ranker.predict(DATA.X)
    ranker.fit(DATA.X, DATA.y)
    ranker.predict(frame([10, 11, 12]))


def test_numbers_name_the_column_at_fault():
    """As text does."""
    spoiled = frame([7, 8, 9])
    spoiled.iloc[3, 1] = np.inf
    with pytest.raises(ValueError, match=r"got inf at row 3, column 1 \(8\)\."):
        RANKERS["neural"].fit(spoiled, DATA.y)


@pytest.mark.parametrize("scaler", [QueryStandardScaler(), QueryMinMaxScaler()])
def test_scalers(scaler):
    """A pipeline that begins with one has no other place to notice."""
    before, after, message = CASES["numbers"]
    scaler.fit(frame(before), qid=DATA.qid)
    scaler.transform(frame(before), DATA.qid)
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        scaler.transform(frame(after), DATA.qid)
    scaler.fit(DATA.X).transform(frame(after))


DTYPES = {
    "float32": np.float32,
    "Int64": "Int64",
    "Float64": "Float64",
    "bool": bool,
    "object": object,
    "int8": np.int8,
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["neural", "trees"])
def test_kinds_of_numbers(name, dtype):
    """A frame of one type, and one column of it among floats, as the same numbers."""
    numbers = pd.DataFrame(np.round(DATA.X), columns=["a", "b", "c"]).clip(0, 1)
    other = numbers.astype(DTYPES[dtype])
    mixed = numbers.astype({"b": DTYPES[dtype]})
    ranker = RANKERS[name].fit(numbers, DATA.y, DATA.qid)
    expected = ranker.predict(numbers)
    assert np.allclose(ranker.predict(other), expected, rtol=1e-6)
    assert np.array_equal(ranker.predict(mixed), expected)


def polars_frame():
    """Features of all kinds, and the rows of pandas that mean the same."""
    pl = pytest.importorskip("polars")
    words = np.tile(["bolt", "nut", None, "gear"], 10)
    kinds = pl.Enum(["nut", "gear", "bolt"])
    table = pl.DataFrame(
        {
            "x": DATA.X[:, 0],
            "n": np.arange(40),
            "cat": pl.Series(words.tolist(), dtype=pl.Categorical),
            "enum": pl.Series(words.tolist(), dtype=kinds),
            "flag": np.arange(40) % 3 == 0,
        }
    )
    same = pd.DataFrame(
        {
            "x": DATA.X[:, 0],
            "n": np.arange(40),
            "cat": pd.Categorical(words),
            "enum": pd.Categorical(words, ["nut", "gear", "bolt"]),
            "flag": np.arange(40) % 3 == 0,
        }
    )
    return pl, table, same


def test_categories_of_polars():
    """Categorical and Enum are categories, as in pandas."""
    _, table, same = polars_frame()
    ranker = TREES.fit(table, DATA.y, DATA.qid)
    scores = ranker.predict(table)
    assert ranker.feature_names_in_.tolist() == same.columns.tolist()
    assert np.array_equal(scores, ranker.predict(same))
    assert np.array_equal(scores, TREES.fit(same, DATA.y, DATA.qid).predict(same))
    assert np.array_equal(scores, ranker.predict(table.reverse())[::-1])
    assert np.array_equal(scores[:1], ranker.predict(table.head(1)))
    with pytest.raises(ValueError, match="^The feature names should match those that"):
        ranker.predict(table.select(reversed(table.columns)))
    numbers = table.select("x", "n")
    neural = RANKERS["neural"].fit(numbers, DATA.y, DATA.qid)
    assert np.array_equal(neural.predict(numbers), neural.predict(same[["x", "n"]]))
    with pytest.raises(ValueError, match="LazyFrame. Pass X.collect"):
        neural.predict(numbers.lazy())


def test_tables_of_arrow():
    """Dictionaries are categories, whatever the codes of each chunk."""
    pa = pytest.importorskip("pyarrow")
    _, _, same = polars_frame()
    same = same.drop(columns="enum")
    table = pa.Table.from_pandas(same, preserve_index=False)
    words = np.tile(["bolt", "nut", None, "gear"], 10).tolist()
    halves = [pa.array(part).dictionary_encode() for part in (words[20:], words[:20])]
    recoded = table.set_column(2, "cat", pa.chunked_array(halves[::-1]))
    scores = TREES.fit(same, DATA.y, DATA.qid).predict(same)
    ranker = TREES.fit(table, pa.array(DATA.y), pa.array(DATA.qid))
    assert np.array_equal(ranker.predict(table), scores)
    assert np.array_equal(ranker.predict(recoded), scores)
    batch = pa.RecordBatch.from_pandas(same, preserve_index=False)
    assert np.array_equal(ranker.predict(batch), scores)
    assert ranker.feature_names_in_.tolist() == same.columns.tolist()


@pytest.mark.parametrize("name", ["neural", "trees"])
@pytest.mark.parametrize(
    ("column", "dtype"),
    [
        ("String", "str|object"),
        ("Date", "datetime64.*"),
        ("Datetime", "datetime64.*"),
        ("Duration", "timedelta64.*"),
        ("Time", "object"),
    ],
)
def test_other_columns_of_polars(name, column, dtype):
    """Text and dates are refused with the name of the column."""
    pl, table, _ = polars_frame()
    values = {
        "String": pl.Series(["a"] * 40),
        "Date": pl.Series([date(2020, 1, 1)] * 40),
        "Datetime": pl.Series([date(2020, 1, 1)] * 40).cast(pl.Datetime),
        "Duration": pl.Series([1] * 40).cast(pl.Duration),
        "Time": pl.Series([1] * 40).cast(pl.Time),
    }[column]
    table = table.select("x").with_columns(values.alias("when"))
    pattern = rf"^column 'when' of X has dtype ({dtype}), which is not a number\. "
    with pytest.raises(ValueError, match=pattern):
        RANKERS[name].fit(table, DATA.y, DATA.qid)


@pytest.mark.parametrize("name", ["neural", "trees", "feature"])
def test_an_array_of_dates(name):
    """A date is no number, also in an array."""
    days = np.full(DATA.X.shape, np.datetime64("2020-01-01"))
    message = (
        "X must hold numbers; got dtype datetime64[D]. Subtract a date from dates, and "
        "divide by a duration."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        RANKERS[name].fit(days, DATA.y)


SIZES = pd.DataFrame(
    {"x": DATA.X[:, 0], "size": pd.Categorical(np.tile(["m", "l", "s", "xl"], 10))}
)


@pytest.mark.parametrize(
    ("sizes", "n_rows", "example"),
    [
        ([1, 2, 3, 4], 4, "1"),
        (["m", "xxl", "xs", None], 2, "'xxl'"),
        (pd.Categorical(["xs", "xs", "m", "m"]), 2, "'xs'"),
        ([np.nan, 2.5, 2.5, 2.5], 3, "2.5"),
    ],
)
def test_unknown_categories(sizes, n_rows, example):
    """They count as missing, and a warning counts them."""
    ranker = TREES.fit(SIZES, DATA.y, DATA.qid)
    request = SIZES[:4].assign(size=sizes)
    message = (
        f"{n_rows} of 4 rows have a category in column 'size' of X that fit did not "
        f"see, such as {example}; they count as missing. Fit saw 'l', 'm', 's', …. A "
        "number and its text are different categories."
    )
    with pytest.warns(UserWarning, match=f"^{re.escape(message)}$"):
        scores = ranker.predict(request)
    seen = pd.Series(sizes).where(pd.Series(sizes).isin(["m", "l", "s", "xl"]))
    known = pd.Categorical(seen.astype(object), ["l", "m", "s", "xl"])
    assert np.array_equal(scores, ranker.predict(request.assign(size=known)))


def test_categories_in_text():
    """Text that fit saw as categories is read as such, without a warning."""
    ranker = TREES.fit(SIZES, DATA.y, DATA.qid)
    text = SIZES.assign(size=SIZES["size"].astype(object))
    assert np.array_equal(ranker.predict(text), ranker.predict(SIZES))
    text.loc[3, "size"] = None
    ranker.predict(text)


@pytest.mark.filterwarnings("ignore:No tree has a split")
@pytest.mark.parametrize("n_numbers", [0, 1, 2])
def test_frames_of_categories(n_numbers):
    """Also where pandas would hand out a view of its own numbers."""
    frame = pd.DataFrame(DATA.X[:, :n_numbers], columns=["x", "y"][:n_numbers])
    frame["c"], before = SIZES["size"], DATA.X.copy()
    ranker = TREES.fit(frame, DATA.y, DATA.qid)
    assert np.isfinite(ranker.predict(frame)).all()
    assert np.array_equal(DATA.X, before)
    assert frame["c"].equals(SIZES["size"])


@pytest.mark.parametrize("names", [["a", "b"], [0, 7]])
def test_no_candidates_need_no_names(names):
    """Nothing to warn of; other widths stay errors."""
    frame = pd.DataFrame(np.arange(8.0).reshape(4, 2), columns=names)
    ranker = SingleFeatureRanker().fit(frame, [0, 1, 2, 3])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for empty in ([], np.zeros(0), np.zeros((0, 2))):
            assert ranker.predict(empty).shape == (0,)
            assert ranker.order(empty).shape == (0,)
            assert ranker.rank(empty).shape == (0,)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(ValueError, match="3 features"):
            ranker.predict(np.zeros((0, 3)))
