"""A column of ids: the number of each row's id, and the UTF-8 of every id."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

_PIECE = 8
_MULTIPLIERS = np.array([0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9], dtype=np.uint64)

IntArray = NDArray[np.intp]


@dataclass(frozen=True)
class Ids:
    """Ids of rows, held as bytes until somebody asks for text.

    Attributes
    ----------
    codes : int array of shape (n_rows,)
        Number of the id of each row.
    names : bytes array of shape (n_ids,)
        Distinct ids in UTF-8, as wide as the longest, rounded up to 8 bytes.
    """

    codes: IntArray
    names: NDArray[np.bytes_]

    @property
    def text(self) -> NDArray[np.object_]:
        """The distinct ids as text, shape (n_ids,)."""
        return as_text(self.names)

    def of(self, row: int) -> str:
        """Id of a row."""
        return str(self.names[self.codes[row]].decode())

    def find(self, other: Ids) -> IntArray:
        """Number of each of another column's ids in this one, −1 for those not here.

        Parameters
        ----------
        other : Ids
            Another column.

        Returns
        -------
        found : int array of shape (n_other_ids,)

        Examples
        --------
        >>> ids = Ids.from_text(np.arange(2), ["x", "y"])
        >>> ids.find(Ids.from_text(np.arange(2), ["y", "z"])).tolist()
        [1, -1]
        """
        width = max(self.names.itemsize, other.names.itemsize)
        mine, theirs = (_pieces(ids.names, width) for ids in (self, other))
        keys = pd.Index(hash_of(list(mine.T)))
        if keys.is_unique:
            found = keys.get_indexer(pd.Index(hash_of(list(theirs.T))))
            here = np.flatnonzero(found >= 0)
            if (mine[found[here]] == theirs[here]).all():
                return found
        names = pd.Index(self.names.astype(object))  # two ids share a hash
        return names.get_indexer(pd.Index(other.names.astype(object)))

    @classmethod
    def from_text(cls, codes: IntArray, text: Sequence[str]) -> Ids:
        """Encode distinct ids.

        Parameters
        ----------
        codes : int array of shape (n_rows,)
            Number of the id of each row.
        text : sequence of str
            Distinct ids.

        Returns
        -------
        ids : Ids

        Raises
        ------
        ValueError
            If an id has a NUL character, which would end it.
        """
        words = "\0".join(text).encode().split(b"\0")
        if len(words) > len(text) > 0:
            bad = next(word for word in text if "\0" in word)
            raise ValueError(f"an id must not have a NUL character; got {bad!r}.")
        width = -(-max(map(len, words)) // _PIECE) * _PIECE
        return cls(codes, np.array(words[: len(text)], dtype=f"S{max(width, _PIECE)}"))


def as_text(names: NDArray[np.bytes_]) -> NDArray[np.object_]:
    """Decode ids.

    Parameters
    ----------
    names : bytes array of shape (n,)
        Ids in UTF-8.

    Returns
    -------
    text : object array of shape (n,)
        As str.
    """
    text = np.empty(len(names), dtype=object)
    text[:] = [name.decode() for name in names.tolist()]
    return text


def hash_of(pieces: list[NDArray[np.uint64]]) -> NDArray[np.uint64]:
    """One number for each id; ids of one piece are their own.

    Parameters
    ----------
    pieces : list of uint64 arrays of shape (n,)
        The first 8 bytes of each id, the next 8, ….

    Returns
    -------
    keys : uint64 array of shape (n,)
    """
    key: NDArray[Any] = pieces[0]
    for piece in pieces[1:]:
        key = (key ^ (key >> np.uint64(29))) * _MULTIPLIERS[0] ^ piece * _MULTIPLIERS[1]
    return key


def _pieces(names: NDArray[np.bytes_], width: int) -> NDArray[np.uint64]:
    wide = names.astype(f"S{width}")
    return np.ascontiguousarray(wide).view("<u8").reshape(len(names), -1)
