"""Judges that return odd types or end the process; files that somebody has edited."""

import asyncio
import threading
from collections import deque
from decimal import Decimal
from fractions import Fraction

import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

from ltr.arguments import ArgumentError
from ltr.rerank import (
    Calls,
    groupwise_rerank,
    listwise_rerank,
    pairwise_rerank,
    pointwise_rerank,
    rerank_run,
    setwise_rerank,
    suggest_questions,
)

IDS = [2, 0, 3, 1]


@pytest.mark.parametrize(
    ("rerank", "judge"),
    [
        (pairwise_rerank, lambda a, b: np.array(a < b)),
        (pairwise_rerank, lambda a, b: Fraction(int(a < b))),
        (pairwise_rerank, lambda a, b: np.longdouble(a < b)),
        (pointwise_rerank, lambda a: Decimal(-a)),
        (setwise_rerank, lambda ids: np.array(min(ids))),
        (listwise_rerank, lambda ids: deque(sorted(ids))),
        (listwise_rerank, lambda ids: jnp.sort(jnp.array(ids))),
        (listwise_rerank, lambda ids: pd.Series(sorted(ids))),
        (listwise_rerank, lambda ids: dict.fromkeys(sorted(ids)).keys()),
        (groupwise_rerank, lambda ids: {a: Fraction(-a, 3) for a in ids}.values()),
    ],
)
def test_what_a_driver_reads_a_cache_file_keeps(tmp_path, rerank, judge):
    calls = Calls(cache=tmp_path / "cache")
    paid, free = rerank(IDS, judge, calls=calls), rerank(IDS, judge, calls=calls)
    assert paid.n_calls > free.n_calls == 0
    assert paid.ids == free.ids == [0, 1, 2, 3]


@pytest.mark.parametrize(
    "rest",
    [
        '"answer": 1}',
        '"question": [0, 2], "answer": {"items": 5}}',
        '"question": [0, 2], "answer": {"items": [[{"items": []}, 1]]}}',
        '"question": [0, 2], "answer": {"tuple": 5}}',
        '"question": [0, 2], "answer": ' + "[" * 100_000,
        '"question": [0, 2], "answer": ' + "1" * 5000 + "}",
    ],
)
def test_a_damaged_line_costs_that_line_alone(tmp_path, rest):
    path = tmp_path / "cache"
    judge, calls = lambda a: -a, Calls(cache=path)
    pointwise_rerank(IDS, judge, calls=calls)
    with path.open("a") as file:
        file.write('{"kind": "pointwise", ' + rest + "\n")
    assert pointwise_rerank(IDS, judge, calls=calls).n_calls == 0


def test_a_folder_is_no_cache(tmp_path):
    with pytest.raises(IsADirectoryError) as info:
        pointwise_rerank(IDS, abs, calls=Calls(cache=tmp_path))
    assert str(info.value) == (
        f"cache must be a file of answers; {tmp_path} is a folder. Add the name of a "
        "file to it."
    )


@pytest.mark.parametrize("raw", [10**400, [[1], [2, 3]], np.complex64(1)])
def test_what_is_no_number(raw):
    shown = "(1+0j)" if isinstance(raw, np.complex64) else repr(raw)
    with pytest.raises(ArgumentError) as info:
        pairwise_rerank(IDS, lambda a, b: raw)
    assert str(info.value) == (
        "compare must return a bool, a number in [0, 1] or None; got "
        f"{shown} for (2, 0). Parse it in your function."
    )
    with pytest.raises(ArgumentError) as info:
        pointwise_rerank(IDS, lambda a: raw)
    assert str(info.value) == (
        f"score must return a number; got {shown} for (2,). Parse it in your function."
    )


def test_ids_in_two_dimensions():
    with pytest.raises(ArgumentError) as info:
        pointwise_rerank(pd.DataFrame({"id": IDS}), abs)
    assert str(info.value) == (
        "ids must be a sequence of ids, best first; got DataFrame of shape (4, 1)."
    )


def in_a_thread(function):
    """What a function returns or raises; a failure if it waits forever."""
    outcome = []

    def work():
        try:
            outcome.append(function())
        except BaseException as error:  # noqa: BLE001 - it is returned
            outcome.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(20)
    assert outcome, "it waits forever"
    return outcome[0]


async def rank(a):
    return -a


def raises(error):
    async def judge(a):
        raise error

    return judge


@pytest.mark.parametrize("is_plain", [False, True])
@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt])
def test_a_coroutine_that_exits_leaves_the_loop_to_others(kind, is_plain):
    judge = raises(kind(3))
    if is_plain:
        judge = lambda a, coroutine=judge: coroutine(a)
    assert isinstance(in_a_thread(lambda: pointwise_rerank(IDS, judge)), kind)
    assert in_a_thread(lambda: pointwise_rerank(IDS, rank)).ids == [0, 1, 2, 3]


def test_a_canceled_call_is_a_failed_one():
    judge, calls = raises(asyncio.CancelledError()), Calls(on_failure="keep")
    with pytest.warns(UserWarning, match="RuntimeError: the judge was canceled"):
        assert pointwise_rerank(IDS, judge, calls=calls).ids == IDS


def test_an_async_judge_within_an_async_judge():
    async def nested(a):
        return pointwise_rerank([a], rank).scores[0]

    error = in_a_thread(lambda: pointwise_rerank(IDS, nested))
    assert str(error) == (
        "an async judge must not rerank with another async judge: it would wait for "
        "the event loop that it blocks. Await asyncio.to_thread(...) in it."
    )

    async def in_thread(a):
        return (await asyncio.to_thread(pointwise_rerank, [a], rank)).scores[0]

    assert in_a_thread(lambda: pointwise_rerank(IDS, in_thread)).ids == [0, 1, 2, 3]


def test_what_is_no_result():
    with pytest.raises(ArgumentError) as info:
        rerank_run({"q": {"a": 2.0, "b": 1.0}}, lambda qid, ids: None)
    assert str(info.value) == (
        "the result of rerank must be ids, best first; got None."
    )
    with pytest.raises(ArgumentError) as info:
        suggest_questions([1, 2], 3)
    assert str(info.value) == (
        "reranking must be what a function of ltr.rerank returned; got [1, 2]."
    )
