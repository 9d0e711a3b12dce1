"""What every loader and generator returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class RankingData:
    """Features, labels and lists, row by row.

    Attributes
    ----------
    X : array of shape (n_samples, n_features)
        Features.
    y : array of shape (n_samples,)
        Labels, higher is better.
    qid : array of shape (n_samples,)
        List of each row.
    feature_names : list of str, optional
        Names of the columns of ``X``.
    description : str, optional
        Where the data come from.
    docids : array of shape (n_samples,), optional
        Document id of each row, where the source has them.
    true_scores : array of shape (n_samples,), optional
        Noise-free scores of generated data.

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

    def __repr__(self) -> str:
        n_rows, n_features = self.X.shape
        return (
            f"RankingData({self.n_lists} lists, {n_rows} rows, {n_features} features)"
        )

    @property
    def n_lists(self) -> int:
        """Number of lists."""
        return int(pd.unique(pd.Series(self.qid)).size)

    def take(self, rows: NDArray[Any]) -> RankingData:
        """Return the given rows (numbers or mask).

        Parameters
        ----------
        rows : int or bool array
            Which rows, in which order.

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
        )

    def train_test_split(
        self, test_size: float = 0.2, random_state: int | None = None
    ) -> tuple[RankingData, RankingData]:
        """Split by list: all rows of a list go to the same side.

        Parameters
        ----------
        test_size : float, default=0.2
            Share of the lists that go to the test side, in (0, 1).
        random_state : int or None, default=None
            Seed.

        Returns
        -------
        train, test : RankingData
            At least one list each; rows keep their order.

        Raises
        ------
        ValueError
            If ``test_size`` is outside (0, 1), or there is only one list.
        """
        if not 0.0 < test_size < 1.0:
            raise ValueError(f"test_size must be between 0 and 1; got {test_size!r}.")
        codes, lists = pd.factorize(pd.Series(self.qid))
        n_lists = len(lists)
        if n_lists < 2:
            raise ValueError(
                f"train_test_split needs at least two lists; got {n_lists}."
            )
        n_test = min(max(1, round(test_size * n_lists)), n_lists - 1)
        shuffled = np.random.default_rng(random_state).permutation(n_lists)
        in_test = np.isin(codes, shuffled[:n_test])
        return self.take(~in_test), self.take(in_test)
