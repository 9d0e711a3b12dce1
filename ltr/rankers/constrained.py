"""ConstrainedRanker: any ranker, its orders made to satisfy constraints."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from inspect import signature
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils import get_tags
from sklearn.utils.validation import _num_samples, check_is_fitted

from ltr.arguments import ArgumentError, check_choice, check_limit, check_whole
from ltr.metrics import get_metric
from ltr.metrics.labels import fitting_metric
from ltr.metrics.names import MetricLike
from ltr.queries import FloatArray, IntArray, Queries, check_rows, group_queries
from ltr.rankers.base import BaseRanker
from ltr.rankers.features import as_pandas, is_frame
from ltr.rankers.ranks import order_rows
from ltr.rankers.warning import warn

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
        features = _without(X, self._attribute_names())
        if qid is not None and not _takes_qid(self.ranker):
            raise TypeError(
                f"fit of the ranker must take qid; that of {self.ranker!r} does not. "
                "Fit it without qid, and use ConstrainedRanker without fit."
            )
        self.ranker_ = clone(self.ranker).fit(features, y, **_qid_argument(qid))
        for name in ("n_features_in_", "feature_names_in_"):
            if hasattr(self.ranker_, name):
                setattr(self, name, getattr(self.ranker_, name))
            elif hasattr(self, name):
                delattr(self, name)
        return self

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
        from ltr.solvers import Status, explain_conflict

        scores, queries, columns, solutions = self._solve(X, qid, attributes)
        positions = np.empty(len(scores))
        for i, solution in enumerate(solutions):
            rows = queries.order[queries.starts[i] : queries.starts[i + 1]]
            if solution.status is Status.INFEASIBLE:
                attributes_of_list = {
                    name: column[rows] for name, column in columns.items()
                }
                conflict = explain_conflict(solution, attributes_of_list)
                raise ValueError(
                    f"In {_place(queries, i, qid)}: {conflict}\nLoosen a "
                    "constraint, or pass infeasible='drop'."
                )
            if solution.order is None:
                raise RuntimeError(
                    "no order was found within work_limit for "
                    f"{_place(queries, i, qid)}. Raise work_limit, or use fewer "
                    "constraints."
                )
            by_score = np.argsort(-scores[rows], kind="stable")
            below_k = by_score[~np.isin(by_score, solution.order)]
            order = np.concatenate([solution.order, below_k])
            positions[rows[order]] = np.arange(len(rows))
        return 0.0 - positions

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
        return self._solve(X, qid, attributes)[3]

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
        check_whole("k", k, low=1, optional=True)
        scores = self.predict(X, qid, attributes=attributes)
        return order_rows(scores, group_queries(qid, len(scores)), k)

    def score(
        self,
        X: ArrayLike,
        y: ArrayLike,
        qid: ArrayLike | None = None,
        sample_weight: None = None,
        *,
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
            Must be None: every query counts once.
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
        check_rows({"X": X, "y": y, "qid": qid})
        scores = self.predict(X, qid, attributes=attributes)
        return self._mean_metric(y, scores, qid)

    def _metric_of(self, labels: FloatArray) -> MetricLike:
        if hasattr(self._fitted(), "metric_for"):  # as of AutoRanker
            return fitting_metric(self.metric, labels)
        return super()._metric_of(labels)

    def _solve(
        self,
        X: ArrayLike,
        qid: ArrayLike | None,
        attributes: Mapping[str, ArrayLike] | None,
    ) -> tuple[FloatArray, Queries, dict[str, NDArray[Any]], list[Solution]]:
        self._check_parameters()
        check_is_fitted(self)
        attributes = {} if attributes is None else attributes
        by_name = {f"attributes[{name!r}]": v for name, v in attributes.items()}
        check_rows({"X": X, "qid": qid, **by_name})
        X = as_pandas(X)
        ranker = self._fitted()
        names = self._attribute_names()
        feature_names = getattr(ranker, "feature_names_in_", None)
        if feature_names is None:
            feature_names = getattr(ranker, "_column_names", None) or ()
        features = _without(X, [name for name in names if name not in feature_names])
        scores = np.zeros(0)
        if _num_samples(features):
            scores = ranker.predict(features, **_qid_argument(qid))
            scores = np.asarray(scores, dtype=np.float64)
        if scores.ndim != 1 or not np.isfinite(scores).all():
            raise ValueError(
                "the ranker must give one finite score per row; got scores of shape "
                f"{scores.shape}, {int((~np.isfinite(scores)).sum())} of them not "
                "finite. Fit it again, or wrap another one."
            )
        self._warn_if_many(len(scores), qid)
        columns = {name: _column(name, X, attributes, len(scores)) for name in names}
        queries = group_queries(qid, len(scores))
        solutions = []
        for i in range(queries.n_lists):
            rows = queries.order[queries.starts[i] : queries.starts[i + 1]]
            attributes_of_list = {
                name: column[rows] for name, column in columns.items()
            }
            place = _place(queries, i, qid)
            solutions.append(self._solve_list(scores[rows], attributes_of_list, place))
        return scores, queries, columns, solutions

    def _solve_list(
        self, scores: FloatArray, attributes: dict[str, NDArray[Any]], place: str
    ) -> Solution:
        from ltr.solvers import Status, explain_conflict, solve_assignment

        n_items = len(scores)
        constraints = list(self.constraints)
        while True:
            try:
                solution = solve_assignment(
                    scores,
                    constraints=constraints,
                    attributes=attributes,
                    k=n_items if self.k is None else min(self.k, n_items),
                    work_limit=self.work_limit,
                )
            except ValueError as error:
                raise ValueError(f"In {place}: {error}") from error
            if self.infeasible == "raise" or solution.status is not Status.INFEASIBLE:
                return solution
            conflict = explain_conflict(solution, attributes)
            warn(f"In {place}: {conflict}\nDropping these constraints.")
            constraints = [c for c in constraints if c not in solution.conflict]

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

    def _attribute_names(self) -> list[str]:
        """Attributes that the constraints refer to, each once."""
        names = [
            getattr(constraint, "attribute", None) for constraint in self.constraints
        ]
        return [name for name in dict.fromkeys(names) if name is not None]

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


def _qid_argument(qid: ArrayLike | None) -> dict[str, ArrayLike]:
    """Pass ``qid`` only if there is one: the wrapped estimator may not take it."""
    return {} if qid is None else {"qid": qid}


def _without(X: Any, names: list[str]) -> Any:
    """Return ``X`` without these columns, if it is a DataFrame."""
    if not is_frame(X):
        return X
    dropped = [name for name in names if name in X.columns]
    return X.drop(columns=dropped) if dropped else X


def _column(
    name: str, X: Any, attributes: Mapping[str, ArrayLike] | None, n_samples: int
) -> NDArray[Any]:
    if attributes is not None and name in attributes:
        values = attributes[name]
    elif is_frame(X) and name in X.columns:
        values = X[name]
    else:
        reason = "X has no such column" if is_frame(X) else "X is not a DataFrame"
        raise ValueError(
            f"a constraint refers to attribute {name!r}, but {reason} and attributes "
            f"does not have it. Pass attributes={{{name!r}: one value per row}}."
        )
    column = np.asarray(values, dtype=None if hasattr(values, "dtype") else object)
    if column.shape != (n_samples,):
        raise ValueError(
            f"attributes[{name!r}] must have one value per row of X, shape "
            f"({n_samples},); got shape {column.shape}."
        )
    return column


def _place(queries: Queries, i: int, qid: ArrayLike | None) -> str:
    """List i in words, for messages."""
    if qid is None:
        return "the list"
    return f"list {queries.ids[i : i + 1].tolist()[0]!r}"
