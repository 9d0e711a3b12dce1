"""Four ways to call a judge: one after the other, in a batch, in threads, awaited."""

from __future__ import annotations

import asyncio
import inspect
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from functools import partial
from typing import Any, NamedTuple

from ltr.arguments import ArgumentError, abridged

Call = Callable[[], Any]  # of the judge with the arguments of one question
_EXITS = (KeyboardInterrupt, SystemExit)


class Outcome(NamedTuple):
    """What came of one question: its place, the answer as it came or the exception."""

    place: int
    raw: Any
    seconds: float


class Asker:
    """Ask questions one after the other.

    Attributes
    ----------
    is_stopping : bool
        Set by the caller between two outcomes: no further question is asked, and only
        those under way are waited for.
    """

    is_stopping = False

    def outcomes(self, requests: Sequence[Call]) -> Iterator[Outcome]:
        """Ask, and yield what came as it comes.

        Parameters
        ----------
        requests : sequence of callables
            One per question, without arguments.

        Yields
        ------
        outcome : Outcome
        """
        for index, request in enumerate(requests):
            if self.is_stopping:
                return
            yield _timed(index, request)

    def close(self) -> None:
        """Release threads, without waiting for what has not begun."""


class ThreadAsker(Asker):
    """Ask several questions at a time, each in a thread."""

    def __init__(self, max_concurrency: int) -> None:
        self._pool = ThreadPoolExecutor(max_concurrency, thread_name_prefix="judge")

    def outcomes(self, requests: Sequence[Call]) -> Iterator[Outcome]:
        """Ask, and yield what came as it comes."""
        yield from self._completed(
            [
                self._pool.submit(self._unless_stopping, index, request)
                for index, request in enumerate(requests)
            ]
        )

    def close(self) -> None:
        """Release threads, without waiting for what has not begun."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _unless_stopping(self, index: int, request: Call) -> Outcome | None:
        return None if self.is_stopping else _timed(index, request)

    def _completed(
        self, futures: Sequence[Future[Outcome | None]]
    ) -> Iterator[Outcome]:
        is_finished = False
        try:
            for future in as_completed(futures):
                outcome = future.result()
                if outcome is not None and isinstance(outcome.raw, _EXITS):
                    raise outcome.raw
                if outcome is not None:
                    yield outcome
            is_finished = True
        finally:
            if not is_finished:  # an interrupt
                self.is_stopping = True
                for future in futures:
                    future.cancel()


class AsyncAsker(ThreadAsker):
    """Await several answers at a time, in the event loop of an own thread.

    A script and a notebook, whose thread runs a loop already, are served alike. All
    rerankings of a process share the loop, since clients are tied to theirs.
    """

    def __init__(self, max_concurrency: int) -> None:
        self._loop = _event_loop()
        self._slots = asyncio.Semaphore(max_concurrency)

    def outcomes(self, requests: Sequence[Call]) -> Iterator[Outcome]:
        """Ask, and yield what came as it comes."""
        yield from self._completed(
            [
                asyncio.run_coroutine_threadsafe(
                    self._awaited(index, request), self._loop
                )
                for index, request in enumerate(requests)
            ]
        )

    def close(self) -> None:
        """The loop lives as long as the process; what has not begun is not asked."""
        self.is_stopping = True

    async def _awaited(self, index: int, request: Call) -> Outcome | None:
        async with self._slots:
            if self.is_stopping:
                return None
            start = time.perf_counter()
            raw = await _answer_or_error(request())
            return Outcome(index, raw, time.perf_counter() - start)


class BatchAsker(Asker):
    """Ask all questions of a round in one call.

    Parameters
    ----------
    judge : callable
        Takes a list of questions and returns a list of answers.
    asker : Asker
        Makes the call.
    name : str
        Name of the judge in messages.
    """

    def __init__(self, judge: Callable[..., Any], asker: Asker, name: str) -> None:
        self._judge, self._asker, self._name = judge, asker, name

    def batch_outcomes(
        self, questions: Sequence[Any], **options: Any
    ) -> Iterator[Outcome]:
        """Ask once, and yield the answers in the order of the questions.

        Parameters
        ----------
        questions : sequence of tuples
            Questions, tuples of ids.
        **options : object
            Passed on to the judge.

        Yields
        ------
        outcome : Outcome
        """
        call = partial(self._judge, list(questions), **options)
        for outcome in self._asker.outcomes([call]):
            raws = self._checked(outcome.raw, len(questions))
            for index, raw in enumerate(raws):
                yield Outcome(index, raw, outcome.seconds)

    def close(self) -> None:
        """Release threads, without waiting for what has not begun."""
        self._asker.close()

    def _checked(self, raws: Any, n_questions: int) -> Sequence[Any]:
        if isinstance(raws, Exception):
            return [raws] * n_questions
        is_sequence = hasattr(raws, "__len__") and hasattr(raws, "__getitem__")
        if is_sequence and not isinstance(raws, (str, bytes, dict)):
            if len(raws) == n_questions:
                return list(raws)
            content = f"{len(raws)}"
        else:
            content = abridged(raws)
        message = (
            f"{self._name} must return a list of one answer for each of the "
            f"{n_questions} questions (batched=True); got {content}."
        )
        return [ArgumentError(message)] * n_questions


def asker_for(
    judge: Callable[..., Any], *, batched: bool, max_concurrency: int, name: str
) -> Asker:
    """The way to call a judge.

    Parameters
    ----------
    judge : callable
        Plain or ``async``.
    batched : bool
        Whether it takes a list of questions.
    max_concurrency : int
        Most calls at a time.
    name : str
        Name of the judge in messages.

    Returns
    -------
    asker : Asker
    """
    is_async = _is_async(judge)
    n_slots = 1 if batched else max_concurrency
    asker = (
        AsyncAsker(n_slots)
        if is_async
        else ThreadAsker(n_slots)
        if n_slots > 1
        else Asker()
    )
    return BatchAsker(judge, asker, name) if batched else asker


def _is_async(judge: Callable[..., Any]) -> bool:
    while isinstance(judge, partial):
        judge = judge.func
    return inspect.iscoroutinefunction(judge) or inspect.iscoroutinefunction(
        getattr(judge, "__call__", None)  # noqa: B004 - an object with async __call__
    )


def _timed(index: int, request: Call) -> Outcome:
    start = time.perf_counter()
    try:
        raw = request()
        if inspect.isawaitable(raw):  # of a plain function that returns a coroutine
            answer = _answer_or_error(raw)
            raw = asyncio.run_coroutine_threadsafe(answer, _event_loop()).result()
            if isinstance(raw, _EXITS):
                raise raw
    except Exception as error:  # noqa: BLE001 - the loop of rounds deals with it
        raw = error
    return Outcome(index, raw, time.perf_counter() - start)


async def _answer_or_error(awaitable: Any) -> Any:
    """What came of it: an exit that leaves a coroutine ends the loop of all."""
    try:
        return await awaitable
    except asyncio.CancelledError:  # which is no Exception
        return RuntimeError("the judge was canceled")
    except (Exception, *_EXITS) as error:  # noqa: BLE001 - raised by who asked
        return error


_LOOPS: dict[int, asyncio.AbstractEventLoop] = {}  # by process: a fork has no threads
_LOOPS_LOCK = threading.Lock()
_LOOP_THREAD = "ltr-judges"


def _event_loop() -> asyncio.AbstractEventLoop:
    if threading.current_thread().name == _LOOP_THREAD:
        raise RuntimeError(
            "an async judge must not rerank with another async judge: it would wait "
            "for the event loop that it blocks. Await asyncio.to_thread(...) in it."
        )
    with _LOOPS_LOCK:
        process = os.getpid()
        if process not in _LOOPS:
            _LOOPS.clear()
            loop = _LOOPS[process] = asyncio.new_event_loop()
            threading.Thread(
                target=loop.run_forever, name=_LOOP_THREAD, daemon=True
            ).start()
        return _LOOPS[process]
