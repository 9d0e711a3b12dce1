"""Feature scaling inside a ranker: z-scores over all rows, or within each list."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from ltr.queries import BoolArray, FloatArray, IntArray, Queries, group_queries
from ltr.rankers.neural.sparse_scaling import (
    fit_sparse_scale,
    safe_exponents,
    scale_sparse,
)
from ltr.rankers.query_features import JoinedRows
from ltr.within_lists import z_scores

if TYPE_CHECKING:
    from ltr.training.hosts import Hosts

Preprocess = Literal["auto", "query", "standard", "log1p"] | None
PREPROCESS = ("auto", "query", "standard", "log1p", None)
_HEAVY_TAIL = 10.0  # of the value farthest from the mean, in standard deviations
_BLOCK_VALUES = 2**21  # in float64 at a time
_CACHED_VALUES = 2**15  # of copies that stay in the cache of a core

Blocks = Callable[[], Iterator[tuple[NDArray[Any], FloatArray | None]]]


@dataclass(frozen=True)
class FeatureScaling:
    """A fitted transformation of the features.

    Attributes
    ----------
    uses_list : bool
        Whether what becomes of an item depends on the other items of its list.
    log_features : bool array of shape (n_features,)
        Features that go through sign(x) · log(1 + abs(x)) first.
    mean, scale : float arrays of shape (n_features,)
        Then (x − mean) / scale. The mean of sparse features is taken as 0.
    """

    uses_list: ClassVar[bool] = False
    log_features: BoolArray
    mean: FloatArray
    scale: FloatArray

    def of_columns(self, columns: slice) -> FeatureScaling:
        """The same for some of the features."""
        return FeatureScaling(
            self.log_features[columns], self.mean[columns], self.scale[columns]
        )

    def transform(
        self,
        X: Any,
        queries: Queries | None = None,
        weights: FloatArray | None = None,
    ) -> Any:
        """Scaled copy of ``X`` in float64, shape (..., n_features).

        A sparse matrix stays one if the mean is 0, and becomes an array if not. Of
        JoinedRows, the parts are scaled.
        """
        if hasattr(X, "tocsr"):
            if not self.mean.any():
                return scale_sparse(X, self.log_features, self.scale)
            X = X.toarray()
        if isinstance(X, JoinedRows):
            n = X.of_queries.shape[1]
            return JoinedRows(
                self.of_columns(slice(n)).transform(X.of_queries),
                self.of_columns(slice(n, None)).transform(X.of_items),
                X.codes,
            )
        if not self.log_features.any():
            Z = np.subtract(X, self.mean, dtype=np.float64, order="C")
        else:
            Z = np.array(X, dtype=np.float64, order="C")
            self._take_logs(Z)
            Z -= self.mean
        Z /= self.scale
        return Z

    def transform_into(self, target: NDArray[Any], X: NDArray[Any]) -> None:
        """Fill rows of ``target`` with the scaled rows of an array ``X``.

        The same numbers as those of :meth:`transform`, in blocks that stay in the cache
        and have a mean and a scale for every value: NumPy is twice as fast on long
        arrays of one shape as on rows of some features.
        """
        n_rows, n_features = X.shape
        size = min(n_rows, max(1, _CACHED_VALUES // max(1, n_features)))
        blocks = np.empty((3, size, n_features))
        blocks[1], blocks[2] = self.mean, self.scale
        has_logs = self.log_features.any()
        for rows in _slices(n_rows, n_features, _CACHED_VALUES):
            Z, mean, scale = blocks[:, : rows.stop - rows.start]
            Z[...] = X[rows]
            if has_logs:
                self._take_logs(Z)
            Z -= mean
            Z /= scale
            target[rows] = Z

    def _take_logs(self, Z: FloatArray) -> None:
        """Replace the features that go through the logarithm."""
        if self.log_features.all():
            Z[...] = _signed_log1p(Z)
        else:
            Z[..., self.log_features] = _signed_log1p(Z[..., self.log_features])


@dataclass(frozen=True)
class ListScaling:
    """z-scores within the list: mean and deviation are those of the list itself.

    Attributes
    ----------
    uses_list : bool
        True.
    """

    uses_list: ClassVar[bool] = True

    def transform(
        self, X: NDArray[Any], queries: Queries, weights: FloatArray | None = None
    ) -> NDArray[Any]:
        """Scaled copy of ``X`` in float64, shape (n_samples, n_features).

        A feature that is constant in a list is 0 there; see
        :func:`ltr.within_lists.z_scores`.
        """
        return z_scores(X, queries, weights)


Scaling = FeatureScaling | ListScaling


def scaled_or_mean(
    scaling: Scaling | None,
    features: FloatArray,
    queries: Queries,
    weights: FloatArray | None = None,
) -> FloatArray:
    """Scaled features, missing values at their mean."""
    if scaling is None:
        return np.nan_to_num(features.astype(np.float64))
    return np.nan_to_num(scaling.transform(features, queries, weights))


def linear_scores(
    scaling: Scaling | None, coef: FloatArray, features: FloatArray, queries: Queries
) -> FloatArray:
    """Weighted sum of the scaled features of each row."""
    Z = scaled_or_mean(scaling, features, queries)
    # not Z @ coef: BLAS may give equal rows different last digits
    return np.asarray(np.einsum("ij,j->i", Z, coef))


def transform_into(
    target: NDArray[Any],
    X: NDArray[Any],
    scaling: Scaling | None,
    queries: Queries,
    weights: FloatArray | None,
) -> None:
    """Fill rows with scaled features, block by block: no further copy is made.

    Parameters
    ----------
    target : array of shape (n_samples or more, n_features)
        Its first rows are written.
    X : array of shape (n_samples, n_features)
        Features; may be a memory map.
    scaling : FeatureScaling, ListScaling or None
        None: as they are.
    queries : Queries
        Query of each row.
    weights : float array of shape (n_samples,) or None
        Row weights, for moments within a list.
    """
    if scaling is None:
        target[: len(X)] = X
        return
    if isinstance(scaling, FeatureScaling):
        scaling.transform_into(target, X)
        return
    # whole lists, as many as begin in the same block of the sorted rows
    numbers = queries.starts[:-1] // _block_rows(X.shape[1])
    firsts = queries.starts[np.flatnonzero(np.diff(numbers, prepend=-1))]
    for of_lists in np.split(queries.order, firsts[1:]):
        block = group_queries(queries.codes[of_lists], len(of_lists))
        block_weights = None if weights is None else weights[of_lists]
        target[of_lists] = scaling.transform(X[of_lists], block, block_weights)


def fit_scaling(
    X: NDArray[Any],
    weights: FloatArray | None,
    preprocess: Preprocess,
    rows: IntArray | None = None,
    hosts: Hosts | None = None,
) -> Scaling | None:
    """Choose and fit the transformation, block by block.

    Parameters
    ----------
    X : array or CSR matrix of shape (n_samples, n_features)
        Features, finite or NaN, which is left out; those of a matrix finite.
    weights : float array of shape (n_samples,) or None
        Row weights: weight 2 is the row twice, weight 0 is no row.
    preprocess : {"auto", "query", "standard", "log1p", None}
        z-scores, with the logarithm for no feature (``"standard"``), for all
        (``"log1p"``), or for those with a value more than 10 standard deviations from
        the mean (``"auto"``); z-scores within the list (``"query"``). None: leave the
        features alone. Nothing is subtracted from sparse features, and the measure of
        one is the root mean square of its non-zero values, but for ``"standard"``.
    rows : int array, default=None
        Rows to fit on. None: all.
    hosts : Hosts, optional
        Processes that have other rows: the moments are those of all of them.

    Returns
    -------
    scaling : FeatureScaling, ListScaling or None

    Examples
    --------
    >>> X = np.array([[0.0, 1.0], [2.0, 1.0]])
    >>> fit_scaling(X, None, "standard").transform(X).tolist()
    [[-1.0, 0.0], [1.0, 0.0]]
    """
    if preprocess is None:
        return None
    if preprocess == "query":
        return ListScaling()
    if weights is not None:
        rows = np.arange(X.shape[0]) if rows is None else rows
        rows = rows[weights[rows] > 0]
    if hasattr(X, "tocsr"):
        if rows is not None:
            X, weights = X[rows], None if weights is None else weights[rows]
        log_features, scale = fit_sparse_scale(X, weights, preprocess)
        return FeatureScaling(log_features, np.zeros(X.shape[1]), scale)

    def blocks() -> Iterator[tuple[NDArray[Any], FloatArray | None]]:
        n_rows = len(X) if rows is None else len(rows)
        for part in _slices(n_rows, X.shape[1]):
            block = part if rows is None else rows[part]
            yield np.asarray(X[block]), None if weights is None else weights[block]

    highest, lowest = _extremes(blocks, X.shape[1], hosts)
    mean, scale = _moments(blocks, highest, lowest, hosts)
    log_features = np.full(X.shape[1], preprocess == "log1p")
    if preprocess == "auto":
        farthest = np.fmax(highest - mean, mean - lowest)
        log_features = np.asarray(farthest > _HEAVY_TAIL * scale)
    if log_features.any():

        def log_blocks() -> Iterator[tuple[NDArray[Any], FloatArray | None]]:
            for block, block_weights in blocks():
                logs = _signed_log1p(block[:, log_features].astype(np.float64))
                yield logs, block_weights

        highest, lowest = (
            _signed_log1p(end[log_features]) for end in (highest, lowest)
        )
        mean[log_features], scale[log_features] = _moments(
            log_blocks, highest, lowest, hosts
        )
    return FeatureScaling(log_features, mean, scale)


def _block_rows(n_features: int) -> int:
    return max(1, _BLOCK_VALUES // max(1, n_features))


def _slices(
    n_rows: int, n_features: int, n_values: int | None = None
) -> Iterator[slice]:
    """Blocks of about ``n_values`` values that together are all rows."""
    size = max(1, (n_values or _BLOCK_VALUES) // max(1, n_features))
    return (slice(i, min(i + size, n_rows)) for i in range(0, n_rows, size))


def _extremes(
    blocks: Blocks, n_features: int, hosts: Hosts | None
) -> tuple[FloatArray, FloatArray]:
    """Highest and lowest value of each feature; NaN if it has none."""
    highest, lowest = np.full(n_features, np.nan), np.full(n_features, np.nan)
    for block, _ in blocks():
        highest = np.fmax(highest, np.fmax.reduce(block))
        lowest = np.fmin(lowest, np.fmin.reduce(block))
    if hosts is not None:
        return hosts.greatest(highest), -hosts.greatest(-lowest)
    return highest, lowest


def _moments(
    blocks: Blocks, highest: FloatArray, lowest: FloatArray, hosts: Hosts | None
) -> tuple[FloatArray, FloatArray]:
    """Mean and standard deviation of each feature, 1 where it is constant."""
    from sklearn.preprocessing import StandardScaler

    largest = np.nan_to_num(np.fmax(np.abs(highest), np.abs(lowest)))
    exponents = safe_exponents(largest)
    is_extreme = bool(exponents.any())
    scaler = StandardScaler(copy=False)
    for block, weights in blocks():
        if is_extreme:
            block = np.ldexp(block.astype(np.float64), -exponents)
        with np.errstate(invalid="ignore"):  # of columns without a value
            scaler.partial_fit(block, sample_weight=weights)
    if hosts is not None and hosts.n > 1:
        mean, scale = _pooled_moments(scaler, len(highest), hosts)
        return np.ldexp(mean, exponents), np.ldexp(scale, exponents)
    mean, scale = np.nan_to_num(scaler.mean_), np.nan_to_num(scaler.scale_, nan=1.0)
    return np.ldexp(mean, exponents), np.ldexp(scale, exponents)


def _pooled_moments(
    scaler: Any, n_features: int, hosts: Hosts
) -> tuple[FloatArray, FloatArray]:
    """Mean and standard deviation over the rows of all processes.

    With n_p rows of mean m_p and variance v_p in process p,
    m = Σ n_p m_p / n and v = Σ n_p (v_p + (m_p − m)²) / n.
    """
    own = np.zeros((1, 3, n_features))
    if hasattr(scaler, "n_samples_seen_"):
        own[0, 0] = scaler.n_samples_seen_
        own[0, 1], own[0, 2] = np.nan_to_num(scaler.mean_), np.nan_to_num(scaler.var_)
    counts, means, variances = np.swapaxes(hosts.concatenated(own), 0, 1)
    n = counts.sum(axis=0)
    divisor = np.where(n > 0, n, 1.0)
    mean = (counts * means).sum(axis=0) / divisor
    variance = (counts * (variances + (means - mean) ** 2)).sum(axis=0) / divisor
    # constant up to the rounding of its sums, as scikit-learn has it
    eps = np.finfo(np.float64).eps
    is_constant = variance <= n * eps * variance + (n * mean * eps) ** 2
    return mean, np.where(is_constant, 1.0, np.sqrt(variance))


def _signed_log1p(X: FloatArray) -> FloatArray:
    return np.copysign(np.log1p(np.abs(X)), X)
