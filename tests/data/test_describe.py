"""describe: counts against a slow reference, and every problem said in full."""

import dataclasses
import itertools
import re

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from scipy.sparse import coo_matrix, csr_matrix

from ltr.datasets import (
    RankingData,
    convert_letor,
    describe,
    make_ranking,
    open_ranking,
    open_shards,
    save_letor,
    save_shards,
)


def part(n_features, qid):
    """Rows without anything in them."""
    n_rows = len(qid)
    return RankingData(np.zeros((n_rows, n_features)), np.zeros(n_rows), np.array(qid))


def reference(X, y, qid):
    """The same counts, list by list and pair by pair."""
    lists = [[i for i, q in enumerate(qid) if q == name] for name in sorted(set(qid))]
    pairs = [[(i, j) for i, j in itertools.combinations(rows, 2)] for rows in lists]
    usable = [[(i, j) for i, j in of if y[i] != y[j]] for of in pairs]
    columns = range(len(X[0]))
    constant = [c for c in columns if len({row[c] for row in X}) == 1]
    in_list = [
        c for c in columns if all(len({X[i][c] for i in rows}) == 1 for rows in lists)
    ]
    return {
        "n_lists": len(lists),
        "one_item_lists": sum(len(rows) == 1 for rows in lists),
        "blank_lists": sum(all(y[i] <= 0 for i in rows) for rows in lists),
        "usable_lists": sum(map(bool, usable)),
        "usable_pairs": sum(map(len, usable)),
        "all_pairs": sum(map(len, pairs)),
        "labels": {label: y.count(label) for label in set(y)},
        "constant_features": constant,
        "query_features": [c for c in in_list if c not in constant],
    }


@given(
    st.lists(
        st.tuples(
            st.sampled_from("abc"),
            st.integers(-1, 2),
            st.integers(0, 1),
            st.integers(0, 2),
        ),
        min_size=1,
        max_size=9,
    )
)
def test_counts(rows):
    """Interleaved lists, ids that are words."""
    qid, y, *columns = map(list, zip(*rows, strict=True))
    X = [list(row) for row in zip(*columns, strict=True)]
    found = describe(X, y, qid)
    for name, value in reference(X, y, qid).items():
        assert getattr(found, name) == value
    assert describe(csr_matrix(X), y, qid) == found


@pytest.mark.parametrize("values_at_once", [10, 4_000_000])
def test_missing_and_infinite(monkeypatch, values_at_once):
    """NaN in all rows is one value too; blocks change nothing."""
    monkeypatch.setattr("ltr.datasets.counts._VALUES_AT_ONCE", values_at_once)
    X = np.random.default_rng(0).normal(size=(40, 5))
    X[:, 1], X[:, 3] = np.nan, np.repeat([1.0, 2.0], 20)
    X[[3, 30], 0] = [np.inf, np.nan]
    found = describe(X, np.arange(40) % 3, np.repeat([0, 1], 20))
    assert found.missing_features == [0, 1]
    assert (found.missing_values, found.infinite_values) == (41, 1)
    assert found.constant_features == [1]
    assert found.query_features == [3]


@st.composite
def cut_data(draw):
    """Rows of whole lists, their cuts, and another data set."""
    sizes = draw(st.lists(st.integers(1, 4), min_size=1, max_size=6))
    value = st.sampled_from([0.0, 1.0, 2.0, np.nan, np.inf])
    row = st.tuples(st.sampled_from([-0.5, 0.0, 1.0, 2.0]), value, value)
    rows = np.array([draw(row) for _ in range(sum(sizes))])
    ends = np.cumsum(sizes)
    cuts = sorted(draw(st.sets(st.sampled_from(ends.tolist()))) | {0, int(ends[-1])})
    qid = np.repeat(np.arange(len(sizes)), sizes)
    data = RankingData(rows[:, 1:], rows[:, 0], qid)
    numbers = draw(st.sets(st.sampled_from(range(len(qid)))))
    return data, cuts, data.take(np.array(sorted(numbers), dtype=int))


