"""Trees and linear models as models of Solr."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ltr.arguments import check_choice
from ltr.export.ensemble import Tree, check_depth, floor32, read_ensemble
from ltr.export.json_file import write_json
from ltr.export.linear import is_linear, shortest, single_weights
from ltr.export.missing import check_numbers_only
from ltr.export.names import feature_names
from ltr.export.xgboost_model import DEEPEST
from ltr.files import PathLike

_SLACK = np.float32(1e-6)  # which Solr adds to each threshold, in single precision


def export_solr(
    ranker: Any,
    path: PathLike,
    *,
    name: str = "ranker",
    features: Sequence[str] | None = None,
    store: str | None = None,
    missing: Literal["error", "zero"] = "error",
) -> None:
    """Write a ranker as a model for the ``model-store`` of Solr.

    Parameters
    ----------
    ranker : LambdaMARTRanker, LinearRanker, or NeuralRanker with ``scorer="linear"``
        Fitted. It becomes a ``MultipleAdditiveTreesModel`` or a ``LinearModel``.
    path : path-like
        File to write.
    name : str, default="ranker"
        Name of the model.
    features : sequence of str, default=None
        Names of the columns. None: those of ``fit``, else ``f0``, ``f1``, ….
    store : str, default=None
        Feature store of the features. None: Solr's default.
    missing : {"error", "zero"}, default="error"
        As in :func:`export_ranklib`: a feature without a value is 0 in Solr.

    Raises
    ------
    ValueError
        As in :func:`export_ranklib`, or if a tree is deeper than 400.

    Notes
    -----
    Solr compares x ≤ t + 1e-6 in single precision. A threshold is written so that this
    sum is the largest number in single precision that is not above LightGBM's. Where
    there is none, for thresholds below 1e-6 in magnitude, the sum is the next smaller
    one that there is, at most 6e-14 below: LightGBM puts thresholds there only next to
    values that are nearly 0.

    A ``LinearModel`` has no constant, and no other model has one after scaling is
    folded in: its scores are those of ``predict`` up to the same number for all items,
    which changes no order.

    Examples
    --------
    >>> import json, tempfile
    >>> from ltr import LinearRanker
    >>> ranker = LinearRanker(preprocess=None)
    >>> _ = ranker.fit([[1.0], [0.0]], [1, 0])
    >>> path = tempfile.mkdtemp() + "/model.json"
    >>> export_solr(ranker, path, features=["price"])
    >>> with open(path) as file:
    ...     json.load(file)["class"]
    'org.apache.solr.ltr.model.LinearModel'
    """
    check_choice("missing", missing, ("error", "zero"))
    caller = "export_solr"
    names = feature_names(ranker, features)
    params: dict[str, Any]
    if is_linear(ranker):
        kind = "LinearModel"
        weights = single_weights(ranker, names, caller)
        params = {"weights": weights}
    else:
        kind = "MultipleAdditiveTreesModel"
        ensemble = read_ensemble(ranker, caller)
        check_numbers_only(ensemble, caller, missing)
        check_depth(ensemble, caller, DEEPEST)
        trees = [{"weight": "1", "root": _root(t, names)} for t in ensemble.trees]
        params = {"trees": trees}
    document = {
        "class": f"org.apache.solr.ltr.model.{kind}",
        "name": name,
        **({} if store is None else {"store": store}),
        "features": [{"name": feature} for feature in names],
        "params": params,
    }
    write_json(path, document, indent=1)


def _root(tree: Tree, names: list[str]) -> dict[str, Any]:
    """The root of a tree, with its children; Solr takes numbers as text."""
    leaves = [{"value": str(value)} for value in shortest(tree.value)]
    nodes: list[dict[str, Any]] = [{} for _ in tree.feature]
    thresholds = shortest(_without_slack(floor32(tree.threshold)))
    for i, threshold in enumerate(thresholds):
        left, right = (
            nodes[child] if child >= 0 else leaves[-child - 1]
            for child in (int(tree.left[i]), int(tree.right[i]))
        )
        nodes[i] |= {
            "feature": names[tree.feature[i]],
            "threshold": str(threshold),
            "left": left,
            "right": right,
        }
    return nodes[0] if nodes else leaves[0]


def _without_slack(targets: NDArray[np.float32]) -> NDArray[np.float32]:
    """Numbers u with fl(u + slack) = target, or the next smaller sum that there is.

    The sum grows with u, and u = target − slack is off by rounding only: it is raised
    while the sum stays at or below the target, after being lowered until it is.
    """
    with np.errstate(over="ignore"):
        u = targets - _SLACK
        for _ in range(4):
            below = np.nextafter(u, np.float32(-np.inf))
            u = np.where(u + _SLACK > targets, below, u)
        for _ in range(4):
            above = np.nextafter(u, np.float32(np.inf))
            u = np.where(above + _SLACK <= targets, above, u)
    return u
