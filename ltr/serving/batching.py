"""Requests that come while others are scored are scored together."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np

from ltr.queries import FloatArray

_MAX_ROWS = 8192  # of a batch


class Overloaded(RuntimeError):
    """Too many requests wait already."""


class _Waiting(NamedTuple):
    lists: Sequence[FloatArray]
    scores: asyncio.Future[list[FloatArray]]


class Batcher:
    """Scores the lists of concurrent requests in one call.

    There is no timer: a request that comes alone is scored at once, and those that come
    meanwhile are the next batch.

    Parameters
    ----------
    ranker : ranker
        What scores.
    max_waiting : int
        Requests that may wait.

    Attributes
    ----------
    n_batches : int
        How many calls there were.
    n_requests : int
        Requests in them.
    """

    def __init__(self, ranker: Any, max_waiting: int) -> None:
        self._ranker, self._max_waiting = ranker, max_waiting
        self._waiting: list[_Waiting] = []
        self._thread = ThreadPoolExecutor(1, "ltr-scores")
        self._task: asyncio.Task[None] | None = None
        self.n_batches = self.n_requests = 0

    @property
    def n_waiting(self) -> int:
        """Requests whose scores are not there yet."""
        return len(self._waiting)

    async def scores(self, lists: Sequence[FloatArray]) -> list[FloatArray]:
        """Score the lists of a request.

        Parameters
        ----------
        lists : sequence of float array of shape (n_items, n_features)
            Features of the items.

        Returns
        -------
        scores : list of float array of shape (n_items,)

        Raises
        ------
        ValueError
            As ``predict`` of the ranker.
        Overloaded
            If too many requests wait.
        """
        if len(self._waiting) >= self._max_waiting:
            raise Overloaded
        loop = asyncio.get_running_loop()
        request = _Waiting(lists, loop.create_future())
        self._waiting.append(request)
        if self._task is None or self._task.done():
            self._task = loop.create_task(self._run())
        return await request.scores

    def close(self) -> None:
        """End the thread; every request has been answered by then."""
        self._thread.shutdown()

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            batch = self._take()
            answers = await loop.run_in_executor(self._thread, self._answers, batch)
            self.n_batches += 1
            self.n_requests += len(batch)
            for request, answer in zip(batch, answers, strict=True):
                if request.scores.cancelled():  # the client has gone
                    continue
                if isinstance(answer, BaseException):
                    request.scores.set_exception(answer)
                else:
                    request.scores.set_result(answer)

    def _take(self) -> list[_Waiting]:
        """The requests that came first, up to the rows of a batch."""
        n_rows, n_requests = 0, 0
        for request in self._waiting:
            n_rows += sum(map(len, request.lists))
            if n_requests and n_rows > _MAX_ROWS:
                break
            n_requests += 1
        batch, self._waiting = self._waiting[:n_requests], self._waiting[n_requests:]
        return batch

    def _answers(self, batch: list[_Waiting]) -> list[Any]:
        """Scores or an error for each request; one that fails fails alone."""
        try:
            return self._score(batch)
        except Exception as error:  # noqa: BLE001 - of whichever request
            if len(batch) == 1:
                return [error]
        return [self._answers([request])[0] for request in batch]

    def _score(self, batch: list[_Waiting]) -> list[list[FloatArray]]:
        lists = [rows for request in batch for rows in request.lists]
        qid = np.repeat(np.arange(len(lists)), [len(rows) for rows in lists])
        scores = self._ranker.predict(np.concatenate(lists), qid)
        ends = np.cumsum([len(rows) for rows in lists])[:-1]
        parts = iter(np.split(scores, ends))
        return [[next(parts) for _ in request.lists] for request in batch]
