"""`ltr.finance`: markets worked out by hand, slow references, laws."""

import math
import re
from fractions import Fraction
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from ltr.finance import (
    backtest,
    information_coefficient,
    portfolio_weights,
    quantile_returns,
    turnover,
)

# A market of two days by hand: 100 in A and 100 in B on day 1; A rises by 10 %, B falls
# by 20 %; on day 2 all is in B and C in equal parts, which earn 5 % and lose 5 %.
HAND = {
    "returns": [0.10, -0.20, 0.05, -0.05],
    "weights": [0.5, 0.5, 0.5, 0.5],
    "dates": [1, 1, 2, 2],
    "tickers": ["A", "B", "B", "C"],
}


@st.composite
def markets(draw, max_days=4, max_stocks=6):
    """Rows of some stocks on some days, in any order, with ties among the scores."""
    n_days, n_stocks = draw(st.integers(1, max_days)), draw(st.integers(2, max_stocks))
    listed = [(day, stock) for day in range(n_days) for stock in range(n_stocks)]
    rows = [row for row in listed if row[1] < 2 or draw(st.booleans())]
    rows = draw(st.permutations(rows))
    number = st.integers(-50, 50)
    return {
        "dates": np.array([day for day, _ in rows]),
        "tickers": np.array([f"S{stock}" for _, stock in rows]),
        "returns": np.array([draw(number) / 100 for _ in rows]),
        "scores": np.array([float(draw(st.integers(0, 3))) for _ in rows]),
        "weights": np.array([draw(number) / 200 / max_stocks for _ in rows]),
    }


def test_a_market_by_hand():
    result = backtest(**HAND, cost=0.01)
    # Day 1: 200 are bought. The day earns 10 − 20 = −10, so 110 of A and 80 of B remain
    # of 190. Day 2: 110 of A are sold, 15 of B and 95 of C are bought: 220 of 190.
    assert result.gross == pytest.approx([-0.05, 0.0])
    assert result.turnover == pytest.approx([0.5, 110 / 190])
    assert result.costs == pytest.approx([0.01, 2.2 / 190])
    assert result.net == pytest.approx([-0.06, -2.2 / 190])
    assert result.wealth == pytest.approx([0.94, 0.94 * (1 - 2.2 / 190)])
    assert result.max_drawdown == pytest.approx(1 - 0.94 * (1 - 2.2 / 190))
    assert result.break_even_cost == pytest.approx(-0.025 / (0.5 + 110 / 190))
    assert turnover(
        HAND["weights"],
        dates=HAND["dates"],
        tickers=HAND["tickers"],
        returns=HAND["returns"],
    ) == pytest.approx([0.5, 110 / 190])


def test_figures_of_a_year():
    result = backtest(
        [0.01, -0.01, 0.03], [1.0] * 3, dates=[1, 2, 3], tickers=["A"] * 3
    )
    assert result.annual_return == pytest.approx(2.52)
    assert result.annual_volatility == pytest.approx(0.02 * math.sqrt(252))
    assert result.sharpe_ratio == pytest.approx(0.5 * math.sqrt(252))
    assert result.turnover == pytest.approx([0.5, 0.0, 0.0])  # the price moves alone
    assert result.max_drawdown == pytest.approx(0.01)
    assert repr(result) == (
        "Backtest(return +252.00% a year, volatility 31.75%, Sharpe ratio 7.94, "
        "drawdown 1.00%, turnover 0.17 a day, 3 days)"
    )


def slow_backtest(market):
    """Capital in dollars, stock by stock, in exact fractions."""
    positions, results = {}, []
    for day in sorted(set(market["dates"].tolist())):
        rows = np.flatnonzero(market["dates"] == day)
        capital = Fraction(1)
        target = {
            market["tickers"][row]: Fraction(float(market["weights"][row]))
            for row in rows
        }
        names = set(positions) | set(target)
        traded = sum(
            abs(target.get(name, Fraction(0)) - positions.get(name, Fraction(0)))
            for name in names
        )
        returns = {
            market["tickers"][row]: Fraction(float(market["returns"][row]))
            for row in rows
        }
        gain = sum(target[name] * returns[name] for name in target)
        capital += gain
        positions = {
            name: target[name] * (1 + returns[name]) / capital for name in target
        }
        results.append((float(gain), float(traded / 2)))
    return np.array(results).T


