"""Early stopping: when training stops, and the queries that it is judged on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ltr.arguments import ArgumentError, check_choice, check_number
from ltr.metrics import Metric, get_metric
from ltr.metrics.labels import check_metric_takes_labels
from ltr.metrics.names import MetricLike
from ltr.metrics.own import OwnFunction
from ltr.queries import BoolArray, FloatArray, Queries
from ltr.rankers.inputs import TrainingSet, training_set
from ltr.rankers.warning import warn

if TYPE_CHECKING:
    from ltr.training.pair_table import PairTable

AUTO_EARLY_STOPPING_LISTS = 100


@dataclass(frozen=True)
class EarlyStopping:
    """The parameters of a ranker that say when training stops; checked on creation.

    Attributes
    ----------
    enabled : bool or "auto"
        ``early_stopping`` of the ranker.
    validation_fraction : float
        Share of the queries to hold out, in (0, 1].
    metric : str or callable
        Metric for :func:`ltr.metrics.get_metric`.
    auto_lists : float, default=100
        Minimum number of informative lists for ``"auto"`` to hold some out.
    metrics : sequence of metrics or None, default=None
        Those to watch besides.

    Raises
    ------
    ValueError
        If one of them is invalid.
    """

    enabled: bool | Literal["auto"]
    validation_fraction: float
    metric: MetricLike
    auto_lists: float = AUTO_EARLY_STOPPING_LISTS
    metrics: Sequence[MetricLike] | None = None

    def __post_init__(self) -> None:
        check_choice("early_stopping", self.enabled, (True, False, "auto"))
        check_number(
            "validation_fraction", self.validation_fraction, low=0.0, high=1.0,
            open_low=True,
        )  # fmt: skip
        self.measures()

    def measures(self) -> list[Metric]:
        """The metric to stop on, then those to watch."""
        measures = [get_metric(self.metric)]
        metrics = self.metrics
        if isinstance(metrics, str) or not isinstance(metrics, (Sequence, type(None))):
            raise ArgumentError(
                "metrics must be a list of metrics to watch besides metric, such as "
                f"['map', 'mrr']; got {metrics!r}."
            )
        for metric in metrics or ():
            measure = get_metric(metric)
            if measure.name not in [other.name for other in measures]:
                measures.append(measure)
        return measures

    @property
    def is_auto(self) -> bool:
        """Whether the data decide."""
        return isinstance(self.enabled, str)

    def has_validation_set(
        self,
        X_val: ArrayLike | None,
        y_val: ArrayLike | None,
        qid_val: ArrayLike | None,
        *,
        needs_qid: bool,
    ) -> bool:
        """Whether ``fit`` was given validation rows.

        Raises
        ------
        ValueError
            If they are incomplete, or the ranker does not stop early.
        """
        if X_val is None and y_val is None and qid_val is None:
            return False
        if X_val is None or y_val is None:
            raise ValueError(
                "X_val and y_val must be given together; got only one of them."
            )
        if not self.enabled and not self.metrics:
            raise ValueError(
                "X_val is used to stop early, or to watch metrics; got "
                "early_stopping=False and no metrics. Leave it out, set "
                "early_stopping='auto', or pass metrics."
            )
        if qid_val is None and needs_qid:
            raise ValueError(
                "qid_val is required because fit was given a qid. Pass the query of "
                "each row of X_val."
            )
        return True


class ValidationRows(NamedTuple):
    """Rows that training is judged on.

    Attributes
    ----------
    X : array or sparse matrix of shape (n_val, n_features)
        Features.
    y : float array of shape (n_val,)
        Labels.
    queries : Queries
        Query of each row.
    pairs : PairTable or None, default=None
        Features of the pairs of each list.
    query_weight : float array of shape (n_val,) or None, default=None
        Weight of each row's query in the metrics.
    """

    X: Any
    y: FloatArray
    queries: Queries
    pairs: PairTable | None = None
    query_weight: FloatArray | None = None


@contextmanager
def errors_in_validation_set() -> Iterator[None]:
    """Make error messages say that they are about the validation set."""
    try:
        yield
    except (TypeError, ValueError) as error:
        kinds = ArgumentError, TypeError, ValueError
        kind = next(kind for kind in kinds if isinstance(error, kind))
        raise kind(f"In the validation set: {error}") from error


def validation_set(
    features: Any,
    y_val: Any,
    qid_val: ArrayLike | None,
    *,
    metric: MetricLike,
    index_of: Any,
) -> TrainingSet:
    """Check the labels and queries of validation rows, see :func:`training_set`."""
    if features.shape[0] == 0:
        raise ValueError(
            "X must have at least one row; got none. Pass some, or leave out X_val."
        )
    data = training_set(features, y_val, qid_val, index_of=index_of)
    check_metric_takes_labels(metric, data.y)
    return data


def hold_out_lists(
    stopping: EarlyStopping,
    y: FloatArray,
    informative: BoolArray,
    rng: np.random.Generator,
    *,
    trains_on: str = "the labels themselves",
) -> BoolArray:
    """Draw lists to hold out for early stopping.

    Parameters
    ----------
    stopping : EarlyStopping
        Whether to hold lists out, and what share.
    y : float array of shape (n_samples,)
        Labels.
    informative : bool array of shape (n_lists,)
        Lists from which something can be learned.
    rng : numpy Generator
        Source of the draw.
    trains_on : str, default="the labels themselves"
        What the loss makes of the labels, in words.

    Returns
    -------
    held_out : bool array of shape (n_lists,)
        All False if training does not stop early.

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
    try:
        check_metric_takes_labels(stopping.metric, y)
    except ValueError as error:
        if stopping.enabled and not stopping.is_auto:
            raise
        warn(
            f"{error} Training goes on with {trains_on} and without early stopping, "
            "but score will raise."
        )
        return held_out
    if stopping.is_auto and informative.sum() < stopping.auto_lists:
        return held_out
    if not stopping.enabled:
        return held_out
    if n_lists < 2:
        raise ValueError(
            "early_stopping=True needs at least two queries to hold one out; got "
            f"{n_lists}. Pass qid, or X_val, y_val and qid_val."
        )
    n_held_out = round(stopping.validation_fraction * n_lists)
    n_held_out = min(max(1, n_held_out), n_lists - 1)
    held_out[rng.permutation(n_lists)[:n_held_out]] = True
    return held_out


