"""What a ranking of stocks is worth: coefficients, quantiles, turnover, costs.

Flat arrays as everywhere in the library: a score, a return and a date for each row, in
any order. The return of a row is the one earned from its date to the next date, as
:func:`ltr.datasets.stock_lists` labels it with ``horizon=1``. NumPy only.

>>> from ltr.datasets import make_stocks
>>> from ltr.finance import backtest, information_coefficient, portfolio_weights
>>> data = make_stocks(n_stocks=50, n_days=80, n_industries=2, random_state=0)
>>> scores = data.true_scores
>>> information_coefficient(data.y, scores, dates=data.dates).ratio > 0.5
True
>>> weights = portfolio_weights(scores, dates=data.dates, fraction=0.2)
>>> result = backtest(
...     data.y, weights, dates=data.dates, tickers=data.tickers, cost=0.0005
... )
>>> bool(result.gross.mean() > result.net.mean())
True
"""

from __future__ import annotations

from ltr.finance.coefficients import InformationCoefficient, information_coefficient
from ltr.finance.portfolio import Backtest, backtest, turnover
from ltr.finance.quantiles import (
    QuantileReturns,
    portfolio_weights,
    quantile_returns,
)

__all__ = [
    "Backtest",
    "InformationCoefficient",
    "QuantileReturns",
    "backtest",
    "information_coefficient",
    "portfolio_weights",
    "quantile_returns",
    "turnover",
]