@given(markets())
def test_backtest_reference(market):
    gross, exchanged = slow_backtest(market)
    result = backtest(
        market["returns"],
        market["weights"],
        dates=market["dates"],
        tickers=market["tickers"],
        cost=0.001,
    )
    assert result.gross == pytest.approx(gross, abs=1e-12)
    assert result.turnover == pytest.approx(exchanged, abs=1e-12)
    assert result.net == pytest.approx(gross - 0.002 * exchanged, abs=1e-12)


@given(markets(max_stocks=5), st.integers(2, 3))
def test_quantiles_reference(market, n_quantiles):
    """The mean over all orders of tied stocks; a stock is cut at a border."""
    if min(np.unique(market["dates"], return_counts=True)[1]) < n_quantiles:
        return
    result = quantile_returns(
        market["returns"],
        market["scores"],
        dates=market["dates"],
        n_quantiles=n_quantiles,
    )
    for day, values in zip(result.dates, result.values, strict=True):
        rows = np.flatnonzero(market["dates"] == day)
        scores, returns = market["scores"][rows], market["returns"][rows]
        means = []
        for order in permutations(range(len(rows))):
            if (np.diff(scores[list(order)]) < 0).any():
                continue
            # each stock is n_quantiles pieces, so that every border is between pieces
            pieces = np.repeat(returns[list(order)], n_quantiles)
            means.append(pieces.reshape(n_quantiles, len(rows)).mean(axis=1))
        assert values == pytest.approx(np.mean(means, axis=0), abs=1e-12)
        assert values.mean() == pytest.approx(returns.mean(), abs=1e-12)


@given(markets())
def test_outer_quantiles_are_the_portfolio(market):
    """Long minus short of half the stocks earns the spread of two quantiles."""
    weights = portfolio_weights(market["scores"], dates=market["dates"], fraction=0.5)
    result = backtest(
        market["returns"], weights, dates=market["dates"], tickers=market["tickers"]
    )
    quantiles = quantile_returns(
        market["returns"], market["scores"], dates=market["dates"], n_quantiles=2
    )
    assert result.gross == pytest.approx(quantiles.spread, abs=1e-12)


@given(markets(), st.floats(0.05, 1.0))
def test_weights_of_a_day(market, fraction):
    held = portfolio_weights(
        market["scores"], dates=market["dates"], fraction=fraction, long_only=True
    )
    assert (held >= 0).all()
    for day in np.unique(market["dates"]):
        rows = market["dates"] == day
        assert held[rows].sum() == pytest.approx(1.0)
        scores = market["scores"][rows]
        order = np.argsort(-scores, kind="stable")
        assert (np.diff(held[rows][order]) <= 1e-12).all()


@given(markets(), st.randoms(use_true_random=False))
def test_row_order(market, random):
    rows = list(range(len(market["dates"])))
    random.shuffle(rows)
    shuffled = {name: column[rows] for name, column in market.items()}
    one, other = (
        backtest(m["returns"], m["weights"], dates=m["dates"], tickers=m["tickers"])
        for m in (market, shuffled)
    )
    assert one.gross == pytest.approx(other.gross, abs=1e-14)
    assert one.turnover == pytest.approx(other.turnover, abs=1e-14)
    one, other = (
        information_coefficient(m["returns"], m["scores"], dates=m["dates"])
        for m in (market, shuffled)
    )
    assert one.values == pytest.approx(other.values, abs=1e-12, nan_ok=True)


def test_dates_are_sorted():
    days = np.array(["2024-01-03", "2024-01-02"], dtype="M8[D]").repeat(3)
    coefficient = information_coefficient(
        [1.0, 2.0, 3.0, 1.0, 2.0, 3.0], [3, 2, 1, 1, 2, 3], dates=days
    )
    assert coefficient.dates.astype(str).tolist() == ["2024-01-02", "2024-01-03"]
    assert coefficient.values.tolist() == [1.0, -1.0]