def validation_rows(
    data: TrainingSet,
    held_out: BoolArray,
    validation: TrainingSet | None,
    stopping: EarlyStopping,
) -> ValidationRows | None:
    """Rows to validate on: those passed to ``fit``, else those of held-out lists.

    Parameters
    ----------
    data : TrainingSet
        Training rows.
    held_out : bool array of shape (n_lists,)
        Lists of ``data`` to validate on.
    validation : TrainingSet or None
        Validation rows that were passed to ``fit``.
    stopping : EarlyStopping
        Metrics to stop on and to watch.

    Returns
    -------
    rows : ValidationRows or None
        None if there are none.

    Raises
    ------
    ValueError
        If a metric is defined on none of their lists, or does not take the labels, or
        all lists that are held out have weight 0.

    Warns
    -----
    UserWarning
        If there are none, and metrics to watch.
    """
    if validation is not None:
        rows = rows_passed(validation)
    elif held_out.any():
        counts = with_list_weight(data, held_out)
        if not counts.any():
            raise none_counts(held_out.sum())
        rows = rows_of_lists(data, counts)
    else:
        if stopping.metrics:
            warn(
                "metrics are measured on validation queries, and there are none. Pass "
                "X_val, or set early_stopping=True to hold some out."
            )
        return None
    for measure in stopping.measures():
        check_metric_takes_labels(measure, rows.y)
        check_metric_is_defined(measure, rows.y, rows.queries)
    return rows


def rows_passed(validation: TrainingSet) -> ValidationRows:
    """Rows that were passed to ``fit`` to validate on."""
    return ValidationRows(
        validation.X, validation.y, validation.queries, validation.pairs
    )


def with_list_weight(data: TrainingSet, held_out: BoolArray) -> BoolArray:
    """Held-out lists whose query has a positive weight, shape (n_lists,)."""
    weights = data.list_weights
    return held_out if weights is None else held_out & (weights > 0)


def rows_of_lists(data: TrainingSet, lists: BoolArray) -> ValidationRows:
    """Training rows of some lists, but for those of weight 0."""
    codes, weights = data.queries.codes, data.list_weights
    index = np.flatnonzero(lists[codes] & data.has_weight)
    return ValidationRows(
        data.X[index],
        data.y[index],
        data.queries.of_rows(index),
        None if data.pairs is None else data.pairs.rows(index),
        None if weights is None else weights[codes[index]],
    )


def none_counts(n_held_out: int) -> ValueError:
    """The error if all queries that are held out have weight 0."""
    return ValueError(
        "query_weight must be above zero for some query that is held out; got "
        f"0 for all {n_held_out}. Leave queries of weight 0 out, pass X_val, "
        "or set early_stopping=False."
    )


def takes_weights(measure: Metric) -> bool:
    """Whether its mean has weights; a function of the user's own may take none."""
    function = measure.function
    return not isinstance(function, OwnFunction) or function.takes_weights


def metrics_of(
    measures: Sequence[Metric], rows: ValidationRows, scores: FloatArray
) -> dict[str, float]:
    """Values of metrics by name, weighted as the queries were in ``fit``.

    A function of the user's own that takes no weights gives its unweighted value.

    Parameters
    ----------
    measures : sequence of Metric
        What to measure.
    rows : ValidationRows
        Rows that were scored.
    scores : float array of shape (n_val,)
        Their scores.

    Returns
    -------
    values : dict of str to float
        In the order of the metrics.
    """
    values = {}
    for measure in measures:
        values[measure.name] = measure(
            rows.y,
            scores,
            rows.queries,
            query_weight=rows.query_weight if takes_weights(measure) else None,
        )
    return values


def check_metric_is_defined(measure: Metric, y: FloatArray, queries: Queries) -> None:
    """Raise if a metric is defined on no validation query."""
    if isinstance(measure.function, OwnFunction):
        return
    check_values_are_defined(measure, measure.per_query(y, np.zeros(len(y)), queries))


def check_values_are_defined(measure: Metric, values: FloatArray) -> None:
    """Raise if the values of a metric, (n_val_queries,), are all NaN."""
    if np.isnan(values).all():
        raise ValueError(
            f"metric={measure.name!r} must be defined on at least one validation "
            f"query; got {len(values)} queries, none with {measure.info.needs}. Choose "
            "other queries."
        )
