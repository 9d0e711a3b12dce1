"""Whether a metric can score labels, and one that can."""

from __future__ import annotations

from ltr.metrics.names import MetricLike, get_metric
from ltr.metrics.own import OwnFunction
from ltr.queries import FloatArray


def check_metric_takes_labels(metric: MetricLike, y: FloatArray) -> None:
    """Raise with the way out if a metric cannot score labels.

    Parameters
    ----------
    metric : str or callable
        Metric for :func:`ltr.metrics.get_metric`.
    y : float array of shape (n_samples,)
        Labels, at least one.

    Raises
    ------
    ValueError
        If it cannot: they are negative, say, and the gain of NDCG is exponential.

    Examples
    --------
    >>> import numpy as np
    >>> check_metric_takes_labels("ndcg@10", np.array([0.0, 3.0]))
    """
    extremes = [y.min(), y.max()]
    measure = get_metric(metric)
    if isinstance(measure.function, OwnFunction):
        return  # which labels it takes is its own affair
    try:
        measure.per_query(extremes, [0.0, 0.0], None)
    except ValueError as error:
        linear = _with_linear_gain(measure.name, extremes)
        if linear is None:
            cure = (
                f"{error} For the ranker, set metric='spearman', 'kendall_tau' or "
                "'pairwise_accuracy'."
            )
        else:
            problem = str(error).removesuffix(" Pass gain='linear'.")
            cure = f"{problem} Set metric={linear!r}."
        raise ValueError(
            f"metric={measure.name!r} cannot score these labels: {cure}"
        ) from error


def fitting_metric(metric: MetricLike, y: FloatArray) -> MetricLike:
    """The metric, or one that can score the labels.

    Parameters
    ----------
    metric : str or callable
        Metric for :func:`ltr.metrics.get_metric`.
    y : float array of shape (n_samples,)
        Labels.

    Returns
    -------
    metric : str or callable
        The same, the same with a linear gain, or ``"spearman"``.

    Examples
    --------
    >>> import numpy as np
    >>> fitting_metric("ndcg@10", np.array([0.0, 5000.0]))
    'ndcg(gain=linear)@10'
    >>> fitting_metric("ndcg@10", np.array([-1.0, 1.0]))
    'spearman'
    """
    try:
        check_metric_takes_labels(metric, y)
    except ValueError:
        name, extremes = get_metric(metric).name, [float(y.min()), float(y.max())]
        return _with_linear_gain(name, extremes) or "spearman"
    return metric


def _with_linear_gain(name: str, labels: list[float]) -> str | None:
    """Name of a metric with a linear gain, if it has one and takes the labels then."""
    head, at, cutoff = name.partition("@")
    options = f"{head[:-1]},gain=linear)" if "(" in head else f"{head}(gain=linear)"
    linear = options + at + cutoff
    try:
        get_metric(linear).per_query(labels, [0.0, 0.0], None)
    except ValueError:
        return None
    return linear
