"""Rankers of other libraries, in their own classes, for comparisons."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator

from ltr.arguments import check_choice
from ltr.queries import FloatArray, group_queries
from ltr.rankers.trees.parameters import GOOD_SETTINGS

_CLASSES = {
    "lightgbm": "LGBMRanker",
    "xgboost": "XGBRanker",
    "catboost": "CatBoostRanker",
}
# What is fixed besides the setting: silence, and a seed that is used.
_FIXED: dict[str, dict[str, Any]] = {
    "lightgbm": {"verbose": -1},
    "xgboost": {"verbosity": 0},
    "catboost": {"verbose": 0, "allow_writing_files": False},
}
# 400 rounds at rate 0.05, small trees with large leaves, a part of rows and features
_GOOD: dict[str, dict[str, Any]] = {
    "lightgbm": GOOD_SETTINGS,
    "xgboost": {
        "n_estimators": 400,
        "learning_rate": 0.05,
        "max_depth": 0,
        "max_leaves": 15,
        "grow_policy": "lossguide",
        "min_child_weight": 1.0,
        "colsample_bytree": 0.7,
        "subsample": 0.8,
        "lambdarank_pair_method": "mean",
    },
    "catboost": {
        "loss_function": "QueryRMSE",
        "iterations": 400,
        "learning_rate": 0.05,
        "depth": 6,
    },
}
_THREADS = {"lightgbm": "n_jobs", "xgboost": "n_jobs", "catboost": "thread_count"}
_SEEDS = {name: "random_state" for name in ("lightgbm", "xgboost")}
_SEEDS["catboost"] = "random_seed"
PEERS = tuple(_CLASSES)
SETTINGS = ("default", "good")


class PeerRanker(BaseEstimator):
    """``LGBMRanker``, ``XGBRanker`` or ``CatBoostRanker``, with a ``qid`` per row.

    Parameters
    ----------
    library : {"lightgbm", "xgboost", "catboost"}
        The library, which must be installed.
    setting : {"default", "good"}, default="default"
        The library's own defaults; or 400 trees at rate 0.05: LightGBM and XGBoost with
        15 leaves, .7 of the features and .8 of the rows for each tree (LightGBM with at
        least 50 rows a leaf, XGBoost with pairs drawn from the whole list), CatBoost
        with the loss QueryRMSE.
    n_jobs : int, default=None
        Threads. None: the default of the library.
    random_state : int, default=None
        Seed.

    Attributes
    ----------
    ranker_ : estimator
        The fitted ranker of the library.

    Examples
    --------
    >>> PeerRanker("lightgbm", "good")
    PeerRanker(library='lightgbm', setting='good')
    """

    def __init__(
        self,
        library: str,
        setting: str = "default",
        *,
        n_jobs: int | None = None,
        random_state: int | None = None,
    ) -> None:
        self.library = library
        self.setting = setting
        self.n_jobs = n_jobs
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: ArrayLike, qid: ArrayLike) -> PeerRanker:
        """Fit the library's ranker on the rows, list by list.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features.
        y : array-like of shape (n_samples,)
            Labels that the library takes.
        qid : array-like of shape (n_samples,)
            Query of each row, in any order.

        Returns
        -------
        self : PeerRanker

        Raises
        ------
        ValueError
            If the library is not installed, or refuses the data.
        """
        check_choice("library", self.library, PEERS)
        check_choice("setting", self.setting, SETTINGS)
        options = dict(_FIXED[self.library])
        if self.setting == "good":
            options |= _GOOD[self.library]
        if self.n_jobs is not None:
            options[_THREADS[self.library]] = self.n_jobs
        if self.random_state is not None:
            options[_SEEDS[self.library]] = self.random_state
        ranker = _class_of(self.library)(**options)
        labels = np.asarray(y)
        queries = group_queries(qid, len(labels))
        order = queries.order
        rows, labels, codes = np.asarray(X)[order], labels[order], queries.codes[order]
        if self.library == "lightgbm":
            ranker.fit(rows, labels, group=queries.sizes)
        elif self.library == "xgboost":
            ranker.fit(rows, labels, qid=codes)
        else:
            ranker.fit(rows, labels, group_id=codes)
        self.ranker_ = ranker
        return self

    def predict(self, X: ArrayLike, qid: ArrayLike | None = None) -> FloatArray:
        """Score items.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features.
        qid : array-like of shape (n_samples,), default=None
            Not used: trees score each row by itself.

        Returns
        -------
        scores : float array of shape (n_samples,)
        """
        return np.asarray(self.ranker_.predict(np.asarray(X)), dtype=np.float64)


def _class_of(library: str) -> Any:
    """The class of rankers of a library; an error if it is not installed."""
    try:
        return getattr(import_module(library), _CLASSES[library])
    except ImportError as error:
        raise ValueError(
            f"{library} must be installed to be compared with; it is not. Run `pip "
            f"install {library}`, or leave it out."
        ) from error
