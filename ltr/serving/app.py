"""A ranker as a web application: scores and orders of lists of items, as JSON."""

from __future__ import annotations

import asyncio
import json
import logging
import math
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any

import numpy as np

from ltr.queries import FloatArray
from ltr.serving.batching import Batcher, Overloaded
from ltr.serving.counters import Counters
from ltr.serving.payload import ItemList, Limits, RequestError, read_lists

try:
    from starlette.applications import Starlette
    from starlette.requests import ClientDisconnect, Request
    from starlette.responses import JSONResponse, PlainTextResponse, Response
    from starlette.routing import Route
except ImportError as error:
    raise ImportError(
        "create_app needs Starlette, which is not installed. Install it: pip install "
        "'ltr[serve]'."
    ) from error

_log = logging.getLogger("uvicorn.error")
_TEXT = "text/plain; version=0.0.4; charset=utf-8"  # of Prometheus


def create_app(ranker: Any, limits: Limits | None = None) -> Starlette:
    """Make an ASGI application of a fitted ranker.

    Parameters
    ----------
    ranker : ranker
        Fitted, or from :func:`ltr.load_ranker`. It must score rows by ``predict(X,
        qid)``.
    limits : Limits, default=None
        How large a request may be. None: 4 MiB, 100 lists of 1000 items.

    Returns
    -------
    app : starlette.applications.Starlette
        ``POST /rank`` takes ``{"features": [[…], …]}``, a list of items, and returns
        ``{"scores": […], "order": […]}``: the score of each item, and the numbers of
        the items, best first. See Notes. ``GET /health`` says that it runs, and ``GET
        /metrics`` counts, for Prometheus.

    Notes
    -----
    A request may have

    - ``"k": 10``: only the ten best are in ``order``;
    - ``"ids": ["a", …]``: a name for each item; the answer has ``ids``, best first;
    - items with names of features, ``{"price": 1.5, …}``, or ``"feature_names"``
      beside arrays, where the ranker was fitted with names;
    - ``{"lists": [{"features": …}, …]}``: several lists at once, answered as
      ``{"lists": […]}``.

    ``null`` is a missing value. Rankers that take none refuse it. A score that is
    infinite, as of an item without a value by which all others are sorted, is ``null``
    in the answer. Items with equal scores stay in their order.

    A request that is not understood gets the status 400, one that is too large 413, and
    one too many 503, each with ``{"error": message}``. Requests that come while others
    are scored are scored together, on one thread, which changes no order; the last
    digits of the scores of neural rankers may depend on it.

    Examples
    --------
    >>> from ltr import SingleFeatureRanker
    >>> ranker = SingleFeatureRanker().fit([[1.0], [3.0], [2.0]], [0, 2, 1])
    >>> [route.path for route in create_app(ranker).routes]
    ['/rank', '/health', '/metrics']
    """
    server = _Server(ranker, limits or Limits())

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        server.batcher.close()

    return Starlette(
        routes=[
            Route("/rank", server.rank, methods=["POST"]),
            Route("/health", server.health),
            Route("/metrics", server.metrics),
        ],
        lifespan=lifespan,
    )


