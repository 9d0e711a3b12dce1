"""qid of any dtype and order → codes and segments."""

import re

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from support.strategies import query_ids

from ltr.queries import group_queries, group_sizes_to_qid


@given(qid=query_ids())
def test_codes_number_lists_by_first_appearance(qid):
    """Codes are those of a dictionary that is filled row by row."""
    queries = group_queries(qid, len(qid))
    seen = {}
    assert queries.codes.tolist() == [seen.setdefault(q, len(seen)) for q in qid]
    assert list(queries.ids) == list(seen)
    assert queries.sizes.tolist() == [qid.count(q) for q in seen]


@given(qid=query_ids())
def test_order_puts_the_rows_of_a_list_together(qid):
    """The segments of order hold the rows of each list, as they came."""
    queries = group_queries(qid, len(qid))
    for i, (begin, end) in enumerate(
        zip(queries.starts[:-1], queries.starts[1:], strict=True)
    ):
        rows = queries.order[begin:end]
        assert rows.tolist() == [r for r, q in enumerate(qid) if q == queries.ids[i]]
    assert queries.first_rows().tolist() == [qid.index(q) for q in queries.ids]


@given(qid=query_ids(), data=st.data())
def test_subset_takes_whole_lists(qid, data):
    """The rows of some lists, in row order."""
    queries = group_queries(qid, len(qid))
    mask = data.draw(
        st.lists(st.booleans(), min_size=queries.n_lists, max_size=queries.n_lists)
    )
    expected = [r for r in range(len(qid)) if mask[queries.codes[r]]]
    assert queries.subset(np.array(mask)).tolist() == expected


@pytest.mark.parametrize(
    "qid",
    [
        np.array([3, 1, 3], np.uint8),
        np.array(["b", "a", "b"]),
        np.array(["2024-01-02", "2023-01-01", "2024-01-02"], "datetime64[D]"),
        pd.Series(["b", "a", "b"], index=[7, 8, 9]),
        pd.Series(["b", "a", "b"], dtype="category"),
        pd.Series(["b", "a", "b"], dtype="string"),
        [(1, "x"), (2, "y"), (1, "x")],
        (1.5, -0.0, 1.5),
        [True, False, True],
    ],
)
def test_any_dtype(qid):
    """Numbers, strings, dates, tuples, pandas: all give the same lists."""
    assert group_queries(qid, 3).codes.tolist() == [0, 1, 0]


def test_none_is_one_list():
    """Without qid there is one list."""
    queries = group_queries(None, 4)
    assert (queries.n_lists, queries.sizes.tolist()) == (1, [4])
    assert queries.is_grouped


def test_sizes_to_qid():
    """LightGBM's group sizes become ids per row."""
    assert group_sizes_to_qid([2, 0, 1]).tolist() == [0, 0, 2]
    with pytest.raises(ValueError, match="whole numbers >= 0"):
        group_sizes_to_qid([1.5])


@pytest.mark.parametrize(
    ("qid", "n_samples", "message"),
    [
        (
            np.zeros(90),
            100,
            "qid must have one entry per row of X; got 90 entries for 100 rows. Pass "
            "the query id of every row, not the sizes of the lists.",
        ),
        (
            [60, 40],
            100,
            "qid must have one entry per row of X; got 2 entries for 100 rows. Pass "
            "the query id of every row, not the sizes of the lists. Turn sizes into ids "
            "with ltr.group_sizes_to_qid(sizes).",
        ),
        (
            "session",
            3,
            "qid must have one entry per row of X; got the text 'session'. Pass the "
            "column itself, as in frame['session'].",
        ),
        (
            np.zeros((3, 2)),
            3,
            "qid must be one-dimensional; got shape (3, 2). For ids of several parts "
            "pass a list of tuples.",
        ),
        (
            [1.0, np.nan],
            2,
            "qid must not have missing values; got nan at row 1. Drop "
            "those rows or give them an id.",
        ),
        (
            np.array(["a", None], object),
            2,
            "qid must not have missing values; got None at row 1. Drop those rows or "
            "give them an id.",
        ),
        (
            pd.Series(["a", pd.NA], dtype=object),
            2,
            "qid must not have missing values; got <NA> at row 1. Drop those rows or "
            "give them an id.",
        ),
    ],
)
def test_bad_qid(qid, n_samples, message):
    """Every message in full."""
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        group_queries(qid, n_samples)


def test_unhashable_id():
    """An id that cannot be a key is a TypeError that shows it."""
    qid = np.empty(2, dtype=object)
    qid[:] = [["a"], ["b"]]
    message = "qid must hold hashable ids; got ['a'] of type list. Use numbers, strings"
    with pytest.raises(TypeError, match=re.escape(message)):
        group_queries(qid, 2)


@pytest.mark.parametrize(
    "qid",
    [[1, "1"], [b"a", "a"], [2**60, 2**60 + 1, 0.5], [2**63, 2**63 + 1, -1]],
)
def test_different_ids_stay_different(qid):
    """No id is turned into another by an array type that holds them all."""
    assert group_queries(qid, len(qid)).codes.tolist() == list(range(len(qid)))


@pytest.mark.parametrize(
    "missing",
    [
        float("nan"),
        np.float32("nan"),
        np.datetime64("NaT", "D"),
        None,
        pd.NA,
        ("a", None),
    ],
)
def test_missing_ids_among_others(missing):
    """Also inside lists of several types, and inside tuples."""
    with pytest.raises(ValueError, match="qid must not have missing values"):
        group_queries(["a", missing], 2)
