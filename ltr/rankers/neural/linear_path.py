"""The linear path of a wide and deep scorer, in closed form where lists are few."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np

from ltr.queries import BoolArray, FloatArray, IntArray, Queries, group_queries
from ltr.rankers.inputs import TrainingSet
from ltr.rankers.neural.options import TrainingOptions
from ltr.rankers.neural.pooling import pooled_queries
from ltr.rankers.neural.scaling import FeatureScaling, Scaling, fit_scaling
from ltr.rankers.ridge import stack_lines
from ltr.scorers import Scorer, WideDeepScorer
from ltr.training import plan_loss
from ltr.training.hosts import Hosts
from ltr.training.masks import is_ours
from ltr.within_lists import centered, z_scores

# Lists with which the share of the linear path is 1/2; lists from which on there is no
# path; features or rows beyond which there is none, since eigenvectors take the cube.
_HALF_LISTS, _MAX_LISTS, _MAX_SIDE = 50, 1000, 2000
_MAX_DENSE = 2**24  # entries of sparse features as an array, which it needs
_ITEMS = 100  # a longer list counts as several of this size
_SPREAD_ROWS = 1000  # from which the spread of the scores is measured
_FOLDS = 3  # of lists that are left out, to measure the share
_MEASURED_LISTS = range(10, 100)  # numbers of lists with which it is measured
_RULE_LISTS = 20  # as many lists as the share without a measurement counts for

# Lists to leave out, of shape (n_lists,) → parameters trained on the others.
TrainWithout = Callable[[BoolArray], Any]


class _Rows(NamedTuple):
    """Training rows, as the regression and the network see them.

    Attributes
    ----------
    Z : float array of shape (n_rows, n_features)
        Features of the regression; their weighted mean is 0 in each list.
    X : float array of shape (n_rows, n_features)
        Features of the network.
    targets : float array of shape (n_rows,)
        z-scores of the labels within the list.
    queries : Queries
        Their queries.
    weights : float array of shape (n_rows,) or None
        Weight of each row, times that of its list.
    """

    Z: FloatArray
    X: FloatArray
    targets: FloatArray
    queries: Queries
    weights: FloatArray | None

    def take(self, numbers: IntArray) -> _Rows:
        """Some of the rows."""
        return _Rows(
            self.Z[numbers],
            self.X[numbers],
            self.targets[numbers],
            group_queries(self.queries.codes[numbers], len(numbers)),
            None if self.weights is None else self.weights[numbers],
        )


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
    train_without: TrainWithout | None = None,
    hosts: Hosts | None = None,
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
    train_without : callable, default=None
        Trains a network like that of the fit without some of these lists. None: the
        share follows from the number of lists.
    hosts : Hosts, optional
        Processes with other lists. Where lists are few, their rows go to all.

    Returns
    -------
    path : LinearPath or None

    Notes
    -----
    The regression combines ridge regressions and the best feature by how they predict
    lists left out, see :func:`ltr.rankers.ridge.stack_lines`. On L lists its share is
    50 / (50 + L): shrinkage toward a simple estimate, less of it the more there is to
    learn from. What the network has beyond the line is noise on some data and signal on
    others, so on 10 to 99 lists the share is measured, too: both are fitted on two
    thirds of the lists and predict the last third, three times, and the shares are
    those with which the sum of the predictions, each with a spread of 1, has the least
    squared error. That counts as L lists, and 50 / (50 + L) as 20.
    """
    loss, _ = plan_loss(options.loss, normalize=options.normalize)
    sees_differences = is_ours(loss.function) and loss.info.shift_invariant
    has_path = isinstance(options.scorer, WideDeepScorer) and not options.is_stream
    if not has_path or not sees_differences or loss.info.per_batch or data.extras:
        return None
    hosts = hosts or Hosts()
    if data.list_weights is not None:
        lists = lists & (data.list_weights > 0)
    rows = np.flatnonzero(lists[data.queries.codes] & data.has_weight)
    weights = None if data.weights is None else data.weights[rows]
    codes = data.queries.codes[rows]
    sizes = np.bincount(codes, weights, minlength=1)
    sizes = sizes[sizes > 0]
    n_lists = hosts.total(float(np.maximum(sizes / _ITEMS, 1.0).sum()))
    n_rows = int(hosts.total(len(rows)))
    is_wide = min(n_rows, data.X.shape[1]) > _MAX_SIDE or (
        hasattr(data.X, "tocsr") and n_rows * data.X.shape[1] > _MAX_DENSE
    )
    if not n_rows or n_lists >= _MAX_LISTS or is_wide:
        return None
    table = data.X[rows]
    table = table.toarray() if hasattr(table, "tocsr") else table
    X: FloatArray = hosts.concatenated(np.asarray(table, dtype=np.float64))
    y = hosts.concatenated(data.y[rows])
    by_list = None
    if data.list_weights is not None:
        by_list = hosts.concatenated(data.list_weights[codes])
    weights = None if weights is None else hosts.concatenated(weights)
    queries = pooled_queries(hosts, codes)
    Z, unit = X, None
    if scaling is None:  # the regression needs one scale
        standard = fit_scaling(X, weights, "standard")
        if isinstance(standard, FeatureScaling):
            Z, unit = standard.transform(X), standard.scale
    else:
        X = Z = scaling.transform(X, queries, weights)
    by_row = weights
    if by_list is not None:
        by_row = by_list * (1.0 if weights is None else weights)
    targets = z_scores(y, queries, by_row)
    problem = _Rows(centered(Z, queries, by_row), X, targets, queries, by_row)
    weight = _line(problem)
    spread = _spread(Z @ weight, queries, weights)
    if not spread > 0:
        return None
    n_sampled = int(np.searchsorted(queries.starts, _SPREAD_ROWS, "right")) - 1
    sample = queries.subset(np.arange(queries.n_lists) < max(n_sampled, 1))
    share = _HALF_LISTS / (_HALF_LISTS + n_lists)
    if train_without is not None and queries.n_lists in _MEASURED_LISTS:
        folds = np.full(len(lists), -1)
        folds[codes] = hosts.own_part(queries.codes, len(codes)) % _FOLDS
        networks = (train_without(folds == k) for k in range(_FOLDS))
        measured = _measured_share(options.scorer, problem, networks, share)
        n = queries.n_lists
        share = (n * measured + _RULE_LISTS * share) / (n + _RULE_LISTS)
    return LinearPath(
        share=share,
        weight=weight / spread if unit is None else weight / spread / unit,
        X=X[sample],
        queries=group_queries(queries.codes[sample], len(sample)),
        weights=None if weights is None else weights[sample],
    )


