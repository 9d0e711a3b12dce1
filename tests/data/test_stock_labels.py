"""Labels of stocks: horizons, days without a label, long frames, and the embargo."""

import re

import numpy as np
import pandas as pd
import pytest

from ltr import SingleFeatureRanker
from ltr.datasets import stock_lists
from ltr.metrics import kendall_tau_score
from ltr.model_selection import WalkForwardSplit

N_STOCKS, N_DAYS, LOOK_BACK = 4, 100, 29
DATES = np.busday_offset("2013-01-01", np.arange(N_DAYS), roll="forward")
TICKERS = np.array(list("ABCD"))
TRADES = [("close", 0), ("open", 1)]  # and the days between the label's row and buying


def draw_prices(seed=0):
    rng = np.random.default_rng(seed)
    close = np.exp(0.02 * rng.normal(size=(N_STOCKS, N_DAYS)).cumsum(axis=1))
    open_, volume = close * np.exp(0.01 * rng.normal(size=close.shape)), 100 * close
    high, low = np.maximum(open_, close), np.minimum(open_, close)
    return np.stack([open_, high, low, close, volume], axis=-1)


PRICES = draw_prices()


def lists(ohlcv=PRICES, **options):
    settings = {"tickers": TICKERS, "dates": DATES, "by": "market"}
    return stock_lists(ohlcv, **settings | {"list_size": (2, None)} | options)


def long_frame(ohlcv=PRICES):
    fields = ("open", "high", "low", "close", "volume")
    rows = {"day": np.tile(DATES, N_STOCKS), "symbol": np.repeat(TICKERS, N_DAYS)}
    rows |= {name: ohlcv[..., i].ravel() for i, name in enumerate(fields)}
    return pd.DataFrame(rows)


def same(data, other):
    np.testing.assert_array_equal(data.X, other.X)
    np.testing.assert_array_equal(data.y, other.y)
    for name in ("qid", "dates", "tickers", "industries", "feature_names"):
        assert np.array_equal(getattr(data, name), getattr(other, name)), name
    assert (data.look_back, data.label_days) == (other.look_back, other.label_days)


@pytest.mark.parametrize("horizon", [1, 2, 5, 20])
@pytest.mark.parametrize(("trade_at", "bought"), TRADES)
def test_label_is_the_return_of_a_position(trade_at, bought, horizon):
    """(sold − bought) / bought, read from the prices of the row's own stock."""
    data = lists(horizon=horizon, trade_at=trade_at)
    price = PRICES[..., 3 if trade_at == "close" else 0]
    stock, t = (
        np.searchsorted(TICKERS, data.tickers),
        np.searchsorted(DATES, data.dates),
    )
    paid = price[stock, t + bought]
    got = price[stock, t + bought + horizon]
    np.testing.assert_allclose(data.y, (got - paid) / paid, rtol=1e-9, atol=1e-12)
    assert data.label_days == bought + horizon
    assert data.dates.max() == DATES[-1 - data.label_days]


@pytest.mark.parametrize("horizon", [1, 3, 10])
@pytest.mark.parametrize("trade_at", ["close", "open"])
@pytest.mark.parametrize("short", [0, 1])
def test_embargo_keeps_labels_out_of_test_features(trade_at, horizon, short):
    """No day is read by two parts, by intervals and by prices; a day less, and one is."""
    data = lists(horizon=horizon, trade_at=trade_at)
    assert data.embargo == LOOK_BACK + horizon + (trade_at == "open")
    splitter = WalkForwardSplit(1, test_days=2, embargo=data.embargo - short)
    ((train, test),) = splitter.split(data.X, dates=data.dates)
    t = np.searchsorted(DATES, data.dates)
    read_by = [
        {d for row in set(t[part]) for d in range(row - LOOK_BACK, row + ahead + 1)}
        for part, ahead in [(train, data.label_days), (test, 0)]
    ]
    assert bool(read_by[0] & read_by[1]) == bool(short)
    other_prices, first = PRICES.copy(), t[test].min() - LOOK_BACK
    other_prices[:, first:] = draw_prices(1)[:, first:]
    other = lists(other_prices, horizon=horizon, trade_at=trade_at)
    np.testing.assert_array_equal(data.X[train], other.X[train])
    assert np.array_equal(data.y[train], other.y[train]) == (not short)


