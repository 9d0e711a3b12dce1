"""Pools with repeats, classes of answers, criteria, and runs that do not line up."""

import re
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ltr.fusion import (
    check_alignment,
    interleave_classes,
    multi_criteria,
    pool_union,
    round_robin,
)

RUNS = {"one": {"q": ["a", "b", "c"], "r": ["x"]}, "two": {"q": ["d", "a", "c"]}}


def test_round_robin_with_repeats():
    """The same turns, with documents as often as runs returned them."""
    table = round_robin(RUNS, repeats=True)
    assert table["docid"].tolist() == ["a", "d", "b", "a", "c", "c", "x"]
    assert table["score"].tolist() == [0, -1, -2, -3, -4, -5, 0]
    once = round_robin(RUNS)
    first = table.drop_duplicates(["qid", "docid"]).reset_index(drop=True)
    assert first.astype({"docid": str}).equals(once.astype({"docid": str}))


def test_pool_union():
    assert pool_union(RUNS, 1)["docid"].tolist() == ["a", "d", "x"]
    assert pool_union(RUNS, 2)["docid"].tolist() == ["a", "d", "b", "x"]
    with pytest.raises(ValueError, match=r"^k must be a whole number >= 1; got 0\.$"):
        pool_union(RUNS, 0)


def test_golden_values():
    scores = [0.9, 0.8, 0.7, 0.6, 0.5]
    assert interleave_classes(scores, [*"xxyxz"]).tolist() == [0, 2, 4, 1, 3]
    criteria = [[3, 4, 2], [5, 5, 5], [0, 1, 0], [3, 3, 3]]
    values = multi_criteria([7, 2, 9, 7], criteria)
    assert values.tolist() == [11.5, -np.inf, 9.5, 11.5]
    assert np.argsort(-values, kind="stable").tolist() == [0, 3, 2, 1]
    assert multi_criteria([7, 2], [[1], [1]], 2.0, None).tolist() == [9.0, 4.0]


def test_classes_by_agreement_and_dropped_candidates():
    """Two of y together are worth more than the one x; what is dropped is not there."""
    scores, keys = [0.9, 0.5, 0.6, 0.7], [*"xyyz"]
    assert interleave_classes(scores, keys).tolist() == [0, 3, 2, 1]
    assert interleave_classes(scores, keys, by="sum").tolist() == [2, 0, 3, 1]
    keep = [False, True, True, True]
    assert interleave_classes(scores, keys, keep=keep).tolist() == [3, 2, 1]


@given(
    st.lists(
        st.tuples(st.integers(0, 5), st.sampled_from("xyz")), min_size=1, max_size=12
    )
)
def test_first_candidates_are_of_distinct_classes(rows):
    """A permutation; in a class by score; the best is first."""
    scores, keys = zip(*rows, strict=True)
    order = interleave_classes(scores, keys).tolist()
    assert sorted(order) == list(range(len(rows)))
    assert scores[order[0]] == max(scores)
    n_classes = len(set(keys))
    assert len({keys[i] for i in order[:n_classes]}) == n_classes
    for key in set(keys):
        values = [scores[i] for i in order if keys[i] == key]
        assert values == sorted(values, reverse=True)


@pytest.fixture(scope="module")
def similarities():
    """Two systems with common mistakes; the truth is the diagonal of both."""
    rng = np.random.default_rng(0)
    common, n = rng.normal(size=(60, 60)), 60
    a, b = (common + rng.normal(size=(n, n)) + 2 * np.eye(n) for _ in range(2))
    return a, b


def run(matrix):
    return {q: dict(enumerate(row)) for q, row in enumerate(matrix.tolist())}


def test_alignment_of_systems_with_common_mistakes(similarities):
    a, b = similarities
    qrels = {q: {q: 1} for q in range(60)}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        table = check_alignment({"a": run(a), "b": run(b)}, qrels)
    assert table["is_aligned"].tolist() == [True]
    assert table["agreement"][0] > 2 * table["chance"][0]
    assert table["p"][0] == pytest.approx(1 / 201)


def test_a_permuted_run_is_reported(similarities):
    """The diagonal was moved along, so that only the wrong documents tell."""
    a, b = similarities
    p = np.random.default_rng(1).permutation(60)
    permuted = b[np.ix_(p, p)]
    qrels = {q: {q: 1} for q in range(60)}
    message = (
        r"^runs 'a' and 'b' have 1\.\d+ wrong documents in common among the first 10, 1\.\d+ by "
        r"chance \(p 0\.\d+\): their ids may not mean the same\. Check how each run was numbered\.$"
    )
    with pytest.warns(UserWarning, match=message):
        table = check_alignment({"a": run(a), "b": run(permuted)}, qrels)
    assert table["is_aligned"].tolist() == [False]
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # the truth alone makes them agree
        assert check_alignment([run(a), run(permuted)])["is_aligned"].all()


def test_few_queries_prove_nothing():
    """No warning where runs could not agree more than by chance."""
    table = check_alignment([{"q": ["a"]}, {"q": ["b"]}, {"r": ["b"]}])
    assert table["n_queries"].tolist() == [1, 0, 0]
    assert not table["is_aligned"].any()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: check_alignment([{"q": ["a"]}]),
            "runs must have at least two runs; got one.",
        ),
        (
            lambda: interleave_classes([1.0, np.nan], "ab"),
            "scores must be a number, and keys a key, for each candidate; got (2,), 1 NaN, and 2 "
            "keys.",
        ),
        (
            lambda: interleave_classes([1.0], "a", keep=[True, False]),
            "keep must have shape (1,); got (2,).",
        ),
        (
            lambda: multi_criteria([1.0], [[1.0], [2.0]]),
            "criteria must have the shape of relevance and one more axis; got (2, 1) and (1,).",
        ),
        (
            lambda: multi_criteria([np.nan], [[1.0]]),
            "relevance and criteria must have no NaN; got some.",
        ),
    ],
)
def test_messages(call, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        call()


def test_repeats_is_a_flag():
    with pytest.raises(ValueError, match="^repeats must be True or False; got 'x'"):
        round_robin([{"q": {"a": 1.0}}], repeats="x")
