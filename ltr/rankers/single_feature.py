"""A feature as the score: what SingleFeatureRanker predicts."""

from __future__ import annotations

from typing import Any

import numpy as np

from ltr.queries import FloatArray
from ltr.rankers.features import TEXT_CURE, category_columns, values_without


def numbers_of(frame: Any) -> FloatArray:
    """Values of a DataFrame, NaN in columns of category dtype."""
    return values_without(frame, category_columns(frame), TEXT_CURE)


def single_feature_scores(features: Any, feature: int, direction: int) -> FloatArray:
    """A feature with its sign; −inf where it is missing."""
    column = features[:, [feature]]
    if not isinstance(column, np.ndarray):
        column = column.toarray()
    scores = direction * column[:, 0].astype(np.float64)
    return np.where(np.isnan(scores), -np.inf, scores)
