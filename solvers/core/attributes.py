"""Attributes in the formats that users pass: lists, arrays, DataFrame columns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ltr.queries import BoolArray, IntArray, is_missing


def read_column(values: Any) -> Any:
    """Return the values as an array; a list becomes an array of its objects.

    Parameters
    ----------
    values : array-like of shape (n_items,)
        Value of each item; None, NaN and pandas' NA are missing values.

    Returns
    -------
    column : array of shape (n_items,)
        Objects, None where the value is missing; arrays of other types as they are.

    Examples
    --------
    >>> read_column(["b", 1, float("nan")]).tolist()
    ['b', 1, None]
    """
    if hasattr(values, "dtype"):
        column = np.asarray(values)
    else:
        column = np.asarray(values, dtype=object)
    if column.dtype == object and column.ndim == 1:
        missing = np.array([is_missing(value) for value in column], dtype=bool)
        if missing.any():
            column = column.copy()
            column[missing] = None
    return column


def values_of(attributes: Mapping[str, Any] | None, name: str) -> Any:
    """Return the values of an attribute, or raise if it is not there.

    Examples
    --------
    >>> values_of({"seller": ["x", "y"]}, "seller")
    ['x', 'y']
    """
    names = () if attributes is None else attributes
    if attributes is None or name not in names:
        listed = ", ".join(repr(str(key)) for key in names) or "none"
        raise ValueError(
            f"attributes must have {name!r}, to which a constraint refers; got "
            f"{listed}. Pass attributes={{{name!r}: one value per item}}."
        )
    return attributes[name]


class Attributes:
    """The attributes of the items, and the items that share a value.

    Parameters
    ----------
    attributes : mapping of str to array-like of shape (n_items,), or None
        Attributes by name; a DataFrame will do.
    n_items : int
        Number of items.
    label : str, default=""
        What follows the name of an attribute in messages: the number of the list.

    Examples
    --------
    >>> attributes = Attributes({"seller": ["x", "y", "x", None]}, 4)
    >>> attributes.members("seller", "x").tolist()
    [True, False, True, False]
    >>> [members.tolist() for members in attributes.larger_groups("seller", 1)]
    [[True, False, True, False]]
    """

    def __init__(
        self,
        attributes: Mapping[str, ArrayLike] | None,
        n_items: int,
        label: str = "",
    ) -> None:
        self._attributes = {} if attributes is None else attributes
        self._n_items, self._label = n_items, label
        self._columns: dict[str, Any] = {}

    def _column(self, name: str) -> Any:
        if name not in self._columns:
            column = read_column(values_of(self._attributes, name))
            if column.shape != (self._n_items,):
                raise ValueError(
                    f"attributes[{name!r}]{self._label} must have one value per item, "
                    f"shape ({self._n_items},); got shape {column.shape}."
                )
            self._columns[name] = column
        return self._columns[name]

    def at(self, items: IntArray) -> Attributes:
        """Return the attributes of some items, numbered from 0."""
        columns = {name: self._column(name)[items] for name in self._attributes}
        return Attributes(columns, len(items), self._label)

    def members(self, name: str, value: Any) -> BoolArray:
        """Return the mask of items with this value; a missing value has none."""
        column = self._column(name)
        if is_missing(value):
            return np.zeros(self._n_items, dtype=bool)
        is_equal = column == value
        if isinstance(is_equal, np.ndarray):
            return is_equal.astype(bool)
        return np.full(self._n_items, bool(is_equal))

    def larger_groups(self, name: str, count: int) -> list[BoolArray]:
        """Return the members of each value that more than ``count`` items share."""
        numbers: dict[Any, int] = {}
        codes = np.full(self._n_items, -1)
        for item, value in enumerate(self._column(name).tolist()):
            if not is_missing(value):
                codes[item] = numbers.setdefault(value, len(numbers))
        sizes = np.bincount(codes[codes >= 0], minlength=len(numbers))
        return [codes == code for code in np.flatnonzero(sizes > count)]
