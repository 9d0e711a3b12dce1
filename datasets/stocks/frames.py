"""Prices as a frame with a row per stock and day, turned into arrays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ltr.arguments import suggest
from ltr.queries import FloatArray

FIELDS = ("open", "high", "low", "close", "volume")
_NAMES = {
    "dates": ("date", "dates", "day", "datetime", "timestamp"),
    "tickers": ("ticker", "tickers", "symbol", "asset", "stock"),
    "industries": ("industry", "industries", "sector"),
}
# What else can be done where there is no such column.
_CURES = {
    "dates": ".",
    "tickers": ". A wide frame, with a column per stock, becomes a long one by melt.",
    "industries": ", or by='market' for one list of all stocks a day.",
}


class Market(NamedTuple):
    """Prices of a market as arrays, as :func:`ltr.datasets.stock_lists` takes them."""

    ohlcv: FloatArray  # (n_stocks, n_days, 5); all NaN in a field without a column
    tickers: NDArray[Any]  # (n_stocks,)
    dates: NDArray[np.datetime64]  # (n_days,)
    industries: NDArray[Any] | None  # (n_stocks,)


def pivot(frame: Any, dates: Any, tickers: Any, industries: Any) -> Market:
    """Arrays of a long frame.

    Parameters
    ----------
    frame : DataFrame
        A row per stock and day, in any order; pandas or polars. Named levels of a
        pandas index count as columns.
    dates, tickers : str or None
        Columns of the day and of the stock. None: under their usual names.
    industries : str, mapping, None or False
        Column of the industry, or the industry of each ticker. None: the column of its
        usual name. False: not needed.

    Returns
    -------
    market : Market
        Stocks sorted by ticker, days in ascending order.

    Raises
    ------
    ValueError
        If a column is missing, a stock has two rows on a day or two industries, or
        there is no close.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"day": ["2024-01-03", "2024-01-02", "2024-01-02"],
    ...                       "symbol": ["A", "A", "B"], "close": [2.0, 1.0, 5.0]})
    >>> market = pivot(frame, None, None, False)
    >>> market.tickers.tolist(), market.ohlcv[..., 3].tolist()
    (['A', 'B'], [[1.0, 2.0], [5.0, nan]])
    """
    columns = _columns(frame)
    day_of_row = check_days(columns[_column("dates", dates, columns)])
    ticker_of_row = columns[_column("tickers", tickers, columns)]
    days, day = np.unique(day_of_row, return_inverse=True)
    if len(days) and np.isnat(days[-1]):
        row = int(np.isnat(day_of_row).argmax())
        raise ValueError(
            f"each row must have a day; row {row} (counted from 0) has none. Drop it."
        )
    names, stock = _unique(ticker_of_row)
    cell = stock * len(days) + day
    _, first, counts = np.unique(cell, return_index=True, return_counts=True)
    if (counts > 1).any():
        row = first[counts > 1][0]
        raise ValueError(
            "each stock must have one row per day; got "
            f"{counts.max()} rows of {ticker_of_row[row]!r} on {day_of_row[row]}. Keep "
            "one of them, or aggregate them to a day."
        )
    by_field = {str(name).lower(): values for name, values in columns.items()}
    if "close" not in by_field:
        raise ValueError(
            "a frame of prices must have the column 'close', and may have 'open', "
            f"'high', 'low' and 'volume'; got {list(columns)}."
        )
    ohlcv = np.full((len(names), len(days), 5), np.nan)
    for number, field in enumerate(FIELDS):
        if field in by_field:
            ohlcv[stock, day, number] = _floats(field, by_field[field])
    groups = None
    if industries is not False:
        groups = _industries(industries, columns, names, stock)
    return Market(ohlcv, names, days, groups)


def check_days(dates: ArrayLike) -> NDArray[np.datetime64]:
    """Days as datetime64[D]; an error for numbers and what is no date.

    Parameters
    ----------
    dates : array-like
        datetime64 (any unit), dates, time stamps, or ISO strings.

    Returns
    -------
    days : datetime64[D] array

    Examples
    --------
    >>> check_days(["2024-01-02"])
    array(['2024-01-02'], dtype='datetime64[D]')
    """
    values = np.asarray(dates)
    if values.dtype.kind in "iufb":
        raise ValueError(
            "dates must be dates or ISO strings such as '2024-01-02'; got numbers of "
            f"type {values.dtype}. Convert them first: pandas.to_datetime(dates, "
            "format='%Y%m%d'), say."
        )
    if values.dtype == object:  # time stamps with a zone: the day on their own clock
        values = np.array([getattr(day, "isoformat", day.__str__)() for day in values])
        values = values.astype("U10") if values.size else values
    try:
        return values.astype("datetime64[D]")
    except ValueError as error:
        raise ValueError(
            f"dates must be dates or ISO strings such as '2024-01-02'; {error}."
        ) from None


def _columns(frame: Any) -> dict[Any, NDArray[Any]]:
    """Columns of a pandas or polars frame; named levels of an index are columns."""
    index = getattr(frame, "index", None)
    if index is not None and any(name is not None for name in index.names):
        frame = frame.reset_index(
            [name for name in index.names if name not in (None, *frame.columns)]
        )
    return {name: np.asarray(frame[name]) for name in frame.columns}


def _column(what: str, name: Any, columns: Mapping[Any, Any]) -> Any:
    """Name of a column that was passed, or that goes by one of the usual names."""
    if isinstance(name, str):
        if name not in columns:
            raise ValueError(
                f"{what}={name!r} must name a column; the frame has {list(columns)}."
                f"{suggest(name, map(str, columns))}"
            )
        return name
    if name is not None:
        raise ValueError(
            f"with a frame, {what} must be the name of a column; got "
            f"{type(name).__name__}. Add it to the frame."
        )
    usual = _NAMES[what]
    hits = [name for name in columns if str(name).lower() in usual]
    if len(hits) != 1:
        raise ValueError(
            f"a frame must have one column of {what}, named {', '.join(usual[:-1])} or "
            f"{usual[-1]}; got {list(columns)}. Pass {what}='<its name>'{_CURES[what]}"
        )
    return hits[0]


def _industries(
    industries: Any, columns: Mapping[Any, Any], names: Any, stock: Any
) -> NDArray[Any]:
    """Industry of each stock, from a mapping or from a column."""
    if isinstance(industries, Mapping) or hasattr(industries, "to_dict"):
        industry_of = dict(industries)
        missing = [name for name in names.tolist() if name not in industry_of]
        if missing:
            raise ValueError(
                f"industries must have each ticker; {missing[0]!r} and "
                f"{len(missing) - 1} others are missing."
            )
        return np.array([industry_of[name] for name in names.tolist()])
    column = columns[_column("industries", industries, columns)]
    groups, code = _unique(column)
    first_row = np.unique(stock, return_index=True)[1]
    code_of_stock = code[first_row]
    differs = code != code_of_stock[stock]
    if differs.any():
        row = int(differs.argmax())
        raise ValueError(
            "a stock must have one industry; got "
            f"{groups[code_of_stock[stock[row]]].item()!r} and "
            f"{groups[code[row]].item()!r} for {names[stock[row]].item()!r}. Keep one, "
            "or pass by='market'."
        )
    return groups[code_of_stock]


def _unique(values: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.intp]]:
    """Sorted values and the code of each row; text as text, missing values refused."""
    if values.dtype == object:
        if any(value is None or value != value for value in values):
            row = next(i for i, v in enumerate(values) if v is None or v != v)
            raise ValueError(
                "tickers and industries must not be missing; row "
                f"{row} (counted from 0) has none. Drop it."
            )
        values = values.astype(str)
    unique, codes = np.unique(values, return_inverse=True)
    return unique, codes


def _floats(field: str, values: NDArray[Any]) -> FloatArray:
    try:
        return values.astype(np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"column {field!r} must be numeric; {error}.") from None
