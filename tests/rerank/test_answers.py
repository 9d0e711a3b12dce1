"""Malformed rankings and texts are read as far as they go."""

import math

import pytest

from ltr.rerank import (
    Repairs,
    listwise_rerank,
    parse_ranking,
    repair_ranking,
)


def test_repair_ranking():
    assert repair_ranking([3, 9, 3, 1], [1, 2, 3, 4]) == (
        [3, 1, 2, 4],
        Repairs(unknown=1, repeated=1, missing=2),
    )
    assert repair_ranking([["list"], math.nan, None], ["a"]) == (
        ["a"],
        Repairs(unknown=3, missing=1),
    )
    with pytest.raises(TypeError) as error:
        repair_ranking("b > a", ["a", "b"])
    assert str(error.value) == (
        "raw must be ids, best first; got the text 'b > a'. Read it with parse_ranking."
    )


@pytest.mark.parametrize(
    ("text", "ranking"),
    [
        ("[2] > [3] > [1]", "bca"),
        ("[2] > [2] > [1]", "bba"),
        ("[2]>[1] are the best.", "ba"),
        ("2, 1, 3", "bac"),
        ("2,1", "ba"),
        ("1. it is good", "a"),
        ("B > A", "ba"),
        ("[B] > [a]", "ba"),
        ("I think A is best", "a"),
        ("[²] > [３]", "bc"),
        ("【3】 > 【1】", "ca"),
        ("［2］", "b"),
        ("[doc2], [Passage 1]", "ba"),
        ('["C", "A"]', "ca"),
        ("[3, 1]", "ca"),
        ("<think>[1] > [2]</think>[3]", "c"),
        ("<think>[1] > [2]", ""),
        ("none of them", ""),
        ("", ""),
        ("score 1.5", ""),
    ],
)
def test_parse_ranking(text, ranking):
    assert parse_ranking(text, ["a", "b", "c"]) == list(ranking)


def test_numbers_out_of_range_are_unknown():
    """0 and −1 never wrap to the last document."""
    raw = parse_ranking("[0] > [-1] > [4] > [2]", ["a", "b", "c"])
    assert repair_ranking(raw, ["a", "b", "c"]) == (
        ["b", "a", "c"],
        Repairs(unknown=3, missing=2),
    )
    assert repair_ranking(parse_ranking("[9]", ["[9]"]), ["[9]"])[1].unknown == 1


def test_a_chatty_answer_is_none():
    with pytest.warns(UserWarning, match="no preference in 1 of 1 answers"):
        reranking = listwise_rerank(
            ["d4", "d1", "d3", "d2"], lambda ids: "I cannot tell.", parse=parse_ranking
        )
    assert reranking.ids == ["d4", "d1", "d3", "d2"]
    assert reranking.repairs.missing == 4
