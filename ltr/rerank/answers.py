"""Reading answers: malformed rankings, texts, and the logits of a first token."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ltr.arguments import ArgumentError, abridged, check_choice, plain
from ltr.rerank.calls import distinct_ids
from ltr.rerank.results import Repairs

_BRACKETS = str.maketrans("【】〔〕", "[][]")
_IN_BRACKETS = re.compile(r"\[([^\[\]]*)\]")
_ONE = re.compile(r"-?[0-9]+|[A-Za-z]")
_LABELED = re.compile(r"(?:[A-Za-z]{2,}[\s#:_-]*)?(-?[0-9]+|[A-Za-z])")  # [doc 2]
_SEVERAL = re.compile(r"(?:-?[0-9]+|[A-Za-z])(?:['\"\s,;>]+(?:-?[0-9]+|[A-Za-z]))+")
_LONE_NUMBER = re.compile(r"(?<![\w.-])[0-9]+(?!\w|\.[0-9])")
_LONE_LETTER = re.compile(r"(?<![\w'])(?!I['’\s][a-z])[A-Z](?!\w)")  # not "I think"
_MAX_DIGITS = 9


def repair_ranking(raw: Iterable[Any], ids: Iterable[Any]) -> tuple[list[Any], Repairs]:
    """Turn any answer into a ranking of all ids.

    Parameters
    ----------
    raw : iterable
        What a judge returned, best first. Entries are matched as ids, never as places.
    ids : sequence of hashables
        Distinct ids, in the order in which they were shown.

    Returns
    -------
    ranking : list
        All ids, each once: those of ``raw`` first, and then those that it lacks, in the
        order of ``ids``.
    repairs : Repairs
        How many entries were unknown or repeated, and how many ids were missing.

    Raises
    ------
    ArgumentError
        If ``raw`` is a text, or no sequence at all.

    Examples
    --------
    >>> from ltr.rerank import repair_ranking
    >>> repair_ranking([3, 9, 3, 1], [1, 2, 3, 4])
    ([3, 1, 2, 4], Repairs(unknown=1, repeated=1, missing=2, tied=0))
    """
    entries = distinct_ids(ids)
    order, repairs = repaired(raw, entries, "raw")
    return [entries[place] for place in order], repairs


def repaired(
    raw: Any,
    ids: Sequence[Any],
    name: str,
    advice: str = "Read it with parse_ranking.",
) -> tuple[tuple[int, ...], Repairs]:
    """The places in ``ids`` of a ranking, each once.

    Parameters
    ----------
    raw : object
        What a judge returned.
    ids : sequence of hashables
        Distinct ids of the question.
    name : str
        Subject of the message, such as "order".
    advice : str, default="Read it with parse_ranking."
        What the message says to do with a text.

    Returns
    -------
    order : tuple of int
    repairs : Repairs
    """
    if isinstance(raw, (str, bytes)):
        raise ArgumentError(
            f"{name} must be ids, best first; got the text {abridged(raw)}. {advice}"
        )
    if isinstance(raw, (Mapping, set, frozenset)) or not isinstance(raw, Iterable):
        raise ArgumentError(f"{name} must be ids, best first; got {abridged(raw)}.")
    places = {entry: place for place, entry in enumerate(ids)}
    order: dict[int, None] = {}
    unknown = repeated = 0
    for entry in raw:
        place = place_of(entry, places)
        if place is None:
            unknown += 1
        elif place in order:
            repeated += 1
        else:
            order[place] = None
    missing = len(ids) - len(order)
    order.update(dict.fromkeys(range(len(ids))))
    return tuple(order), Repairs(unknown, repeated, missing)


def place_of(entry: Any, places: Mapping[Any, int]) -> int | None:
    """The place of an id; None if it is none.

    Parameters
    ----------
    entry : object
        What a judge returned. True is not the id 1.
    places : mapping
        Place by id.

    Returns
    -------
    place : int or None
    """
    # a number of JAX or PyTorch has no hash, nor has an array without a dimension
    is_scalar = getattr(entry, "ndim", None) == 0 and hasattr(entry, "item")
    entry = entry.item() if is_scalar else plain(entry)
    try:
        place = places.get(entry)
    except TypeError:
        return None
    if isinstance(entry, bool) and place is not None:
        is_truth_value = any(key is entry for key in places)
        return place if is_truth_value else None
    return place


def parse_ranking(text: str, ids: Iterable[Any]) -> list[Any]:
    """Read a ranking such as ``[2] > [3] > [1]`` from the text of a language model.

    Parameters
    ----------
    text : str
        The answer. What stands before the last ``</think>`` is ignored. Identifiers are
        1-based numbers, or letters from A, in brackets; without such brackets, numbers
        (or capital letters) that stand alone. Superscript and full-width digits count.
    ids : sequence of hashables
        Distinct ids in the order in which they were shown: identifier 1, or A, is the
        first.

    Returns
    -------
    ranking : list
        What the text names, best first, for :func:`repair_ranking`: ids may be missing
        or repeated, and an identifier out of range stays as the text has it, such as
        ``"[9]"``. Empty if the text names none.

    Raises
    ------
    ArgumentError
        If ``text`` is no text.

    References
    ----------
    .. [1] W. Sun et al., "Is ChatGPT good at search? Investigating large language
       models as re-ranking agents", EMNLP 2023.

    Examples
    --------
    >>> from ltr.rerank import parse_ranking
    >>> parse_ranking("<think>[1] is long</think> [2] > [3] > [1]", ["a", "b", "c"])
    ['b', 'c', 'a']
    >>> parse_ranking("C > A", ["a", "b", "c"])
    ['c', 'a']
    """
    if not isinstance(text, str):
        raise ArgumentError(f"text must be a str; got {abridged(text)}.")
    entries = distinct_ids(ids)
    words = _identifiers(text)
    ranking: list[Any] = []
    for word in words:
        number = _number(word)
        is_in_range = number is not None and 1 <= number <= len(entries)
        ranking.append(entries[number - 1] if is_in_range else _Unknown(f"[{word}]"))  # type: ignore[operator]
    return ranking


def _identifiers(text: str) -> list[str]:
    """Numbers and letters that stand for items, in the order of the text."""
    answer = text.rpartition("</think>")[2].partition("<think>")[0]
    # NFKC turns superscript and full-width characters into plain ones
    answer = unicodedata.normalize("NFKC", answer.translate(_BRACKETS))
    groups = [group.strip(" '\"") for group in _IN_BRACKETS.findall(answer)]
    words: list[str] = []
    for group in groups:
        if labeled := _LABELED.fullmatch(group):
            words.append(labeled[1])
        elif _SEVERAL.fullmatch(group):
            words += _ONE.findall(group)
    return words or _LONE_NUMBER.findall(answer) or _LONE_LETTER.findall(answer)


class _Unknown(str):
    """An identifier out of range: shown as text, and equal to no id."""

    __slots__ = ()
    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        return self is other


def _number(word: str) -> int | None:
    """1-based number of an identifier: digits, or one letter."""
    if not word.isalpha():
        return int(word) if len(word) <= _MAX_DIGITS else None
    return ord(word.upper()) - ord("A") + 1


def first_token_ranking(
    logits: ArrayLike | Mapping[Any, float],
    token_ids: Sequence[Any],
    *,
    missing: Literal["last", "raise"] = "last",
) -> NDArray[np.int64]:
    """Order items by the logits of their identifiers as the first token of an answer.

    One token of output ranks a whole window: the model is asked for an order, and what
    it would begin with is read instead of what it writes.

    Parameters
    ----------
    logits : array of shape (..., n_tokens), or mapping
        Logits (or log probabilities) of the first token; or those of the most probable
        tokens alone, ``{token: logit}``.
    token_ids : sequence
        The token of each item's identifier: an index into ``logits``, or a key.
    missing : {"last", "raise"}, default="last"
        What happens to items whose token has no logit (not among the most probable, or
        NaN): they follow all others in the order of ``token_ids``, or it is an error.

    Returns
    -------
    order : int array of shape (..., n_items)
        Item indices, best first; among equals the first.

    Raises
    ------
    ArgumentError
        If a token is out of range, or has no logit under ``missing="raise"``.

    References
    ----------
    .. [1] Z. Chen, R. Pradeep & J. Lin, "An early FIRST reproduction and improvements
       to single-token decoding for fast listwise reranking", 2024.

    Examples
    --------
    >>> from ltr.rerank import first_token_ranking
    >>> first_token_ranking([0.2, 1.5, -1.0, 0.7], [0, 1, 2, 3])
    array([1, 3, 0, 2])
    >>> first_token_ranking({"B": -0.1, "A": -3.2}, ["A", "B", "C"])
    array([1, 0, 2])
    """
    check_choice("missing", missing, ("last", "raise"))
    if isinstance(logits, Mapping):
        scores = np.array([logits.get(token, np.nan) for token in token_ids], float)
    else:
        values, columns = np.asarray(logits, dtype=float), np.asarray(token_ids)
        is_index = columns.ndim == 1 and columns.dtype.kind in "iu"
        n_tokens = values.shape[-1] if values.ndim else 0
        if not is_index or not ((columns >= 0) & (columns < n_tokens)).all():
            raise ArgumentError(
                f"token_ids must be indices from 0 to {n_tokens - 1}; "
                f"got {abridged(token_ids)}."
            )
        scores = values[..., columns]
    absent = np.flatnonzero(np.isnan(scores).reshape(-1, scores.shape[-1]).any(axis=0))
    if missing == "raise" and len(absent):
        raise ArgumentError(
            f"logits must hold all token_ids (missing='raise'); got none for "
            f"{plain(token_ids[absent[0]])!r}. Ask for more of them, or use "
            "missing='last'."
        )
    # NaN sorts behind everything, −∞ included
    return np.argsort(-scores, axis=-1, kind="stable").astype(np.int64)
