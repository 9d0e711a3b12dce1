"""What a portfolio earns, and what its trades cost."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ltr.arguments import check_number
from ltr.finance.days import ratio, read_days
from ltr.metrics.ranked import number_column
from ltr.queries import FloatArray, group_queries


def turnover(
    weights: ArrayLike,
    *,
    dates: ArrayLike,
    tickers: ArrayLike,
    returns: ArrayLike | None = None,
) -> FloatArray:
    r"""Share of the portfolio that is exchanged on each day.

    .. math:: \tfrac12 \sum_i \lvert w_{t,i} - w^+_{t-1,i} \rvert, \qquad
        w^+_{t,i} = w_{t,i} \frac{1 + r_{t,i}}{1 + \sum_j w_{t,j} r_{t,j}}

    with the weights :math:`w^+` that the day before leaves, after prices moved. A stock
    without a row has weight 0, and all stocks have it before the first day.

    Parameters
    ----------
    weights : array-like of shape (n_samples,)
        Share of the capital in each stock; negative if it is sold short.
    dates, tickers : array-like of shape (n_samples,)
        Day and stock of each row; the days must sort.
    returns : array-like of shape (n_samples,), default=None
        Return of each row until the next day. None: prices do not move.

    Returns
    -------
    turnover : float array of shape (n_days,)
        In temporal order; 1 exchanges the whole of a portfolio without short sales.

    Raises
    ------
    ValueError
        If shapes differ, a value is not finite, a stock has two rows on a day, a return
        is below −1, or a day loses all capital.

    Examples
    --------
    >>> turnover([1.0, 0.5, 0.5], dates=[1, 2, 2], tickers=["A", "A", "B"])
    array([0.5, 0.5])
    """
    if returns is None:
        read_days(dates, weights=weights, tickers=tickers)  # names what was passed
        returns = np.zeros(np.shape(weights))
    return backtest(returns, weights, dates=dates, tickers=tickers).turnover


@dataclass(frozen=True, eq=False)
class Backtest:
    """Returns of a portfolio, before and after costs; see :func:`backtest`.

    Attributes
    ----------
    dates : array of shape (n_days,)
        The days, in temporal order.
    gross : float array of shape (n_days,)
        Return from each day to the next, before costs.
    turnover : float array of shape (n_days,)
        Share of the portfolio exchanged on each day; see :func:`ltr.finance.turnover`.
    cost : float
        Price of a trade, as a share of its value.
    periods_per_year : float
        Days of a year, for the figures of a year.

    Examples
    --------
    >>> result = backtest(
    ...     [0.02, -0.01], [1.0, 1.0], dates=[1, 2], tickers=["A", "A"], cost=0.001
    ... )
    >>> result.net.round(6).tolist(), round(result.max_drawdown, 4)
    ([0.019, -0.01], 0.01)
    """

    dates: NDArray[Any]
    gross: FloatArray
    turnover: FloatArray
    cost: float
    periods_per_year: float = 252.0

    def __repr__(self) -> str:
        return (
            f"Backtest(return {self.annual_return:+.2%} a year, "
            f"volatility {self.annual_volatility:.2%}, "
            f"Sharpe ratio {self.sharpe_ratio:.2f}, "
            f"drawdown {self.max_drawdown:.2%}, "
            f"turnover {self.turnover.mean():.2f} a day, {len(self.dates)} days)"
        )

    @property
    def costs(self) -> FloatArray:
        """What trading costs, as a share of the capital, shape (n_days,).

        An exchange is a sale and a purchase, each of which costs ``cost``.
        """
        return 2.0 * self.cost * self.turnover

    @property
    def net(self) -> FloatArray:
        """Returns after costs, shape (n_days,)."""
        return self.gross - self.costs

    @property
    def wealth(self) -> FloatArray:
        """What a capital of 1 is worth after each day, after costs, shape (n_days,)."""
        return np.asarray(np.cumprod(1.0 + self.net), dtype=np.float64)

    @property
    def max_drawdown(self) -> float:
        """Greatest loss from an earlier peak of ``wealth``, as a share of it."""
        wealth = np.concatenate([[1.0], self.wealth])
        return float((1.0 - wealth / np.maximum.accumulate(wealth)).max())

    @property
    def annual_return(self) -> float:
        """Mean return after costs, times the days of a year."""
        return float(self.net.mean() * self.periods_per_year)

    @property
    def annual_volatility(self) -> float:
        """Standard deviation of the returns after costs, of a year; NaN for one day."""
        if len(self.net) < 2:
            return math.nan
        return float(self.net.std(ddof=1) * math.sqrt(self.periods_per_year))

    @property
    def sharpe_ratio(self) -> float:
        """Annual return over annual volatility, without a risk-free rate."""
        return ratio(self.annual_return, self.annual_volatility)

    @property
    def break_even_cost(self) -> float:
        """The ``cost`` that leaves nothing of the mean return; NaN without trades."""
        return ratio(float(self.gross.mean()), 2.0 * float(self.turnover.mean()))


def backtest(
    returns: ArrayLike,
    weights: ArrayLike,
    *,
    dates: ArrayLike,
    tickers: ArrayLike,
    cost: float = 0.0,
    periods_per_year: float = 252.0,
) -> Backtest:
    r"""Hold a portfolio that is rebalanced on each day.

    The return of day t is :math:`\sum_i w_{t,i} r_{t,i}`, less ``cost`` for the value
    of all trades that turn the drifted weights of the day before into those of day t.
    The position of the last day is not sold. With returns over h > 1 days, pass the
    rows of every h-th day, or days overlap and gains count h times.

    Parameters
    ----------
    returns : array-like of shape (n_samples,)
        Return of each row until the next day: simple returns, finite, ≥ −1.
    weights : array-like of shape (n_samples,)
        Share of the capital in each stock, as :func:`portfolio_weights` returns it;
        what they leave of 1 is cash without interest.
    dates, tickers : array-like of shape (n_samples,)
        Day and stock of each row; the days must sort.
    cost : float, default=0.0
        Price of buying or selling, as a share of the traded value, in [0, 1): 0.0005
        for five basis points.
    periods_per_year : float, default=252.0
        Days of a year, > 0.

    Returns
    -------
    result : Backtest
        Daily ``gross`` and ``net`` returns, ``turnover`` and ``costs``, and the figures
        of a year.

    Raises
    ------
    ValueError
        If shapes differ, a value is not finite, a stock has two rows on a day, a return
        is below −1, or a day loses all capital.

    Examples
    --------
    >>> result = backtest(
    ...     [0.10, -0.05, 0.02, 0.04],
    ...     [0.5, 0.5, 0.0, 1.0],
    ...     dates=[1, 1, 2, 2],
    ...     tickers=["A", "B", "A", "B"],
    ... )
    >>> result.gross.tolist()
    [0.025, 0.04]
    >>> result.turnover.round(6).tolist()  # of B, .475 / 1.025 were left
    [0.5, 0.536585]
    """
    check_number("cost", cost, low=0.0, high=1.0, open_high=True)
    check_number("periods_per_year", periods_per_year, low=0.0, open_low=True)
    days = read_days(dates, returns=returns, weights=weights, tickers=tickers)
    r, w = number_column(returns, "returns"), number_column(weights, "weights")
    if len(r) != len(w):
        raise ValueError(
            "returns and weights must have the same length; got "
            f"{len(r)} returns and {len(w)} weights."
        )
    if (r < -1.0).any():
        row = int((r < -1.0).argmax())
        raise ValueError(
            f"returns must be simple returns, >= -1; got {r[row]} at row {row}."
        )
    day = np.argsort(days.in_time)[days.queries.codes]
    stock = group_queries(tickers, len(r), rows_of="returns", name="tickers").codes
    gross: FloatArray = np.bincount(day, r * w).astype(np.float64)
    if (gross <= -1.0).any():
        ruin = int((gross <= -1.0).argmax())
        raise ValueError(
            f"The weights of {days.dates[ruin]} lose all capital: their return is "
            f"{gross[ruin]:.4f}. Lower them."
        )
    drifted = w * (1.0 + r) / (1.0 + gross[day])

    # Rows of a stock in temporal order: one follows another if it is of the next day.
    order = np.lexsort((day, stock))
    earlier, later = order[:-1], order[1:]
    is_same = stock[earlier] == stock[later]
    repeated = is_same & (day[earlier] == day[later])
    if repeated.any():
        row = int(later[repeated.argmax()])
        raise ValueError(
            f"tickers must be distinct on each day; {np.asarray(tickers)[row]} has two "
            f"rows on {days.dates[day[row]]}, one of them row {row}."
        )
    follows = is_same & (day[later] == day[earlier] + 1)
    before, is_sold = np.zeros(len(w)), np.ones(len(w), dtype=bool)
    before[later[follows]] = drifted[earlier[follows]]
    is_sold[earlier[follows]] = False
    traded = np.bincount(day, np.abs(w - before), minlength=len(gross) + 1)
    traded += np.bincount(day + 1, is_sold * np.abs(drifted), minlength=len(gross) + 1)
    return Backtest(days.dates, gross, traded[:-1] / 2.0, cost, periods_per_year)