def test_standard_error():
    """Without overlap that of the mean; with overlap by the definition."""
    rng = np.random.default_rng(0)
    n_days = 30
    y, s = rng.normal(size=(2, n_days * 6))
    dates = np.arange(n_days).repeat(6)
    plain = information_coefficient(y, s, dates=dates, method="pearson")
    assert plain.values[0] == pytest.approx(stats.pearsonr(y[:6], s[:6])[0])
    assert plain.standard_error == pytest.approx(stats.sem(plain.values))
    assert plain.t_statistic == pytest.approx(stats.ttest_1samp(plain.values, 0)[0])

    overlapping = information_coefficient(y, s, dates=dates, label_days=4)
    x = overlapping.values - overlapping.values.mean()
    total = 0.0
    for one in range(n_days):
        for other in range(n_days):
            total += max(0.0, 1 - abs(one - other) / 4) * x[one] * x[other]
    expected = math.sqrt(total / n_days / (n_days - 1))
    assert overlapping.standard_error == pytest.approx(expected)


def test_days_without_a_coefficient():
    coefficient = information_coefficient(
        [1.0, 1.0, 1.0, 2.0], [1, 2, 1, 2], dates=[1, 1, 2, 2]
    )
    assert np.isnan(coefficient.values[0])
    assert coefficient.mean == 1.0
    assert math.isnan(coefficient.std)
    assert math.isnan(coefficient.ratio)


CASES = {
    "two rows of a stock": (
        lambda: backtest([0.0, 0.0], [1, 0], dates=[5, 5], tickers=["A", "A"]),
        "tickers must be distinct on each day; A has two rows on 5, one of them row 1.",
    ),
    "percent": (
        lambda: backtest([-3.0], [1.0], dates=[1], tickers=["A"]),
        "returns must be simple returns, >= -1; got -3.0 at row 0.",
    ),
    "ruin": (
        lambda: backtest([-0.5], [2.0], dates=[1], tickers=["A"]),
        "The weights of 1 lose all capital: their return is -1.0000. Lower them.",
    ),
    "unknown return": (
        lambda: quantile_returns([np.nan, 1.0], [1, 2], dates=[1, 1], n_quantiles=2),
        "y_true must be finite; got nan at row 0.",
    ),
    "few stocks": (
        lambda: quantile_returns([1.0, 2.0], [1, 2], dates=[1, 1]),
        "Each day must have at least n_quantiles=5 stocks; 1 has 2. Lower n_quantiles "
        "or leave such days out.",
    ),
    "dates of two types": (
        lambda: information_coefficient([1.0, 2.0], [1, 2], dates=[1, "a"]),
        "dates must sort; '<' not supported between instances of 'int' and 'str'.",
    ),
    "dates of another length": (
        lambda: information_coefficient([1.0, 2.0], [1, 2], dates=[1]),
        "dates must have one entry per row of y_true; got 1 entries for 2 rows.",
    ),
    "a missing date": (
        lambda: portfolio_weights([1.0, 2.0], dates=[1.0, np.nan]),
        "dates must not have missing values; got nan at row 1. Drop those rows or give "
        "them an id.",
    ),
    "short sales of over half": (
        lambda: portfolio_weights([1.0, 2.0], dates=[1, 1], fraction=0.6),
        "fraction must be a number > 0 and <= 0.5; got 0.6.",
    ),
    "no scores": (
        lambda: portfolio_weights([], dates=[]),
        "y_score must have at least one row; got an empty array.",
    ),
    "fewer weights than dates": (
        lambda: turnover([1.0], dates=[1, 2], tickers=["A", "A"]),
        "dates must have one entry per row of weights; got 2 entries for 1 rows.",
    ),
    "no rows": (
        lambda: information_coefficient([], [], dates=[]),
        "y_true must have at least one row; got an empty array.",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_message(name):
    call, message = CASES[name]
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        call()


def test_no_portfolio_without_a_preference():
    """Equal scores, or one stock: what is bought is sold, to the last bit."""
    assert not portfolio_weights(np.zeros(12), dates=np.repeat([1, 2, 3], 4)).any()
    assert not portfolio_weights([1.0], dates=[1]).any()
