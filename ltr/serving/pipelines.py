"""A pipeline in a serving process: its steps in NumPy, then a ranker."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ltr.queries import FloatArray, Queries, group_queries
from ltr.rankers.features import CATEGORY_CURE, frame_values, read_dense_X
from ltr.rankers.saved_columns import impute, varied
from ltr.rankers.saved_steps import SavedStep
from ltr.serving.scoring import Scoring
from ltr.within_lists import min_max, z_scores

Table = NDArray[Any]


@dataclass(eq=False, repr=False)
class PipelineScoring(Scoring):
    """Steps that change the features, and what scores them then."""

    steps: tuple[SavedStep, ...]
    member: Scoring

    @property
    def takes(self) -> tuple[str, ...]:
        """Those of the last step."""
        return self.member.takes

    def predict(self, X: Any, qid: Any = None, **inputs: Any) -> FloatArray:
        """As ``predict`` of the pipeline."""
        table = read_dense_X(
            self.columns,
            X,
            lambda frame: frame_values(frame, CATEGORY_CURE),
            reset=False,
        )
        queries = group_queries(qid, len(table), rows=X)
        for step in self.steps:
            if step.fitted_with_qid and qid is None:
                raise ValueError(
                    "predict needs qid because fit was given one; got qid=None. Pass "
                    "qid."
                )
            if len(table) or step.n_outputs != step.n_features:
                table = _TRANSFORMS[step.class_name](step, table, queries)
        return self.member.predict(table, qid, **inputs)


def _standard(step: SavedStep, X: Table, _: Queries) -> Table:
    X = X.copy()
    if (mean := step.arrays["mean_"]) is not None and step.parameters["with_mean"]:
        X -= mean.astype(X.dtype)
    if (scale := step.arrays["scale_"]) is not None and step.parameters["with_std"]:
        X /= scale.astype(X.dtype)
    return X


def _min_max(step: SavedStep, X: Table, _: Queries) -> Table:
    X = X.copy()
    X *= step.arrays["scale_"]
    X += step.arrays["min_"]
    if step.parameters["clip"]:
        low, high = step.parameters["feature_range"]
        np.clip(X, X.dtype.type(low), X.dtype.type(high), out=X)
    return X


def _max_abs(step: SavedStep, X: Table, _: Queries) -> Table:
    X = X.copy()
    X /= step.arrays["scale_"]
    if step.parameters.get("clip"):
        np.clip(X, -1.0, 1.0, out=X)
    return X


def _robust(step: SavedStep, X: Table, _: Queries) -> Table:
    X = X.copy()
    if (center := step.arrays["center_"]) is not None:
        X -= center
    if (scale := step.arrays["scale_"]) is not None:
        X /= scale
    return X


def _impute(step: SavedStep, X: Table, _: Queries) -> Table:
    return impute(step.parameters, step.arrays, X)


def _select(step: SavedStep, X: Table, _: Queries) -> Table:
    return np.asarray(X[:, varied(step.parameters, step.arrays)])


def _within(scale: Callable[[FloatArray, Queries], FloatArray]) -> Any:
    def transform(_: SavedStep, X: Table, queries: Queries) -> Table:
        if np.isnan(X).any():
            raise ValueError("Input X contains NaN: the scaler takes none. Impute it.")
        return scale(X.astype(np.float64), queries)

    return transform


_TRANSFORMS: dict[str, Callable[[SavedStep, Table, Queries], Table]] = {
    "MaxAbsScaler": _max_abs,
    "MinMaxScaler": _min_max,
    "QueryMinMaxScaler": _within(min_max),
    "QueryStandardScaler": _within(z_scores),
    "RobustScaler": _robust,
    "SimpleImputer": _impute,
    "StandardScaler": _standard,
    "VarianceThreshold": _select,
}
