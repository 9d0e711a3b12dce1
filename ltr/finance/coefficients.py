"""Correlation of scores and returns, day by day."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ltr.arguments import check_choice, check_whole
from ltr.finance.days import ratio, read_days
from ltr.metrics import information_coefficient_score, spearman_score
from ltr.queries import FloatArray


@dataclass(frozen=True, eq=False)
class InformationCoefficient:
    """Correlation of scores and returns, by day; see :func:`information_coefficient`.

    Attributes
    ----------
    dates : array of shape (n_days,)
        The days, in temporal order.
    values : float array of shape (n_days,)
        Coefficient of each day; NaN where all returns are equal.
    label_days : int
        Days that a return extends over.

    Examples
    --------
    >>> information_coefficient(
    ...     [0.1, 0.2, 0.3, 0.1], [1, 2, 1, 2], dates=[1, 1, 2, 2]
    ... )
    InformationCoefficient(mean 0.0000, std 1.4142, ratio 0.0000, t 0.00, 2 days)
    """

    dates: NDArray[Any]
    values: FloatArray
    label_days: int = 1

    def __repr__(self) -> str:
        return (
            f"InformationCoefficient(mean {self.mean:.4f}, std {self.std:.4f}, "
            f"ratio {self.ratio:.4f}, t {self.t_statistic:.2f}, "
            f"{len(self._defined)} days)"
        )

    @property
    def _defined(self) -> FloatArray:
        return self.values[~np.isnan(self.values)]

    @property
    def mean(self) -> float:
        """Mean over days; NaN without a day that counts."""
        return float(self._defined.mean()) if len(self._defined) else math.nan

    @property
    def std(self) -> float:
        """Standard deviation over days, by n − 1; NaN below two days."""
        return float(self._defined.std(ddof=1)) if len(self._defined) > 1 else math.nan

    @property
    def ratio(self) -> float:
        """Mean over standard deviation, for a day: times √252, the ratio of a year."""
        return ratio(self.mean, self.std)

    @property
    def standard_error(self) -> float:
        r"""Standard error of the mean; returns that overlap are accounted for.

        .. math:: \frac{1}{n - 1}\Bigl(\gamma_0 + 2 \sum_{l=1}^{h-1}
            \bigl(1 - \tfrac{l}{h}\bigr) \gamma_l\Bigr)

        is its square, with the autocovariances :math:`\gamma_l` of the daily values and
        h = ``label_days`` (Newey & West, 1987). NaN below two days.
        """
        n = len(self._defined)
        if n < 2:
            return math.nan
        deviation = self._defined - self._defined.mean()
        variance = deviation @ deviation / n
        for lag in range(1, min(self.label_days, n)):
            covariance = deviation[lag:] @ deviation[:-lag] / n
            variance += 2.0 * (1.0 - lag / self.label_days) * covariance
        return float(np.sqrt(max(variance, 0.0) / (n - 1)))

    @property
    def t_statistic(self) -> float:
        """Mean over its standard error."""
        return ratio(self.mean, self.standard_error)


def information_coefficient(
    y_true: ArrayLike,
    y_score: ArrayLike,
    *,
    dates: ArrayLike,
    method: str = "spearman",
    label_days: int = 1,
) -> InformationCoefficient:
    """Correlate scores with returns on each day.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Returns, finite.
    y_score : array-like of shape (n_samples,)
        Scores, higher is better.
    dates : array-like of shape (n_samples,)
        Day of each row, of any type that sorts.
    method : {"spearman", "pearson"}, default="spearman"
        Correlation of ranks (the rank information coefficient) or of values.
    label_days : int, default=1
        Days that each return extends over, ≥ 1, as ``StockData.label_days``: returns
        of neighboring days overlap if it is above 1, which widens the standard error.

    Returns
    -------
    coefficient : InformationCoefficient
        ``values`` of the days, their ``mean``, ``std``, ``ratio`` and ``t_statistic``.

    Raises
    ------
    ValueError
        If shapes differ, a value is not finite, or the dates do not sort.

    References
    ----------
    .. [1] Grinold & Kahn, "Active portfolio management", 2nd edition, 1999, chapter 6.
    .. [2] Newey & West, "A simple, positive semi-definite, heteroskedasticity and
       autocorrelation consistent covariance matrix", Econometrica 55, 1987.

    Examples
    --------
    >>> coefficient = information_coefficient(
    ...     [0.1, 0.3, 0.2, 0.1, 0.2, 0.2], [1, 2, 3, 1, 2, 2], dates=[1, 1, 1, 2, 2, 2]
    ... )
    >>> coefficient.values
    array([0.5, 1. ])
    >>> round(coefficient.ratio, 4)
    2.1213
    """
    check_choice("method", method, ("spearman", "pearson"))
    label_days = check_whole("label_days", label_days, low=1)
    days = read_days(dates, y_true=y_true, y_score=y_score)
    metric = spearman_score if method == "spearman" else information_coefficient_score
    values = metric(y_true, y_score, qid=days.queries.codes, per_query=True)
    return InformationCoefficient(
        days.dates, np.asarray(values)[days.in_time], label_days
    )
