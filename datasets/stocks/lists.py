"""Daily lists of stocks, labeled by their next returns."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ltr.arguments import check_choice, check_whole
from ltr.datasets.stocks.features import (
    FEATURE_NAMES,
    LOOK_BACK,
    READS,
    trailing_features,
)
from ltr.datasets.stocks.frames import FIELDS, Market, check_days, pivot
from ltr.files import PathLike
from ltr.queries import FloatArray, IntArray

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class StockData:
    """Daily lists of stocks, row by row, in temporal order.

    There is no random split: neighboring days share their feature windows, so a random
    test day would leak into training. Use
    :class:`ltr.model_selection.WalkForwardSplit` with ``embargo=data.embargo``, whose
    docstring has a picture of which day sees which prices.

    Attributes
    ----------
    X : array of shape (n_samples, n_features)
        Features of the stock, from its prices up to the day.
    y : array of shape (n_samples,)
        Return from day t on, as :func:`stock_lists` defines it: by default
        (close of day t + 1 − close of day t) / close of day t. NaN where it is not
        known, with ``labels="all"`` only.
    qid : int array of shape (n_samples,)
        Query of each row: an industry on a day, or a day.
    dates : datetime64[D] array of shape (n_samples,)
        Day of each row.
    tickers, industries : str arrays of shape (n_samples,)
        Stock of each row, and its industry.
    feature_names : list of str
        Names of the columns of ``X``.
    look_back : int
        Number of earlier days that the features of a row depend on.
    description : str, optional
        Where the data come from.
    true_scores : array of shape (n_samples,), optional
        The best possible scores, for simulated data.
    label_days : int, default=1
        Number of later days that the label of a row depends on.

    Notes
    -----
    ``n_queries`` is the number of lists. ``n_lists`` is the same number under its older
    name.

    ``fit``, ``score`` and the metrics raise on labels that are not known: a mean over
    the others would be that of other lists. Select the known ones with ``is_labeled``.

    Examples
    --------
    >>> from ltr.datasets import make_stocks
    >>> data = make_stocks(n_stocks=10, n_days=4, n_industries=2, random_state=0)
    >>> data
    StockData(8 lists on 4 days, 40 rows, 14 features)
    >>> data.take(data.industries == "industry 1")
    StockData(4 lists on 4 days, 20 rows, 14 features)
    >>> data.look_back, data.label_days, data.embargo
    (29, 1, 30)
    """

    X: FloatArray
    y: FloatArray
    qid: IntArray
    dates: NDArray[np.datetime64]
    tickers: NDArray[np.str_]
    industries: NDArray[np.str_]
    feature_names: list[str]
    look_back: int
    description: str = ""
    true_scores: FloatArray | None = None
    label_days: int = 1

    def __repr__(self) -> str:
        n_rows, n_features = self.X.shape
        return (
            f"StockData({self.n_queries} lists on {len(np.unique(self.dates))} days, "
            f"{n_rows} rows, {n_features} features)"
        )

    @property
    def n_queries(self) -> int:
        """Number of queries, each a list of stocks on a day."""
        return len(np.unique(self.qid))

    @property
    def n_lists(self) -> int:
        """Alias of ``n_queries``."""
        return self.n_queries

    @property
    def embargo(self) -> int:
        """Days to leave out between two parts, so that no price is read by both."""
        return self.look_back + self.label_days

    @property
    def is_labeled(self) -> NDArray[np.bool_]:
        """Whether the label of each row is known; shape (n_samples,)."""
        return ~np.isnan(self.y)

    def take(self, rows: NDArray[Any]) -> StockData:
        """Select rows.

        Parameters
        ----------
        rows : int or bool array
            Row numbers, in the desired order, or a mask.

        Returns
        -------
        data : StockData
        """
        columns = {field.name: getattr(self, field.name) for field in fields(self)}
        selected: dict[str, Any] = {
            name: column[rows]
            for name, column in columns.items()
            if isinstance(column, np.ndarray)
        }
        return replace(self, **selected)


def load_stocks(
    prices: PathLike,
    industries: PathLike,
    *,
    by: Literal["industry", "market"] = "industry",
    list_size: tuple[int, int | None] = (5, 30),
    max_missing: float = 0.2,
    labels: Literal["known", "all"] = "known",
    horizon: int = 1,
    trade_at: Literal["close", "open"] = "close",
) -> StockData:
    """Load daily lists of stocks from files of prices and industries.

    Parameters
    ----------
    prices : path
        NumPy ``.npz`` file with ``ohlcv`` of shape (n_stocks, n_days, 5), ``tickers``
        of shape (n_stocks,) and ``dates`` (ISO strings) of shape (n_days,), as for
        :func:`stock_lists`.
    industries : path
        JSON file: an object that maps industry names to lists of tickers. Stocks
        without an industry are dropped; tickers without prices are ignored.
    by : {"industry", "market"}, default="industry"
        Whether a list has the stocks of one industry on a day, or all stocks.
    list_size : (int, int or None), default=(5, 30)
        Minimum and maximum number of stocks of an industry; see :func:`stock_lists`.
    max_missing : float, default=0.2
        Maximum share of missing closes on a trading day, in [0, 1].
    labels : {"known", "all"}, default="known"
        Whether rows without a known label, such as those of the last day, are left out.
    horizon : int, default=1
        Trading days of the return that labels a row, ≥ 1; see :func:`stock_lists`.
    trade_at : {"close", "open"}, default="close"
        Prices of that return.

    Returns
    -------
    data : StockData

    Raises
    ------
    ValueError
        If the files lack an array, repeat a ticker, or no list remains.
    FileNotFoundError
        If a file is missing.

    Examples
    --------
    >>> import json, pathlib, tempfile
    >>> folder, rng = pathlib.Path(tempfile.mkdtemp()), np.random.default_rng(0)
    >>> close = np.exp(0.01 * rng.normal(size=(2, 40, 1)).cumsum(axis=1))
    >>> np.savez(folder / "market.npz", tickers=["A", "B"], ohlcv=close.repeat(5, 2),
    ...          dates=np.arange("2013-01-01", "2013-02-10", dtype="M8[D]").astype(str))
    >>> _ = (folder / "industries.json").write_text(json.dumps({"Banks": ["A", "B"]}))
    >>> load_stocks(folder / "market.npz", folder / "industries.json", list_size=(2, 9))
    StockData(10 lists on 10 days, 20 rows, 14 features)
    """
    with np.load(prices, allow_pickle=False) as file:
        missing = sorted({"ohlcv", "tickers", "dates"} - set(file.files))
        if missing:
            raise ValueError(
                f"{prices} must have the arrays 'ohlcv', 'tickers' and 'dates'; it has "
                f"no {', '.join(map(repr, missing))}."
            )
        ohlcv, tickers, dates = file["ohlcv"], file["tickers"], file["dates"]
    members = json.loads(Path(industries).read_text(encoding="utf-8"))
    industry_of = {
        ticker: name for name, stocks in members.items() for ticker in stocks
    }
    if sum(map(len, members.values())) > len(industry_of):
        tickers_of = [ticker for stocks in members.values() for ticker in stocks]
        repeated = next(t for t in industry_of if tickers_of.count(t) > 1)
        raise ValueError(
            f"{industries} must have each ticker once; {repeated!r} is repeated."
        )
    has_industry = np.isin(tickers, list(industry_of))
    data = stock_lists(
        ohlcv[has_industry],
        tickers=tickers[has_industry],
        dates=dates,
        industries=[industry_of[ticker] for ticker in tickers[has_industry]],
        by=by,
        list_size=list_size,
        max_missing=max_missing,
        labels=labels,
        horizon=horizon,
        trade_at=trade_at,
    )
    return replace(data, description=f"daily lists of stocks from {prices}")


def stock_lists(
    ohlcv: ArrayLike | pd.DataFrame,
    *,
    tickers: ArrayLike | str | None = None,
    dates: ArrayLike | str | None = None,
    industries: ArrayLike | Mapping[str, str] | str | None = None,
    by: Literal["industry", "market"] = "industry",
    list_size: tuple[int, int | None] = (5, 30),
    max_missing: float = 0.2,
    labels: Literal["known", "all"] = "known",
    horizon: int = 1,
    trade_at: Literal["close", "open"] = "close",
) -> StockData:
    r"""Turn prices into daily lists of stocks, labeled by their next returns.

    The features of day t read the 30 days t − 29, …, t and nothing later: returns over
    1, 5, 10 and 20 days; the close relative to its mean over 5, 10, 20 and 30 days; the
    standard deviation of 20 log returns; the gap from the last close to the open, and
    the intraday return; the range of the day relative to the close, and the position of
    the close in it; log volume minus its mean over the previous 20 days. They are not
    normalized across stocks: :class:`ltr.model_selection.QueryStandardScaler` does
    that.

    The label of day t is the return of a position held for ``horizon`` = h days,

    .. math::
        \frac{\mathrm{close}_{t+h} - \mathrm{close}_t}{\mathrm{close}_t}
        \quad\text{or}\quad
        \frac{\mathrm{open}_{t+1+h} - \mathrm{open}_{t+1}}{\mathrm{open}_{t+1}}

    with ``trade_at="close"`` or ``"open"``. The former assumes that one can still trade
    at the close that the features read; the latter trades at the next open. It depends
    on the ``label_days`` = h or h + 1 days after t.

    Parameters
    ----------
    ohlcv : array-like of shape (n_stocks, n_days, 5) or DataFrame
        Open, high, low, close (currency) and volume (shares), none negative. Missing
        values are NaN; a price of 0, which files use for days without trades, also
        counts as missing. A DataFrame (pandas or polars) has a row per stock and day,
        in any order, and columns of these names, of which only ``close`` is required:
        features that read an absent one are left out.
    tickers : array-like of shape (n_stocks,) or str, default=None
        Names of the stocks. With a frame, their column; None: "ticker" or "symbol".
    dates : array-like of shape (n_days,) or str, default=None
        Trading days in ascending order: datetime64 or ISO strings. With a frame, their
        column; None: "date", "day" or "timestamp".
    industries : array-like of shape (n_stocks,), mapping or str, default=None
        Industry of each stock. With a frame, their column, or a mapping of tickers to
        industries; None: "industry" or "sector". Not needed with ``by="market"``, and
        then no stock is dropped for the size of its industry.
    by : {"industry", "market"}, default="industry"
        Whether a list has the stocks of one industry on a day, or all stocks.
    list_size : (int, int or None), default=(5, 30)
        Minimum and maximum number of stocks of an industry; other industries are
        dropped, as are lists that on their day fall short of the minimum. None: no
        maximum.
    max_missing : float, default=0.2
        Days with a larger share of missing closes, in [0, 1], do not count as trading
        days and are dropped before windows and returns are computed.
    labels : {"known", "all"}, default="known"
        "known": a stock is in the list of day t if it has all prices that its features
        and its label read, so the last ``label_days`` days have no list. "all": it is
        in the list if it has those of its features, and its label is NaN where it is
        not known; the lists of the last days are those to predict, and an earlier list
        has the stocks that one could choose from on that day.
    horizon : int, default=1
        Number of trading days h from buying to selling, ≥ 1. With h > 1 the labels of
        neighboring days overlap.
    trade_at : {"close", "open"}, default="close"
        Prices of the label.

    Returns
    -------
    data : StockData
        Rows day by day, industry by industry.

    Raises
    ------
    ValueError
        If shapes disagree, days do not ascend, a value is negative, a column is
        missing or a row repeated, or no list remains.

    References
    ----------
    .. [1] Feng et al., "Temporal relational ranking for stock prediction", TOIS 2019,
       section 4.1; its features are divided by a maximum that includes later prices.

    Examples
    --------
    >>> close = np.exp(np.array([[0.01], [0.02], [-0.01]]) * np.arange(40))
    >>> data = stock_lists(
    ...     np.stack([close] * 5, axis=-1), tickers=["A", "B", "C"],
    ...     dates=np.datetime64("2013-01-01") + np.arange(40), industries=["Banks"] * 3,
    ...     list_size=(2, None))
    >>> data
    StockData(10 lists on 10 days, 30 rows, 14 features)
    >>> data.tickers[:3].tolist(), data.y[:3].round(3).tolist()
    (['A', 'B', 'C'], [0.01, 0.02, -0.01])

    A long frame, and the last day, whose returns nobody knows yet:

    >>> import pandas as pd
    >>> frame = pd.DataFrame({
    ...     "day": np.tile(np.datetime64("2013-01-01") + np.arange(40), 3),
    ...     "symbol": np.repeat(["A", "B", "C"], 40), "close": close.ravel()})
    >>> data = stock_lists(frame, by="market", list_size=(2, None), labels="all")
    >>> today = data.take(data.dates == data.dates.max())
    >>> today, today.y.tolist()
    (StockData(1 lists on 1 days, 3 rows, 9 features), [nan, nan, nan])
    >>> data.take(data.is_labeled)
    StockData(10 lists on 10 days, 30 rows, 9 features)
    """
    check_choice("by", by, ("industry", "market"))
    check_choice("labels", labels, ("known", "all"))
    check_choice("trade_at", trade_at, ("close", "open"))
    check_whole("horizon", horizon, low=1)
    market = _market(ohlcv, tickers, dates, industries, by)
    prices, names, days, groups = market
    fields = {FIELDS[i] for i in range(5) if not np.isnan(prices[..., i]).all()}
    columns = [i for i, reads in enumerate(READS) if reads <= fields]
    if trade_at not in fields:
        raise ValueError(
            f"trade_at={trade_at!r} needs the prices of the {trade_at}, which are all "
            "missing."
        )

    is_trading_day = np.isnan(prices[..., 3]).mean(axis=0) <= max_missing
    prices, days = prices[:, is_trading_day], days[is_trading_day]
    low, high = list_size[0], np.inf if list_size[1] is None else list_size[1]
    if groups is None:
        groups, high = np.full(len(names), ""), np.inf
    codes, sizes = np.unique(groups, return_inverse=True, return_counts=True)[1:]
    in_bounds = (sizes >= low) & (sizes <= high)
    stocks = np.argsort(codes, kind="stable")
    stocks = stocks[in_bounds[codes[stocks]]]
    prices, codes = prices[stocks], codes[stocks]

    X = trailing_features(prices)[..., columns]
    y = _returns(prices, horizon, trade_at)
    in_list = np.isfinite(X).all(axis=-1)  # (n_stocks, n_days)
    if labels == "known":
        in_list &= np.isfinite(y)
    label_days = horizon + (trade_at == "open")
    day, stock = np.nonzero(in_list.T)  # day by day, industry by industry
    key = day * len(sizes) + (codes[stock] if by == "industry" else 0)
    _, qid, counts = np.unique(key, return_inverse=True, return_counts=True)
    long_enough = counts[qid] >= low
    if not long_enough.any():
        size = f"at least {low} stocks" if np.isinf(high) else f"{low} to {high} stocks"
        start = f"no list remains: of {len(names)} stocks on {len(is_trading_day)} days"
        if market.industries is None:
            text = f"{start}, a list takes {size}"
        else:
            size += " (no maximum)" if np.isinf(high) else ""
            text = f"{start}, {len(stocks)} are in an industry of {size}"
        n_label_days = label_days if labels == "known" else 0
        n_days = is_trading_day.sum()
        raise ValueError(
            f"{text}, and {n_days} days lack at most {max_missing:.0%} of "
            f"closes; a row takes {LOOK_BACK + 1 + n_label_days} days. "
            f"{_cure(is_trading_day, n_label_days, horizon, len(stocks) > 0)}"
        )
    day, stock = day[long_enough], stock[long_enough]
    return StockData(
        X=X[stock, day],
        y=y[stock, day],
        qid=np.unique(qid[long_enough], return_inverse=True)[1],
        dates=days[day],
        tickers=names[stocks][stock],
        industries=groups[stocks][stock],
        feature_names=[FEATURE_NAMES[i] for i in columns],
        look_back=LOOK_BACK,
        label_days=label_days,
    )


def _cure(
    is_trading_day: NDArray[np.bool_], n_label_days: int, horizon: int, has_stocks: bool
) -> str:
    """What lets a list remain: more days or fewer needed, or lists of other sizes."""
    n_days = int(is_trading_day.sum())
    cures = (
        [] if has_stocks and n_days <= LOOK_BACK + n_label_days else ["widen list_size"]
    )
    if n_days <= LOOK_BACK + n_label_days:
        cures.append("pass more days")
        if n_days > LOOK_BACK:
            cures += ["lower horizon"] * (horizon > 1) + ["pass labels='all'"]
    if n_days < len(is_trading_day):
        cures.append("raise max_missing")
    *others, last = cures
    text = f"{', '.join(others)} or {last}" if others else last
    return f"{text[0].upper()}{text[1:]}."


def _market(ohlcv: Any, tickers: Any, dates: Any, industries: Any, by: str) -> Market:
    """Checked prices as arrays, from arrays or from a long frame."""
    if hasattr(ohlcv, "columns"):
        unneeded = industries is None and by == "market"
        market = pivot(ohlcv, dates, tickers, False if unneeded else industries)
        return _check(*market)
    passed = {"tickers": tickers, "dates": dates, "industries": industries}
    if by == "market":
        del passed["industries"]
    missing = [name for name, values in passed.items() if values is None]
    if missing:
        raise ValueError(
            f"an array of prices must come with {', '.join(passed)}; got no "
            f"{' and no '.join(missing)}. Only a frame with a row per stock and day "
            "has them itself; a Series becomes one by to_frame('close')."
        )
    groups = None if industries is None else np.asarray(industries)
    return _check(
        np.array(ohlcv, dtype=np.float64),
        np.asarray(tickers),
        check_days(dates),
        groups,
    )


def _check(
    prices: FloatArray,
    names: NDArray[Any],
    days: NDArray[np.datetime64],
    groups: NDArray[Any] | None,
) -> Market:
    if prices.ndim != 3 or prices.shape[2] != 5:
        raise ValueError(
            "ohlcv must have shape (n_stocks, n_days, 5): open, high, low, close, "
            f"volume; got {prices.shape}."
        )
    expected = {"tickers": names, "industries": groups, "dates": days}
    for name, values in expected.items():
        if values is None:
            continue
        length = prices.shape[1 if name == "dates" else 0]
        if values.shape != (length,):
            raise ValueError(
                f"{name} must have shape ({length},) to match ohlcv of shape "
                f"{prices.shape}; got {values.shape}."
            )
    if not (np.diff(days) > np.timedelta64(0, "D")).all():
        at = int((np.diff(days) > np.timedelta64(0, "D")).argmin())
        raise ValueError(
            f"dates must ascend strictly; got {days[at]} before {days[at + 1]}. Sort "
            "the days, and drop repeated ones."
        )
    if (prices < 0).any():
        stock, day, _ = np.argwhere(prices < 0)[0]
        raise ValueError(
            "prices and volume must be >= 0, or NaN where they are missing; got "
            f"{prices[stock, day].tolist()} for {names[stock]} on {days[day]}."
        )
    prices[..., :4][prices[..., :4] == 0] = np.nan
    return Market(prices, names, days, groups)


def _returns(prices: FloatArray, horizon: int, trade_at: str) -> FloatArray:
    """Label of each stock and day, (n_stocks, n_days); NaN where it is not known."""
    price = prices[..., FIELDS.index(trade_at)]
    bought = 1 if trade_at == "open" else 0
    returns = np.full_like(price, np.nan)
    n = max(0, price.shape[1] - bought - horizon)
    buy, sell = price[:, bought : bought + n], price[:, bought + horizon :]
    returns[:, :n] = sell[:, :n] / buy - 1.0
    return returns
