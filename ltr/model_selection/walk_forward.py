"""Walk-forward splits of daily data, with an embargo between the parts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.model_selection import BaseCrossValidator
from sklearn.utils.metadata_routing import UNUSED

from ltr.arguments import check_whole
from ltr.queries import IntArray, check_rows


class WalkForwardSplit(BaseCrossValidator):
    """Walk-forward splits by day: fit on earlier days, test on later ones.

    Let the features of day t read the days t − look_back, …, t, and its label the days
    up to t + label_days. Then ``embargo=look_back + label_days``, which is
    ``data.embargo`` of :class:`ltr.datasets.StockData`, is the smallest with which no
    day is read by two parts. Who sees which day, with look_back = 3, label_days = 1 and
    so embargo = 4 (t: the day of the row; f: read by its features; y: by its label)::

        day                        0  1  2  3  4  5  6  7  8  9  10
        last row of training       f  f  f  t  y
        left out                               -  -  -  -
        first row of testing                      f  f  f  t  y

    With an embargo of 3 the test part would begin on day 7, whose features read day 4,
    the day that labels the last row of training. The same gap separates training from
    validation and validation from testing.

    A day may have several queries (one for each industry, say) and is in one part as a
    whole. Where each query is a day or another point of time, and its ``qid`` sorts by
    time, pass ``dates=qid``.

    Parameters
    ----------
    n_splits : int, default=5
        Number of test parts, ≥ 1; consecutive, up to the end of the data.
    test_days : int, default=None
        Days in each test part, ≥ 1. None: n_days // (n_splits + 1).
    validation_days : int, default=0
        Days in the validation part between training and test part, ≥ 0.
    embargo : int, default=0
        Days left out between two parts, ≥ 0: look_back + label_days, as above.
    max_train_days : int, default=None
        Maximum number of days in a training part, the latest ones; ≥ 1. None: all
        earlier days.

    References
    ----------
    .. [1] López de Prado, "Advances in Financial Machine Learning", 2018, section 7.4.

    Examples
    --------
    >>> import numpy as np
    >>> day = np.arange(9)
    >>> splitter = WalkForwardSplit(2, test_days=2, validation_days=1, embargo=1)
    >>> for parts in splitter.split_three(day, dates=day):
    ...     print(*(part.tolist() for part in parts))
    [0, 1] [3] [5, 6]
    [0, 1, 2, 3] [5] [7, 8]

    Cross-validation takes the parts; a search, with metadata routing enabled, takes
    ``cv=splitter``, and ``dates`` in its ``fit``:

    >>> from ltr import SingleFeatureRanker
    >>> from ltr.datasets import make_ranking
    >>> from ltr.model_selection import cross_validate_ranker
    >>> data = make_ranking(9, random_state=0)
    >>> parts = splitter.split(data.X, dates=data.qid)
    >>> ranker = SingleFeatureRanker("map")
    >>> result = cross_validate_ranker(ranker, data.X, data.y, data.qid, cv=parts)
    >>> result["test_map"].shape
    (2,)
    """

    __metadata_request__split: ClassVar[dict[str, Any]] = {
        "dates": True,
        "groups": UNUSED,
    }

    def __init__(
        self,
        n_splits: int = 5,
        *,
        test_days: int | None = None,
        validation_days: int = 0,
        embargo: int = 0,
        max_train_days: int | None = None,
    ) -> None:
        self.n_splits = n_splits
        self.test_days = test_days
        self.validation_days = validation_days
        self.embargo = embargo
        self.max_train_days = max_train_days

    def split_three(
        self, X: ArrayLike, *, dates: ArrayLike
    ) -> Iterator[tuple[IntArray, IntArray, IntArray]]:
        """Yield the rows of training, validation and test parts.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Only its length is used.
        dates : array-like of shape (n_samples,)
            Day of each row, in any order: numbers, dates, or strings that sort by time
            (``"2017-12-08"``). Only days that occur are counted.

        Yields
        ------
        train, validation, test : int arrays
            Rows in ascending order; validation is empty with ``validation_days=0``.

        Raises
        ------
        ValueError
            If dates are missing or too few, or a parameter is outside its range.
        """
        check_rows({"X": X, "dates": dates})
        n_samples = X.shape[0] if hasattr(X, "shape") else len(X)  # type: ignore[arg-type]
        day_of_row, n_days = _number_days(dates, n_samples)
        size = self._test_size(n_days)

        def rows(begin: int, end: int) -> IntArray:
            return np.flatnonzero((day_of_row >= begin) & (day_of_row < end))

        for test in range(n_days - size * self.n_splits, n_days, size):
            validation_end = test - self.embargo
            validation = validation_end - self.validation_days
            train_end = validation - (self.embargo if self.validation_days else 0)
            train = max(0, train_end - (self.max_train_days or n_days))
            yield (
                rows(train, train_end),
                rows(validation, validation_end),
                rows(test, test + size),
            )

    def split(
        self,
        X: ArrayLike,
        y: ArrayLike | None = None,
        groups: ArrayLike | None = None,
        *,
        dates: ArrayLike | None = None,
    ) -> Iterator[tuple[IntArray, IntArray]]:
        """Yield the rows of training and test parts; validation days are in neither.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Only its length is used.
        y : array-like of shape (n_samples,), default=None
            Not used.
        groups : array-like of shape (n_samples,), default=None
            Not used.
        dates : array-like of shape (n_samples,), default=None
            Day of each row, as in :meth:`split_three`; must be given.

        Yields
        ------
        train, test : int arrays
            Rows in ascending order.

        Raises
        ------
        ValueError
            As :meth:`split_three`.
        """
        if dates is None:
            raise ValueError(
                "WalkForwardSplit.split needs the day of each row; got dates=None. "
                "Pass dates, or dates=qid if each query is a day; in a search, enable "
                "metadata routing (sklearn.set_config(enable_metadata_routing=True)) "
                "and call fit(X, y, qid=qid, dates=dates); in cross_validate_ranker, "
                "pass cv=splitter.split(X, dates=dates)."
            )
        check_rows({"X": X, "y": y, "dates": dates})
        for train, _, test in self.split_three(X, dates=dates):
            yield train, test

    def get_n_splits(
        self, X: Any = None, y: Any = None, groups: Any = None, *, dates: Any = None
    ) -> int:
        """Return the number of splits.

        Parameters
        ----------
        X, y, groups, dates : object, default=None
            Not used.

        Returns
        -------
        n_splits : int
        """
        return int(self.n_splits)

    def _test_size(self, n_days: int) -> int:
        """Days in a test part; checks all the numbers."""
        lowest = {"n_splits": 1, "validation_days": 0, "embargo": 0}
        lowest |= {
            name: 1
            for name in ("test_days", "max_train_days")
            if getattr(self, name) is not None
        }
        for name, low in lowest.items():
            check_whole(name, getattr(self, name), low=low)
        size = self.test_days or max(1, n_days // (self.n_splits + 1))
        gaps = 2 if self.validation_days else 1
        needed = size * self.n_splits + self.validation_days + gaps * self.embargo + 1
        if n_days < needed:
            raise ValueError(
                f"{self.n_splits} test parts of {size} days, {self.validation_days} "
                f"days of validation, {gaps} embargoes of {self.embargo} and a day of "
                f"training take {needed} days; got {n_days}. Pass more days, or lower "
                f"{self._can_be_lowered(size)}."
            )
        return size

    def _can_be_lowered(self, size: int) -> str:
        """Parameters that take more days than they must."""
        values = {
            "n_splits": self.n_splits - 1,
            "test_days": size - 1,
            "validation_days": self.validation_days,
            "embargo": self.embargo,
        }
        *names, last = [name for name, value in values.items() if value > 0] or [
            "n_splits"
        ]
        return f"{', '.join(names)} or {last}" if names else last


def _number_days(dates: ArrayLike, n_samples: int) -> tuple[NDArray[np.intp], int]:
    """Number of the day of each row, in order of time, and how many days there are."""
    values = np.asarray(dates)
    if values.shape != (n_samples,):
        raise ValueError(
            f"dates must have one value for each of the {n_samples} rows of X; got "
            f"shape {values.shape}."
        )
    try:
        days, day_of_row = np.unique(values, return_inverse=True)
    except TypeError:
        raise ValueError(
            "dates must sort by time; got values that do not compare. Use numbers, "
            "dates or ISO strings, all of one kind, none missing."
        ) from None
    if (days != days).any():
        raise ValueError("dates must not be missing; got NaN or NaT. Drop those rows.")
    return day_of_row, len(days)
