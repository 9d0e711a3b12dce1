"""Decimal numbers from words held as 8-byte integers, eight digits at a time.

A number of at most 15 digits is m / 10^d with an integer m < 2^53 and d ≤ 15: both are
exact in float64, so the one division is correctly rounded, as Python's ``float`` is.
Other words (with an exponent or more digits) fall back to NumPy. Blocks that fit into
the cache take a third of NumPy's time.

The steps on the bytes of an integer ("SWAR") are those of the fast_float library:
D. Lemire, "Number parsing at a gigabyte per second", Software: Practice and Experience
51 (2021).
"""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ltr.queries import FloatArray

Array = NDArray[np.uint64]

_ONE, _BYTE = np.uint64(1), np.uint64(8)
_LOW = np.uint64(0x0101010101010101)  # the lowest bit of each byte
_HIGH = np.uint64(0x8080808080808080)  # the highest bit of each byte
_DOTS = np.uint64(ord(".")) * _LOW
_ZEROS = np.uint64(ord("0")) * _LOW
_POWERS = 10.0 ** np.arange(23)
_WHOLE_POWERS = np.array([10**i for i in range(9)], dtype=np.uint64)


MAX_CHARACTERS = 2000
_NUMBER = re.compile(
    rb"[+-]?((\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?|inf|infinity|nan)", re.IGNORECASE
)


def parse_number(word: bytes) -> float | None:
    """Read one number as :func:`parse_numbers` does; None if it is not one.

    None also for digits that are too large for a float: only "inf" is infinite; and
    for more than 2,000 characters, since the time to read n digits grows with n².

    Examples
    --------
    >>> parse_number(b"-2.25"), parse_number(b"1_000"), parse_number(b"1e999")
    (-2.25, None, None)
    """
    if len(word) > MAX_CHARACTERS or not _NUMBER.fullmatch(word):
        return None
    value = float(word)
    has_digits = word[-1:].isdigit() or b"." in word
    return None if math.isinf(value) and has_digits else value


def parse_numbers(words: list[Array]) -> FloatArray:
    """Read a number from each word.

    Parameters
    ----------
    words : list of uint64 arrays of shape (n,)
        The first 8 bytes of each word, the next 8, …; little-endian, padded with 0.

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
    # the first character is the lowest byte: a shift drops the sign
    is_negative = (words[0] & np.uint64(0xFF)) == ord("-")
    unsigned = words[0] >> np.where(is_negative, _BYTE, np.uint64(0))
    mantissa, n_digits, n_decimals, is_plain = _digits(unsigned)
    if len(words) > 1:
        # m = m₀ · 10^n₁ + m₁; at most one of the two pieces has a dot
        low, n_low, n_low_decimals, is_low_plain = _digits(words[1])
        is_plain &= is_low_plain & ((n_decimals < 0) | (n_low_decimals < 0))
        n_decimals = np.where(n_decimals < 0, n_low_decimals, n_decimals + n_low)
        n_digits = n_digits + n_low
        mantissa = mantissa * _WHOLE_POWERS[n_low] + low
    is_plain &= (n_digits > 0) & (n_digits <= 15)
    numbers = mantissa / _POWERS[np.maximum(n_decimals, 0)]
    np.negative(numbers, out=numbers, where=is_negative)
    others = np.flatnonzero(~is_plain)
    if len(others):
        numbers[others] = _by_numpy([piece[others] for piece in words])
    return numbers


def _by_numpy(words: list[Array]) -> FloatArray:
    table = np.stack(words, axis=1).astype("<u8", copy=False)
    if (table.view(np.uint8) == ord("_")).any():  # NumPy and Python read 1_000 as 1000
        raise ValueError("could not convert a word with an underscore to a number")
    return table.view(f"S{8 * len(words)}")[:, 0].astype(np.float64)


def _digits(word: Array) -> tuple[Array, NDArray[np.int64], NDArray[np.int64], Any]:
    """Value of a piece, its number of digits and of decimals, and whether it is plain.

    The number of decimals is −1 without a dot. Two dots, or a character that is neither
    digit nor dot, make the piece not plain: its word falls back to NumPy.
    """
    # (x − 0x01) & ~x & 0x80 marks the zero bytes of x = word ⊕ "........"; above the
    # first one a borrow can mark others, so only the lowest mark counts
    dots = word ^ _DOTS
    dots = (dots - _LOW) & ~dots & _HIGH
    dot = dots & -dots
    before = (dot >> np.uint64(7)) - _ONE  # mask of the bytes before the dot, or of all
    # close the gap that the dot leaves
    digits = (word & before) | ((word >> _BYTE) & ~before)
    # the top bit of every byte that is not 0: adding 0x7F carries into it
    is_digit = (((digits & ~_HIGH) + ~_HIGH) | digits) & _HIGH
    n_digits = np.bitwise_count(is_digit)
    n_decimals = np.bitwise_count(is_digit & ~before).astype(np.int64)
    n_decimals[dot == 0] = -1
    # move the last digit to the top byte: the bytes below the first one, 0, are its
    # leading zeros; then subtract "0" from each digit
    n_padding_bits = np.minimum((_BYTE - n_digits) * _BYTE, np.uint64(63))
    value = (digits << n_padding_bits) - (_ZEROS << n_padding_bits)
    # a byte above 9 reaches the top bit when 0x76 is added
    is_plain = ((value + np.uint64(0x76) * _LOW) | value) & _HIGH == 0
    # 8 digits d₀ … d₇ in two multiplications: bytes 0, 2, 4, 6 become the pairs
    # 10 d₀ + d₁, …, weighted by 10⁶, 10⁴, 10², 1 and summed in the upper 32 bits
    value = value * np.uint64(10) + (value >> _BYTE)
    pair_mask = np.uint64(0x000000FF000000FF)
    even = (value & pair_mask) * np.uint64(100 + (1_000_000 << 32))
    odd = ((value >> np.uint64(16)) & pair_mask) * np.uint64(1 + (10_000 << 32))
    value = (even + odd) >> np.uint64(32)
    value[n_digits == 0] = 0
    return value, n_digits.astype(np.int64), n_decimals, is_plain | (word == 0)
