"""The linear path of a wide and deep scorer, in closed form where lists are few."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ltr.queries import BoolArray, FloatArray, Queries, group_queries
from ltr.rankers.inputs import TrainingSet
from ltr.rankers.neural.options import TrainingOptions
from ltr.rankers.neural.scaling import FeatureScaling, Scaling, fit_scaling
from ltr.rankers.ridge import stack_lines
from ltr.scorers import Scorer, WideDeepScorer
from ltr.training import plan_loss
from ltr.training.masks import is_ours
from ltr.within_lists import centered, z_scores

# Lists with which the share of the linear path is 1/2; lists from which on there is no
# path; features or rows beyond which there is none, since eigenvectors take the cube.
_HALF_LISTS, _MAX_LISTS, _MAX_SIDE = 50, 1000, 2000
_MAX_DENSE = 2**24  # entries of sparse features as an array, which it needs
_ITEMS = 100  # a longer list counts as several of this size
_SPREAD_ROWS = 1000  # from which the spread of the scores is measured


class LinearPath(NamedTuple):
    """A linear regression, and how far the scores of a fit are drawn to it.

    Attributes
    ----------
    share : float
        Share of the regression in the scores, in (0, 1).
    weight : float array of shape (n_features,)
        Its weights of the features; its scores have a spread of 1.
    X : float array of shape (n_rows, n_features)
        Features of some training rows, as the scorer sees them.
    queries : Queries
        Their queries.
    weights : float array of shape (n_rows,) or None
        Their weights.
    """

    share: float
    weight: FloatArray
    X: FloatArray
    queries: Queries
    weights: FloatArray | None

    def blend(self, scorer: Scorer, params: Any) -> Any:
        """Parameters whose scores are those of both, each by its share.

        The regression gets the spread and the mean of the scores of the network, so
        that neither scale matters.

        Parameters
        ----------
        scorer : WideDeepScorer
            What the parameters belong to.
        params : WideDeep of NumPy arrays
            As trained.

        Returns
        -------
        params : WideDeep of NumPy arrays
        """
        scores = np.asarray(scorer.apply(params, self.X), dtype=np.float64)
        spread = _spread(scores, self.queries, self.weights)
        weight = self.share * spread * self.weight
        means = (np.average(a, 0, self.weights) for a in (scores, self.X @ weight))
        bias = self.share * next(means) - next(means)
        return params.blended(self.share, weight, float(bias))


def fit_linear_path(
    options: TrainingOptions,
    data: TrainingSet,
    scaling: Scaling | None,
    lists: BoolArray,
) -> LinearPath | None:
    """Fit it, if the scorer has one, the loss suits it, and lists are few.

    It suits a loss of this library that learns from labels, and from nothing but the
    differences of the scores in a list: a level that means something stays as it is.

    Parameters
    ----------
    options : TrainingOptions
        Scorer and loss.
    data : TrainingSet
        Training rows.
    scaling : FeatureScaling, ListScaling or None
        Scaling of the features.
    lists : bool array of shape (n_lists,)
        Lists to learn from.

    Returns
    -------
    path : LinearPath or None

    Notes
    -----
    With L lists its share is 50 / (50 + L): shrinkage toward a simple estimate, less of
    it the more there is to learn from. What the network has beyond the line is mostly
    noise on 10 lists of real data, and mostly signal on 1000. The regression combines
    ridge regressions and the best feature by how they predict lists left out, see
    :func:`ltr.rankers.ridge.stack_lines`.
    """
    loss, _ = plan_loss(options.loss, normalize=options.normalize)
    sees_differences = is_ours(loss.function) and loss.info.shift_invariant
    has_path = isinstance(options.scorer, WideDeepScorer) and not options.is_stream
    if not has_path or not sees_differences or loss.info.per_batch or data.extras:
        return None
    rows = np.flatnonzero(lists[data.queries.codes] & data.has_weight)
    weights = None if data.weights is None else data.weights[rows]
    codes = data.queries.codes[rows]
    queries = group_queries(codes, len(rows))
    sizes = np.bincount(queries.codes, weights)
    n_lists = float(np.maximum(sizes / _ITEMS, 1.0).sum())
    is_wide = min(len(rows), data.X.shape[1]) > _MAX_SIDE or (
        hasattr(data.X, "tocsr") and len(rows) * data.X.shape[1] > _MAX_DENSE
    )
    if not len(rows) or n_lists >= _MAX_LISTS or is_wide:
        return None
    table = data.X[rows]
    table = table.toarray() if hasattr(table, "tocsr") else table
    X: FloatArray = np.asarray(table, dtype=np.float64)
    Z, unit = X, None
    if scaling is None:  # the regression needs one scale
        standard = fit_scaling(X, weights, "standard")
        if isinstance(standard, FeatureScaling):
            Z, unit = standard.transform(X), standard.scale
    else:
        X = Z = scaling.transform(X, queries, weights)
    by_row = weights
    if data.list_weights is not None:
        by_row = data.list_weights[codes] * (1.0 if weights is None else weights)
    targets = z_scores(data.y[rows], queries, by_row)
    weight = stack_lines(centered(Z, queries, by_row), targets, queries, by_row)
    spread = _spread(Z @ weight, queries, weights)
    if not spread > 0:
        return None
    n_sampled = int(np.searchsorted(queries.starts, _SPREAD_ROWS, "right")) - 1
    sample = queries.subset(np.arange(queries.n_lists) < max(n_sampled, 1))
    return LinearPath(
        share=_HALF_LISTS / (_HALF_LISTS + n_lists),
        weight=weight / spread if unit is None else weight / spread / unit,
        X=X[sample],
        queries=group_queries(queries.codes[sample], len(sample)),
        weights=None if weights is None else weights[sample],
    )


def _spread(scores: FloatArray, queries: Queries, weights: FloatArray | None) -> float:
    """Standard deviation within the lists."""
    squares = centered(scores, queries, weights) ** 2
    return float(np.average(squares, weights=weights)) ** 0.5
