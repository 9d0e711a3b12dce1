"""What a request holds: lists of items as JSON, checked before anything is computed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from ltr.queries import FloatArray

_OF_REQUEST = {"features", "feature_names", "ids", "k", "lists"}
_OF_LIST = _OF_REQUEST - {"lists"}
_BESIDE_LISTS = {"feature_names", "k", "lists"}


class RequestError(ValueError):
    """A request that is refused.

    Attributes
    ----------
    status : int
        Status of HTTP: 400, or 413 for one that is too large.
    """

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Limits:
    """How large a request may be.

    Attributes
    ----------
    body_bytes : int, default=4194304
        Bytes of the body.
    n_items : int, default=1000
        Items of a list.
    n_lists : int, default=100
        Lists of a request.
    n_waiting : int, default=1000
        Requests that wait for their scores; further ones get the status 503.
    read_s : float, default=30.0
        Seconds in which the body must come.
    """

    body_bytes: int = 4 * 2**20
    n_items: int = 1000
    n_lists: int = 100
    n_waiting: int = 1000
    read_s: float = 30.0


@dataclass(frozen=True)
class ItemList:
    """The items of a query.

    Attributes
    ----------
    features : float array of shape (n_items, n_features)
        NaN where a value is missing.
    ids : list or None
        What the client calls the items.
    k : int or None
        How many of the best to return.
    """

    features: FloatArray
    ids: list[Any] | None
    k: int | None


def read_lists(
    body: bytes, limits: Limits, n_features: int, names: list[str] | None
) -> tuple[list[ItemList], bool]:
    """Read the body of a request.

    Parameters
    ----------
    body : bytes
        JSON.
    limits : Limits
        How much may come.
    n_features : int
        Number of features of an item.
    names : list of str or None
        Their names, if the ranker knows them.

    Returns
    -------
    lists : list of ItemList
    is_single : bool
        Whether the body is one list, and not an object with ``lists``.

    Raises
    ------
    RequestError
        If it is not what is expected; the message says what came and where.

    Examples
    --------
    >>> body = b'{"features": [[1, null], [3, 4]], "k": 1}'
    >>> (items,), is_single = read_lists(body, Limits(), 2, None)
    >>> items.features.tolist(), items.k, is_single
    ([[1.0, nan], [3.0, 4.0]], 1, True)
    """
    document = _parsed(body)
    if not isinstance(document, dict):
        _refuse(f"the body must be a JSON object; got {_kind(document)}.")
    _check_keys("the body", document, _OF_REQUEST)
    if "lists" not in document:
        return [_read_list("", document, limits, n_features, names)], True
    if "features" in document:
        _refuse("the body must have 'features' or 'lists'; got both.")
    _check_keys("a body with 'lists'", document, _BESIDE_LISTS)
    entries = document["lists"]
    if not isinstance(entries, list) or not entries:
        kind = "an empty array" if entries == [] else _kind(entries)
        _refuse(f"'lists' must be an array of objects; got {kind}.")
    if len(entries) > limits.n_lists:
        _refuse(
            f"'lists' must have at most {limits.n_lists} lists; got {len(entries)}.",
            413,
        )
    shared = {key: document[key] for key in ("feature_names", "k") if key in document}
    lists = []
    for number, entry in enumerate(entries):
        if not isinstance(entry, dict):
            _refuse(f"'lists' must have objects; got {_kind(entry)} as list {number}.")
        _check_keys(f"list {number}", entry, _OF_LIST)
        place = f" of list {number}"
        lists.append(_read_list(place, shared | entry, limits, n_features, names))
    return lists, False


def _read_list(
    place: str,
    document: dict[str, Any],
    limits: Limits,
    n_features: int,
    names: list[str] | None,
) -> ItemList:
    items, k = document.get("features"), document.get("k")
    if not isinstance(items, list):
        _refuse(
            f"'features'{place} must be an array with an entry for each item; got "
            f"{_kind(items)}."
        )
    if len(items) > limits.n_items:
        _refuse(
            f"'features'{place} must have at most {limits.n_items} items; got "
            f"{len(items)}.",
            413,
        )
    ids = document.get("ids")
    if ids is not None and (not isinstance(ids, list) or len(ids) != len(items)):
        count = len(ids) if isinstance(ids, list) else _kind(ids)
        _refuse(
            f"'ids'{place} must have one entry for each of the {len(items)} items; "
            f"got {count}."
        )
    if k is not None and (type(k) is not int or k < 1):
        _refuse(f"'k'{place} must be a whole number >= 1; got {k!r:.40}.")
    columns = document.get("feature_names")
    is_named = bool(items) and isinstance(items[0], dict)
    if is_named or columns is not None:
        rows = _in_order(place, items, columns, names, is_named)
    else:
        rows = items
    return ItemList(_numbers(place, rows, n_features), ids, k)


def _in_order(
    place: str, items: list[Any], columns: Any, names: list[str] | None, is_named: bool
) -> list[Any]:
    """Values of named features in the order of the ranker's columns."""
    if names is None:
        _refuse(
            f"'features'{place} must be arrays: the ranker was fitted without names of "
            "features."
        )
    if is_named:
        if columns is not None:
            _refuse(f"'feature_names'{place} must be left out if items are objects.")
        for row, item in enumerate(items):
            if not isinstance(item, dict):
                _refuse(f"item {row}{place} must be an object like item 0.")
            _check_names(f"item {row}{place}", list(item), names)
        return [[item[name] for name in names] for item in items]
    if not isinstance(columns, list) or len(set(map(str, columns))) < len(columns):
        _refuse(f"'feature_names'{place} must be an array of distinct names.")
    _check_names(f"'feature_names'{place}", columns, names)
    if columns == names:
        return items
    where = [columns.index(name) for name in names]
    for row, item in enumerate(items):
        if not isinstance(item, list) or len(item) != len(names):
            _refuse(f"item {row}{place} must be an array of {len(names)} numbers.")
    return [[item[i] for i in where] for item in items]


