"""Names of features in the files of search engines."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sklearn.utils.validation import check_is_fitted

from ltr.arguments import ArgumentError


def feature_names(ranker: Any, features: Sequence[str] | None) -> list[str]:
    """The names that are passed, else those of ``fit``, else ``f0``, ``f1``, ….

    Raises
    ------
    ArgumentError
        If they are not as many distinct strings as the ranker has features.
    """
    check_is_fitted(ranker)
    n_features = int(ranker.n_features_in_)
    if features is None:
        names = getattr(ranker, "feature_names_in_", None)
        if names is None:
            return [f"f{i}" for i in range(n_features)]
        return [str(name) for name in names]
    is_text = isinstance(features, Collection) and not isinstance(features, (str, set))
    is_text = is_text and all(isinstance(name, str) and name for name in features)
    if not is_text or len(set(features)) != n_features or len(features) != n_features:
        raise ArgumentError(
            f"features must be {n_features} distinct names, one for each column of X; "
            f"got {features!r:.100}."
        )
    return list(features)
