"""Numbers and values of features as a reader expects them in a sentence or a figure.

Part of the ground floor that every room may import.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ltr.queries import is_missing


def format_number(number: float) -> str:
    """Three significant digits, without an exponent where that is short.

    Examples
    --------
    >>> format_number(0.12345), format_number(12345.6), format_number(-2.0)
    ('0.123', '12,346', '−2')
    """
    text = f"{number:.3g}"
    if "e" in text and 1 <= abs(number) < 1e7:
        text = f"{number:,.0f}"
    return text.replace("-", "−")


def format_value(value: Any) -> str:
    """A value of a feature: a number, a category, or ``missing``.

    Examples
    --------
    >>> format_value(5), format_value("red"), format_value(True), format_value(None)
    ('5', 'red', 'True', 'missing')
    """
    if is_missing(value):
        return "missing"
    is_number = isinstance(value, (int, float, np.number))
    if is_number and not isinstance(value, bool):
        return format_number(float(value))
    return str(value)
