"""ConstrainedRanker: any ranker, its orders made to satisfy constraints."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from inspect import signature
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils import get_tags
from sklearn.utils.validation import check_is_fitted

from ltr.arguments import ArgumentError, check_choice, check_limit, check_whole
from ltr.metrics import get_metric
from ltr.metrics.labels import fitting_metric
from ltr.metrics.names import MetricLike
from ltr.queries import FloatArray, IntArray, check_rows, group_queries
from ltr.rankers.base import BaseRanker
from ltr.rankers.constrained_orders import (
    ConstrainedOrders,
    attribute_names,
    qid_argument,
    without,
)
from ltr.rankers.features import as_pandas
from ltr.rankers.ranks import check_cut_off, order_rows

if TYPE_CHECKING:
    from ltr.solvers import Solution


class ConstrainedRanker(BaseRanker):
    """A ranker whose orders satisfy quotas, caps, positions and precedences.

    For each query, it finds the feasible order that maximizes Σ score / log2(1 + rank),
    with the scores of the wrapped ranker: see :func:`ltr.solvers.solve_assignment`.

    Parameters
    ----------
    ranker : estimator
        A ranker of this library, or another estimator whose ``predict`` returns a score
        per row. A fitted one can be used without ``fit``, which fits a clone.
    constraints : sequence of constraints, default=()
        ``Quota``, ``AtMost``, ``ExposureShare``, ``FixedPosition``, ``Window``,
        ``Precedence``, ``Together`` of :mod:`ltr.solvers`. Attributes that they refer
        to are columns of a DataFrame ``X``, or passed to ``predict(…, attributes=…)``.
        Items are numbered within each list from 0, in the order of the rows.
    k : int, default=None
        Constrain the first k positions; the other items follow by their scores. None:
        the whole list.
    infeasible : {"raise", "drop"}, default="raise"
        What ``predict`` does with a list without a feasible order: raise, with its
        ``qid`` and the conflict in words; or drop all constraints of a smallest
        conflict, until the others can be satisfied, and warn.
    work_limit : float, default=None
        Units of work for one list, about a second each; results repeat. None: 20.
    metric : str or callable, default="ndcg@10"
        Metric for :func:`ltr.metrics.get_metric`: what ``score`` returns; one that
        fits the labels in its place if the ranker is an :class:`AutoRanker`.

    Attributes
    ----------
    ranker_ : estimator
        The fitted ranker, after ``fit``.
    n_features_in_ : int
        Number of its features.
    n_columns_in_ : int
        The same with the attributes that constraints refer to and that are no features:
        columns of ``X`` unless ``attributes`` are passed.
    feature_names_in_ : array of shape (n_features,)
        Column names, if ``X`` had string ones.

    Notes
    -----
    A column that a constraint refers to is not a feature: it is dropped from a
    DataFrame in ``fit``, and in ``predict`` unless the ranker was fitted with it. Items
    with equal scores stay in the order of the rows.

    Examples
    --------
    >>> import numpy as np
    >>> from ltr import ConstrainedRanker, SingleFeatureRanker
    >>> from ltr.solvers import Quota
    >>> X, y = np.array([[4.0], [3.0], [2.0], [1.0]]), [3, 2, 1, 0]
    >>> fair = ConstrainedRanker(
    ...     SingleFeatureRanker(), [Quota("group", "b", lower=1, top=2)]
    ... ).fit(X, y)
    >>> fair.rank(X, attributes={"group": ["a", "a", "b", "b"]})
    array([1, 3, 2, 4])
    """

    __metadata_request__predict: ClassVar[dict[str, bool]] = dict.fromkeys(
        ("qid", "attributes"), True
    )
    __metadata_request__score: ClassVar[dict[str, bool]] = {
        "qid": True,
        "attributes": True,
    }

    def __init__(
        self,
        ranker: Any,
        constraints: Iterable[Any] = (),
        *,
        k: int | None = None,
        infeasible: Literal["raise", "drop"] = "raise",
        work_limit: float | None = None,
        metric: MetricLike = "ndcg@10",
    ) -> None:
        self.ranker = ranker
        self.constraints = constraints
        self.k = k
        self.infeasible = infeasible
        self.work_limit = work_limit
        self.metric = metric

    def fit(
        self, X: ArrayLike, y: ArrayLike, qid: ArrayLike | None = None
    ) -> ConstrainedRanker:
        """Fit a clone of the ranker.

        To use weights or validation queries, fit the ranker itself, then wrap it.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features, and in a DataFrame columns that constraints name.
        y : array-like of shape (n_samples,)
            Labels.
        qid : array-like of shape (n_samples,), default=None
            Query of each row. None: one query.

        Returns
        -------
        self : ConstrainedRanker
        """
        self._check_parameters()
        check_rows({"X": X, "y": y, "qid": qid})
        X = as_pandas(X)
        features = without(X, attribute_names(self.constraints))
        if qid is not None and not _takes_qid(self.ranker):
            raise TypeError(
                f"fit of the ranker must take qid; that of {self.ranker!r} does not. "
                "Fit it without qid, and use ConstrainedRanker without fit."
            )
        self.set_fitted(clone(self.ranker).fit(features, y, **qid_argument(qid)))
        return self

    def set_fitted(self, ranker: Any) -> None:
        """Take a fitted ranker as that of ``fit``.

        Parameters
        ----------
        ranker : estimator
            Fitted.
        """
        self.ranker_ = ranker
        for name in ("n_features_in_", "feature_names_in_"):
            if hasattr(self.ranker_, name):
                setattr(self, name, getattr(self.ranker_, name))
            elif hasattr(self, name):
                delattr(self, name)

    def predict(
        self,
        X: ArrayLike,
        qid: ArrayLike | None = None,
        *,
        attributes: Mapping[str, ArrayLike] | None = None,
    ) -> FloatArray:
        """Score items by their constrained positions.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features, and in a DataFrame columns that constraints name.
        qid : array-like of shape (n_samples,), default=None
            Query of each row, in any order. None: one query.
        attributes : mapping of str to array-like of shape (n_samples,), default=None
            Attributes that constraints refer to, by name; they override columns of
            ``X``.

        Returns
        -------
        scores : float array of shape (n_samples,)
            0 for the best item of its list, -1 for the second, …

        Raises
        ------
        ValueError
            If an attribute is missing, or, with ``infeasible="raise"``, a list has no
            feasible order.
        RuntimeError
            If no order was found within ``work_limit``.
        """
        return self._orders().scores(X, qid, attributes)

    def decode(
        self,
        X: ArrayLike,
        qid: ArrayLike | None = None,
        *,
        attributes: Mapping[str, ArrayLike] | None = None,
    ) -> list[Solution]:
        """Solve for the order of each list.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features, and in a DataFrame columns that constraints name.
        qid : array-like of shape (n_samples,), default=None
            Query of each row, in any order. None: one query.
        attributes : mapping of str to array-like of shape (n_samples,), default=None
            Attributes that constraints refer to, by name.

        Returns
        -------
        solutions : list of Solution
            One per query, by first appearance. ``order`` numbers the rows of its list
            from 0. A list without a feasible order has the status INFEASIBLE and its
            conflict, unless ``infeasible="drop"``.
        """
        return self._orders().solve(X, qid, attributes).solutions

    def rank(
        self,
        X: ArrayLike,
        qid: ArrayLike | None = None,
        *,
        attributes: Mapping[str, ArrayLike] | None = None,
    ) -> IntArray:
        """Rank the items of every query.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features, and in a DataFrame columns that constraints name.
        qid : array-like of shape (n_samples,), default=None
            Query of each row, in any order. None: one query.
        attributes : mapping of str to array-like of shape (n_samples,), default=None
            Attributes that constraints refer to, by name.

        Returns
        -------
        ranks : int array of shape (n_samples,)
            1 for the best item of its query; no two are equal.

        Raises
        ------
        ValueError
            As ``predict``.
        """
        scores = self.predict(X, qid, attributes=attributes)
        return (1 - scores).astype(np.intp)

    def order(
        self,
        X: ArrayLike,
        qid: ArrayLike | None = None,
        k: int | None = None,
        *,
        attributes: Mapping[str, ArrayLike] | None = None,
    ) -> IntArray:
        """Row numbers of every query, best first, as the constraints allow.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features, and in a DataFrame columns that constraints name.
        qid : array-like of shape (n_samples,), default=None
            Query of each row, in any order. None: one query.
        k : int, default=None
            Take the first k rows of each query, or all that it has. None: all. It
            changes no order: the parameter ``k`` says what constraints cover.
        attributes : mapping of str to array-like of shape (n_samples,), default=None
            Attributes that constraints refer to, by name.

        Returns
        -------
        rows : int array of shape (n_rows,)
            Query by query, by first appearance, and best first within a query.

        Raises
        ------
        ValueError
            If ``k`` is no whole number ≥ 1, or as ``predict``.
        """
        check_cut_off(k, qid)
        scores = self.predict(X, qid, attributes=attributes)
        return order_rows(scores, group_queries(qid, len(scores)), k)

    def score(
        self,
        X: ArrayLike,
        y: ArrayLike,
        qid: ArrayLike | None = None,
        sample_weight: None = None,
        *,
        query_weight: ArrayLike | None = None,
        attributes: Mapping[str, ArrayLike] | None = None,
    ) -> float:
        """Mean of ``metric`` over the queries.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features, and in a DataFrame columns that constraints name.
        y : array-like of shape (n_samples,)
            Labels.
        qid : array-like of shape (n_samples,), default=None
            Query of each row, in any order. None: one query.
        sample_weight : None
            Must be None: queries have weights, not rows.
        query_weight : array-like of shape (n_samples,), default=None
            Weight of each row's query in the mean; constant within a query. None: each
            query counts once.
        attributes : mapping of str to array-like of shape (n_samples,), default=None
            Attributes that constraints refer to, by name.

        Returns
        -------
        score : float
            Higher is better; queries without a relevant item are left out.

        Raises
        ------
        ValueError
            As ``predict`` and the ``score`` of other rankers.
        """
        self._check_score(qid, sample_weight)
        check_rows({"X": X, "y": y, "qid": qid, "query_weight": query_weight})
        scores = self.predict(X, qid, attributes=attributes)
        return self._mean_metric(y, scores, qid, query_weight)

    @property
    def n_columns_in_(self) -> int:
        """Number of features and of attributes that are no features."""
        orders = self._orders()
        return int(self._fitted().n_features_in_) + len(orders.attributes_only)

    def _metric_of(self, labels: FloatArray) -> MetricLike:
        if hasattr(self._fitted(), "metric_for"):  # as of AutoRanker
            return fitting_metric(self.metric, labels)
        return super()._metric_of(labels)

    def _orders(self) -> ConstrainedOrders:
        """What predicts, with the parameters checked."""
        self._check_parameters()
        check_is_fitted(self)
        ranker = self._fitted()
        feature_names = getattr(ranker, "feature_names_in_", None)
        if feature_names is None:
            feature_names = getattr(ranker, "_column_names", None) or ()
        return ConstrainedOrders(
            predict=ranker.predict,
            feature_names=feature_names,
            fitted_with_qid=self._fitted_with_qid,
            constraints=list(self.constraints),
            k=self.k,
            infeasible=self.infeasible,
            work_limit=self.work_limit,
        )

    def _check_parameters(self) -> None:
        if not hasattr(self.ranker, "predict") or isinstance(self.ranker, type):
            raise ArgumentError(
                "ranker must be an estimator with fit and predict; got "
                f"{self.ranker!r}. Pass a ranker, such as LambdaMARTRanker()."
            )
        is_sequence = isinstance(self.constraints, Iterable)
        if not is_sequence or not all(hasattr(c, "parts") for c in self.constraints):
            raise ArgumentError(
                "constraints must be a sequence of constraints; got "
                f"{self.constraints!r}. Put it in a list."
            )
        check_limit("work_limit", self.work_limit)
        get_metric(self.metric)
        check_choice("infeasible", self.infeasible, ("raise", "drop"))
        check_whole("k", self.k, low=1, optional=True)

    def _fitted(self) -> Any:
        return getattr(self, "ranker_", self.ranker)

    @property
    def _fitted_with_qid(self) -> bool:  # type: ignore[override]
        return bool(getattr(self._fitted(), "_fitted_with_qid", False))

    def __sklearn_is_fitted__(self) -> bool:
        try:
            check_is_fitted(self._fitted())
        except NotFittedError:
            return False
        return True

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags = get_tags(self.ranker).input_tags
        return tags


def _takes_qid(ranker: Any) -> bool:
    """Whether ``fit`` has a parameter ``qid``, or takes any keyword."""
    parameters = signature(ranker.fit).parameters.values()
    return any(p.name == "qid" or p.kind is p.VAR_KEYWORD for p in parameters)