def _check_names(where: str, columns: list[Any], names: list[str]) -> None:
    present = set(map(str, columns))
    missing = [name for name in names if name not in present]
    others = sorted(present - set(names))
    if missing or others:
        fault = f"lacks {missing[0]!r}" if missing else f"has {others[0]!r:.100}"
        _refuse(
            f"{where} must have the {len(names)} features of the ranker; it {fault}."
        )


def _numbers(place: str, rows: list[Any], n_features: int) -> NDArray[np.float64]:
    """A float array; null is a missing value."""
    if not rows:
        return np.zeros((0, n_features))
    for row, item in enumerate(rows):
        if not isinstance(item, list) or len(item) != n_features:
            count = len(item) if isinstance(item, list) else _kind(item)
            _refuse(
                f"item {row}{place} must be an array of {n_features} numbers; got "
                f"{count}."
            )
    try:
        values = np.array(rows, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        values = np.full((len(rows), n_features), np.nan)
    kinds = {type(value) for item in rows for value in item}
    if not kinds <= {int, float, type(None)}:
        row, column, value = next(
            (row, column, value)
            for row, item in enumerate(rows)
            for column, value in enumerate(item)
            if type(value) not in (int, float, type(None))
        )
        _refuse(
            f"feature {column} of item {row}{place} must be a number or null; got "
            f"{value!r:.40}."
        )
    if np.isinf(values).any() or (np.isnan(values).any() and type(None) not in kinds):
        _refuse(f"'features'{place} must be numbers in the range of float64.")
    return values


def _parsed(body: bytes) -> Any:
    def refuse_constant(name: str) -> NoReturn:
        _refuse(f"the body must be JSON, which has no {name}; pass null.")

    def distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        document = dict(pairs)
        if len(document) < len(pairs):
            keys = [key for key, _ in pairs]
            twice = next(key for key in document if keys.count(key) > 1)
            _refuse(
                "an object in the body must have distinct keys; got "
                f"{twice!r:.100} twice."
            )
        return document

    try:
        return json.loads(
            body, parse_constant=refuse_constant, object_pairs_hook=distinct
        )
    except RequestError:
        raise
    except (ValueError, RecursionError) as error:
        _refuse(f"the body must be JSON: {error!s:.200}.")


def _check_keys(where: str, document: dict[str, Any], expected: set[str]) -> None:
    for key in document:
        if key not in expected:
            _refuse(
                f"{where} must have the keys {', '.join(sorted(expected))} only; got "
                f"{key!r:.100}."
            )


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "an array", str: "text", type(None): "null"}
    return names.get(type(value), repr(value)[:40])


def _refuse(message: str, status: int = 400) -> NoReturn:
    raise RequestError(message, status)
