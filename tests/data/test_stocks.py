"""Daily lists of stocks: no look into the future, and a market with a known answer."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import Ridge

from ltr.datasets import StockData, load_stocks, make_stocks, stock_lists
from ltr.metrics import bootstrap_interval, kendall_tau_score
from ltr.model_selection import QueryStandardScaler, WalkForwardSplit

N_STOCKS, N_DAYS, LOOK_BACK = 5, 70, 29
DATES = np.busday_offset("2013-01-01", np.arange(N_DAYS), roll="forward")
TICKERS = np.array(list("ABCDE"))
INDUSTRIES = np.array(["tea", "tin", "tea", "tin", "tea"])


def draw_prices(seed=0):
    """Prices of five stocks on seventy days."""
    rng = np.random.default_rng(seed)
    close = 20.0 * np.exp(0.02 * rng.normal(size=(N_STOCKS, N_DAYS)).cumsum(axis=1))
    open_ = close * np.exp(0.01 * rng.normal(size=close.shape))
    high = np.maximum(open_, close) * np.exp(0.01 * rng.random(close.shape))
    low = np.minimum(open_, close) * np.exp(-0.01 * rng.random(close.shape))
    volume = np.exp(rng.normal(10.0, 1.0, size=close.shape))
    return np.stack([open_, high, low, close, volume], axis=-1)


def lists(ohlcv, **options):
    """Lists of those five stocks."""
    settings = {"tickers": TICKERS, "dates": DATES, "industries": INDUSTRIES}
    return stock_lists(ohlcv, **settings | {"list_size": (2, None)} | options)


def table(data):
    """One row for each day and ticker."""
    index = pd.MultiIndex.from_arrays([data.dates, data.tickers])
    return pd.DataFrame(data.X, index, data.feature_names).assign(label=data.y)


DATA = lists(draw_prices())


def test_features_by_hand():
    """Each feature and label as its name says, from the definition."""
    ohlcv, rows = draw_prices(), table(DATA)
    for (date, ticker), row in rows.iterrows():
        stock, t = TICKERS.tolist().index(ticker), DATES.tolist().index(date.date())
        open_, high, low, close, volume = ohlcv[stock].T
        back = close[t::-1]  # today, yesterday, …
        expected = {f"return_{k}": back[0] / back[k] - 1 for k in (1, 5, 10, 20)}
        for k in (5, 10, 20, 30):
            expected[f"over_average_{k}"] = back[0] / np.mean(back[:k]) - 1
        expected |= {
            "volatility_20": np.std(np.diff(np.log(back[:21]))),
            "gap": open_[t] / close[t - 1] - 1,
            "intraday": close[t] / open_[t] - 1,
            "range": (high[t] - low[t]) / close[t],
            "close_in_range": (close[t] - low[t]) / (high[t] - low[t]),
            "volume_over_20": np.log1p(volume[t]) - np.log1p(volume[t - 20 : t]).mean(),
            "label": close[t + 1] / close[t] - 1,
        }
        assert list(expected) == list(rows.columns)
        np.testing.assert_allclose(row, list(expected.values()), rtol=1e-6, atol=1e-12)


def test_rows_and_lists():
    """All days with a full window and a next day; a list for each industry and day."""
    days = DATES[LOOK_BACK:-1]
    assert isinstance(DATA, StockData)
    assert (DATA.look_back, len(DATA.y)) == (LOOK_BACK, N_STOCKS * len(days))
    assert DATA.n_queries == DATA.n_lists == 2 * len(days)
    np.testing.assert_array_equal(DATA.dates, np.repeat(days, N_STOCKS))
    assert DATA.tickers.tolist() == list("ACEBD") * len(days)
    assert (np.diff(DATA.qid) >= 0).all()
    of_list = pd.DataFrame({"day": DATA.dates, "industry": DATA.industries})
    of_list = of_list.groupby(DATA.qid)
    assert (of_list.nunique() == 1).all(axis=None)
    assert of_list.first().drop_duplicates().shape == (DATA.n_queries, 2)
    assert table(lists(draw_prices(), by="market")).equals(table(DATA))
    np.testing.assert_array_equal(
        lists(draw_prices(), by="market").qid, np.repeat(np.arange(len(days)), N_STOCKS)
    )


@pytest.mark.parametrize("day", [31, 40, 69])
def test_no_row_sees_other_days(day):
    """Other prices on a day change features of that and 29 later days, no others."""
    ohlcv = draw_prices()
    before = table(lists(ohlcv))
    ohlcv[:, day] = draw_prices(1)[:, 5]
    after = table(lists(ohlcv))
    changed = (before.drop(columns="label") != after.drop(columns="label")).any(axis=1)
    seen = DATES[max(day, LOOK_BACK) : min(day + LOOK_BACK + 1, N_DAYS - 1)]
    assert set(changed[changed].index.get_level_values(0)) == {*map(pd.Timestamp, seen)}
    labels = before["label"] != after["label"]
    told = DATES[max(day - 1, LOOK_BACK) : min(day + 1, N_DAYS - 1)]
    assert set(labels[labels].index.get_level_values(0)) == {*map(pd.Timestamp, told)}


@pytest.mark.parametrize("short", [0, 1])
def test_embargo_of_look_back_and_a_day(short):
    """No price that a test row reads is in a training row; a day less, and one is."""
    splitter = WalkForwardSplit(1, test_days=5, embargo=DATA.look_back + 1 - short)
    ((train, test),) = splitter.split(DATA.X, dates=DATA.dates)
    ohlcv = draw_prices()
    first = np.searchsorted(DATES, DATA.dates[test].min()) - DATA.look_back
    ohlcv[:, first:] = draw_prices(1)[:, first:]
    other = lists(ohlcv)
    np.testing.assert_array_equal(DATA.X[train], other.X[train])
    assert (DATA.y[train] == other.y[train]).all() == (short == 0)


def test_missing_prices():
    """A stock is in the lists of the days whose prices it has; lists may vanish."""
    ohlcv, gone = draw_prices(), 50
    ohlcv[0, gone, 3] = np.nan  # A has no close
    ohlcv[2, gone, 0] = 0.0  # C was not traded
    ohlcv[1, :, :] = np.nan  # B is not there, so D has no partner
    data = table(lists(ohlcv, max_missing=0.5))
    days = {ticker: data.xs(ticker, level=1).index for ticker in "ACE"}
    assert set(data.index.get_level_values(1)) == set("ACE")
    full = pd.DatetimeIndex(DATES[LOOK_BACK:-1])
    assert list(days["A"]) == list(full[full < DATES[gone - 1]])  # its windows, label
    assert list(days["C"]) == list(days["E"]) == list(full.drop(DATES[gone]))
    kept = table(DATA).loc[data.index]
    pd.testing.assert_frame_equal(data, kept)


def test_days_that_are_none():
    """A day on which most closes are missing is dropped, and windows close over it."""
    ohlcv, bad = draw_prices(), 55
    ohlcv[:3, bad, 3] = np.nan
    data = lists(ohlcv)
    without = [np.delete(values, bad, axis=-2) for values in (ohlcv, DATES[:, None])]
    again = lists(without[0], dates=without[1][:, 0])
    pd.testing.assert_frame_equal(table(data), table(again))
    assert DATES[bad] not in data.dates
    assert DATES[bad] in lists(ohlcv, by="market", max_missing=0.6).dates


@pytest.mark.parametrize(
    ("list_size", "tickers"),
    [((3, None), "ACE"), ((2, 2), "BD"), ((1, 3), "ABCDE"), ((2, None), "ABCDE")],
)
def test_list_size(list_size, tickers):
    """Industries of another size are left out, of the market too."""
    for by in ("industry", "market"):
        data = lists(draw_prices(), list_size=list_size, by=by)
        assert set(data.tickers) == set(tickers)


def test_order_of_stocks_and_take():
    """The order of the input says nothing; rows can be taken."""
    order = [3, 1, 4, 0, 2]
    data = lists(
        draw_prices()[order], tickers=TICKERS[order], industries=INDUSTRIES[order]
    )
    pd.testing.assert_frame_equal(table(data).sort_index(), table(DATA).sort_index())
    some = DATA.take(DATA.industries == "tin")
    assert repr(some) == "StockData(40 lists on 40 days, 80 rows, 14 features)"
    assert (some.look_back, some.feature_names) == (LOOK_BACK, DATA.feature_names)
    pd.testing.assert_frame_equal(table(some), table(DATA).loc[table(some).index])


def write(folder, members, **arrays):
    content = {"ohlcv": draw_prices(), "tickers": TICKERS, "dates": DATES.astype(str)}
    content = {k: v for k, v in (content | arrays).items() if v is not None}
    np.savez(folder / "prices.npz", **content)
    (folder / "industries.json").write_text(json.dumps(members))
    return folder / "prices.npz", folder / "industries.json"


def test_load_stocks(tmp_path):
    """Like the arrays; stocks of no industry are left out, unknown tickers ignored."""
    members = {"tea": ["E", "C", "A", "Z"], "zinc": ["Y"]}
    data = load_stocks(*write(tmp_path, members), list_size=(2, None))
    tea = DATA.take(DATA.industries == "tea")
    pd.testing.assert_frame_equal(table(data), table(tea))
    np.testing.assert_array_equal(data.qid, np.unique(tea.qid, return_inverse=True)[1])
    assert data.description == f"daily lists of stocks from {tmp_path / 'prices.npz'}"


def test_files_of_another_form(tmp_path):
    """What the files lack is named."""
    paths = write(tmp_path, {}, dates=None)
    message = (
        f"{paths[0]} must have the arrays 'ohlcv', 'tickers' and 'dates'; it has no "
        "'dates'."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        load_stocks(*paths)
    paths = write(tmp_path, {"tea": ["A"], "tin": ["A"]})
    message = f"{paths[1]} must have each ticker once; 'A' is repeated."
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        load_stocks(*paths)


NEGATIVE = draw_prices()
NEGATIVE[1, 3] = [1.0, 2.0, -1.0, 1.0, 5.0]


@pytest.mark.parametrize(
    ("ohlcv", "options", "message"),
    [
        (
            draw_prices()[..., :4],
            {},
            "ohlcv must have shape (n_stocks, n_days, 5): open, high, low, close, "
            "volume; got (5, 70, 4).",
        ),
        (
            draw_prices(),
            {"dates": DATES[1:]},
            "dates must have shape (70,) to match ohlcv of shape (5, 70, 5); got "
            "(69,).",
        ),
        (
            draw_prices(),
            {"industries": INDUSTRIES[1:]},
            "industries must have shape (5,) to match ohlcv of shape (5, 70, 5); "
            "got (4,).",
        ),
        (
            draw_prices(),
            {"dates": DATES[::-1]},
            "dates must ascend strictly; got 2013-04-08 before 2013-04-05. Sort the days, "
            "and drop repeated ones.",
        ),
        (
            NEGATIVE,
            {},
            "prices and volume must be >= 0, or NaN where they are missing; "
            "got [1.0, 2.0, -1.0, 1.0, 5.0] for B on 2013-01-04.",
        ),
        (
            draw_prices(),
            {"by": "day"},
            "by must be one of 'industry', 'market'; got 'day'.",
        ),
        (
            draw_prices(),
            {"list_size": (5, 30)},
            "no list remains: of 5 stocks on 70 days, 0 are in an industry of 5 to 30 "
            "stocks, and 70 days lack at most 20% of closes; a row takes 31 days. "
            "Widen list_size.",
        ),
        (
            draw_prices()[:, :31],
            {
                "by": "market",
                "list_size": (2, None),
                "horizon": 2,
                "dates": DATES[:31],
            },
            "no list remains: of 5 stocks on 31 days, 5 are in an industry of at least "
            "2 stocks (no maximum), and 31 days lack at most 20% of closes; a row takes "
            "32 days. Pass more days, lower horizon or pass labels='all'.",
        ),
        (
            draw_prices()[:, :20],
            {
                "by": "market",
                "list_size": (2, None),
                "industries": None,
                "dates": DATES[:20],
            },
            "no list remains: of 5 stocks on 20 days, a list takes at least 2 stocks, "
            "and 20 days lack at most 20% of closes; a row takes 31 days. Pass more "
            "days.",
        ),
    ],
)
def test_errors(ohlcv, options, message):
    """What is wrong with the prices."""
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        lists(ohlcv, **options)


def tau_of(rho):
    """Kendall's τ of normal variables with that correlation."""
    return 2 / np.pi * np.arcsin(rho)


