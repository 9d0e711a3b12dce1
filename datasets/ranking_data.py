"""The data set that most loaders and generators return."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ltr.arguments import check_number
from ltr.queries import check_rows, group_queries


@dataclass(frozen=True, eq=False)
class RankingData:
    """Features, labels and query ids, row by row.

    Attributes
    ----------
    X : array of shape (n_samples, n_features)
        Features.
    y : array of shape (n_samples,)
        Labels, higher is better.
    qid : array of shape (n_samples,)
        Query of each row; the rows of a query are its list.
    feature_names : list of str, optional
        Names of the columns of ``X``.
    description : str, optional
        Where the data come from.
    docids : array of shape (n_samples,), optional
        Document id of each row, where the source has them.
    true_scores : array of shape (n_samples,), optional
        Noise-free scores of generated data.
    zero_based : bool, optional
        Whether the feature indices of the LETOR files started at 0; None for data from
        elsewhere.

    Raises
    ------
    ValueError
        If an array is masked, or pandas objects have one index in different orders.

    Notes
    -----
    ``n_queries`` is the number of queries. ``n_lists`` is the same number under its
    older name.

    Examples
    --------
    >>> data = RankingData(np.eye(4), np.array([1, 0, 2, 0]), np.array([7, 7, 8, 8]))
    >>> train, test = data.train_test_split(test_size=0.5, random_state=0)
    >>> train.qid.tolist(), test.qid.tolist()
    ([8, 8], [7, 7])
    """

    X: NDArray[Any]
    y: NDArray[Any]
    qid: NDArray[Any]
    feature_names: list[str] | None = None
    description: str = ""
    docids: NDArray[Any] | None = None
    true_scores: NDArray[Any] | None = None
    zero_based: bool | None = None

    def __post_init__(self) -> None:
        columns = {"X": self.X, "y": self.y, "qid": self.qid, "docids": self.docids}
        check_rows({**columns, "true_scores": self.true_scores})

    def __repr__(self) -> str:
        n_rows, n_features = self.X.shape
        size = f"{self.n_queries} queries, {n_rows} rows, {n_features} features"
        return f"RankingData({size})"

    @property
    def n_queries(self) -> int:
        """Number of queries."""
        return group_queries(self.qid, len(self.qid)).n_lists

    @property
    def n_lists(self) -> int:
        """Alias of ``n_queries``."""
        return self.n_queries

    def take(self, rows: NDArray[Any] | slice) -> RankingData:
        """Select rows.

        Parameters
        ----------
        rows : int or bool array, or slice
            Row numbers, in the desired order, or a mask. Those of a slice are not
            copied.

        Returns
        -------
        data : RankingData
        """
        return RankingData(
            X=self.X[rows],
            y=self.y[rows],
            qid=self.qid[rows],
            feature_names=self.feature_names,
            description=self.description,
            docids=None if self.docids is None else self.docids[rows],
            true_scores=None if self.true_scores is None else self.true_scores[rows],
            zero_based=self.zero_based,
        )

    def train_test_split(
        self, test_size: float = 0.2, random_state: int | None = None
    ) -> tuple[RankingData, RankingData]:
        """Split by query: all rows of a query go to the same side.

        Parameters
        ----------
        test_size : float, default=0.2
            Share of the queries that go to the test side, in (0, 1).
        random_state : int or None, default=None
            Seed.

        Returns
        -------
        train, test : RankingData
            At least one query each; rows keep their order.

        Raises
        ------
        ValueError
            If ``test_size`` is outside (0, 1), or there is only one query.
        """
        check_number(
            "test_size", test_size, low=0, high=1, open_low=True, open_high=True
        )
        queries = group_queries(self.qid, len(self.qid))
        n_queries = queries.n_lists
        if n_queries < 2:
            raise ValueError(
                f"train_test_split needs at least two queries; got {n_queries}."
            )
        n_test = min(max(1, round(test_size * n_queries)), n_queries - 1)
        shuffled = np.random.default_rng(random_state).permutation(n_queries)
        in_test = np.isin(queries.codes, shuffled[:n_test])
        return self.take(~in_test), self.take(in_test)
