"""Decimal numbers from words held as 8-byte integers, eight digits at a time.

A number of at most 15 digits is a whole number below 2^53 over a power of ten up to
10^22, both exact in float64, so one division rounds it as Python's ``float`` does.
What has another form (an exponent, more digits) is left to NumPy. It takes a third of
NumPy's time for blocks that fit into the cache.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.uint64]

_ONE, _BYTE = np.uint64(1), np.uint64(8)
_LOW = np.uint64(0x0101010101010101)
_HIGH = np.uint64(0x8080808080808080)
_DOTS = np.uint64(ord(".")) * _LOW
_ZEROS = np.uint64(ord("0")) * _LOW
_POWERS = 10.0 ** np.arange(23)
_WHOLE_POWERS = np.array([10**i for i in range(9)], dtype=np.uint64)


def parse_numbers(words: list[Array]) -> NDArray[np.float64]:
    """Read a number from each word.

    Parameters
    ----------
    words : list of uint64 arrays of shape (n,)
        The first 8 bytes of each word, the next 8, …; little-endian, 0 after the end.

    Returns
    -------
    numbers : float array of shape (n,)

    Raises
    ------
    ValueError
        If a word is not a number.

    Examples
    --------
    >>> words = np.array([b"-2.25", b"1e3"], dtype="S8").view("<u8")
    >>> parse_numbers([words]).tolist()
    [-2.25, 1000.0]
    """
    if len(words) > 2:
        return _by_numpy(words)
    is_negative = (words[0] & np.uint64(0xFF)) == ord("-")
    first = words[0] >> np.where(is_negative, _BYTE, np.uint64(0))
    mantissa, n_digits, n_decimals, is_plain = _digits(first)
    if len(words) > 1:
        more, n_more, n_late, is_plain_too = _digits(words[1])
        is_plain &= is_plain_too & ((n_decimals < 0) | (n_late < 0))
        n_decimals = np.where(n_decimals < 0, n_late, n_decimals + n_more)
        n_digits = n_digits + n_more
        mantissa = mantissa * _WHOLE_POWERS[n_more] + more
    is_plain &= (n_digits > 0) & (n_digits <= 15)
    numbers = mantissa / _POWERS[np.maximum(n_decimals, 0)]
    np.negative(numbers, out=numbers, where=is_negative)
    rest = np.flatnonzero(~is_plain)
    if len(rest):
        numbers[rest] = _by_numpy([piece[rest] for piece in words])
    return numbers


def _by_numpy(words: list[Array]) -> NDArray[np.float64]:
    table = np.stack(words, axis=1).astype("<u8", copy=False)
    return table.view(f"S{8 * len(words)}")[:, 0].astype(np.float64)


def _digits(word: Array) -> tuple[Array, NDArray[np.int64], NDArray[np.int64], Any]:
    """Value of up to 8 digits, their number, those after a dot, and whether it is one.

    The number after a dot is −1 if there is no dot. Two dots, or any other character,
    make the word none of ours.
    """
    dots = word ^ _DOTS
    dots = (dots - _LOW) & ~dots & _HIGH
    dot = dots & -dots  # the top bit of the first dot's byte
    before = (dot >> np.uint64(7)) - _ONE
    digits = (word & before) | ((word >> _BYTE) & ~before)
    is_used = (((digits & ~_HIGH) + ~_HIGH) | digits) & _HIGH
    n_digits = np.bitwise_count(is_used)
    n_after = np.bitwise_count(is_used & ~before).astype(np.int64)
    n_after[dot == 0] = -1
    n_empty = np.minimum((_BYTE - n_digits) * _BYTE, np.uint64(63))
    value = (digits << n_empty) - (_ZEROS << n_empty)
    is_plain = ((value + np.uint64(0x76) * _LOW) | value) & _HIGH == 0
    value = value * np.uint64(10) + (value >> _BYTE)
    pairs = np.uint64(0x000000FF000000FF)
    high = (value & pairs) * np.uint64(100 + (1_000_000 << 32))
    low = ((value >> np.uint64(16)) & pairs) * np.uint64(1 + (10_000 << 32))
    value = (high + low) >> np.uint64(32)
    value[n_digits == 0] = 0
    return value, n_digits.astype(np.int64), n_after, is_plain | (word == 0)
