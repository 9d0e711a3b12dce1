"""A score per item: one call for each, all in one round."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from ltr.arguments import ArgumentError, abridged
from ltr.rerank.calls import PLAIN_CALLS, Calls, Question, check_top, distinct_ids
from ltr.rerank.judging import judge
from ltr.rerank.protocol import Driver, Kind, Reading, Verdict
from ltr.rerank.results import FloatArray, Reranking


def pointwise_rerank(
    ids: Iterable[Any],
    score: Callable[..., Any],
    *,
    k: int | None = None,
    calls: Calls = PLAIN_CALLS,
    extra: Mapping[Any, Any] | None = None,
) -> Reranking:
    """Order items by a score of each one.

    Parameters
    ----------
    ids : sequence of hashables
        Distinct ids, in the order of the first stage, which breaks ties.
    score : callable
        ``score(id)``: a number, higher is better; NaN or None: no answer.
    k : int, default=None
        Places asked for. All items are scored and ordered, whatever it is.
    calls : Calls, default=Calls()
        How the judge is called: budget, cache, retries, threads.
    extra : mapping, default=None
        By id: ``score(id, extra={id: …})``, such as the score of the first stage.

    Returns
    -------
    reranking : Reranking
        Items without a score follow all others; their ``scores`` are NaN.

    Raises
    ------
    ArgumentError
        If ids repeat, or a score is not a number.

    References
    ----------
    .. [1] M. Gupta et al., "InsertRank: LLMs can reason over BM25 scores to improve
       listwise reranking", 2025, for ``extra``.

    Examples
    --------
    >>> from ltr.rerank import pointwise_rerank
    >>> lengths = {"a": 3, "b": 9, "c": 5}
    >>> reranking = pointwise_rerank(["a", "b", "c"], lengths.get)
    >>> reranking.ids, reranking.scores.tolist()
    (['b', 'c', 'a'], [9.0, 5.0, 3.0])
    """
    entries = distinct_ids(ids)
    return judge(
        _each(len(entries)),
        score,
        POINTWISE,
        entries,
        k=check_top(k, len(entries)),
        method="pointwise",
        calls=calls,
        extra=extra,
        most=len(entries),
    )


def _each(n: int) -> Driver:
    answers = yield [(item,) for item in range(n)]
    scores = np.array(
        [math.nan if score is None else score for score in answers], dtype=float
    )
    n_scored = int(np.sum(~np.isnan(scores)))
    is_constant = n_scored > 1 and np.unique(scores[~np.isnan(scores)]).size == 1
    return Verdict(
        by_score(scores),
        scores,
        n_undecided=n_scored if is_constant else None,
        n_decisions=n_scored if is_constant else None,
    )


def by_score(scores: FloatArray) -> list[int]:
    """Items by falling score, the first stage first among equals, NaN last.

    Parameters
    ----------
    scores : array of shape (n_items,)
        Scores by item index.

    Returns
    -------
    order : list of int
    """
    return [int(item) for item in np.argsort(-scores, kind="stable")]


# float() reads text, and drops the imaginary part of NumPy's numbers
NO_NUMBERS = (str, bytes, complex, np.complexfloating)


def read_number(raw: Any, name: str, question: Question) -> float:
    """A score, or NaN.

    Parameters
    ----------
    raw : object
        What the judge returned.
    name : str
        Name of the judge.
    question : tuple
        Ids, for the message.

    Returns
    -------
    number : float
    """
    if raw is None:
        return math.nan
    try:
        number = None if isinstance(raw, NO_NUMBERS) or np.ndim(raw) else float(raw)
    except (TypeError, ValueError, OverflowError):
        number = None
    if number is None:
        raise ArgumentError(
            f"{name} must return a number; got {abridged(raw)} for {question!r}. "
            "Parse it in your function."
        )
    return number


def _read(raw: Any, items: Question, ids: Question, strict: bool) -> Reading:
    number = read_number(raw, "score", ids)
    answer = None if math.isnan(number) else number
    return Reading(answer, answer)


POINTWISE = Kind("pointwise", "score", _read, is_spread=True)
