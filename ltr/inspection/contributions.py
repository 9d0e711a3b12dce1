"""What each feature contributes to a score."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_is_fitted

from ltr.arguments import ArgumentError, check_seed, check_whole
from ltr.inspection.sampling import sampled_difference, sampled_shares
from ltr.inspection.tables import (
    as_table,
    input_values,
    names_of,
    take_rows,
    text_table,
)
from ltr.queries import FloatArray, IntArray, Queries, check_rows, group_queries
from ltr.rankers import (
    LambdaMARTRanker,
    LinearRanker,
    NeuralRanker,
    RandomRanker,
    StackingRanker,
    VotingRanker,
)
from ltr.rankers.blend.members import BlendRanker
from ltr.rankers.blend.numeric import NumericRanker
from ltr.rankers.scaled_scores import scaled_scores

_ROUNDING_OF_BASELINES = 1e-9


@dataclass(frozen=True)
class Contributions:
    """What :func:`contributions` returns: scores as sums over features.

    It prints as a table, a row each of ``rows``.

    Attributes
    ----------
    features : list of str
        Names of the columns.
    rows : int array of shape (n_rows,)
        Rows of ``X`` that are explained.
    values : float array of shape (n_rows, n_features)
        What each feature adds to the score.
    baseline : float array of shape (n_rows,)
        Score without any; ``baseline + values.sum(axis=1)`` is the score.
    scores : float array of shape (n_rows,)
        Scores of ``predict``.
    errors : float array of shape (n_rows, n_features)
        Standard errors of ``values``; 0 where they are exact.
    method : {"trees", "linear", "sampling", "constant", "blend"}
        How they were computed.
    inputs : array of shape (n_rows, n_features)
        Values of the features.

    Examples
    --------
    >>> X = [[5.0], [2.0]]
    >>> ranker = LinearRanker(alpha=0.0, preprocess="standard").fit(X, [1, 0])
    >>> shares = contributions(ranker, X)
    >>> shares.values.round(3).tolist(), shares.method, shares.is_exact
    ([[1.0], [-1.0]], 'linear', True)
    """

    features: list[str]
    rows: IntArray
    values: FloatArray
    baseline: FloatArray
    scores: FloatArray
    errors: FloatArray
    method: str
    inputs: Any

    def __repr__(self) -> str:
        """Baseline, contributions and score of each row."""
        columns = np.column_stack([self.baseline, self.values, self.scores])
        rows = [f"row {row}" for row in self.rows]
        return text_table(columns, rows, ["baseline", *self.features, "score"])

    @property
    def is_exact(self) -> bool:
        """Whether nothing was sampled."""
        return not self.errors.any()


def contributions(
    ranker: Any,
    X: Any,
    qid: ArrayLike | None = None,
    *,
    rows: ArrayLike | None = None,
    n_permutations: int = 50,
    random_state: Any = None,
) -> Contributions:
    """Explain scores by what each feature adds to them.

    Parameters
    ----------
    ranker : fitted ranker
        Trees, linear and neural rankers, and blends of them.
    X : array-like of shape (n_samples, n_features)
        Features, whole lists if the ranker compares the items of a list.
    qid : array-like of shape (n_samples,), default=None
        Query of each row. None: one query.
    rows : int array-like, default=None
        Rows of ``X`` to explain. None: all.
    n_permutations : int, default=50
        Orders of the features that are drawn for a neural ranker, in pairs of an order
        and its reverse.
    random_state : int, RandomState or None, default=None
        Seed of the draw.

    Returns
    -------
    contributions : Contributions
        Draw them with :class:`ltr.plotting.ContributionsDisplay`.

    Raises
    ------
    ValueError
        If an input is invalid, or scores of the ranker have no such explanation.

    Notes
    -----
    The sum over features and the baseline is the score, to about 1e-12.

    *Trees*: Shapley values by TreeSHAP [1]_, exact; the baseline is the mean score in
    training. *Linear rankers*: weight times scaled feature, exact; the baseline is the
    score of an item whose scaled features are all 0, which is the mean item in training
    or, with ``preprocess="query"``, the mean item of the list. *Neural rankers*:
    Shapley values by sampling orders [2]_, with the same baseline; a feature that is
    not yet in has the value of the mean item. Each order adds up to the score, so only
    the split between features is uncertain: ``errors`` are its standard errors. With
    ``preprocess=None`` the baseline is the item whose features are 0.

    *Blends* average the normalized scores of their members. Their contributions are
    the weighted sums of those of the members, divided by the spread of the member's
    scores in the list: mean and spread of the list are taken as they are, although the
    item has a part in them. ``StackingRanker`` is explained if its final ranker is
    linear, and ranks as normalization are not.

    References
    ----------
    .. [1] Lundberg et al., "From local explanations to global understanding with
       explainable AI for trees", Nature Machine Intelligence 2, 2020.
    .. [2] Štrumbelj & Kononenko, "Explaining prediction models and individual
       predictions with feature contributions", KAIS 41, 2014.

    Examples
    --------
    >>> from ltr import LinearRanker
    >>> from ltr.datasets import make_ranking
    >>> data = make_ranking(20, random_state=0)
    >>> ranker = LinearRanker().fit(data.X, data.y, data.qid)
    >>> shares = contributions(ranker, data.X, data.qid)
    >>> total = shares.baseline + shares.values.sum(axis=1)
    >>> bool(np.allclose(total, ranker.predict(data.X, data.qid)))
    True
    """
    check_whole("n_permutations", n_permutations, low=2)
    check_seed("random_state", random_state)
    check_rows({"X": X, "qid": qid})
    check_is_fitted(ranker)
    table = as_table(X)
    group_queries(qid, len(table), rows=X)
    explained = _rows(rows, len(table))
    sampling = _Sampling(n_permutations, random_state)
    shares = _shares(ranker, table, qid, explained, sampling)
    return Contributions(
        features=names_of(table),
        rows=explained,
        values=shares.values,
        baseline=shares.baseline,
        scores=shares.scores,
        errors=shares.errors,
        method=shares.method,
        inputs=input_values(table)[explained],
    )


def difference_of_pair(
    ranker: Any,
    X: Any,
    rows: IntArray,
    *,
    n_permutations: int,
    random_state: Any,
) -> tuple[FloatArray, FloatArray]:
    """Contributions to the difference of two scores of a list, and their errors.

    Parameters
    ----------
    ranker : fitted ranker
        As for :func:`contributions`.
    X : array-like of shape (n_samples, n_features)
        Features of one list.
    rows : int array of shape (2,)
        The two items.
    n_permutations, random_state
        As for :func:`contributions`.

    Returns
    -------
    values, errors : float arrays of shape (n_features,)

    Raises
    ------
    ValueError
        As for :func:`contributions`, or if the scores of a member of a blend depend on
        the other items.
    """
    qid = np.zeros(len(X))
    if isinstance(ranker, NeuralRanker):
        view = scaled_scores(ranker, X, qid)
        if view.coef is None:
            return sampled_difference(view, rows, n_permutations, random_state)
    shares = contributions(
        ranker,
        X,
        qid,
        rows=rows,
        n_permutations=n_permutations,
        random_state=random_state,
    )
    gap = float(shares.baseline[0] - shares.baseline[1])
    if abs(gap) > _ROUNDING_OF_BASELINES * (1.0 + np.abs(shares.scores).max()):
        raise ArgumentError(
            "ranker must give both items one baseline; those of this "
            f"{type(ranker).__name__} differ by {gap:.3g}, because a member compares "
            "the items of a list. Explain its rankers_."
        )
    errors = np.sqrt((shares.errors**2).sum(axis=0))
    return shares.values[0] - shares.values[1], errors


@dataclass(frozen=True)
class _Sampling:
    n_permutations: int
    random_state: Any


@dataclass(frozen=True)
class _Shares:
    """Contributions of some rows, by column of the ranker's input."""

    values: FloatArray
    baseline: FloatArray
    scores: FloatArray
    errors: FloatArray
    method: str


