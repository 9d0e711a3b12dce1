"""The one loop that answers the questions of every driver; see ``protocol.py``."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from itertools import compress
from typing import Any

import numpy as np

from ltr.arguments import ArgumentError, abridged, check_number
from ltr.progress import ProgressLine
from ltr.rerank.asking import Asker, BatchAsker, Outcome, asker_for
from ltr.rerank.cache import NO_ANSWER, AnswerCache
from ltr.rerank.calls import Calls, Question
from ltr.rerank.protocol import BudgetSpent, Driver, Kind, Reading, Verdict
from ltr.rerank.results import Answer, Repairs, Reranking


def judge(
    driver: Driver,
    ask: Callable[..., Any],
    kind: Kind,
    ids: list[Any],
    *,
    k: int,
    method: str,
    calls: Calls,
    extra: Mapping[Any, Any] | None = None,
    most: int | None = None,
) -> Reranking:
    """Run a driver to its end.

    Parameters
    ----------
    driver : generator
        Yields rounds of questions; see ``protocol.py``.
    ask : callable
        The judge.
    kind : Kind
        What its answers are.
    ids : list
        Distinct ids, in the order of the first stage.
    k : int
        Places asked for.
    method : str
        For the result.
    calls : Calls
        How to call the judge.
    extra : mapping, default=None
        By id; passed on as keyword ``extra``, restricted to the ids of the question.
    most : int, default=None
        Most calls that the driver can need, for progress.

    Returns
    -------
    reranking : Reranking

    Warns
    -----
    UserWarning
        If calls failed (``on_failure="keep"``), or no answer had a preference.
    """
    if not callable(ask):
        raise ArgumentError(f"{kind.judge} must be a function; got {abridged(ask)}.")
    if not isinstance(calls, Calls):
        raise ArgumentError(f"calls must be a Calls(...); got {abridged(calls)}.")
    if extra is not None and not isinstance(extra, Mapping):
        raise ArgumentError(
            f"extra must be a mapping by id, or None; got {abridged(extra)}."
        )
    start = time.perf_counter()
    judging = _Judging(ask, kind, ids, calls, extra, most)
    try:
        verdict = judging.run(driver)
    finally:
        judging.close()
    order = [int(item) for item in verdict.order]
    if sorted(order) != list(range(len(ids))):
        raise RuntimeError(f"{method}: a driver must return all items, each once")
    judging.warn(verdict)
    unknown, repeated, missing = judging.repairs
    scores = verdict.scores
    return Reranking(
        ids=[ids[item] for item in order],
        scores=None if scores is None else np.asarray(scores, dtype=float)[order],
        k=k if verdict.k is None else verdict.k,
        driver=kind.driver,
        method=method,
        n_calls=judging.n_calls,
        cost=judging.cost,
        n_rounds=judging.n_rounds,
        n_hits=judging.n_hits,
        n_failed=judging.n_failed,
        seconds=time.perf_counter() - start,
        is_complete=not judging.is_spent and not judging.n_failed,
        repairs=Repairs(unknown, repeated, missing, verdict.n_tied),
        answers=judging.answers,
        first_stage=tuple(ids),
    )


class _Judging:
    """The state of one run of a driver."""

    def __init__(
        self,
        ask: Callable[..., Any],
        kind: Kind,
        ids: list[Any],
        calls: Calls,
        extra: Mapping[Any, Any] | None,
        most: int | None,
    ) -> None:
        self._ask, self._kind, self._ids = ask, kind, ids
        self._calls, self._extra, self._most = calls, extra, most
        self._cache = AnswerCache(calls.cache, kind.driver)
        self._asker: Asker = asker_for(
            ask,
            batched=calls.batched,
            max_concurrency=calls.max_concurrency,
            name=kind.judge,
        )
        self._line = ProgressLine() if calls.progress is True else None
        self._memory: dict[Question, Any] = {}
        self._round = 0
        self._first_failure: tuple[Question, Exception] | None = None
        self.answers: list[Answer] = []
        self.repairs = [0, 0, 0]  # unknown, repeated, missing
        self.n_calls = self.n_rounds = self.n_hits = self.n_failed = 0
        self.cost = 0.0
        self.is_spent = False

    def run(self, driver: Driver) -> Verdict:
        """Answer round after round, until the driver ends."""
        try:
            questions = next(driver)
            while True:
                self._round += 1
                if self._answered(questions):
                    memory = self._memory
                    answers = [memory.get(question) for question in questions]
                    questions = driver.send(answers)
                else:
                    driver.throw(BudgetSpent())
                    raise RuntimeError("a driver must end at BudgetSpent")
        except StopIteration as end:
            return end.value
        finally:
            driver.close()

    def close(self) -> None:
        """Release threads and the cache's file."""
        self._asker.close()
        self._cache.close()

    def warn(self, verdict: Verdict) -> None:
        """Say aloud what the order does not rest on."""
        judge_name = self._kind.judge
        if self._first_failure is not None:
            question, error = self._first_failure
            warnings.warn(
                f"{judge_name} failed for {self.n_failed} of "
                f"{len(self.answers) + self.n_failed} questions, whose items keep the "
                f"order of the first stage; the first: {type(error).__name__}: {error} "
                f"for {question!r}.",
                UserWarning,
                stacklevel=4,
            )
        n_undecided, n_decisions = verdict.n_undecided, verdict.n_decisions
        if n_undecided is None or n_decisions is None:
            n_undecided = sum(entry.answer is None for entry in self.answers)
            n_decisions = len(self.answers)
        if len(self._ids) > 1 and n_decisions and n_undecided == n_decisions:
            warnings.warn(
                f"{judge_name} gave no preference in {n_undecided} of {n_decisions} "
                "answers; the first stage's order is returned.",
                UserWarning,
                stacklevel=4,
            )

    def _answered(self, questions: list[Question]) -> bool:
        """Answer a round into the memory; False: it needs a call, and none is left."""
        memory = self._memory
        fresh = [
            question
            for question in dict.fromkeys(questions)
            if question not in memory and not self._mirror(question)
        ]
        if self._kind.is_mirrored and len(fresh) > 1:
            # a round may hold both orders of a pair: the second follows from the first
            pairs = {frozenset(question): question for question in reversed(fresh)}
            asked = set(pairs.values())
            fresh = [question for question in fresh if question in asked]
        self.n_hits += len(questions) - len(fresh)
        is_answered = not fresh or self._fill(fresh)
        if self._kind.is_mirrored and is_answered:
            for question in questions:
                self._mirror(question)
        return is_answered

    def _mirror(self, question: Question) -> bool:
        if not self._kind.is_mirrored or question in self._memory:
            return False
        reverse = question[::-1]
        if reverse not in self._memory:
            return False
        answer = self._memory[reverse]
        self._memory[question] = None if answer is None else 1.0 - answer
        return True

    def _fill(self, fresh: list[Question]) -> bool:
        """Look questions up, and ask for what is not there."""
        readings: dict[Question, tuple[Reading, float, bool]] = {}
        shown = {question: self._shown(question) for question in fresh}
        unanswered = fresh
        if not self._cache.is_empty:
            unanswered = []
            for question in fresh:
                reading = self._looked_up(question, shown[question])
                if reading is None:
                    unanswered.append(question)
                else:
                    readings[question] = (reading, 0.0, True)
            self.n_hits += len(fresh) - len(unanswered)
        if unanswered and self.is_spent:
            return False
        if unanswered:
            self._asked(unanswered, shown, readings)
        for question in fresh:
            if question in readings:
                reading, seconds, from_cache = readings[question]
                self._memory[question] = reading.answer
                self.answers.append(
                    Answer(
                        shown[question], reading.shown, self._round, seconds, from_cache
                    )
                )
                for place in range(3):
                    self.repairs[place] += reading[2 + place]
        return True

    def _shown(self, question: Question) -> Question:
        ids = self._ids
        if self._kind.is_nested:
            return tuple(tuple(ids[item] for item in part) for part in question)
        return tuple([ids[item] for item in question])

    def _looked_up(self, question: Question, shown: Question) -> Reading | None:
        """The stored answer, or by mirroring that of the other presented order."""
        raw = self._cache.get(shown)
        is_mirror = raw is NO_ANSWER and self._kind.is_mirrored
        if is_mirror:
            raw = self._cache.get(shown[::-1])
        if raw is NO_ANSWER:
            return None
        try:
            if not is_mirror:
                return self._kind.read(raw, question, shown, self._calls.strict)
            reading = self._kind.read(
                raw, question[::-1], shown[::-1], self._calls.strict
            )
        except ArgumentError:
            return None  # stored by a run that was less strict: ask again
        answer = None if reading.answer is None else 1.0 - reading.answer
        return reading._replace(answer=answer, shown=answer)

    def _asked(
        self,
        questions: list[Question],
        shown: dict[Question, Question],
        readings: dict[Question, tuple[Reading, float, bool]],
    ) -> None:
        """Call the judge, in waves: a wave repeats the calls of the last that failed.

        By waves, the calls that a budget still covers do not depend on the order in
        which calls complete.
        """
        calls = self._calls
        fitting = self._fitting(questions, shown)
        self.is_spent |= len(fitting) < len(questions)
        if not fitting:
            return
        self.n_rounds += 1
        errors: dict[Question, Exception] = {}
        for attempt in range(calls.retries + 1):
            is_last = attempt == calls.retries
            self._wave(fitting, shown, readings, errors, is_last)
            # in the order of the round, whatever completed first
            failures = [question for question in questions if question in errors]
            if is_last or not failures:
                break
            fitting = self._fitting(failures, shown)
            if not fitting:
                self.is_spent = True
                break
        if not errors:
            return
        first = failures[0]
        if calls.on_failure == "raise":
            error = errors[first]
            error.add_note(f"{self._kind.judge} was asked {shown[first]!r}")
            raise error
        self.n_failed += len(failures)
        self._memory.update(dict.fromkeys(failures))
        self._first_failure = self._first_failure or (shown[first], errors[first])

    def _wave(
        self,
        questions: list[Question],
        shown: dict[Question, Question],
        readings: dict[Question, tuple[Reading, float, bool]],
        errors: dict[Question, Exception],
        is_last: bool,
    ) -> None:
        """Ask each question once; its reading or its error is noted."""
        calls, asker = self._calls, self._asker
        is_asked = [False] * len(questions)
        for index, raw, seconds in self._outcomes([shown[q] for q in questions]):
            question = questions[index]
            self.n_calls += 1
            is_asked[index] = True
            try:
                if isinstance(raw, Exception):
                    raise raw
                if isinstance(raw, Iterator):
                    raw = list(raw)
                reading = self._kind.read(raw, question, shown[question], calls.strict)
            except Exception as error:  # noqa: BLE001 - of any judge
                errors[question] = error
                if is_last and calls.on_failure == "raise":
                    asker.is_stopping = True
            else:
                readings[question] = (reading, seconds, False)
                errors.pop(question, None)
                if not self._cache.is_empty:
                    self._cache.put(shown[question], raw)
            if calls.progress:
                self._report()
        # in the order of the round: the rounding of a sum depends on its order
        for question in compress(questions, is_asked):
            self.cost += self._cost(shown[question])

    def _outcomes(self, shown: list[Question]) -> Iterable[Outcome]:
        asker, ask, extra = self._asker, self._ask, self._extra
        if isinstance(asker, BatchAsker):
            options = (
                {} if extra is None else {"extra": [self._known(q) for q in shown]}
            )
            return asker.batch_outcomes(shown, **options)
        if extra is not None:
            return asker.outcomes(
                [
                    partial(
                        ask, *self._arguments(question), extra=self._known(question)
                    )
                    for question in shown
                ]
            )
        return asker.outcomes(
            [partial(ask, *self._arguments(question)) for question in shown]
        )

    def _arguments(self, shown: Question) -> tuple[Any, ...]:
        return shown if self._kind.is_spread else (shown,)

    def _known(self, shown: Question) -> dict[Any, Any]:
        """What ``extra`` knows of the ids of a question."""
        extra = self._extra or {}
        ids = (
            [entry for part in shown for entry in part]
            if self._kind.is_nested
            else shown
        )
        return {entry: extra[entry] for entry in ids if entry in extra}

    def _fitting(
        self, questions: list[Question], shown: dict[Question, Question]
    ) -> list[Question]:
        """The first questions that the budget covers."""
        budget = self._calls.budget
        if budget is None:
            return questions
        total = self.cost
        for index, question in enumerate(questions):
            total += self._cost(shown[question])
            if total > budget:
                return questions[:index]
        return questions

    def _cost(self, shown: Question) -> float:
        cost = self._calls.cost
        return (
            1.0 if cost is None else float(check_number("cost", cost(shown), low=0.0))
        )

    def _report(self) -> None:
        progress, most = self._calls.progress, self._most
        if self._line is None:
            progress(self.n_calls, most)  # type: ignore[operator]
            return
        total = "" if most is None else f" of at most {most}"
        self._line(lambda: f"{self._kind.judge}: {self.n_calls} calls{total}")