@pytest.mark.parametrize("horizon", [1, 4])
@pytest.mark.parametrize("trade_at", ["close", "open"])
def test_last_days_have_features_without_labels(trade_at, horizon):
    """labels="all" adds the last days, and changes no other row."""
    known = lists(horizon=horizon, trade_at=trade_at)
    data = lists(horizon=horizon, trade_at=trade_at, labels="all")
    same(data.take(data.is_labeled), known)
    unknown = np.unique(data.dates[~data.is_labeled])
    np.testing.assert_array_equal(unknown, DATES[-data.label_days :])
    today = data.take(data.dates == data.dates.max())
    assert today.tickers.tolist() == TICKERS.tolist()
    assert today.dates[0] == DATES[-1]
    ranker = SingleFeatureRanker("map").fit(known.X, known.y > 0, known.qid)
    assert sorted(ranker.rank(today.X, today.qid)) == [1, 2, 3, 4]


def test_lists_do_not_look_ahead():
    """A stock that is not traded tomorrow is in today's list, without a label."""
    prices = PRICES.copy()
    prices[1, 60] = np.nan
    data = lists(prices, labels="all", max_missing=0.5)
    today = data.take(data.dates == DATES[59])
    assert today.tickers.tolist() == ["A", "B", "C", "D"]
    assert np.isnan(today.y).tolist() == [False, True, False, False]
    known = lists(prices, max_missing=0.5)
    assert known.tickers[known.dates == DATES[59]].tolist() == ["A", "C", "D"]


def test_unknown_labels_are_refused():
    """A mean over the labeled rows would be that of other lists."""
    data = lists(labels="all")
    for call in (
        lambda: kendall_tau_score(data.y, data.X[:, 0], qid=data.qid),
        lambda: SingleFeatureRanker("map").fit(data.X, data.y, data.qid),
    ):
        with pytest.raises(
            ValueError, match=r"must be finite; got (nan|NaN) at row 280"
        ):
            call()


def test_long_frames():
    """Rows in any order, columns of any usual name, an index of days and stocks."""
    frame, expected = long_frame(), lists()
    shuffled = frame.sample(frac=1.0, random_state=0)
    same(stock_lists(shuffled, by="market", list_size=(2, None)), expected)
    odd = shuffled.rename(columns={"day": "d", "symbol": "s", "close": "Close"})
    options = {"dates": "d", "tickers": "s", "by": "market", "list_size": (2, None)}
    same(stock_lists(odd, **options), expected)
    indexed = frame.set_index(["day", "symbol"])
    same(stock_lists(indexed, by="market", list_size=(2, None)), expected)
    text = frame.assign(
        day=frame["day"].astype(str), symbol=frame["symbol"].astype("category")
    )
    same(stock_lists(text, by="market", list_size=(2, None)), expected)
    zoned = frame.assign(day=pd.to_datetime(frame["day"]).dt.tz_localize("Asia/Tokyo"))
    same(stock_lists(zoned, by="market", list_size=(2, None)), expected)


def test_industries_of_a_frame():
    """As a column, or as a mapping of tickers."""
    groups = np.array(["tea", "tin", "tea", "tin"])
    expected = lists(industries=groups, by="industry")
    frame = long_frame()
    frame["sector"] = np.repeat(groups, N_DAYS)
    same(stock_lists(frame, list_size=(2, None)), expected)
    mapping = dict(zip(TICKERS.tolist(), groups.tolist(), strict=True))
    same(stock_lists(long_frame(), industries=mapping, list_size=(2, None)), expected)


def test_rows_that_are_absent():
    """A day without a row is a day without prices."""
    prices = PRICES.copy()
    prices[2, 70] = np.nan
    frame = long_frame(prices).dropna()
    options = {"list_size": (2, None), "max_missing": 0.5}
    same(stock_lists(frame, by="market", **options), lists(prices, **options))


