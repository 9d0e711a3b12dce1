"""Orders of lists under constraints: what ConstrainedRanker predicts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ltr.queries import FloatArray, Queries, check_rows, group_queries
from ltr.rankers.features import as_pandas, is_frame
from ltr.rankers.warning import warn, warn_if_many

if TYPE_CHECKING:
    from ltr.solvers import Solution


class SolvedLists(NamedTuple):
    """Lists, and the solution of each.

    Attributes
    ----------
    scores : float array of shape (n_samples,)
        Of the ranker.
    queries : Queries
        Query of each row.
    columns : dict of str to array of shape (n_samples,)
        Attributes that constraints refer to.
    solutions : list of Solution
        One for each list.
    """

    scores: FloatArray
    queries: Queries
    columns: dict[str, NDArray[Any]]
    solutions: list[Solution]


@dataclass(frozen=True)
class ConstrainedOrders:
    """Scores of a ranker, and what its orders must satisfy.

    Attributes
    ----------
    predict : callable
        ``predict(X)`` or ``predict(X, qid=qid)`` of the ranker.
    feature_names : sequence
        Columns that the ranker was fitted with, if it knows them.
    fitted_with_qid : bool
        Whether ``fit`` was given a qid.
    constraints, k, infeasible, work_limit
        Parameters of :class:`ltr.ConstrainedRanker`.
    """

    predict: Callable[..., Any]
    feature_names: Iterable[Any]
    fitted_with_qid: bool
    constraints: Iterable[Any]
    k: int | None
    infeasible: str
    work_limit: float | None

    @property
    def attributes_only(self) -> list[str]:
        """Attributes that are no features of the ranker."""
        names = attribute_names(self.constraints)
        return [name for name in names if name not in self.feature_names]

    def scores(
        self,
        X: ArrayLike,
        qid: ArrayLike | None,
        attributes: Mapping[str, ArrayLike] | None,
    ) -> FloatArray:
        """Minus the position of each item in the order of its list."""
        from ltr.solvers import Status, explain_conflict

        scores, queries, columns, solutions = self.solve(X, qid, attributes)
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

    def solve(
        self,
        X: ArrayLike,
        qid: ArrayLike | None,
        attributes: Mapping[str, ArrayLike] | None,
    ) -> SolvedLists:
        """Solve for the order of each list."""
        attributes = {} if attributes is None else attributes
        by_name = {f"attributes[{name!r}]": v for name, v in attributes.items()}
        check_rows({"X": X, "qid": qid, **by_name})
        X = as_pandas(X)
        names = attribute_names(self.constraints)
        features = without(X, self.attributes_only)
        scores = np.zeros(0)
        if n_rows(features):
            scores = self.predict(features, **qid_argument(qid))
            scores = np.asarray(scores, dtype=np.float64)
        if scores.ndim != 1 or not np.isfinite(scores).all():
            raise ValueError(
                "the ranker must give one finite score per row; got scores of shape "
                f"{scores.shape}, {int((~np.isfinite(scores)).sum())} of them not "
                "finite. Fit it again, or wrap another one."
            )
        warn_if_many(len(scores), qid, self.fitted_with_qid)
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
        return SolvedLists(scores, queries, columns, solutions)

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


def attribute_names(constraints: Iterable[Any]) -> list[str]:
    """Attributes that constraints refer to, each once."""
    names = [getattr(constraint, "attribute", None) for constraint in constraints]
    return [name for name in dict.fromkeys(names) if name is not None]


def qid_argument(qid: ArrayLike | None) -> dict[str, ArrayLike]:
    """Pass ``qid`` only if there is one: the wrapped estimator may not take it."""
    return {} if qid is None else {"qid": qid}


def n_rows(X: Any) -> int:
    """Number of rows of an array, a sparse matrix, a DataFrame or a list."""
    shape = getattr(X, "shape", None)
    return int(shape[0]) if shape else len(X)


def without(X: Any, names: list[str]) -> Any:
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
            f"a constraint refers to attribute {name!r}, but {reason} and "
            "attributes does not have it. Pass "
            f"attributes={{{name!r}: one value per row}}."
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
