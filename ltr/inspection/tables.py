"""Tables of features with one column or some rows replaced."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ltr.arguments import ArgumentError
from ltr.queries import FloatArray, IntArray
from ltr.rankers.features import as_pandas, is_frame

_MAX_ROWS, _MAX_COLUMNS = 60, 12  # of a table as text


def as_table(X: Any) -> Any:
    """A DataFrame of pandas, or an array of two axes.

    Raises
    ------
    ArgumentError
        If ``X`` is sparse, or has not two axes.
    """
    X = as_pandas(X)
    if is_frame(X):
        return X
    if hasattr(X, "tocsr"):
        raise ArgumentError(
            "X must be dense, because columns are replaced; got a sparse matrix. Pass "
            "X.toarray() of some rows."
        )
    table = np.asarray(X)
    if table.ndim != 2:
        raise ArgumentError(
            f"X must have two axes, rows and features; got shape {table.shape}."
        )
    return table


def read_inputs(ranker: Any, X: Any) -> Any:
    """The table to change and predict on, as :func:`as_table`.

    Raises
    ------
    ArgumentError
        If it has no rows, or the ranker no ``predict``.
    """
    if not hasattr(ranker, "predict"):
        raise ArgumentError(
            "ranker must be a fitted estimator with predict; got "
            f"{type(ranker).__name__}."
        )
    table = as_table(X)
    if not len(table):
        raise ArgumentError("X must have at least one row; got none.")
    return table


def names_of(table: Any) -> list[str]:
    """Names of the columns; ``f0``, ``f1``, … of an array."""
    if is_frame(table):
        return [str(name) for name in table.columns]
    return [f"f{i}" for i in range(table.shape[1])]


def column_number(feature: int | str, names: list[str]) -> int:
    """Index of a column that is named or numbered.

    Raises
    ------
    ArgumentError
        If there is none.
    """
    if isinstance(feature, str) and feature in names:
        return names.index(feature)
    is_number = isinstance(feature, (int, np.integer)) and not isinstance(feature, bool)
    if is_number and 0 <= int(feature) < len(names):
        return int(feature)
    raise ArgumentError(
        f"feature must be the name of a column of X, or its number, 0 to "
        f"{len(names) - 1}; got {feature!r}."
    )


def take_rows(table: Any, rows: ArrayLike) -> Any:
    """Rows in an order; a copy."""
    return table.iloc[rows] if is_frame(table) else table[rows]


def input_values(table: Any) -> Any:
    """Values of all columns, an array of shape (n_rows, n_columns)."""
    return table.to_numpy(dtype=object) if is_frame(table) else table


def column_of(table: Any, column: int) -> Any:
    """Values of a column."""
    return table.iloc[:, column] if is_frame(table) else table[:, column]


def with_column(table: Any, column: int, values: Any) -> Any:
    """A copy with other values in a column."""
    if is_frame(table):
        changed = table.copy(deep=False)  # the other columns are shared
        changed.isetitem(column, values)
        return changed
    changed = np.array(table)
    changed[:, column] = values
    return changed


def permuted(table: Any, column: int, order: IntArray) -> Any:
    """A copy whose rows have the values of a column in another order."""
    values = column_of(table, column)
    in_order = values.iloc[order].array if is_frame(table) else values[order]
    return with_column(table, column, in_order)


def text_table(
    columns: FloatArray,
    rows: Sequence[str],
    titles: Sequence[str],
    *,
    by: FloatArray | None = None,
) -> str:
    """A table of numbers as text, with four digits.

    Parameters
    ----------
    columns : float array of shape (n_rows, n_columns)
        Numbers.
    rows, titles : sequence of str
        Names of the rows and of the columns.
    by : float array of shape (n_rows,), default=None
        Rows are sorted by it.

    Returns
    -------
    text : str
        Of more than 60 rows, the first and last 30; of more than 12 columns, the
        first and last six.

    Examples
    --------
    >>> numbers, by = np.array([[1.0], [2.0]]), np.array([1.0, 0.0])
    >>> print(text_table(numbers, ["a", "b"], ["mean"], by=by))
        mean
    b 2.0000
    a 1.0000
    """
    order = np.arange(len(columns)) if by is None else np.argsort(by, kind="stable")
    cells = [["", *titles]]
    for row in order:
        cells.append([str(rows[row]), *(f"{value:.4f}" for value in columns[row])])
    cells = [_shortened(line, _MAX_COLUMNS) for line in cells]
    cells = _shortened(cells, _MAX_ROWS, ["…"] * len(cells[0]))
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = []
    for first, *others in cells:
        numbers = map(str.rjust, others, widths[1:])
        lines.append(" ".join([first.ljust(widths[0]), *numbers]).rstrip())
    return "\n".join(lines)


def _shortened(entries: list[Any], limit: int, ellipsis: Any = "…") -> list[Any]:
    """The head, and at most ``limit`` other entries: the first and the last ones."""
    head, *others = entries
    if len(others) <= limit:
        return entries
    return [head, *others[: limit // 2], ellipsis, *others[-(limit // 2) :]]