def _line(rows: _Rows) -> FloatArray:
    """Weights of the regression."""
    return stack_lines(rows.Z, rows.targets, rows.queries, rows.weights)


def _measured_share(
    scorer: Scorer, rows: _Rows, networks: Iterable[Any], default: float
) -> float:
    """Share of the regression in the best prediction of lists left out.

    ``networks`` are the parameters of networks trained without the lists 0, 3, 6, …,
    without 1, 4, 7, …, and without 2, 5, 8, …; where nothing predicts, it is the
    default.
    """
    from scipy.optimize import nnls

    folds = rows.queries.codes % _FOLDS
    predictions = np.zeros((len(folds), 2))  # of the regression, of the network
    for k, params in enumerate(networks):
        training, test = (np.flatnonzero(m) for m in (folds != k, folds == k))
        held_out = rows.take(test)
        scores = (
            held_out.Z @ _line(rows.take(training)),
            np.asarray(scorer.apply(params, held_out.X), dtype=np.float64),
        )
        for column, values in enumerate(scores):
            spread = _spread(values, held_out.queries, held_out.weights)
            if spread > 0:
                values = centered(values, held_out.queries, held_out.weights)
                predictions[test, column] = values / spread
    roots = 1.0 if rows.weights is None else np.sqrt(rows.weights)
    # min |√w (t − a p₁ − b p₂)|², a, b ≥ 0; the share is a / (a + b)
    shares, _ = nnls((predictions.T * roots).T, rows.targets * roots)
    return float(shares[0] / shares.sum()) if shares.any() else default


def _spread(scores: FloatArray, queries: Queries, weights: FloatArray | None) -> float:
    """Standard deviation within the lists."""
    squares = centered(scores, queries, weights) ** 2
    return float(np.average(squares, weights=weights)) ** 0.5
