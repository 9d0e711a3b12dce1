"""Columns of ids, dictionary-encoded: a code per row, and the UTF-8 of each id."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ltr.queries import IntArray

_PIECE = 8
_MAX_PADDED = 64  # bytes; longer ids are padded only if most are about as long
# Odd, so that multiplication modulo 2^64 loses no bit: 2^64 over the golden ratio, and
# the first multiplier of SplitMix64.
_MULTIPLIERS = np.array([0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9], dtype=np.uint64)


@dataclass(frozen=True)
class Ids:
    """Ids of rows, kept as bytes until text is asked for.

    Attributes
    ----------
    codes : int array of shape (n_rows,)
        Index of the id of each row in ``names``.
    names : array of shape (n_ids,)
        Distinct ids in UTF-8: a bytes array, padded with NUL to a multiple of 8 bytes,
        or an object array of bytes where padding would take much memory.
    """

    codes: IntArray
    names: NDArray[Any]

    @property
    def text(self) -> NDArray[np.object_]:
        """The distinct ids as text, shape (n_ids,)."""
        return as_text(self.names)

    def of(self, row: int) -> str:
        """Id of a row."""
        return str(self.names[self.codes[row]].decode())

    def first(self, n: int) -> list[str]:
        """The first ids as text, cut to 60 characters, as examples in a message."""
        text = list(as_text(self.names[:n]))
        return [word if len(word) <= 60 else word[:57] + "..." for word in text]

    def find(self, other: Ids) -> IntArray:
        """Look up the ids of another column: the code here, or −1.

        Parameters
        ----------
        other : Ids
            Another column.

        Returns
        -------
        codes : int array of shape (n_other_ids,)

        Examples
        --------
        >>> ids = Ids.from_text(np.arange(2), ["x", "y"])
        >>> ids.find(Ids.from_text(np.arange(2), ["y", "z"])).tolist()
        [1, -1]
        """
        import pandas as pd

        if not (self.names.dtype.hasobject or other.names.dtype.hasobject):
            width = max(self.names.itemsize, other.names.itemsize)
            pieces, other_pieces = (_pieces(i.names, width) for i in (self, other))
            keys = pd.Index(hash_of(list(pieces.T)))
            if keys.is_unique:
                codes = keys.get_indexer(pd.Index(hash_of(list(other_pieces.T))))
                hits = np.flatnonzero(codes >= 0)
                if (pieces[codes[hits]] == other_pieces[hits]).all():
                    return codes
        # long ids, or two that share a hash: compare the bytes themselves
        names = pd.Index(self.names.astype(object))
        return names.get_indexer(pd.Index(other.names.astype(object)))

    def followed_by(self, other: Ids) -> Ids:
        """Ids of the rows of this column and then of another one.

        Parameters
        ----------
        other : Ids
            Another column.

        Returns
        -------
        ids : Ids

        Examples
        --------
        >>> ids = Ids.from_text(np.arange(2), ["x", "y"])
        >>> longer = ids.followed_by(Ids.from_text(np.arange(2), ["y", "z"]))
        >>> longer.text.tolist(), longer.codes.tolist()
        (['x', 'y', 'z'], [0, 1, 1, 2])
        """
        codes = self.find(other).astype(np.intp)
        is_new = codes < 0
        codes[is_new] = len(self.names) + np.arange(is_new.sum())
        names = np.concatenate([self.names, other.names[is_new]])
        return Ids(np.concatenate([self.codes, codes[other.codes]]), names)

    @classmethod
    def from_bytes(cls, codes: IntArray, words: list[bytes]) -> Ids:
        """Distinct ids in UTF-8.

        Parameters
        ----------
        codes : int array of shape (n_rows,)
            Index of the id of each row in ``words``.
        words : list of bytes
            Distinct ids without NUL.

        Returns
        -------
        ids : Ids
        """
        longest = max(map(len, words), default=0)
        width = max(-(-longest // _PIECE), 1) * _PIECE
        if longest > _MAX_PADDED and width * len(words) > 4 * sum(map(len, words)):
            names: NDArray[Any] = np.empty(len(words), dtype=object)
            names[:] = words
        else:
            names = np.array(words, dtype=f"S{width}")
        return cls(codes, names)

    @classmethod
    def from_text(
        cls, codes: IntArray, text: Sequence[str], field: str = "an id"
    ) -> Ids:
        """Encode distinct ids.

        Parameters
        ----------
        codes : int array of shape (n_rows,)
            Index of the id of each row in ``text``.
        text : sequence of str
            Distinct ids.
        field : str, default="an id"
            What messages call an id.

        Returns
        -------
        ids : Ids

        Raises
        ------
        ValueError
            If an id contains a NUL character, which the padding would swallow, or a
            surrogate, which is no character.
        """
        # one call of encode() for all ids, joined by a character that none may contain
        try:
            words = "\0".join(text).encode().split(b"\0")
        except UnicodeEncodeError as error:
            bad = next(word for word in text if _has_surrogate(word))
            raise ValueError(
                f"{field} must be text; got {bad!r}, which has a surrogate."
            ) from error
        if len(words) > len(text) > 0:
            bad = next(word for word in text if "\0" in word)
            raise ValueError(f"{field} must not contain a NUL character; got {bad!r}.")
        return cls.from_bytes(codes, words[: len(text)])


def _has_surrogate(word: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in word)


def as_text(names: NDArray[Any]) -> NDArray[np.object_]:
    """Decode ids.

    Parameters
    ----------
    names : array of shape (n,)
        Ids in UTF-8, as in :class:`Ids`.

    Returns
    -------
    text : object array of shape (n,)
        As str.
    """
    text = np.empty(len(names), dtype=object)
    text[:] = [name.decode() for name in names.tolist()]
    return text


def hash_of(pieces: list[NDArray[np.uint64]]) -> NDArray[np.uint64]:
    """Hash ids to 64 bits; an id of one piece is its own hash.

    Each piece p is mixed into the key as k ← (k ⊕ (k ≫ 29)) · a ⊕ p · b, a xorshift and
    a multiplication modulo 2^64, as in SplitMix64. Hashes can collide: callers compare
    the pieces.

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
