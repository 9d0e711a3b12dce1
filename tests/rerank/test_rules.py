"""What holds for every driver: permutations, budgets, failures, repairs, messages."""

import asyncio
import time
import warnings
from functools import partial

import numpy as np
import pytest

from ltr.rerank import (
    Calls,
    Repairs,
    groupwise_rerank,
    listwise_rerank,
    pointwise_rerank,
    sequential_rerank,
    setwise_rerank,
)

IDS = ["d4", "d1", "d3", "d2"]
DRIVERS = {
    "pointwise": (pointwise_rerank, lambda id: -int(id[1:])),
    "setwise": (setwise_rerank, min),
    "listwise": (listwise_rerank, sorted),
    "groupwise": (groupwise_rerank, lambda ids: [-int(id[1:]) for id in ids]),
    "sequential": (sequential_rerank, lambda chosen, rest: min(rest)),
}
every_driver = pytest.mark.parametrize("name", DRIVERS)


def rerank(name, judge=None, **options):
    driver, good = DRIVERS[name]
    return driver(IDS, good if judge is None else judge, **options)


def message(function, *args, **options):
    with pytest.raises(Exception) as error:  # noqa: PT011 - of several classes
        function(*args, **options)
    return str(error.value)


@every_driver
def test_good_judges(name):
    reranking = rerank(name)
    assert reranking.ids == sorted(IDS)
    assert reranking.is_complete
    assert reranking.repairs == Repairs()
    assert reranking.n_calls == reranking.cost == len(reranking.answers) > 0
    assert reranking.driver == name
    if reranking.scores is not None:
        assert list(reranking.scores) == sorted(reranking.scores, reverse=True)


@every_driver
@pytest.mark.parametrize("ids", [[], ["a"], (), np.array(["a"])], ids=str)
def test_short_lists(name, ids):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        reranking = DRIVERS[name][0](ids, lambda *question: None)
    assert reranking.ids == list(ids)


@every_driver
def test_distinct_ids(name):
    driver, judge = DRIVERS[name]
    ids = [f"d{place}" for place in range(10)]
    ids[3] = ids[9] = "d7"
    ids[7] = "d3"
    expected = "ids must be distinct; got 'd7' at 3 and 9. Drop one."
    assert message(driver, ids, judge) == expected
    expected = "ids must be a sequence of ids, best first; got 'abc'."
    assert message(driver, "abc", judge) == expected
    assert message(driver, [["a"]], judge) == "ids must be hashable; got ['a'] at 0."


@every_driver
def test_k(name):
    assert message(rerank, name, k=0) == "k must be >= 1; got 0."
    assert message(rerank, name, k=1.5) == "k must be a whole number >= 1; got 1.5."
    assert rerank(name, k=99).k == 4