def _rows(rows: ArrayLike | None, n_rows: int) -> IntArray:
    if rows is None:
        return np.arange(n_rows)
    numbers = np.atleast_1d(np.asarray(rows))
    is_row = numbers.dtype.kind in "iu" and numbers.ndim == 1
    if not is_row or ((numbers < 0) | (numbers >= n_rows)).any():
        raise ArgumentError(
            f"rows must be numbers of rows of X, 0 to {n_rows - 1}; got {rows!r:.100}."
        )
    return numbers.astype(np.intp)


def _shares(
    ranker: Any, table: Any, qid: Any, rows: IntArray, sampling: _Sampling
) -> _Shares:
    if isinstance(ranker, LambdaMARTRanker):
        part = take_rows(table, rows)
        shares = np.asarray(ranker.predict_contrib(part))
        scores, values = ranker.predict(part), shares[:, :-1]
        return _exact(values, shares[:, -1], scores, "trees")
    if isinstance(ranker, (LinearRanker, NeuralRanker)):
        return _of_scaled(ranker, table, qid, rows, sampling)
    if isinstance(ranker, RandomRanker):
        scores = ranker.predict(table, qid)[rows]
        return _exact(np.zeros((len(rows), table.shape[1])), scores, scores, "constant")
    if isinstance(ranker, NumericRanker):
        return _of_numeric(ranker, table, qid, rows, sampling)
    if isinstance(ranker, BlendRanker):
        return _of_blend(ranker, table, qid, rows, sampling)
    raise ArgumentError(
        "ranker must be a LambdaMARTRanker, LinearRanker, NeuralRanker or a blend of "
        f"these to be explained; got {type(ranker).__name__}, whose scores are not "
        "sums over features."
    )