def interval(data, scores):
    """99 % interval of the mean τ, over days."""
    by_list = kendall_tau_score(data.y, scores, qid=data.qid, per_query=True)
    first_rows = np.unique(data.qid, return_index=True)[1]
    by_day = pd.Series(by_list).groupby(data.dates[first_rows]).mean()
    return bootstrap_interval(by_day, confidence=0.99)


def walk_forward_ridge(data):
    """The rows of the test parts and what a ridge on earlier days scores them."""
    X = QueryStandardScaler().fit_transform(data.X, qid=data.qid)
    y = QueryStandardScaler().fit_transform(data.y[:, None], qid=data.qid).ravel()
    scores = np.full(len(y), np.nan)
    splitter = WalkForwardSplit(3, test_days=150, embargo=data.look_back + 1)
    for train, test in splitter.split(X, dates=data.dates):
        scores[test] = Ridge(10.0).fit(X[train], y[train]).predict(X[test])
    tested = ~np.isnan(scores)
    return data.take(tested), scores[tested]


@pytest.mark.parametrize("nonlinearity", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("signal", [0.0, 0.1, 0.4])
def test_planted_signal_is_found(signal, nonlinearity):
    """Best scores and a ridge have the τ that the formulas say, also where it is 0."""
    data = make_stocks(
        n_stocks=100,
        n_days=700,
        n_industries=5,
        signal=signal,
        nonlinearity=nonlinearity,
        random_state=1,
    )
    low, high = interval(data, data.true_scores)
    assert low < tau_of(signal) < high
    assert high - low < 0.02
    low, high = interval(*walk_forward_ridge(data))
    assert low < tau_of(signal * np.sqrt((1 - nonlinearity) * 20 / 21)) < high
    assert high - low < 0.025
    low, high = interval(data, data.X[:, data.feature_names.index("return_1")])
    assert low < 0.0 < high


def test_what_no_linear_score_has():
    """The move of a stock within its industry times the sign of its volume finds it."""
    data = make_stocks(signal=0.3, nonlinearity=1.0, n_days=300, random_state=0)
    Z = QueryStandardScaler().fit_transform(data.X, qid=data.qid)
    moves = Z[:, data.feature_names.index("return_1")]
    busy = np.sign(data.X[:, data.feature_names.index("volume_over_20")])
    tau = kendall_tau_score(data.y, moves * busy, qid=data.qid)
    assert 0.7 * tau_of(0.3) < tau < tau_of(0.3)


def test_simulated_market():
    """It repeats, is of the size asked for, and its prices can be."""
    data = make_stocks(11, 30, 3, random_state=5)
    again = make_stocks(11, 30, 3, random_state=5)
    np.testing.assert_array_equal(data.X, again.X)
    assert not np.array_equal(data.X, make_stocks(11, 30, 3, random_state=6).X)
    assert repr(data) == "StockData(90 lists on 30 days, 330 rows, 14 features)"
    assert sorted(set(np.bincount(data.qid))) == [3, 4]
    column = dict(zip(data.feature_names, data.X.T, strict=True))
    move = np.abs(1 - 1 / (1 + column["intraday"]))
    assert (column["range"] > move).all()
    assert 0.01 < data.y.std() < 0.03
    certain = make_stocks(signal=1.0, n_days=5, random_state=0)
    assert kendall_tau_score(certain.y, certain.true_scores, qid=certain.qid) == 1.0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"n_stocks": 15},
            "n_stocks must be at least 2 * n_industries, and n_industries >= 1; got "
            "n_stocks=15 and n_industries=8.",
        ),
        ({"n_days": 0}, "n_days must be a whole number >= 1; got 0."),
        ({"signal": 1.5}, "signal must be a number >= 0 and <= 1; got 1.5."),
        (
            {"nonlinearity": -0.1},
            "nonlinearity must be a number >= 0 and <= 1; got -0.1.",
        ),
    ],
)
def test_markets_that_cannot_be(options, message):
    """The ranges are said."""
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        make_stocks(**options)


def test_nasdaq(ltr_data):
    """50 industries with 456 stocks; days as in Feng et al.; the bad day is dropped."""
    folder = Path(ltr_data) / "stocks-rsr"
    data = load_stocks(
        folder / "NASDAQ.ohlcv.npz", folder / "NASDAQ_industry_ticker.json"
    )
    assert (len(set(data.industries)), len(set(data.tickers))) == (50, 456)
    days = np.unique(data.dates)
    assert days[[0, 756, 1008, -1]].astype(str).tolist() == [
        "2013-01-02",
        "2016-01-04",
        "2017-01-03",
        "2017-12-07",
    ]
    sizes = np.bincount(data.qid)
    assert (sizes.min(), sizes.max(), round(sizes.mean(), 1)) == (5, 29, 9.1)
