"""A simulated market with a known amount of signal."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ltr.arguments import check_number, check_whole
from ltr.datasets.stocks.features import LOOK_BACK
from ltr.datasets.stocks.lists import StockData, stock_lists
from ltr.queries import FloatArray

# standard deviations: of the daily shocks of market and industry, of log volume around
# the mean of its stock; of the overnight gap and of the wicks, in units of σ
_MARKET, _INDUSTRY, _VOLUME = 0.008, 0.006, 0.5
_GAP, _WICK = 0.4, 0.3


def make_stocks(
    n_stocks: int = 120,
    n_days: int = 500,
    n_industries: int = 8,
    *,
    signal: float = 0.1,
    nonlinearity: float = 0.5,
    random_state: int | None = None,
) -> StockData:
    r"""Simulate a market whose next-day returns are predictable to a known degree.

    The log return of a stock is a market shock, plus an industry shock, plus its own
    shock σ·e[t + 1], with σ from 1 to 2 % a day, by industry, and

    .. math::
        e_{t+1} = \rho\, s_t + \sqrt{1 - \rho^2}\, \varepsilon_{t+1}, \qquad
        s_t = \sqrt{1 - \kappa}\, v_t + \sqrt{\kappa}\; e_t\, \operatorname{sign}(v_t)

    where v is the surprise in log volume, ε and v are independent standard normal, ρ is
    ``signal`` and κ is ``nonlinearity``. High volume is thus followed by gains, and a
    move continues after high volume and reverses after low volume, as reported of real
    stocks [1]_ [2]_. The signal is contained in open, high, low, close and volume,
    which pass through :func:`stock_lists` as real prices do.

    **Attainable scores.** s is standard normal with correlation ρ to e, and within a
    list of one industry the returns are in the order of e. For such pairs Kendall's τ
    is [3]_

    .. math:: \tau(\rho) = \frac{2}{\pi} \arcsin \rho,

    so the expected τ of the best scores, ``true_scores``, is τ(ρ). The term with κ is
    invisible to linear scores; the best of these is ``volume_over_20``, to which the
    mean over 20 days adds noise: its τ is τ(ρ √((1 − κ) · 20/21)). That of momentum
    is 0. With ``signal=0`` there is nothing to learn.

    Parameters
    ----------
    n_stocks : int, default=120
        Number of stocks, at least 2 per industry.
    n_days : int, default=500
        Number of days with lists, ≥ 1.
    n_industries : int, default=8
        Number of industries, ≥ 1, whose sizes differ by at most 1; each has a list per
        day.
    signal : float, default=0.1
        Correlation ρ of the best scores with a stock's own return, in [0, 1].
    nonlinearity : float, default=0.5
        Share κ of the variance of the best scores that linear scores miss, in [0, 1].
    random_state : int or None, default=None
        Seed.

    Returns
    -------
    data : StockData
        ``true_scores`` are s.

    Raises
    ------
    ValueError
        If a parameter is outside its range.

    References
    ----------
    .. [1] Gervais, Kaniel & Mingelgrin, "The high-volume return premium", Journal of
       Finance 2001.
    .. [2] Llorente, Michaely, Saar & Wang, "Dynamic volume-return relation of
       individual stocks", Review of Financial Studies 2002.
    .. [3] Kruskal, "Ordinal measures of association", JASA 1958, section 6.

    Examples
    --------
    >>> from ltr.metrics import kendall_tau_score
    >>> data = make_stocks(n_days=200, signal=0.2, random_state=0)
    >>> tau = kendall_tau_score(data.y, data.true_scores, qid=data.qid)
    >>> expected = float(2 / np.pi * np.arcsin(0.2))
    >>> abs(tau - expected) < 0.01, round(expected, 3)
    (True, 0.128)
    """
    _check(n_stocks, n_days, n_industries, signal, nonlinearity)
    rng = np.random.default_rng(random_state)
    industry = np.arange(n_stocks) % n_industries
    n_all = LOOK_BACK + n_days + 1  # days of the first window, and of the last return
    sigma = rng.uniform(0.01, 0.02, size=n_industries)[industry]

    surprise = rng.normal(size=(n_stocks, n_all))
    own, best = rng.normal(size=(2, n_stocks, n_all))
    # own is e and surprise is v; best becomes s
    for t in range(n_all):
        if t:
            own[:, t] = signal * best[:, t - 1] + np.sqrt(1 - signal**2) * own[:, t]
        signed = own[:, t] * np.sign(surprise[:, t])
        linear = np.sqrt(1 - nonlinearity) * surprise[:, t]
        best[:, t] = linear + np.sqrt(nonlinearity) * signed
    shared = _MARKET * rng.normal(size=n_all)
    shared = shared + _INDUSTRY * rng.normal(size=(n_industries, n_all))[industry]

    tickers = np.array([f"S{i:04d}" for i in range(n_stocks)])
    days = np.busday_offset("2001-01-01", np.arange(n_all), roll="forward")
    data = stock_lists(
        _prices(rng, shared + sigma[:, None] * own, sigma, surprise),
        tickers=tickers,
        dates=days,
        industries=np.array([f"industry {i + 1}" for i in industry]),
        list_size=(2, None),
    )
    stock, day = (
        np.searchsorted(tickers, data.tickers),
        np.searchsorted(days, data.dates),
    )
    return replace(
        data,
        description=(
            f"make_stocks(n_stocks={n_stocks}, n_days={n_days}, signal={signal}, "
            f"random_state={random_state})"
        ),
        true_scores=best[stock, day],
    )


def _prices(
    rng: np.random.Generator,
    log_return: FloatArray,
    sigma: FloatArray,
    surprise: FloatArray,
) -> FloatArray:
    """Open, high, low, close and volume of shape (n_stocks, n_days, 5)."""
    n_stocks, n_days = log_return.shape
    scale = sigma[:, None]
    start = rng.normal(3.5, 0.5, size=(n_stocks, 1))
    close = start + np.cumsum(log_return, axis=1)  # all prices are logarithms here
    last_close = np.concatenate([start, close[:, :-1]], axis=1)
    open_ = last_close + _GAP * scale * rng.normal(size=(n_stocks, n_days))
    up, down = _WICK * scale * np.abs(rng.normal(size=(2, n_stocks, n_days)))
    volume = rng.normal(13.0, 1.0, size=(n_stocks, 1)) + _VOLUME * surprise
    logs = [
        open_,
        np.maximum(open_, close) + up,
        np.minimum(open_, close) - down,
        close,
        volume,
    ]
    return np.exp(np.stack(logs, axis=-1))


def _check(
    n_stocks: int, n_days: int, n_industries: int, signal: float, nonlinearity: float
) -> None:
    if n_industries < 1 or n_stocks < 2 * n_industries:
        raise ValueError(
            "n_stocks must be at least 2 * n_industries, and n_industries >= 1; got "
            f"n_stocks={n_stocks!r} and n_industries={n_industries!r}."
        )
    check_whole("n_days", n_days, low=1)
    check_number("signal", signal, low=0, high=1)
    check_number("nonlinearity", nonlinearity, low=0, high=1)