def _exact(
    values: FloatArray, baseline: FloatArray, scores: FloatArray, method: str
) -> _Shares:
    return _Shares(values, baseline, scores, np.zeros(values.shape), method)


def _of_scaled(
    ranker: Any, table: Any, qid: Any, rows: IntArray, sampling: _Sampling
) -> _Shares:
    """Contributions of scaled features, with a row of zeros as the baseline."""
    view = scaled_scores(ranker, table, qid)
    if view.coef is not None:
        values = view.Z[rows] * view.coef
        baseline = np.full(len(rows), view.constant)
        return _exact(values, baseline, values.sum(axis=1) + baseline, "linear")
    sample = sampled_shares(view, rows, sampling.n_permutations, sampling.random_state)
    return _Shares(*sample, "sampling")


def _of_numeric(
    ranker: NumericRanker, table: Any, qid: Any, rows: IntArray, sampling: _Sampling
) -> _Shares:
    """Those of the ranker inside; 0 for the columns that it does not get."""
    inner = _shares(ranker.ranker_, ranker.numeric_features(table), qid, rows, sampling)
    values, errors = (np.zeros((len(rows), table.shape[1])) for _ in range(2))
    values[:, ranker.columns_], errors[:, ranker.columns_] = inner.values, inner.errors
    return replace(inner, values=values, errors=errors)


def _of_blend(
    ranker: Any, table: Any, qid: Any, rows: IntArray, sampling: _Sampling
) -> _Shares:
    """Weighted sums of the members', on the scale of their normalized scores.

    A normalized score is (s − shift) / scale, with shift and scale of the list. So its
    slope 1 / scale is the range of the normalized scores of the list over that of s.
    """
    how = getattr(ranker, "normalize", "zscore")
    if how not in ("zscore", "minmax"):
        raise ArgumentError(
            "normalize must be 'zscore' or 'minmax' for a blend to be explained; got "
            f"{how!r}: ranks are not sums over features. Explain its rankers_."
        )
    weights, constant = _weights_of_members(ranker)
    queries = group_queries(qid, len(table), rows=table)
    normalized = ranker.predict_members(table, qid)
    values = np.zeros((len(rows), table.shape[1]))
    squares, baseline = np.zeros_like(values), np.full(len(rows), constant)
    for member, weight, column in zip(
        ranker.rankers_, weights, normalized.T, strict=True
    ):
        raw = member.predict(table, qid)
        if not np.isfinite(raw).all():
            raise ValueError(
                f"scores of {type(member).__name__} in the blend are infinite, which "
                "no sum over features explains. Fill in missing values."
            )
        width, normalized_width = _ranges(raw, queries), _ranges(column, queries)
        slope = np.divide(
            normalized_width,
            width,
            out=np.zeros_like(width),
            where=normalized_width > 0,
        )
        factor = weight * slope[queries.codes[rows]]
        shares = _shares(member, table, qid, rows, sampling)
        values += factor[:, None] * shares.values
        squares += (factor[:, None] * shares.errors) ** 2
        # what the member adds is weight · normalized score: the rest is its baseline
        baseline += weight * column[rows] - factor * shares.values.sum(axis=1)
    scores = ranker.predict(table, qid)[rows]
    return _Shares(values, baseline, scores, np.sqrt(squares), "blend")


def _ranges(scores: FloatArray, queries: Queries) -> FloatArray:
    """Highest less lowest score of each list, shape (n_lists,)."""
    by_list, starts = scores[queries.order], queries.starts[:-1]
    return np.asarray(
        np.maximum.reduceat(by_list, starts) - np.minimum.reduceat(by_list, starts)
    )


def _weights_of_members(ranker: Any) -> tuple[FloatArray, float]:
    """Weights of the members' normalized scores, and a constant."""
    n_members = len(ranker.rankers_)
    if isinstance(ranker, VotingRanker):
        return ranker.weights_, 0.0
    if not isinstance(ranker, StackingRanker):
        return np.full(n_members, 1 / n_members), 0.0
    final = ranker.final_ranker_
    if (
        isinstance(final, LinearRanker)
        and not final.scales_within_lists_
        and not np.any(final.weights_.get("preprocess.log_features", False))
    ):
        ends = final.predict(np.r_[np.zeros((1, n_members)), np.eye(n_members)])
        return ends[1:] - ends[0], float(ends[0])
    if hasattr(final, "coef_") and hasattr(final, "intercept_"):
        return np.ravel(final.coef_), float(np.ravel(final.intercept_)[0])
    raise ArgumentError(
        "final_ranker must be linear for a StackingRanker to be explained; got "
        f"{final!r:.100}. Explain its rankers_."
    )
