"""Document ids as integers that sort as text does, for trec_eval's rule for ties."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

_MAX_PADDING = 64  # bytes of a table of ids for each byte of an id


def column_of_ids(ids: ArrayLike) -> NDArray[Any]:
    """An array of ids that one long id does not widen.

    Parameters
    ----------
    ids : array-like of shape (n,)
        Ids, as text, bytes or numbers.

    Returns
    -------
    column : array of shape (n,)
        With the type object if ``ids`` is a list.
    """
    if isinstance(ids, (list, tuple)):
        return np.array([*ids, None], dtype=object)[:-1]
    return np.asarray(ids)


def text_keys(names: NDArray[Any]) -> NDArray[np.uint64]:
    """An integer per id that sorts as its UTF-8 does.

    Parameters
    ----------
    names : array of shape (n,)
        Ids, as text, bytes or numbers.

    Returns
    -------
    keys : uint64 array of shape (n,)

    Examples
    --------
    >>> keys = text_keys(np.array(["b", "10", "9"]))
    >>> np.argsort(keys).tolist()
    [1, 2, 0]
    """
    if names.dtype == object:
        texts = [x if isinstance(x, bytes) else str(x).encode() for x in names.tolist()]
        lengths = [len(text) for text in texts]
        if max(lengths) * len(texts) > _MAX_PADDING * sum(lengths):
            distinct_names = {text: i for i, text in enumerate(sorted(set(texts)))}
            return np.array([distinct_names[text] for text in texts], dtype=np.uint64)
        names = np.array(texts, dtype=np.bytes_)
    return _as_one(_text_as_integers(names))


def _as_one(words: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Dense rank of each row of words, so that one integer sorts as the row does."""
    if words.shape[1] == 1:
        return words[:, 0]
    order = np.lexsort(words.T[::-1])
    differs = (words[order[1:]] != words[order[:-1]]).any(axis=1)
    rank = np.zeros(len(words), dtype=np.uint64)
    rank[order[1:]] = np.cumsum(differs)
    return rank


def _text_as_integers(names: NDArray[Any]) -> NDArray[np.uint64]:
    """Big-endian words of 8 bytes, which sort as the UTF-8 does, shape (n, n_words)."""
    try:
        text = names.astype(np.bytes_)
    except UnicodeEncodeError:
        text = np.char.encode(names.astype(str), "utf-8")
    width = -(-text.itemsize // 8) * 8
    words = text.astype(f"S{width}").view(">u8").reshape(len(names), -1)
    return words.astype(np.uint64)
