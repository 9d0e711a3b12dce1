"""What a metric is: a kernel on ranked lists, its face, and a record of what it does.

The *kernel* measures lists that are ranked already, ``kernel(lists, *, k=None, …)``,
and returns the value of each list and which lists it is not defined for. The *face*
is what users call, ``metric(y_true, y_score, *, qid=None, …)``. The *record*, the
``info`` of a face, says which laws its values obey. :func:`ranking_metric` declares all
three; :func:`~ltr.metrics.evaluate`, the rankers and the tests of laws read the record.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import (
    Any,
    Literal,
    NamedTuple,
    ParamSpec,
    Protocol,
    TypeVar,
    cast,
    overload,
)

import numpy as np
from numpy.typing import ArrayLike

from ltr.arguments import check_choice, check_kinds, check_whole
from ltr.metrics.averages import (
    Empty,
    Mean,
    apply_policy,
    check_mean,
    mean_of,
    weighted_lists,
)
from ltr.metrics.ranked import RankedLists, Ties, rank_lists
from ltr.metrics.signatures import face_options, kernel_options
from ltr.queries import BoolArray, FloatArray, Queries, check_rows
from ltr.row_values import weights_of_queries

Labels = Literal["binary", "graded", "real"]
Needs = Literal[
    "a relevant item", "items of both kinds", "two distinct labels", "a document"
]

P = ParamSpec("P")
R_co = TypeVar("R_co", covariant=True)


class Measured(NamedTuple):
    """What a kernel returns.

    Attributes
    ----------
    values : float array of shape (n_lists,)
        Value of each list; any finite number where it is not defined.
    blank : bool array of shape (n_lists,)
        Lists for which the metric is not defined.

    Examples
    --------
    >>> Measured(np.array([0.5, 0.0]), blank=np.array([False, True])).values.tolist()
    [0.5, 0.0]
    """

    values: FloatArray
    blank: BoolArray


@dataclass(frozen=True)
class MetricInfo:
    """Record of a metric: how it is computed, what it takes, and its laws.

    Attributes
    ----------
    kernel : callable
        ``kernel(lists, *, k=None, …)`` on :class:`RankedLists`, returns
        :class:`Measured`.
    options : tuple of str
        Keyword arguments of the face besides ``qid``, ``query_weight`` and
        ``per_query``.
    range : tuple of float
        Least and greatest value of a list.
    labels : {"binary", "graded", "real"}
        ``"binary"``: an item is relevant if its label is above ``threshold``.
        ``"graded"``: labels ≥ 0; the higher, the larger the gain. ``"real"``: any.
    needs : str
        What a list must have for the metric to be defined: ``"a relevant item"``,
        ``"items of both kinds"``, ``"two distinct labels"`` or ``"a document"``.
    monotone : bool
        Whether giving the better of two items the higher of their two scores never
        lowers the value.
    expected_under_ties : bool
        Whether the value under equal scores is the mean over the orders of the tied
        items.
    whole_order : bool
        Whether the whole order is compared with the labels. Of a run, such a metric
        sees the judged documents only, and it takes no ``ties``.
    defaults : dict of str to object
        Options of the kernel, for ``ltr.arguments.check_kinds``.

    Examples
    --------
    >>> from ltr.metrics import err_score
    >>> err_score.info.options
    ('k', 'max_label', 'ties', 'empty', 'docids')
    >>> err_score.info.range, err_score.info.labels, err_score.info.needs
    ((0.0, 1.0), 'graded', 'a relevant item')
    """

    kernel: Callable[..., Measured]
    options: tuple[str, ...]
    range: tuple[float, float]
    labels: Labels
    needs: Needs
    monotone: bool
    expected_under_ties: bool
    whole_order: bool
    defaults: Mapping[str, Any] = field(default_factory=dict)

    @property
    def takes_cutoff(self) -> bool:
        """Whether ``k`` is an option, and ``"name@10"`` a spelling."""
        return "k" in self.options

    def measure(self, lists: RankedLists, **options: Any) -> Measured:
        """Call the kernel.

        Parameters
        ----------
        lists : RankedLists
            Lists in ranked order.
        **options : dict
            Options of the kernel.

        Returns
        -------
        measured : Measured

        Raises
        ------
        ValueError
            If an option is of the wrong kind or out of range, or a label does not fit.
        TypeError
            If the kernel does not return one value per list.
        """
        check_whole("k", options.get("k"), low=1, optional=True)
        check_kinds(options, self.defaults)
        measured = self.kernel(lists, **options)
        _check_measured(measured, lists.queries.n_lists, self.kernel)
        return measured


class RankingMetric(Protocol[P, R_co]):
    """A function with a record: what :func:`ranking_metric` turns a face into."""

    info: MetricInfo
    __name__: str

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co:
        """Measure."""


@overload
def ranking_metric(
    *,
    kernel: Callable[..., Measured],
    range: tuple[float, float] = ...,
    labels: Labels = ...,
    needs: Needs = ...,
    monotone: bool = ...,
    expected_under_ties: bool = ...,
    whole_order: bool = ...,
) -> Callable[[Callable[P, R_co]], RankingMetric[P, R_co]]: ...


@overload
def ranking_metric(
    *,
    kernel: None = None,
    range: tuple[float, float] = ...,
    labels: Labels = ...,
    needs: Needs = ...,
    monotone: bool = ...,
    expected_under_ties: bool = ...,
    whole_order: bool = ...,
) -> Callable[[Callable[..., Measured]], RankingMetric[..., FloatArray | float]]: ...


def ranking_metric(
    *,
    kernel: Callable[..., Measured] | None = None,
    range: tuple[float, float] = (0.0, 1.0),
    labels: Labels = "binary",
    needs: Needs = "a relevant item",
    monotone: bool = True,
    expected_under_ties: bool = True,
    whole_order: bool = False,
) -> Callable[[Callable[..., Any]], RankingMetric[..., Any]]:
    """Declare a metric, so that it can be used wherever a name of one can.

    In its short form, ``@ranking_metric()``, it decorates the kernel and turns it into
    the face: a function ``metric(y_true, y_score, *, qid=None, ties="average",
    empty="skip", docids=None, query_weight=None, per_query=False)`` that takes the
    kernel's options too.
    With ``kernel=`` it decorates the face itself, for a signature of your own, and the
    face stays as it is.

    Higher is better: early stopping, searches over parameters and leaderboards maximize
    a metric. A cost must be negated or inverted, ``-cost`` or ``1 / (1 + cost)``.

    Parameters
    ----------
    kernel : callable, default=None
        Kernel of the decorated face. None: the decorated function is the kernel.
    range : tuple of float, default=(0.0, 1.0)
        Least and greatest value of a list.
    labels : {"binary", "graded", "real"}, default="binary"
        Which labels it takes; see :class:`MetricInfo`.
    needs : str, default="a relevant item"
        What a list must have for the metric to be defined; see :class:`MetricInfo`.
    monotone : bool, default=True
        Whether giving the better of two items the higher of their two scores never
        lowers the value.
    expected_under_ties : bool, default=True
        Whether the value under equal scores is the mean over the orders of the tied
        items, as it is if the kernel asks :class:`RankedLists` for expected values.
    whole_order : bool, default=False
        Whether the whole order is compared with the labels; such a metric takes no
        ``ties``.

    Returns
    -------
    decorator : callable
        Returns the face, with the record as its attribute ``info``.

    Raises
    ------
    ValueError
        If ``labels`` or ``needs`` is unknown.
    TypeError
        If the kernel is no function of ranked lists, or the options of face and kernel
        differ.

    Examples
    --------
    The share of the relevant items that are in the first half of the list:

    >>> @ranking_metric()
    ... def upper_half(lists, *, threshold=0.0):
    ...     relevant = lists.relevant(threshold)
    ...     above = relevant.in_top((lists.queries.sizes + 1) // 2)
    ...     total = relevant.total
    ...     return Measured(above / np.maximum(total, 1), blank=total == 0)
    >>> upper_half([0, 1, 1, 0], [0.9, 0.5, 0.1, 0.0])
    0.5

    It is a metric like any other, also for ``metric=`` of a ranker:

    >>> from ltr.metrics import evaluate
    >>> y, s, qid = [0, 1, 1, 0], [0.9, 0.5, 0.1, 0.0], [1, 1, 2, 2]
    >>> evaluate(y, s, qid, [upper_half, "mrr"])["mean"].to_dict()
    {'upper_half': 0.5, 'mrr': 0.75}
    """
    check_choice("labels", labels, ("binary", "graded", "real"))
    check_choice("needs", needs, Needs.__args__)  # type: ignore[attr-defined]

    def declare(function: Callable[..., Any]) -> RankingMetric[..., Any]:
        options = kernel_options(function if kernel is None else kernel)
        face = function if kernel else _face_of(function, options, whole_order)
        metric = cast(RankingMetric[..., Any], face)
        metric.info = MetricInfo(
            kernel=function if kernel is None else kernel,
            options=face_options(face, options),
            range=range,
            labels=labels,
            needs=needs,
            monotone=monotone,
            expected_under_ties=expected_under_ties,
            whole_order=whole_order,
            defaults=options,
        )
        return metric

    return declare


def score(
    info: MetricInfo,
    y_true: ArrayLike,
    y_score: ArrayLike,
    qid: ArrayLike | Queries | None,
    *,
    ties: Ties = "average",
    docids: ArrayLike | None = None,
    empty: Empty = "skip",
    mean: Mean = "arithmetic",
    query_weight: ArrayLike | None = None,
    per_query: bool = False,
    **options: Any,
) -> FloatArray | float:
    """Rank the lists, measure them and average: what every face does.

    Parameters
    ----------
    info : MetricInfo
        The metric.
    y_true : array-like of shape (n_samples,)
        Labels.
    y_score : array-like of shape (n_samples,)
        Scores, higher is better.
    qid : array-like of shape (n_samples,), Queries or None
        List of each row. None: one list.
    ties : {"average", "first", "worst", "trec"}, default="average"
        Rule for equal scores; see :mod:`ltr.metrics`.
    docids : array-like of shape (n_samples,), default=None
        Document ids, for ``ties="trec"``.
    empty : {"skip", 0, 1}, default="skip"
        Blank lists: leave out, or count as 0 or 1.
    mean : {"arithmetic", "geometric"}, default="arithmetic"
        Mean over lists.
    query_weight : array-like of shape (n_samples,), default=None
        Weight of each row's query in the mean; constant within a query.
    per_query : bool, default=False
        Return one value per query.
    **options : dict
        Options of the kernel.

    Returns
    -------
    value : float, or array of shape (n_queries,) if ``per_query``
        Mean over queries; per query in order of first appearance, NaN if skipped.

    Raises
    ------
    ValueError
        If an input or an option is invalid.

    Examples
    --------
    >>> from ltr.metrics import hits_score
    >>> score(hits_score.info, [0, 1, 1], [0.9, 0.5, 0.1], None, k=2)
    1.0
    """
    check_mean(mean, per_query, query_weight is not None)
    lists = rank_lists(y_true, y_score, qid, ties, docids)
    weights = None
    if query_weight is not None:
        check_rows({"y_true": y_true, "qid": qid, "query_weight": query_weight})
        weights = weights_of_queries(query_weight, lists.queries, rows_of="y_true")
        lists, weights = weighted_lists(lists, weights)
    measured = info.measure(lists, **options)
    values = apply_policy(measured.values, measured.blank, empty)
    if per_query:
        return values
    if np.isnan(values).all():
        weight = "" if weights is None else " of positive weight"
        warnings.warn(
            f"The mean is not defined and nan is returned: no list{weight} has "
            f"{info.needs}. Pass empty=0 or empty=1 to count such lists.",
            stacklevel=3,  # the caller of the face
        )
    return mean_of(values, mean, weights)


def _check_measured(
    measured: object, n_lists: int, kernel: Callable[..., Measured]
) -> None:
    """Raise unless a kernel has returned a value and a blank flag for each list."""
    if isinstance(measured, Measured):
        shapes = [np.shape(values) for values in measured]
        if shapes == [(n_lists,), (n_lists,)]:
            return
        outcome = (
            f"values of shape {shapes[0]} and blank of shape {shapes[1]} for {n_lists} "
            f"list{'s' if n_lists != 1 else ''}"
        )
    else:
        outcome = type(measured).__name__
        if isinstance(measured, np.ndarray):
            outcome += f" of shape {measured.shape}"
    raise TypeError(
        f"kernel of {getattr(kernel, '__name__', kernel)!r} must return "
        f"Measured(values, blank), one value per list; got {outcome}."
    )


def _face_of(
    kernel: Callable[..., Any], options: dict[str, Any], whole_order: bool
) -> Callable[..., Any]:
    """A face for a kernel: its name, docstring and options, and those of all faces."""
    policies: dict[str, Any] = {"ties": "average", "empty": "skip", "docids": None}
    if whole_order:
        policies = {"empty": "skip"}
    means = {"query_weight": None, "per_query": False}

    def face(
        y_true: ArrayLike,
        y_score: ArrayLike,
        *,
        qid: ArrayLike | Queries | None = None,
        **arguments: Any,
    ) -> FloatArray | float:
        unknown = set(arguments) - {*policies, *options, *means}
        if unknown:
            raise TypeError(
                f"{face.__name__}() got an unexpected keyword argument "
                f"{min(unknown)!r}; its options are "
                f"{', '.join([*options, *policies, *means])}."
            )
        info = cast(RankingMetric[..., Any], face).info
        return score(info, y_true, y_score, qid, **arguments)

    for attribute in ("__name__", "__qualname__", "__module__", "__doc__"):
        setattr(face, attribute, getattr(kernel, attribute))
    keywords = {"qid": None, **options, **policies, **means}
    kind = inspect.Parameter
    face.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [kind(name, kind.POSITIONAL_OR_KEYWORD) for name in ("y_true", "y_score")]
        + [
            kind(name, kind.KEYWORD_ONLY, default=default)
            for name, default in keywords.items()
        ]
    )
    return face