@every_driver
@pytest.mark.parametrize("budget", range(8))
def test_budget(name, budget):
    """Never exceeded, never an exception; 0 is the first stage."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        reranking = rerank(name, calls=Calls(budget=budget))
    full = rerank(name).n_calls
    assert sorted(reranking.ids) == sorted(IDS)
    assert reranking.n_calls == min(budget, full)
    assert reranking.is_complete == (budget >= full)
    if budget == 0:
        assert reranking.ids == IDS


def test_a_round_is_cut_to_its_first_questions():
    reranking = pointwise_rerank(
        IDS, lambda id: -int(id[1:]), calls=Calls(budget=2.5, cost=lambda ids: 1.0)
    )
    assert [answer.question for answer in reranking.answers] == [("d4",), ("d1",)]
    assert reranking.ids == ["d1", "d4", "d3", "d2"]
    assert reranking.cost == 2.0
    assert np.isnan(reranking.scores[2:]).all()


def test_cost_is_of_the_question():
    reranking = listwise_rerank(range(40), sorted, calls=Calls(budget=45, cost=len))
    assert (reranking.n_calls, reranking.cost) == (2, 40.0)
    calls = Calls(cost=lambda ids: -1)
    expected = "cost must be a number >= 0; got -1."
    assert message(rerank, "listwise", calls=calls) == expected


@every_driver
def test_exceptions_are_raised_as_they_are(name):
    def judge(*question):
        raise ZeroDivisionError("no model")

    with pytest.raises(ZeroDivisionError, match="no model") as error:
        rerank(name, judge)
    (note,) = error.value.__notes__
    assert note.startswith(f"{DRIVER_JUDGES[name]} was asked (")


DRIVER_JUDGES = {
    "pointwise": "score",
    "setwise": "best",
    "listwise": "order",
    "groupwise": "score",
    "sequential": "pick",
}


@every_driver
def test_failures_keep_the_first_stage(name):
    def judge(*question):
        raise ZeroDivisionError("no model")

    with pytest.warns(UserWarning, match="keep the order of the first stage") as found:
        reranking = rerank(name, judge, calls=Calls(on_failure="keep", retries=2))
    assert len(found) == 1
    n_questions = reranking.n_failed
    expected = (
        f"{DRIVER_JUDGES[name]} failed for {n_questions} of {n_questions} questions, "
        "whose items keep the order of the first stage; the first: "
        "ZeroDivisionError: no model for "
    )
    assert str(found[0].message).startswith(expected)
    assert reranking.ids == IDS
    assert not reranking.is_complete
    assert reranking.n_calls == 3 * n_questions


@every_driver
def test_retries(name):
    """A call that fails twice and then succeeds costs three."""
    attempts = {}
    _, good = DRIVERS[name]

    def judge(*question):
        attempts[question] = attempts.get(question, 0) + 1
        if attempts[question] < 3:
            raise ConnectionError
        return good(*question)

    reranking = rerank(name, judge, calls=Calls(retries=2))
    assert reranking.ids == sorted(IDS)
    assert reranking.n_failed == 0
    assert reranking.n_calls == 3 * len(reranking.answers)
    assert reranking.is_complete


def test_the_budget_covers_attempts_that_fail():
    def judge(id):
        raise ConnectionError

    calls = Calls(retries=9, budget=6, on_failure="keep")
    with pytest.warns(UserWarning, match="failed for 4 of 4"):
        reranking = rerank("pointwise", judge, calls=calls)
    assert reranking.n_calls == 6


def test_no_preference_is_said_aloud():
    for name, answer in (("setwise", None), ("listwise", None), ("pointwise", 7)):
        with pytest.warns(UserWarning, match="gave no preference") as found:
            reranking = rerank(name, lambda *question, answer=answer: answer)
        n = len(reranking.answers)
        assert str(found[0].message) == (
            f"{DRIVER_JUDGES[name]} gave no preference in {n} of {n} answers; "
            "the first stage's order is returned."
        )
        assert found[0].filename == __file__
        assert reranking.ids == IDS


def test_repairs_are_counted():
    reranking = listwise_rerank([1, 2, 3, 4], lambda ids: [3, 9, 3, 1])
    assert reranking.ids == [3, 1, 2, 4]
    assert reranking.repairs == Repairs(unknown=1, repeated=1, missing=2)
    assert reranking.answers[0].answer == (3, 1, 2, 4)
    with pytest.warns(UserWarning, match="no preference"):
        reranking = rerank("setwise", lambda ids: "d9")
    assert reranking.ids == IDS
    assert reranking.repairs.unknown == reranking.n_calls
    reranking = rerank("sequential", lambda chosen, rest: "d4")
    assert reranking.repairs == Repairs(repeated=3)
    reranking = rerank("groupwise", lambda ids: {"d1": 1, "d9": 2}, repeats=1)
    assert reranking.ids == ["d1", "d4", "d3", "d2"]
    assert reranking.repairs == Repairs(unknown=1, missing=3)


def test_an_index_never_wraps():
    """Answers are ids: 0 and −1 are not places."""
    for index in (0, -1, True):
        reranking = listwise_rerank([1, 2, 3], lambda ids, index=index: [index, 3])
        assert reranking.ids == [3, 1, 2]
        assert reranking.repairs.unknown == 1


STRICT = Calls(strict=True)


@pytest.mark.parametrize(
    ("name", "answer", "calls", "expected"),
    [
        (
            "setwise",
            "d9",
            STRICT,
            "best must return one of the ids that it was given; got 'd9' for "
            "('d4', 'd1', 'd3', 'd2').",
        ),
        (
            "listwise",
            ["d9", "d1", "d1"],
            STRICT,
            "order must return all ids that it was given, each once; got 1 unknown, "
            "1 repeated and 3 missing for ('d4', 'd1', 'd3', 'd2').",
        ),
        (
            "listwise",
            "[1] > [2]",
            Calls(),
            "order's answer must be ids, best first; got the text '[1] > [2]'. Pass "
            "parse=parse_ranking to read it.",
        ),
        ("listwise", 3, Calls(), "order's answer must be ids, best first; got 3."),
        (
            "listwise",
            {"d1": 1},
            Calls(),
            "order's answer must be ids, best first; got {'d1': 1}.",
        ),
        (
            "pointwise",
            "A",
            Calls(),
            "score must return a number; got 'A' for ('d4',). Parse it in your "
            "function.",
        ),
        (
            "groupwise",
            [1, 2],
            Calls(),
            "score must return one number for each of the 4 ids, or {id: number}; "
            "got 2 for ",
        ),
        (
            "groupwise",
            {"d1": 1},
            STRICT,
            "score must score all ids that it was given; got none for 'd",
        ),
        (
            "groupwise",
            {"d9": 1},
            STRICT,
            "score must score the ids that it was given; got 'd9' for ",
        ),
        (
            "sequential",
            "d9",
            STRICT,
            "pick must return one of rest, or None; got 'd9' for "
            "('d4', 'd1', 'd3', 'd2').",
        ),
    ],
)
def test_malformed_answers(name, answer, calls, expected):
    text = message(rerank, name, lambda *question: answer, calls=calls)
    assert text == expected or (text.startswith(expected) and expected[-1] != ".")


def test_options():
    assert message(listwise_rerank, IDS, sorted, step=0) == (
        "step must be from 1 to window=20; got 0. A step of 0 never moves."
    )
    assert message(listwise_rerank, IDS, sorted, step=-3) == (
        "step must be from 1 to window=20; got -3. "
        "A negative step moves away from the head."
    )
    assert message(listwise_rerank, IDS, sorted, window=4) == (
        "step must be from 1 to window=4; got 10. A longer step skips items."
    )
    assert message(listwise_rerank, IDS, sorted, method="quick") == (
        "method must be one of 'windows', 'tournament'; got 'quick'."
    )
    assert message(setwise_rerank, IDS, min, method="quick") == (
        "method must be one of 'heap', 'bubble'; got 'quick'."
    )
    assert message(setwise_rerank, IDS, min, size=1) == (
        "size must be a whole number >= 2; got 1."
    )
    assert message(setwise_rerank, IDS, "best") == (
        "best must be a function; got 'best'."
    )
    assert message(setwise_rerank, IDS, min, calls={}) == (
        "calls must be a Calls(...); got {}."
    )
    assert message(Calls, budget=-1) == (
        "budget must be a number >= 0, or None; got -1."
    )
    assert message(Calls, on_failure="ignore") == (
        "on_failure must be one of 'raise', 'keep'; got 'ignore'."
    )
    assert message(Calls, cache=3) == (
        "cache must be a path, a mutable mapping, or None; got 3."
    )


def test_batched_answers_are_counted():
    calls = Calls(batched=True)
    reranking = rerank("pointwise", lambda questions: range(4), calls=calls)
    assert reranking.ids == IDS[::-1]
    assert (reranking.n_calls, reranking.n_rounds) == (4, 1)
    assert message(rerank, "pointwise", lambda questions: [1], calls=calls) == (
        "score must return a list of one answer for each of the 4 questions "
        "(batched=True); got 1."
    )
    # an exception among the answers is the failure of that question alone
    calls = Calls(batched=True, on_failure="keep")
    with pytest.warns(UserWarning, match="failed for 1 of 4"):
        reranking = rerank(
            "pointwise", lambda questions: [1, 2, 3, OSError("no")], calls=calls
        )
    assert reranking.ids == ["d3", "d1", "d4", "d2"]


def test_extra_is_restricted_to_the_question():
    first_stage = {id: {"rank": place} for place, id in enumerate(IDS)}
    seen = {}

    def order(ids, extra):
        seen[ids] = extra
        return sorted(ids, key=lambda id: -extra[id]["rank"])

    reranking = listwise_rerank(IDS, order, window=2, step=1, extra=first_stage)
    assert reranking.ids == ["d2", "d4", "d1", "d3"]
    assert all(set(ids) == set(extra) for ids, extra in seen.items())


def test_extra_of_a_batch():
    """One mapping for each question."""

    def score(questions, extra):
        return [known[id] for (id,), known in zip(questions, extra, strict=True)]

    extra = {id: place for place, id in enumerate(IDS)}
    reranking = pointwise_rerank(IDS, score, extra=extra, calls=Calls(batched=True))
    assert reranking.ids == IDS[::-1]


def test_async_judges_in_a_running_loop():
    """In a notebook, the thread of the user runs an event loop already."""

    async def score(id):
        await asyncio.sleep(0.01)
        return -int(id[1:])

    async def cell():
        return pointwise_rerank(IDS, score, calls=Calls(max_concurrency=4))

    reranking = asyncio.run(cell())
    assert reranking.ids == sorted(IDS)
    assert reranking.seconds < 0.04 + 0.2


def test_functions_that_return_coroutines():
    """A lambda around an async client, an object, a partial, and all of a round."""

    async def score(id, *, sign=1):
        await asyncio.sleep(0)
        return sign * int(id[1:])

    class Model:
        async def __call__(self, id):
            return await score(id, sign=-1)

    async def batch(questions):
        return [await score(*question, sign=-1) for question in questions]

    ways = (
        (lambda id: score(id, sign=-1), Calls()),
        (lambda id: score(id, sign=-1), Calls(max_concurrency=3)),
        (partial(score, sign=-1), Calls(max_concurrency=3)),
        (Model(), Calls(max_concurrency=3)),
        (batch, Calls(batched=True)),
    )
    for judge, calls in ways:
        reranking = pointwise_rerank(IDS, judge, calls=calls)
        assert reranking.ids == sorted(IDS)
        assert reranking.n_calls == 4


def test_an_interrupt_ends_it_at_once():
    asked = []

    def score(id):
        asked.append(id)
        time.sleep(0.01)
        raise KeyboardInterrupt

    for calls in (
        Calls(on_failure="keep"),
        Calls(on_failure="keep", max_concurrency=2),
    ):
        asked.clear()
        with pytest.raises(KeyboardInterrupt):
            pointwise_rerank(range(1000), score, calls=calls)
        assert len(asked) < 500


def test_the_most_calls_run_at_a_time():
    """No more than max_concurrency, and as many."""
    running, most = 0, 0

    async def score(id):
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.002)
        running -= 1
        return id

    pointwise_rerank(range(30), score, calls=Calls(max_concurrency=7))
    assert most == 7


def test_progress():
    seen = []
    calls = Calls(progress=lambda n_calls, most: seen.append((n_calls, most)))
    rerank("pointwise", calls=calls)
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]