class _Server:
    """The three routes."""

    def __init__(self, ranker: Any, limits: Limits) -> None:
        self.ranker, self.limits = ranker, limits
        self.batcher = Batcher(ranker, limits.n_waiting)
        self.counters = Counters()
        self.n_features = int(ranker.n_features_in_)
        names = getattr(ranker, "feature_names_in_", None)
        self.names = None if names is None else [str(name) for name in names]

    async def rank(self, request: Request) -> Response:
        began, n_items = time.perf_counter(), 0
        lists: list[ItemList] = []
        response: Response
        try:
            body = await self._body(request)
            lists, is_single = read_lists(
                body, self.limits, self.n_features, self.names
            )
            n_items = sum(len(items.features) for items in lists)
            scores = await self._scores(lists)
            answers = [
                _answer(items, own) for items, own in zip(lists, scores, strict=True)
            ]
            content = answers[0] if is_single else {"lists": answers}
            response = _response(content)
        except RequestError as error:
            response = _error(str(error), error.status)
        except Overloaded:
            response = _error(
                f"{self.limits.n_waiting} requests wait already. Try again.", 503
            )
            response.headers["retry-after"] = "1"
        except ValueError as error:  # of the ranker, about the rows
            response = _error(str(error), 400)
        except ClientDisconnect:
            response = _error("the client has gone.", 400)
        except Exception:  # noqa: BLE001 - of whichever ranker
            _log.exception("the ranker failed")
            response = _error("the ranker failed; the log of the server says why.", 500)
        is_scored = response.status_code == 200
        self.counters.count(
            response.status_code,
            time.perf_counter() - began,
            len(lists) if is_scored else 0,
            n_items if is_scored else 0,
        )
        return response

    async def health(self, request: Request) -> Response:
        return JSONResponse(
            {
                "status": "ok",
                "ranker": _class_name(self.ranker),
                "n_features": self.n_features,
                "feature_names": self.names,
                "ltr_version": version("ltr"),
            }
        )

    async def metrics(self, request: Request) -> Response:
        batcher = self.batcher
        metrics: dict[str, tuple[str, str, float]] = {
            "ltr_batches_total": ("counter", "Calls of predict.", batcher.n_batches),
            "ltr_batched_requests_total": (
                "counter",
                "Requests scored in them.",
                batcher.n_requests,
            ),
            "ltr_waiting_requests": ("gauge", "Requests waiting.", batcher.n_waiting),
        }
        memory = _resident_bytes()
        if memory is not None:
            metrics["process_resident_memory_bytes"] = (
                "gauge",
                "Resident memory.",
                memory,
            )
        lines = self.counters.text(metrics)
        return PlainTextResponse("\n".join(lines) + "\n", media_type=_TEXT)

    async def _body(self, request: Request) -> bytes:
        """The body, as long as it may be."""
        limit = self.limits.body_bytes
        coding = request.headers.get("content-encoding", "identity")
        if coding.lower() != "identity":
            raise RequestError(
                "the body must not be compressed; got content-encoding "
                f"{coding!r:.40}.",
                415,
            )
        length = request.headers.get("content-length", "0")
        if length.isdigit() and int(length) > limit:
            raise RequestError(_too_large(limit), 413)
        parts: list[bytes] = []
        n_bytes = 0
        try:
            async with asyncio.timeout(self.limits.read_s):
                async for part in request.stream():
                    n_bytes += len(part)
                    if n_bytes > limit:
                        raise RequestError(_too_large(limit), 413)
                    parts.append(part)
        except TimeoutError:
            raise RequestError(
                f"the body must come within {self.limits.read_s:g} seconds.", 408
            ) from None
        return b"".join(parts)

    async def _scores(self, lists: list[ItemList]) -> list[FloatArray]:
        if not any(len(items.features) for items in lists):
            return [np.zeros(0) for _ in lists]
        return await self.batcher.scores([items.features for items in lists])


def _answer(items: ItemList, scores: FloatArray) -> dict[str, Any]:
    order = np.argsort(-scores, kind="stable")[: items.k].tolist()
    values = scores.tolist()
    if not np.isfinite(scores).all():
        values = [v if math.isfinite(v) else None for v in values]
    answer = {"scores": values, "order": order}
    if items.ids is not None:
        answer["ids"] = [items.ids[i] for i in order]
    return answer


def _response(content: dict[str, Any]) -> Response:
    try:
        return JSONResponse(content)
    except (ValueError, RecursionError):  # names of the client come back as they are
        raise RequestError(
            "'ids' must be values that JSON in UTF-8 can hold: finite numbers, text "
            "without half a surrogate pair, and no deep nesting."
        ) from None


def _error(message: str, status: int) -> Response:
    # in ASCII: a message may quote half a surrogate pair, which UTF-8 cannot hold
    content = json.dumps({"error": message})
    return Response(content, status, media_type="application/json")


def _too_large(limit: int) -> str:
    return f"the body must have at most {limit} bytes. Send fewer items."


def _class_name(ranker: Any) -> str:
    scoring = vars(ranker).get("_scoring")  # of a LoadedRanker
    return type(ranker).__name__ if scoring is None else str(scoring.columns.owner)


def _resident_bytes() -> float | None:
    try:
        with open("/proc/self/statm") as file:
            pages = int(file.read().split()[1])
    except OSError:  # not on Linux
        return None
    return float(pages * os.sysconf("SC_PAGE_SIZE"))
