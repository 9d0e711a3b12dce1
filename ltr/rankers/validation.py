"""Validation lists, given or split off by query, scored as ``score`` does."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import jax
import numpy as np
from numpy.typing import ArrayLike, NDArray

from ltr.lists import equal_size_blocks
from ltr.metrics import get_metric
from ltr.queries import BoolArray, FloatArray, IntArray, Queries, group_queries
from ltr.rankers.inputs import (
    TrainingSet,
    check_metric_takes_labels,
    check_training_set,
    stops_early,
    warn,
)
from ltr.scorers import Scorer

if TYPE_CHECKING:
    from ltr.rankers.neural.scaling import FeatureScaling

AUTO_EARLY_STOPPING_LISTS = 100
_CHUNK_ROWS = 4096
ScoreRows = Callable[..., FloatArray]  # as score_rows below


def check_validation_set(
    ranker: Any,
    X_val: ArrayLike | None,
    y_val: ArrayLike | None,
    qid_val: ArrayLike | None,
    check_X: Callable[..., Any],
) -> TrainingSet | None:
    """Check ``X_val``, ``y_val`` and ``qid_val`` of ``fit``; None if there are none.

    Raises
    ------
    ValueError
        If they are incomplete, or the ranker does not stop early.
    """
    if X_val is None and y_val is None and qid_val is None:
        return None
    if X_val is None or y_val is None:
        raise ValueError(
            "X_val and y_val must be given together; got only one of them."
        )
    if not stops_early(ranker):
        raise ValueError(
            "X_val is only used to stop early; got early_stopping=False. Leave it out, "
            "or set early_stopping='auto'."
        )
    if qid_val is None and ranker._fitted_with_qid:
        raise ValueError(
            "qid_val is required because fit was given a qid. Pass the list of each "
            "row of X_val."
        )
    try:
        data = check_training_set(
            ranker, X_val, y_val, qid_val, check_X=check_X, reset=False
        )
        check_metric_takes_labels(ranker.metric, data.y)
        return data
    except ValueError as error:
        raise ValueError(f"In the validation set: {error}") from error


def hold_out_lists(
    ranker: Any,
    y: FloatArray,
    informative: BoolArray,
    rng: np.random.Generator,
    *,
    trains_on: str = "the labels themselves",
    auto_lists: float = AUTO_EARLY_STOPPING_LISTS,
) -> BoolArray:
    """Choose lists to split off for early stopping.

    Parameters
    ----------
    ranker : estimator
        Its ``early_stopping``, ``validation_fraction`` and ``metric`` are read.
    y : float array of shape (n_samples,)
        Labels.
    informative : bool array of shape (n_lists,)
        Lists from which something can be learned.
    rng : numpy Generator
        Source of the choice.
    trains_on : str, default="the labels themselves"
        What the loss makes of the labels, in words.
    auto_lists : float, default=100
        ``early_stopping="auto"`` stops early from so many informative lists on.

    Returns
    -------
    held_out : bool array of shape (n_lists,)
        None if the labels do not fit the metric.

    Raises
    ------
    ValueError
        If there is only one list, or ``early_stopping`` is True and the labels do not
        fit the metric.

    Warns
    -----
    UserWarning
        If the labels do not fit the metric: ``score`` will raise.
    """
    n_lists = len(informative)
    held_out = np.zeros(n_lists, dtype=bool)
    wanted = stops_early(ranker)
    try:
        check_metric_takes_labels(ranker.metric, y)
    except ValueError as error:
        if wanted is True:
            raise
        warn(
            f"{error} Training goes on with {trains_on} and without early stopping, "
            "but score will raise."
        )
        return held_out
    if not wanted or (wanted == "auto" and informative.sum() < auto_lists):
        return held_out
    if n_lists < 2:
        raise ValueError(
            "early_stopping=True needs at least two lists to split one off; got "
            f"{n_lists}. Pass qid, or X_val, y_val and qid_val."
        )
    n_held_out = min(max(1, round(ranker.validation_fraction * n_lists)), n_lists - 1)
    held_out[rng.permutation(n_lists)[:n_held_out]] = True
    return held_out


def check_counts(metric: str, y: FloatArray, codes: IntArray) -> None:
    """Raise if the metric is defined on no validation list."""
    values = get_metric(metric).per_query(y, np.zeros(len(y)), codes)
    if np.isnan(values).all():
        raise ValueError(
            f"metric={metric!r} must be defined on some validation list; got "
            f"{len(values)} lists and no relevant item, or no two distinct labels, in "
            "any. Choose other lists."
        )


def score_rows(
    scorer: Scorer,
    params: Any,
    scaling: FeatureScaling | None,
    X: NDArray[Any],
    queries: Queries,
) -> FloatArray:
    """Score rows in NumPy and float64, block by block.

    Parameters
    ----------
    scorer : Scorer
        Features to scores.
    params : pytree of arrays
        Its parameters.
    scaling : FeatureScaling or None
        What the features go through first.
    X : array of shape (n_samples, n_features)
        Features.
    queries : Queries
        Lists, for scorers that look at them.

    Returns
    -------
    scores : float array of shape (n_samples,)
    """
    params = jax.tree.map(lambda leaf: np.asarray(leaf, dtype=np.float64), params)
    scores = np.empty(len(X))
    blocks: Any
    if scorer.uses_list:
        blocks = equal_size_blocks(queries, _CHUNK_ROWS)
    else:
        starts = range(0, len(X), _CHUNK_ROWS)
        blocks = (slice(start, start + _CHUNK_ROWS) for start in starts)
    for rows in blocks:
        Z = np.asarray(X[rows], dtype=np.float64, order="C")
        if scaling is not None:
            Z = scaling.transform(Z)
        scores[rows] = scorer.apply(params, Z)
    return scores


def score_function(
    rank: Callable[..., FloatArray],
    metric: str,
    Z: NDArray[Any],
    y: FloatArray,
    codes: IntArray,
) -> Callable[[Any], float]:
    """Parameters → metric on fixed lists, by the code that ``score`` uses.

    Parameters
    ----------
    rank : callable
        :func:`score_rows` or the like, without its scorer.
    metric : str
        Name for :func:`ltr.metrics.get_metric`.
    Z : array of shape (n_samples, n_features)
        Scaled features.
    y : float array of shape (n_samples,)
        Labels.
    codes : int array of shape (n_samples,)
        List of each row.

    Returns
    -------
    measure : callable
    """
    queries = group_queries(codes, len(y))
    measure = get_metric(metric)
    return lambda params: measure(y, rank(params, None, Z, queries), queries)
