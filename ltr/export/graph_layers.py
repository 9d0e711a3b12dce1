"""Parts of ONNX graphs: scaling, z-scores within the list, layers, trees."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ltr.arguments import ArgumentError
from ltr.export.ensemble import ZERO, Ensemble, Tree, floor32
from ltr.export.graph import Graph
from ltr.export.linear import shortest
from ltr.queries import IntArray
from ltr.rankers.blend.normalization import ROUNDING as ROUNDING_OF_SCORES
from ltr.scorers import (
    AdapterScorer,
    LinearScorer,
    MLPScorer,
    Scorer,
    TwoTowerScorer,
    WideDeepScorer,
)

Weights = Mapping[str, NDArray[Any]]
_LENGTH = 1e-12  # added to squared lengths of embeddings


def scaled(graph: Graph, x: str, weights: Weights) -> str:
    """Features after ``preprocess``, in double precision."""
    x = graph.double(x)
    if "preprocess.mean" not in weights:
        return x
    is_log = weights["preprocess.log_features"]
    if is_log.any():
        one = graph.constant(1.0, np.float64)
        logs = graph.op("Log", graph.op("Add", graph.op("Abs", x), one))
        logs = graph.op("Mul", graph.op("Sign", x), logs)
        x = graph.op("Where", graph.constant(is_log, bool), logs, x)
    mean = graph.constant(weights["preprocess.mean"], np.float64)
    scale = graph.constant(weights["preprocess.scale"], np.float64)
    return graph.op("Div", graph.op("Sub", x, mean), scale)


def filled(graph: Graph, x: str, value: Any = 0.0) -> str:
    """NaN replaced by a number, or by one a column; in double precision."""
    return graph.op("Where", graph.op("IsNaN", x), graph.constant(value, np.float64), x)


def z_scores(graph: Graph, x: str, rounding: float) -> str:
    """Columns with mean 0 and deviation 1 over all rows, which are one list.

    In double precision. NaN stays; means and deviations leave it out. Columns are
    divided by their largest magnitude first, so that squares neither over- nor
    underflow, and a constant column becomes 0: one whose values differ by at most
    ``rounding`` times this magnitude.
    """
    zero, one = graph.constant(0.0, np.float64), graph.constant(1.0, np.float64)
    missing = graph.op("IsNaN", x)
    peak = _peak(graph, graph.op("Abs", filled(graph, x)))
    x = graph.op("Div", x, graph.op("Where", graph.op("Equal", peak, zero), one, peak))
    present = graph.op("Where", missing, zero, one)
    n_values = graph.op("Max", graph.total(present, 0, keepdims=True), one)
    total = graph.total(filled(graph, x), 0, keepdims=True)
    x = graph.op("Sub", x, graph.op("Div", total, n_values))
    is_constant = graph.op("Not", _has_spread(graph, x, rounding))
    squares = graph.op("Mul", filled(graph, x), filled(graph, x))
    variance = graph.op("Div", graph.total(squares, 0, keepdims=True), n_values)
    infinite = graph.constant(np.inf, np.float64)
    deviation = graph.op("Where", is_constant, infinite, graph.op("Sqrt", variance))
    return graph.op("Div", x, deviation)


def shares_of_range(graph: Graph, x: str) -> str:
    """(x − min) / (max − min) of each column over all rows, in double precision."""
    zero, one = graph.constant(0.0, np.float64), graph.constant(1.0, np.float64)
    peak = _peak(graph, graph.op("Abs", x))
    x = graph.op("Div", x, graph.op("Where", graph.op("Equal", peak, zero), one, peak))
    has_spread = _has_spread(graph, x, ROUNDING_OF_SCORES)
    low = _peak(graph, x, "ReduceMin")
    width = graph.op("Sub", _peak(graph, x), low)
    width = graph.op("Where", has_spread, width, graph.constant(np.inf, np.float64))
    return graph.op("Div", graph.op("Sub", x, low), width)


def _peak(graph: Graph, x: str, kind: str = "ReduceMax") -> str:
    """Largest value of each column, shape (1, n_columns)."""
    return graph.op(kind, x, graph.constant([0], np.int64), keepdims=1)


def _has_spread(graph: Graph, x: str, rounding: float) -> str:
    """Columns, of magnitude 1, whose values differ by more than rounding."""
    low = _peak(graph, filled(graph, x, np.inf), "ReduceMin")
    high = _peak(graph, filled(graph, x, -np.inf))
    spread = graph.op("Sub", high, low)
    return graph.op("Greater", spread, graph.constant(rounding, np.float64))


def scorer_scores(graph: Graph, scorer: Scorer, z: str, weights: Weights) -> str:
    """Scores of a scorer without a list, shape (rows,).

    Raises
    ------
    ArgumentError
        If the scorer is none of those that have a graph.
    """
    h = graph.single(z)
    if isinstance(scorer, LinearScorer):
        return _column(graph, _dense(graph, h, weights, ""))
    if isinstance(scorer, WideDeepScorer):
        wide = graph.op("MatMul", h, graph.constant(weights["wide"]))
        deep = _layers(graph, h, weights, "deep.")
        return _column(graph, graph.op("Add", deep, wide))
    if isinstance(scorer, MLPScorer):
        return _column(graph, _layers(graph, h, weights, "layers."))
    if isinstance(scorer, TwoTowerScorer):
        return _two_tower(graph, scorer, h, weights)
    if isinstance(scorer, AdapterScorer):
        return _adapter(graph, scorer, h, weights)
    reason = (
        "its scores depend on the padding and size of the list"
        if scorer.uses_list
        else "its module is a program of JAX"
    )
    raise ArgumentError(
        "scorer must be 'linear', 'mlp', 'wide_deep', 'two_tower' or 'adapter' for "
        f"export_onnx; got {type(scorer).__name__}: {reason}. Serve it with "
        "load_ranker, or export its weights_."
    )


def _dense(graph: Graph, h: str, weights: Weights, prefix: str) -> str:
    weight = graph.constant(weights[f"{prefix}weight"])
    product = graph.op("MatMul", h, weight)
    if f"{prefix}bias" not in weights:
        return product
    return graph.op("Add", product, graph.constant(weights[f"{prefix}bias"]))


def _layers(graph: Graph, h: str, weights: Weights, prefix: str) -> str:
    """Dense layers with rectifiers between them."""
    n_layers = sum(
        name.startswith(prefix) and name.endswith("weight") for name in weights
    )
    for i in range(n_layers):
        h = _dense(graph, h, weights, f"{prefix}{i}.")
        if i < n_layers - 1:
            h = graph.op("Relu", h)
    return h


def _column(graph: Graph, h: str) -> str:
    """(rows, 1) to (rows,)."""
    return graph.op("Squeeze", h, graph.constant([1], np.int64))


def _towers(graph: Graph, h: str, width: int) -> tuple[str, str]:
    """Query embedding, the first ``width`` columns, and item embedding, the others."""
    axis, end = graph.constant([1], np.int64), np.iinfo(np.int64).max
    bounds = [graph.constant([step], np.int64) for step in (0, width, end)]
    query = graph.op("Slice", h, bounds[0], bounds[1], axis)
    return query, graph.op("Slice", h, bounds[1], bounds[2], axis)


def _two_tower(graph: Graph, scorer: TwoTowerScorer, h: str, weights: Weights) -> str:
    query, item = _towers(graph, h, scorer.n_query_features)
    if scorer.similarity == "bilinear":
        return graph.single(_dot(graph, _tower(graph, query, weights["matrix"]), item))
    query = _tower(graph, query, weights["query"])
    item = _tower(graph, item, weights["item"])
    if scorer.similarity == "dot":
        return graph.single(_dot(graph, query, item))
    return graph.single(_cosine(graph, query, item, scorer.temperature))


def _adapter(graph: Graph, scorer: AdapterScorer, h: str, weights: Weights) -> str:
    query, item = _towers(graph, h, scorer.n_query_features)

    def product(value: str, name: str) -> str:
        return graph.op("MatMul", value, graph.constant(weights[name]))

    query_state, item_state = product(query, "query_down"), product(item, "item_down")
    hidden = item_state  # h_d + C h_q
    if scorer.connected:
        hidden = graph.op("Add", item_state, product(query_state, "link"))
    query = graph.op("Add", query, product(query_state, "query_up"))
    item = graph.op("Add", item, product(hidden, "item_up"))
    scores = _cosine(graph, query, item, scorer.temperature)
    if scorer.connected:
        head = _dot(graph, product(query_state, "head"), item_state)
        scores = graph.op("Add", scores, head)
    return graph.single(scores)


def _tower(graph: Graph, h: str, matrix: NDArray[Any]) -> str:
    """Multiply by I + ΔA if the matrix is square, by A if not."""
    is_square = matrix.shape[0] == matrix.shape[1]
    total = matrix + np.eye(len(matrix)) if is_square else matrix
    return graph.op("MatMul", h, graph.constant(total))


def _dot(graph: Graph, a: str, b: str) -> str:
    """Products of rows, in double precision, shape (rows,)."""
    return graph.total(graph.op("Mul", graph.double(a), graph.double(b)), 1)


def _cosine(graph: Graph, query: str, item: str, temperature: float) -> str:
    lengths = []
    for vectors in (query, item):
        squares = _dot(graph, vectors, vectors)
        safe = graph.op("Add", squares, graph.constant(_LENGTH, np.float64))
        lengths.append(graph.op("Sqrt", safe))
    product = graph.op("Mul", *lengths)
    product = graph.op("Mul", product, graph.constant(temperature, np.float64))
    return graph.op("Div", _dot(graph, query, item), product)


def tree_scores(graph: Graph, x: str, ensemble: Ensemble) -> str:
    """Sum of the leaves, shape (rows,).

    The operator compares numbers only. A set of categories becomes a further column
    that is 1 where the category is in the set; where 0 is a missing value, 0 becomes
    NaN.
    """
    is_missing = ensemble.zero_is_missing()
    if is_missing.any():
        near_zero = graph.op("LessOrEqual", graph.op("Abs", x), graph.constant(ZERO))
        near_zero = graph.op("And", near_zero, graph.constant(is_missing, bool))
        x = graph.op("Where", near_zero, graph.constant(np.nan), x)
    x, members = _memberships(graph, x, ensemble)
    is_single = graph.dtype == np.float32
    table: dict[str, Any] = {}
    for number, tree in enumerate(ensemble.trees):
        for row in _rows(tree, number, members, is_single):
            for name, value in row.items():
                table.setdefault(name, []).append(value)
    if is_single:
        shortest(table["target_weights"])  # raises if one is out of range
    else:  # attributes of doubles are tensors
        for name in ("nodes_values", "target_weights"):
            values = np.asarray(table.pop(name), dtype=np.float64)
            tensor = graph.onnx.numpy_helper.from_array(values, name)
            table[f"{name}_as_tensor"] = tensor
    scores = graph.op(
        "TreeEnsembleRegressor",
        x,
        domain="ai.onnx.ml",
        n_targets=1,
        aggregate_function="SUM",
        post_transform="NONE",
        **table,
    )
    return _column(graph, graph.cast(scores, graph.dtype))


def _memberships(
    graph: Graph, x: str, ensemble: Ensemble
) -> tuple[str, dict[tuple[int, bytes], int]]:
    """Features and a further column for each set of categories; where these are."""
    sets: dict[int, dict[bytes, IntArray]] = {}
    for tree in ensemble.trees:
        for feature, codes in zip(tree.feature.tolist(), tree.sets, strict=True):
            if codes is not None:
                sets.setdefault(feature, {})[codes.tobytes()] = codes
    parts = [x]
    columns: dict[tuple[int, bytes], int] = {}
    for feature, of_feature in sets.items():
        n_codes = 1 + max(int(codes.max(initial=0)) for codes in of_feature.values())
        table = np.zeros((n_codes + 1, len(of_feature)))  # the last row: no category
        for i, (key, codes) in enumerate(of_feature.items()):
            columns[feature, key] = ensemble.n_features + len(columns)
            table[codes, i] = 1.0
        column = graph.op("Gather", x, graph.constant(feature, np.int64), axis=1)
        limit = graph.constant(n_codes)
        is_code = graph.op(
            "And",
            graph.op("GreaterOrEqual", column, graph.constant(0.0)),
            graph.op("Less", column, limit),
        )  # False for NaN
        codes_of_rows = graph.cast(graph.op("Where", is_code, column, limit), np.int64)
        parts.append(graph.op("Gather", graph.constant(table), codes_of_rows, axis=0))
    return (graph.op("Concat", *parts, axis=1) if columns else x), columns


def _rows(
    tree: Tree,
    number: int,
    members: dict[tuple[int, bytes], int],
    is_single: bool,
) -> list[dict[str, Any]]:
    """Attributes of the operator, node by node, then leaf by leaf."""
    rows: list[dict[str, Any]] = []
    n_nodes = len(tree.feature)
    children = tree.children.tolist()
    nan_left = tree.nan_left.tolist()
    thresholds = tree.threshold.tolist()
    if is_single:
        thresholds = floor32(tree.threshold).tolist()
    for i, codes in enumerate(tree.sets):
        feature, threshold = int(tree.feature[i]), thresholds[i]
        yes, no = children[i]
        if codes is not None:  # not in the set if the column is ≤ 0.5
            feature, threshold = members[feature, codes.tobytes()], 0.5
            yes, no = no, yes
        rows.append(
            _row(number, i, "BRANCH_LEQ")
            | {
                "nodes_featureids": feature,
                "nodes_values": threshold,
                "nodes_truenodeids": yes,
                "nodes_falsenodeids": no,
                "nodes_missing_value_tracks_true": int(nan_left[i]),
            }
        )
    for i, value in enumerate(tree.value.tolist()):
        rows.append(
            _row(number, n_nodes + i, "LEAF")
            | {
                "target_treeids": number,
                "target_nodeids": n_nodes + i,
                "target_ids": 0,
                "target_weights": value,
            }
        )
    return rows


def _row(number: int, node: int, mode: str) -> dict[str, Any]:
    return {
        "nodes_treeids": number,
        "nodes_nodeids": node,
        "nodes_modes": mode,
        "nodes_featureids": 0,
        "nodes_values": 0.0,
        "nodes_truenodeids": 0,
        "nodes_falsenodeids": 0,
        "nodes_missing_value_tracks_true": 0,
    }
