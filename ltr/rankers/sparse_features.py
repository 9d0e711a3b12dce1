"""Features as a sparse matrix, for scorers whose first layer takes one."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ltr.arguments import ArgumentError
from ltr.memory import check_memory
from ltr.rankers.features import CATEGORY_CURE, check_dense_X, frame_values, read_X
from ltr.scorers import Scorer

_REDUCE = "reduce its columns, for example by sklearn.decomposition.TruncatedSVD"


def is_sparse(X: Any) -> bool:
    """Whether ``X`` is a sparse matrix or array of SciPy."""
    return hasattr(X, "tocsr")


def check_X(
    ranker: Any, X: ArrayLike, *, reset: bool, scorer: Scorer, within_lists: bool
) -> Any:
    """Features as a finite float array, or a finite CSR matrix where ``X`` is sparse.

    Parameters
    ----------
    ranker : estimator
        Gets the names and number of the columns if ``reset``.
    X : array-like or sparse matrix of shape (n_samples, n_features)
        Features.
    reset : bool
        Whether this is ``fit``.
    scorer : Scorer
        What scores them.
    within_lists : bool
        Whether the features are scaled within the list.

    Returns
    -------
    features : float array or CSR matrix of shape (n_samples, n_features)
        The indices of a CSR matrix are sorted, each once in its row.

    Raises
    ------
    TypeError
        If ``X`` is sparse, and the scorer or the scaling needs a dense one.
    ValueError
        If ``X`` has other columns than in ``fit``, or a value is not finite.
    """
    if not is_sparse(X):
        return check_dense_X(ranker, X, reset=reset)
    if not getattr(scorer, "takes_sparse", False):
        raise ArgumentError(
            f"X must be dense for {type(scorer).__name__}; got a sparse matrix. Use "
            "LambdaMARTRanker, or NeuralRanker with scorer='linear', 'mlp' or "
            f"'wide_deep', {_REDUCE}, or pass X.toarray()."
        )
    if within_lists:
        raise ArgumentError(
            "X must be dense for preprocess='query', which subtracts the mean of the "
            "list; got a sparse matrix. Set preprocess='auto', which subtracts nothing "
            "from sparse features, or pass X.toarray()."
        )
    features = read_X(
        ranker,
        X,
        lambda frame: frame_values(frame, CATEGORY_CURE),
        reset=reset,
        accept_sparse=True,
    )
    if not features.has_canonical_format:
        features = features.copy()  # the user's own stays as it is
        features.sum_duplicates()
    is_bad = ~np.isfinite(features.data)
    if is_bad.any():
        entry = int(is_bad.argmax())
        row = int(np.searchsorted(features.indptr, entry, "right")) - 1
        value = "NaN" if np.isnan(features.data[entry]) else "inf"
        cure = ", or use LambdaMARTRanker, which takes NaN" * (value == "NaN")
        raise ValueError(
            f"X must be finite; got {value} at row {row}, column "
            f"{features.indices[entry]} of a sparse matrix. Replace it{cure}."
        )
    return features


def like(X: Any, other: Any) -> Any:
    """Features as CSR matrix if other ones are sparse, as array if not.

    Parameters
    ----------
    X : array or CSR matrix of shape (n_val, n_features)
        Such as those of validation.
    other : array or CSR matrix
        Such as those of training.

    Returns
    -------
    features : array or CSR matrix

    Raises
    ------
    MemoryError
        If the array needs more memory than is available.
    """
    if is_sparse(other) and not is_sparse(X):
        return type(other)(X)
    if is_sparse(X) and not is_sparse(other):
        n_rows, n_columns = X.shape
        check_memory(
            8 * float(n_rows) * n_columns,
            f"a dense copy of X_val with {n_rows} rows and {n_columns} columns",
            "Pass X as a sparse matrix, too.",
        )
        return X.toarray()
    return X