@given(cut_data())
def test_pieces_are_the_whole(cut):
    """Cut between lists, in any order, with a piece without rows: the same numbers."""
    data, cuts, other = cut
    other = other if len(other.y) else None
    whole = describe(data.X, data.y, data.qid, other=other)
    pieces = [
        data.take(np.arange(begin, end))
        for begin, end in itertools.pairwise([0, *cuts])
    ]
    for source in (data, pieces, iter(pieces[::-1]), lambda epoch: iter(pieces)):
        found = describe(source, other=other)
        assert dataclasses.asdict(found) == dataclasses.asdict(whole)
        assert str(found) == str(whole)


@given(cut_data(), st.booleans())
def test_sparse_features_as_dense_ones(cut, stores_zeros):
    """In memory, in pieces, and beside another data set, with zeros stored or not."""
    data, cuts, other = cut
    other = other if len(other.y) else None
    rows, columns = np.indices(data.X.shape).reshape(2, -1)
    X = coo_matrix((data.X.ravel(), (rows, columns)), shape=data.X.shape)
    sparse = dataclasses.replace(data, X=X.tocsr() if stores_zeros else csr_matrix(X))
    whole = describe(data, other=other)
    assert describe(X, data.y, data.qid, other=other) == whole
    pieces = [
        sparse.take(np.arange(begin, end))
        for begin, end in itertools.pairwise([0, *cuts])
    ]
    assert describe(pieces, other=sparse if other is None else other) == describe(
        data, other=data if other is None else other
    )


def test_wide_sparse_features():
    """A million columns; the matrix itself does not change."""
    X = csr_matrix(([0.0, 1.0, 1.0, 2.0, -0.0], [3, 5, 5, 7, 9], [0, 2, 4, 5]))
    X.resize(3, 1_000_000)
    found = describe(
        X, [1, 0, 1], ["a", "a", "b"], other=RankingData(X, [1, 0, 1], None)
    )
    assert set(range(1_000_000)) - set(found.constant_features) == {5, 7}
    assert (found.query_features, found.repeated_rows) == ([5], 3)
    assert X.nnz == 5


def test_shards(tmp_path, monkeypatch):
    """A folder of shards as the data that are in it, opened one after the other."""
    data = make_ranking(30, n_features=4, n_informative=2, random_state=0)
    shards = save_shards(data, tmp_path / "shards", rows=200)
    assert len(shards) > 2
    opened = []
    monkeypatch.setattr(
        "ltr.datasets.shards.open_ranking",
        lambda path: opened.append(path.name) or open_ranking(path),
    )
    found = describe(open_shards(tmp_path / "shards"))
    assert found == describe(data)
    assert opened == [path.name for path in shards.paths]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ([[1.0]],),
            "y is None, so X must have RankingData; got list as piece 0. Pass y with an "
            "array.",
        ),
        (
            ("folder",),
            "y is None, so X must be a RankingData, a sequence or an iterator of them, "
            "or a function that returns one; got str. Pass y with an array, and open a "
            "path by open_shards.",
        ),
        (([], None, [1]), "y is required with qid; got None. Pass both, or none."),
        (([],), "X must have at least one row; got none."),
        (
            ([part(2, [0, 0]), part(3, [1])],),
            "all pieces must have the same number of features; got 3 after 2.",
        ),
        (
            ([part(2, [5, 7]), part(2, []), part(2, [7])],),
            "the rows of a query must be in one piece; query 7 is in piece 2 and in the "
            "one before. Write the pieces by save_shards.",
        ),
        (
            (part(2, [0, 0]), [0, 1]),
            "a RankingData has y and qid of its own; got them beside it, too. Pass "
            "describe(data).",
        ),
    ],
)
def test_pieces_that_are_none(arguments, message):
    """Each error says what to pass."""
    with pytest.raises((ValueError, TypeError)) as error:
        describe(*arguments)
    assert str(error.value) == message


def test_repetitions():
    """Rows and whole lists that are in another part; -0.0 is 0.0."""
    data = make_ranking(20, list_size=5, random_state=0)
    data.X[::7, 2] = 0.0
    train, test = data.take(data.qid < 12), data.take(data.qid >= 10)
    test.X[test.X == 0] = -0.0
    found = describe(train.X, train.y, train.qid, other=test)
    assert (found.repeated_rows, found.repeated_lists) == (10, 2)
    assert found.problems == [
        "2 of 12 queries are also in the other data set, row by row: a ranker trained "
        "on one has seen them before it is measured on the other."
    ]
    part = test.take(np.arange(len(test.y)) % 5 > 0)
    found = describe(train.X, train.y, train.qid, other=part)
    assert (found.repeated_rows, found.repeated_lists) == (8, 0)
    assert found.problems == [
        "8 of 60 rows have the same features as a row of the other data set."
    ]
    other = RankingData(np.zeros((2, 3)), np.zeros(2), np.zeros(2))
    message = "other must have as many features as X; got 3 and 20."
    with pytest.raises(ValueError, match=re.escape(message)):
        describe(train.X, train.y, train.qid, other=other)