def test_a_frame_of_closes():
    """The features that closes alone determine."""
    frame = long_frame()[["day", "symbol", "close"]]
    data, full = stock_lists(frame, by="market", list_size=(2, None)), lists()
    assert len(data.feature_names) == 9
    columns = [full.feature_names.index(name) for name in data.feature_names]
    np.testing.assert_array_equal(data.X, full.X[:, columns])
    np.testing.assert_array_equal(data.y, full.y)


def test_a_hundred_stocks_are_a_market():
    """Without industries no stock is dropped for the size of its industry."""
    prices = np.tile(PRICES, (25, 1, 1))
    names = [f"S{i:03d}" for i in range(100)]
    data = stock_lists(prices, tickers=names, dates=DATES, by="market")
    assert (data.n_queries, len(data.y)) == (70, 7000)


FRAME = long_frame()


@pytest.mark.parametrize(
    ("frame", "options", "message"),
    [
        (
            FRAME.drop(columns="symbol"),
            {},
            "a frame must have one column of tickers, named ticker, tickers, symbol, "
            "asset or stock; got ['day', 'open', 'high', 'low', 'close', 'volume']. Pass "
            "tickers='<its name>'. A wide frame, with a column per stock, becomes a long "
            "one by melt.",
        ),
        (
            FRAME,
            {"dates": "dya"},
            "dates='dya' must name a column; the frame has ['day', 'symbol', 'open', "
            "'high', 'low', 'close', 'volume']. Did you mean 'day'?",
        ),
        (
            FRAME,
            {"by": "industry"},
            "a frame must have one column of industries, named industry, industries or "
            "sector; got ['day', 'symbol', 'open', 'high', 'low', 'close', 'volume']. "
            "Pass industries='<its name>', or by='market' for one list of all stocks a "
            "day.",
        ),
        (
            FRAME,
            {"tickers": TICKERS},
            "with a frame, tickers must be the name of a column; got ndarray. Add it to "
            "the frame.",
        ),
        (
            pd.concat([FRAME, FRAME.iloc[[7]]]),
            {},
            "each stock must have one row per day; got 2 rows of 'A' on 2013-01-10. Keep "
            "one of them, or aggregate them to a day.",
        ),
        (
            FRAME.drop(columns="close"),
            {},
            "a frame of prices must have the column 'close', and may have 'open', "
            "'high', 'low' and 'volume'; got ['day', 'symbol', 'open', 'high', 'low', "
            "'volume'].",
        ),
        (
            FRAME.assign(day=20130102),
            {},
            "dates must be dates or ISO strings such as '2024-01-02'; got numbers of "
            "type int64. Convert them first: pandas.to_datetime(dates, "
            "format='%Y%m%d'), say.",
        ),
        (
            FRAME.assign(symbol=FRAME["symbol"].where(FRAME["symbol"] != "C")),
            {},
            "tickers and industries must not be missing; row 200 (counted from 0) has "
            "none. Drop it.",
        ),
        (
            FRAME.assign(sector=np.arange(len(FRAME)) % 2),
            {"by": "industry"},
            "a stock must have one industry; got 0 and 1 for 'A'. "
            "Keep one, or pass by='market'.",
        ),
        (
            FRAME.drop(columns="open"),
            {"trade_at": "open"},
            "trade_at='open' needs the prices of the open, which are all missing.",
        ),
        (FRAME, {"horizon": 0}, "horizon must be a whole number >= 1; got 0."),
        (
            FRAME,
            {"labels": "some"},
            "labels must be one of 'known', 'all'; got 'some'.",
        ),
        (
            PRICES,
            {},
            "an array of prices must come with tickers, dates; got no tickers and no "
            "dates. Only a frame with a row per stock and day has them itself; "
            "a Series becomes one by to_frame('close').",
        ),
    ],
)
def test_errors(frame, options, message):
    """What is missing or repeated, and the cure."""
    options = {"by": "market", "list_size": (2, None)} | options
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        stock_lists(frame, **options)
