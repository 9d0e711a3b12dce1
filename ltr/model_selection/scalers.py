"""Feature scaling within each query."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from ltr.arguments import check_column_names
from ltr.atomic import AtomicFit
from ltr.queries import FloatArray, Queries, check_rows, group_queries
from ltr.within_lists import min_max, z_scores


class _QueryScaler(AtomicFit, OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Scales features within each query; ``fit`` learns their number only."""

    _column_names: list[Any] | None = None  # of a DataFrame
    __metadata_request__fit: ClassVar[dict[str, bool]] = {"qid": True}
    __metadata_request__transform: ClassVar[dict[str, bool]] = {"qid": True}

    def fit(
        self, X: ArrayLike, y: ArrayLike | None = None, qid: ArrayLike | None = None
    ) -> Any:
        """Check the features.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features.
        y : array-like of shape (n_samples,), default=None
            Not used.
        qid : array-like of shape (n_samples,), default=None
            Query of each row. None: one query.

        Returns
        -------
        self : object
        """
        check_rows({"X": X, "y": y, "qid": qid})
        validate_data(self, X, reset=True, dtype=np.float64)
        self._column_names = _names_of(X)
        self._fitted_with_qid = qid is not None
        return self

    def transform(self, X: ArrayLike, qid: ArrayLike | None = None) -> FloatArray:
        """Scale each feature within each query.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features.
        qid : array-like of shape (n_samples,), default=None
            Query of each row, in any order. None: one query.

        Returns
        -------
        scaled : float array of shape (n_samples, n_features)
            A feature that is constant in a query is 0 there.

        Raises
        ------
        ValueError
            If ``qid`` is None although ``fit`` was given one.
        """
        check_is_fitted(self, "n_features_in_")
        names, expected = _names_of(X), self._column_names
        if expected is not None and names is not None:
            is_text = all(isinstance(name, str) for name in [*names, *expected])
            if not is_text:  # text is compared by scikit-learn
                check_column_names(names, expected)
        array = np.asarray(validate_data(self, X, reset=False, dtype=np.float64))
        if qid is None and self._fitted_with_qid:
            raise ValueError(
                "transform needs qid because fit was given one; got qid=None. Pass "
                "qid; in a pipeline, enable metadata routing."
            )
        return self._scale(array, group_queries(qid, len(array), rows=X))

    def fit_transform(
        self, X: ArrayLike, y: ArrayLike | None = None, qid: ArrayLike | None = None
    ) -> FloatArray:
        """Fit, then transform the same rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features.
        y : array-like of shape (n_samples,), default=None
            Not used.
        qid : array-like of shape (n_samples,), default=None
            Query of each row. None: one query.

        Returns
        -------
        scaled : float array of shape (n_samples, n_features)
        """
        return np.asarray(self.fit(X, y, qid).transform(X, qid))

    @abstractmethod
    def _scale(self, X: FloatArray, queries: Queries) -> FloatArray:
        """Scaled copy of checked features."""


def _names_of(X: Any) -> list[Any] | None:
    """Column names of a DataFrame; scikit-learn compares only those that are text."""
    return X.columns.tolist() if hasattr(X, "iloc") else None


class QueryStandardScaler(_QueryScaler):
    """Mean 0 and standard deviation 1 of every feature within every query.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.array([[1.0], [3.0], [10.0], [10.0]])
    >>> QueryStandardScaler().fit_transform(X, qid=[1, 1, 2, 2]).ravel().tolist()
    [-1.0, 1.0, 0.0, 0.0]
    """

    def _scale(self, X: FloatArray, queries: Queries) -> FloatArray:
        return z_scores(X, queries)


class QueryMinMaxScaler(_QueryScaler):
    """Every feature from 0 to 1 within every query, as in LETOR's normalized files.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.array([[1.0], [3.0], [10.0], [10.0]])
    >>> QueryMinMaxScaler().fit_transform(X, qid=[1, 1, 2, 2]).ravel().tolist()
    [0.0, 1.0, 0.0, 0.0]
    """

    def _scale(self, X: FloatArray, queries: Queries) -> FloatArray:
        return min_max(X, queries)