def test_nothing_is_off(tmp_path):
    """Generated data have no problems; the text says what is there; maps as arrays."""
    data = make_ranking(30, n_features=4, n_informative=2, random_state=0)
    text = str(describe(data.X, data.y, data.qid))
    assert text.splitlines() == [
        f"30 queries, {len(data.y):,} rows, 4 features",
        *text.splitlines()[1:4],
        "features       0 constant, 0 constant within each list, 0 with NaN",
    ]
    save_letor(data, tmp_path / "data.txt")
    mapped = convert_letor(tmp_path / "data.txt", tmp_path / "data")
    assert str(describe(mapped.X, mapped.y, mapped.qid)) == text
    real = make_ranking(30, n_grades=None, random_state=0)
    assert f"{len(real.y):,} values from -" in str(describe(real.X, real.y, real.qid))


X = np.arange(8.0).reshape(4, 2)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"y": [0, np.nan, 1, 0]}, "some labels are NaN or infinite: drop those rows."),
        (
            {"y": [1, 1, 0, 0]},
            "no query has two distinct labels: there is nothing to learn.",
        ),
        (
            {"y": [-1, 0, 1, 2]},
            "the lowest label is -1: NDCG needs labels >= 0. Shift them, or use a "
            "metric that accepts any label, metric='kendall_tau'.",
        ),
        (
            {"y": [0, 20, 1, 2]},
            "the highest label is 20: with gain='exp2', the default of NDCG, its gain "
            "is 1,024 times that of a label half as high. Use "
            "metric='ndcg(gain=linear)@10', and label_gain='linear' in "
            "LambdaMARTRanker.",
        ),
        (
            {"y": [0, 1361, 1, 2]},
            "the highest label is 1361: with gain='exp2', the default of NDCG, its "
            "gain is 2^680.5 times that of a label half as high, and above 1000 there "
            "is none. Use metric='ndcg(gain=linear)@10', and label_gain='linear' in "
            "LambdaMARTRanker.",
        ),
        (
            {"y": [0, 1, 0, 0]},
            "1 of 2 queries has no label above 0: pairwise and listwise losses learn "
            "nothing from it, and NDCG skips it or counts it as 0 (empty=).",
        ),
        (
            {"y": [1, 0, 1, 1], "qid": [0, 0, 1, 2]},
            "2 of 3 queries have one item: every ranker orders them correctly.",
        ),
        (
            {"X": np.column_stack([X, np.ones(4), np.ones(4)])},
            "2 of 4 features have the same value in all rows: columns 2, 3.",
        ),
        (
            {"X": np.where(X == 3, np.nan, X)},
            "1 NaN in column 1: tree rankers accept them, others do not.",
        ),
        (
            {"X": np.where(X == 3, np.inf, X)},
            "1 infinite value in X: no ranker accepts it.",
        ),
    ],
)
def test_problems(change, problem):
    """One thing off, one sentence, printed behind an exclamation mark."""
    found = describe(**({"X": X, "y": [0, 1, 2, 0], "qid": [0, 0, 1, 1]} | change))
    assert found.problems == [problem]
    assert str(found).splitlines()[-1] == f"! {problem}"


def test_shapes():
    """The message in full."""
    message = (
        "X must have shape (n_samples, n_features), without a 0, and y shape "
        "(n_samples,); got (4, 2) and (3,)."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        describe(X, [1, 2, 3])
    with pytest.raises(ValueError, match=r"got \(0, 2\) and \(0,\)"):
        describe(np.zeros((0, 2)), [])


def test_another_data_set_is_a_keyword():
    """The message in full."""
    data = make_ranking(5, random_state=0)
    message = (
        "y must be an array; got a RankingData. To compare with another data set, pass "
        "describe(data, other=test)."
    )
    with pytest.raises(TypeError, match=f"^{re.escape(message)}$"):
        describe([data], data)
