"""Decimal numbers of run files, against Python's own reading of each."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import example, given

from ltr.datasets.runs.numbers import parse_numbers

DIGITS = st.text("0123456789", max_size=9)
PLAIN = st.builds(
    "{}{}{}{}".format, st.sampled_from(["", "-"]), DIGITS, st.sampled_from(["", "."]), DIGITS
)  # fmt: skip
ANY = st.one_of(
    PLAIN,
    st.floats().map(repr),
    st.floats(-1e6, 1e6).map("{:.5f}".format),
    st.floats(width=32).map("{:.3e}".format),
    st.text("0123456789+-.einf", min_size=1, max_size=18),
)


def as_words(texts):
    """Pieces of 8 bytes, as the reader of files cuts them."""
    words = np.array([text.encode() for text in texts], dtype=np.bytes_)
    words = words.astype(f"S{-(-max(words.itemsize, 1) // 8) * 8}")
    return list(words.view("<u8").reshape(len(texts), -1).T.copy())


def as_python(text):
    """Python's number, or None; its ``_`` and blanks are not drawn here."""
    try:
        return float(text)
    except ValueError:
        return None


@given(texts=st.lists(ANY, min_size=1, max_size=6))
@example(["123456789012345", "1234567890123456", "9007199254740993"])
@example(["12345678.", "1234567.8", "12345678.9", "-1234567.8", ".00000000000001"])
@example(["-0", "-0.0", "0", "1e5", "+5", "inf"])
def test_equals_python_to_the_last_bit(texts):
    """Every number, signed zeros too; anything else is refused."""
    expected = [as_python(text) for text in texts]
    if None in expected:
        with pytest.raises(ValueError, match="could not convert"):
            parse_numbers(as_words(texts))
        return
    found = parse_numbers(as_words(texts))
    np.testing.assert_array_equal(found, expected)
    assert np.signbit(found).tolist() == np.signbit(expected).tolist()


@pytest.mark.parametrize(
    "text", ["-", "--5", "1.2.3", ".", "1-", "1:2", "1234567.1.", "12345678-", "9\x7f"]
)
def test_what_is_no_number_is_refused(text):
    """Also among numbers."""
    with pytest.raises(ValueError, match="could not convert"):
        parse_numbers(as_words(["1", text]))
