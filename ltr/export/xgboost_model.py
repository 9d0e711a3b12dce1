"""Trees in the JSON formats of XGBoost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from ltr.arguments import check_choice
from ltr.export.ensemble import (
    Ensemble,
    Tree,
    above32,
    check_depth,
    check_no_sets,
    check_order_of_zero,
    read_ensemble,
)
from ltr.export.json_file import write_json
from ltr.export.linear import shortest
from ltr.export.names import feature_names
from ltr.files import PathLike
from ltr.rankers import LambdaMARTRanker

DEEPEST = 400  # JSON readers stop at 1000 levels, two of which are a level of the tree
_NO_PARENT = 2**31 - 1


def export_xgboost_json(
    ranker: LambdaMARTRanker,
    path: PathLike,
    *,
    features: Sequence[str] | None = None,
    form: Literal["plugin", "model"] = "plugin",
) -> None:
    """Write trees as JSON of XGBoost, for search engines or for XGBoost itself.

    Parameters
    ----------
    ranker : LambdaMARTRanker
        Fitted.
    path : path-like
        File to write.
    features : sequence of str, default=None
        Names of the columns. None: those of ``fit``, else ``f0``, ``f1``, ….
    form : {"plugin", "model"}, default="plugin"
        ``"plugin"``: nested nodes, the ``model/xgboost+json`` of the learning-to-rank
        plugins of Elasticsearch and OpenSearch. ``"model"``: what
        ``xgboost.Booster(model_file=path)`` loads, and the
        ``model/xgboost+json+raw`` of newer plugins.

    Raises
    ------
    ValueError
        If the trees split categories (``"plugin"``), a tree is deeper than 400
        (``"plugin"``), or 0 is a missing value that goes another way than the numbers
        beside it; see :func:`export_onnx` for these.

    Notes
    -----
    XGBoost sends x left if x < c, in single precision, LightGBM if x ≤ t, in double
    precision; c is the smallest number in single precision that is > t. So every row of
    float32 features reaches the same leaf. Leaf values are rounded to single precision,
    in which both readers add them.

    ``"missing"`` says where NaN goes. Early versions of the plugins ignore it: there a
    document without a feature has the value 0.

    Categories are written as codes in form ``"model"``; make the ``DMatrix`` with
    feature type ``"c"`` for these columns, with codes as ``predict`` finds them and
    NaN for a category that ``fit`` did not see.

    Examples
    --------
    >>> import json, tempfile
    >>> from ltr import LambdaMARTRanker
    >>> from ltr.datasets import make_ranking
    >>> data = make_ranking(20, random_state=0)
    >>> ranker = LambdaMARTRanker(n_estimators=2, num_leaves=3, n_jobs=1)
    >>> _ = ranker.fit(data.X, data.y, data.qid)
    >>> path = tempfile.mkdtemp() + "/model.json"
    >>> export_xgboost_json(ranker, path)
    >>> with open(path) as file:
    ...     first, second = json.load(file)
    >>> sorted(first)[:4]
    ['children', 'depth', 'missing', 'no']
    """
    check_choice("form", form, ("plugin", "model"))
    names = feature_names(ranker, features)
    caller = "export_xgboost_json"
    ensemble = read_ensemble(ranker, caller)
    check_order_of_zero(ensemble, caller)
    document: Any
    if form == "plugin":
        check_no_sets(
            ensemble,
            f"{caller} with form='plugin'",
            "Fit on 0/1 columns instead of categories, or use form='model' or "
            "export_onnx.",
        )
        check_depth(ensemble, f"{caller} with form='plugin'", DEEPEST)
        document = [_nested(tree, names) for tree in ensemble.trees]
    else:
        document = _model(ensemble, names)
    write_json(path, document)


def _nested(tree: Tree, names: list[str]) -> dict[str, Any]:
    """The root of a tree, with its descendants as ``children``."""
    n_nodes = len(tree.feature)
    leaves = [
        {"nodeid": n_nodes + i, "leaf": value}
        for i, value in enumerate(shortest(tree.value))
    ]
    if not n_nodes:
        return leaves[0]
    thresholds, nan_left = shortest(above32(tree.threshold)), tree.nan_left
    depths = tree.depths
    entries: list[dict[str, Any]] = [*({} for _ in range(n_nodes)), *leaves]
    for node, (yes, no) in enumerate(tree.children.tolist()):
        entries[node] |= {
            "nodeid": node,
            "depth": int(depths[node]),
            "split": names[tree.feature[node]],
            "split_condition": thresholds[node],
            "yes": yes,
            "no": no,
            "missing": yes if nan_left[node] else no,
            "children": [entries[yes], entries[no]],
        }
    return entries[0]


def _model(ensemble: Ensemble, names: list[str]) -> dict[str, Any]:
    """The document of ``Booster.save_model``."""
    n_trees, n_features = len(ensemble.trees), ensemble.n_features
    kinds = ["float"] * n_features
    for tree in ensemble.trees:
        for feature in tree.feature[tree.is_set]:
            kinds[feature] = "c"
    trees = [_arrays(tree, i, n_features) for i, tree in enumerate(ensemble.trees)]
    return {
        "version": [2, 0, 0],
        "learner": {
            "attributes": {},
            "feature_names": names,
            "feature_types": kinds,
            "gradient_booster": {
                "name": "gbtree",
                "model": {
                    "gbtree_model_param": {
                        "num_parallel_tree": "1",
                        "num_trees": str(n_trees),
                    },
                    "iteration_indptr": list(range(n_trees + 1)),
                    "tree_info": [0] * n_trees,
                    "trees": trees,
                },
            },
            "learner_model_param": {
                "base_score": "0E0",
                "boost_from_average": "0",
                "num_class": "0",
                "num_feature": str(n_features),
                "num_target": "1",
            },
            "objective": {"name": "rank:pairwise", "lambdarank_param": {}},
        },
    }


def _arrays(tree: Tree, number: int, n_features: int) -> dict[str, Any]:
    """A tree as arrays, a level after the other.

    The right child follows the left one: XGBoost adds 1 to the left child of a node to
    go right.
    """
    n_nodes, n_leaves = len(tree.feature), len(tree.value)
    is_set = tree.is_set
    left, right = tree.children.T
    # XGBoost sends the categories of a set to the right, all others and NaN to the left
    left, right = np.where(is_set, right, left), np.where(is_set, left, right)
    order = [0]  # of the nodes, then the leaves: by level, siblings together
    for entry in order:
        if entry < n_nodes:
            order += [int(left[entry]), int(right[entry])]
    place = np.argsort(order)  # of an entry in the file
    parents = np.full(n_nodes + n_leaves, _NO_PARENT)
    for side in (left, right):
        parents[place[side]] = place[:n_nodes]
    thresholds = above32(np.where(is_set, 0.0, tree.threshold))
    split_nodes = [node for node in order if node < n_nodes and is_set[node]]
    sets = [tree.sets[node] for node in split_nodes]
    codes = [code for of_node in sets if of_node is not None for code in of_node]
    sizes = [0 if of_node is None else len(of_node) for of_node in sets]

    def by_place(of_nodes: Any, of_leaves: Any) -> list[Any]:
        filled = np.broadcast_to(of_leaves, n_leaves)
        return np.concatenate([of_nodes, filled])[order].tolist()

    leaf_values = np.asarray(shortest(tree.value))
    return {
        "id": number,
        "tree_param": {
            "num_deleted": "0",
            "num_feature": str(n_features),
            "num_nodes": str(n_nodes + n_leaves),
            "size_leaf_vector": "1",
        },
        "left_children": by_place(place[left], -1),
        "right_children": by_place(place[right], -1),
        "parents": parents.tolist(),
        "split_indices": by_place(tree.feature, 0),
        "split_conditions": by_place(shortest(thresholds), leaf_values),
        "split_type": by_place(is_set.astype(int), 0),
        "default_left": by_place((tree.nan_left | is_set).astype(int), 0),
        "base_weights": by_place(np.zeros(n_nodes), leaf_values),
        "loss_changes": [0.0] * len(order),
        "sum_hessian": [0.0] * len(order),
        "categories": [int(code) for code in codes],
        "categories_nodes": place[split_nodes].tolist(),
        "categories_segments": np.cumsum([0, *sizes])[:-1].tolist(),
        "categories_sizes": sizes,
    }
