"""Splitters that keep queries whole."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
import sklearn
from numpy.typing import ArrayLike
from sklearn.model_selection import BaseCrossValidator
from sklearn.utils.metadata_routing import UNUSED

from ltr.arguments import check_flag, check_fraction, check_whole
from ltr.queries import IntArray, Queries, check_rows, group_queries

Split = tuple[IntArray, IntArray]


class _QuerySplitter(BaseCrossValidator):
    """Splits in which all rows of a query are in one part."""

    __metadata_request__split: ClassVar[dict[str, Any]] = {
        "qid": True,
        "groups": UNUSED,
    }

    n_splits: int

    def split(
        self,
        X: ArrayLike,
        y: ArrayLike | None = None,
        groups: ArrayLike | None = None,
        *,
        qid: ArrayLike | None = None,
    ) -> Iterator[Split]:
        """Yield the rows of training and test parts.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Only its length is used.
        y : array-like of shape (n_samples,), default=None
            Not used.
        groups : array-like of shape (n_samples,), default=None
            Another name for ``qid``. A search without metadata routing passes it to the
            splitter only, hence the warning.
        qid : array-like of shape (n_samples,), default=None
            Query of each row.

        Yields
        ------
        train, test : int arrays
            Rows in ascending order.

        Raises
        ------
        ValueError
            If ``qid`` and ``groups`` are both None, or there are too few queries.
        """
        if qid is None and groups is not None:
            qid = groups
            if not sklearn.get_config()["enable_metadata_routing"]:
                warnings.warn(
                    "groups keeps queries whole, but a search or cross_validate passes "
                    "qid to fit and score only with metadata routing "
                    "(sklearn.set_config(enable_metadata_routing=True)); without it "
                    "each fold counts as one query. Pass qid=... instead of groups.",
                    UserWarning,
                    stacklevel=2,
                )
        if qid is None:
            raise ValueError(
                f"{type(self).__name__}.split needs the query of each row; got "
                "qid=None. Pass qid; in a search, enable metadata routing "
                "(sklearn.set_config(enable_metadata_routing=True)) and call "
                "fit(X, y, qid=qid)."
            )
        check_rows({"X": X, "y": y, "qid": qid})
        n_samples = X.shape[0] if hasattr(X, "shape") else len(X)  # type: ignore[arg-type]
        queries = group_queries(qid, n_samples)
        for train, test in self._split_queries(queries):
            yield queries.subset(train), queries.subset(test)

    @abstractmethod
    def _split_queries(self, queries: Queries) -> Iterator[Split]:
        """Yield the numbers of training and test queries."""

    def get_n_splits(
        self, X: Any = None, y: Any = None, groups: Any = None, *, qid: Any = None
    ) -> int:
        """Return the number of splits.

        Parameters
        ----------
        X, y, groups, qid : object, default=None
            Not used.

        Returns
        -------
        n_splits : int
        """
        return int(self.n_splits)


class QueryKFold(_QuerySplitter):
    """K folds of whole queries.

    Parameters
    ----------
    n_splits : int, default=5
        Number of folds, ≥ 2.
    shuffle : bool, default=False
        Whether to shuffle the queries; otherwise the folds follow their first
        appearance.
    random_state : int or None, default=None
        Seed of the shuffle.

    Examples
    --------
    >>> import numpy as np
    >>> qid = ["a", "a", "b", "b", "c"]
    >>> [test.tolist() for _, test in QueryKFold(3).split(np.zeros((5, 1)), qid=qid)]
    [[0, 1], [2, 3], [4]]
    """

    def __init__(
        self,
        n_splits: int = 5,
        *,
        shuffle: bool = False,
        random_state: int | None = None,
    ) -> None:
        self.n_splits = n_splits
        self.shuffle = shuffle
        self.random_state = random_state

    def _split_queries(self, queries: Queries) -> Iterator[Split]:
        check_whole("n_splits", self.n_splits, low=2)
        check_flag("shuffle", self.shuffle)
        _check_seed(self.random_state)
        _check_enough(self, queries.n_lists, self.n_splits)
        lists = np.arange(queries.n_lists)
        if self.shuffle:
            lists = np.random.default_rng(self.random_state).permutation(lists)
        for test in np.array_split(lists, self.n_splits):
            yield np.setdiff1d(lists, test), test


class QueryShuffleSplit(_QuerySplitter):
    """Random splits of whole queries.

    Parameters
    ----------
    n_splits : int, default=10
        Number of splits, ≥ 1.
    test_size : float, default=0.1
        Share of the queries in the test part, in (0, 1).
    random_state : int or None, default=None
        Seed.

    Examples
    --------
    >>> import numpy as np
    >>> qid = ["a", "a", "b", "b", "c"]
    >>> splitter = QueryShuffleSplit(1, test_size=0.3, random_state=0)
    >>> train, test = next(splitter.split(np.zeros((5, 1)), qid=qid))
    >>> len(train) + len(test)
    5
    """

    def __init__(
        self,
        n_splits: int = 10,
        *,
        test_size: float = 0.1,
        random_state: int | None = None,
    ) -> None:
        self.n_splits = n_splits
        self.test_size = test_size
        self.random_state = random_state

    def _split_queries(self, queries: Queries) -> Iterator[Split]:
        check_whole("n_splits", self.n_splits, low=1)
        _check_enough(self, queries.n_lists, 2)
        check_fraction("test_size", self.test_size)
        _check_seed(self.random_state)
        n_lists = queries.n_lists
        n_test = min(max(1, round(self.test_size * n_lists)), n_lists - 1)
        rng = np.random.default_rng(self.random_state)
        for _ in range(self.n_splits):
            lists = rng.permutation(n_lists)
            yield lists[n_test:], lists[:n_test]


def _check_seed(random_state: Any) -> None:
    if not isinstance(random_state, np.random.Generator):
        check_whole("random_state", random_state, low=0, optional=True)


def _check_enough(splitter: Any, n_lists: int, needed: int) -> None:
    if n_lists < needed:
        raise ValueError(
            f"{type(splitter).__name__} needs at least {needed} queries for n_splits="
            f"{splitter.n_splits}; got {n_lists}. Check that the items of a query have "
            "the same qid."
        )
