"""Rankers as ONNX models."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ltr.arguments import ArgumentError, check_choice, check_flag
from ltr.export.ensemble import read_ensemble
from ltr.export.graph import Graph
from ltr.export.graph_layers import (
    filled,
    scaled,
    scorer_scores,
    shares_of_range,
    tree_scores,
    z_scores,
)
from ltr.files import PathLike, check_target, whole_file
from ltr.rankers import (
    LambdaMARTRanker,
    LinearRanker,
    NeuralRanker,
    RandomRanker,
    SingleFeatureRanker,
    StackingRanker,
)
from ltr.rankers.blend.members import BlendRanker
from ltr.rankers.blend.normalization import ROUNDING as ROUNDING_OF_SCORES
from ltr.rankers.blend.numeric import NumericRanker
from ltr.within_lists import ROUNDING as ROUNDING_OF_FEATURES


def export_onnx(
    ranker: Any,
    path: PathLike,
    *,
    dtype: Literal["float32", "float64"] = "float32",
    one_list: bool = False,
) -> None:
    """Write a ranker as an ONNX model, preprocessing included.

    The model has one input ``X`` of shape (rows, n_features), any number of rows, and
    one output ``scores`` of shape (rows,).

    Parameters
    ----------
    ranker : fitted ranker
        ``LinearRanker``; ``NeuralRanker`` with ``"linear"``, ``"mlp"``,
        ``"wide_deep"``, ``"two_tower"`` or ``"adapter"``; ``LambdaMARTRanker``;
        ``SingleFeatureRanker``, ``RandomRanker``; and blends of these: ``AutoRanker``,
        ``VotingRanker``, ``StackingRanker``.
    path : path-like
        File to write, such as ``"ranker.onnx"``.
    dtype : {"float32", "float64"}, default="float32"
        Type of ``X`` and ``scores``.
    one_list : bool, default=False
        Whether the rows of a call are the items of one query. Rankers that compare the
        items of a list need it: blends, and ``preprocess="query"``.

    Raises
    ------
    ValueError
        If the ranker has no such form; the message says why.
    ImportError
        If ``onnx`` is not installed.

    Notes
    -----
    Operators are those of opset 18 and, for trees, of ``ai.onnx.ml`` 3; the file is of
    IR version 8.

    With ``"float32"``, features are scaled in double precision and layers are evaluated
    in single precision: scores agree with ``predict`` of the same float32 features to
    about 1e-6 of their magnitude. Trees send each such row to the same leaf as
    LightGBM does: a threshold t in double precision becomes the largest number in
    single precision that is ≤ t. Rows that are rounded to float32 on their way in may
    cross a threshold that lies between the two numbers; ``"float64"`` compares as
    LightGBM does, but leaves are still added in single precision by some runtimes.

    A column of categories takes the codes that ``predict`` finds: the index of a
    category in the dtype of the column in ``fit``, NaN or −1 if it is missing or new.
    NaN goes where LightGBM sends it. ``LinearRanker`` counts it as the mean;
    ``NeuralRanker`` refuses it in ``predict``, while here the score becomes NaN.

    Examples
    --------
    >>> import tempfile, onnxruntime
    >>> import numpy as np
    >>> from ltr import LinearRanker
    >>> from ltr.datasets import make_ranking
    >>> data = make_ranking(20, random_state=0)
    >>> ranker = LinearRanker(preprocess="standard").fit(data.X, data.y, data.qid)
    >>> path = tempfile.mkdtemp() + "/ranker.onnx"
    >>> export_onnx(ranker, path)
    >>> session = onnxruntime.InferenceSession(path)
    >>> X = data.X.astype("float32")
    >>> (scores,) = session.run(["scores"], {"X": X})
    >>> bool(abs(scores - ranker.predict(X)).max() < 1e-5)
    True
    """
    check_choice("dtype", dtype, ("float32", "float64"))
    check_flag("one_list", one_list)
    _check_onnx()
    check_is_fitted(ranker)
    if not one_list and _needs_one_list(ranker):
        raise ArgumentError(
            f"one_list must be True for this {type(ranker).__name__}: it compares the "
            "items of a list, and an ONNX model does not know which rows belong "
            "together. Pass one_list=True, and run the model on one query at a time."
        )
    check_target(path)
    graph = Graph(dtype)
    scores = _scores(graph, ranker, "X")
    notes = {
        "ltr_version": version("ltr"),
        "ranker": type(ranker).__name__,
        "rows": "the items of one list" if one_list else "any rows",
    }
    model = graph.model(scores, int(ranker.n_features_in_), notes)
    with whole_file(Path(path)) as scratch:
        scratch.write_bytes(model.SerializeToString())


def _check_onnx() -> None:
    try:
        import onnx  # noqa: F401
    except ImportError as error:
        raise ImportError(
            "export_onnx needs onnx, which is not installed. Install it with "
            "pip install 'ltr[onnx]'."
        ) from error


def _needs_one_list(ranker: Any) -> bool:
    """Whether scores depend on the other rows."""
    if isinstance(ranker, BlendRanker):
        return True
    if isinstance(ranker, NumericRanker):
        return _needs_one_list(ranker.ranker_)
    return bool(getattr(ranker, "scales_within_lists_", False))


def _scores(graph: Graph, ranker: Any, x: str) -> str:
    """Scores of a ranker, in the type of the graph, shape (rows,)."""
    if isinstance(ranker, BlendRanker):
        return _blend_scores(graph, ranker, x)
    if isinstance(ranker, NumericRanker):
        x = graph.double(graph.columns(x, ranker.columns_))
        x = graph.single(filled(graph, x, ranker.medians_))
        return _scores(graph, ranker.ranker_, x)
    if isinstance(ranker, LambdaMARTRanker):
        ensemble = read_ensemble(ranker, "export_onnx")
        return tree_scores(graph, x, ensemble) if ensemble.trees else _zeros(graph, x)
    if isinstance(ranker, RandomRanker):
        return _zeros(graph, x)
    if isinstance(ranker, SingleFeatureRanker):
        return _single_feature(graph, ranker, x)
    if isinstance(ranker, LinearRanker):
        z = filled(graph, _features(graph, ranker, x))
        weight = graph.constant(ranker.coef_, np.float64)
        return graph.single(graph.op("MatMul", z, weight))
    if isinstance(ranker, NeuralRanker):
        z = _features(graph, ranker, x)
        return scorer_scores(graph, ranker.make_scorer(), z, ranker.weights_)
    raise ArgumentError(
        "ranker must be one that scores items by their features for export_onnx; got "
        f"{type(ranker).__name__}. Serve it with load_ranker."
    )


def _features(graph: Graph, ranker: Any, x: str) -> str:
    """Scaled features of a linear or neural ranker, in double precision."""
    if ranker.scales_within_lists_:
        return z_scores(graph, graph.double(x), ROUNDING_OF_FEATURES)
    return scaled(graph, x, ranker.weights_)


def _blend_scores(graph: Graph, ranker: Any, x: str) -> str:
    """Normalized scores of the members, blended; members in double precision."""
    single, graph.dtype = graph.dtype, np.dtype(np.float64)
    if single != graph.dtype:
        x = graph.cast(x, np.float64)
    axis = graph.constant([1], np.int64)
    columns = [
        graph.op("Unsqueeze", _scores(graph, member, x), axis)
        for member in ranker.rankers_
    ]
    members = graph.op("Concat", *columns, axis=1)  # (rows, n_members)
    how = getattr(ranker, "normalize", "zscore")
    if how == "zscore":
        members = z_scores(graph, members, ROUNDING_OF_SCORES)
    elif how == "minmax":
        members = shares_of_range(graph, members)
    else:
        raise ArgumentError(
            "normalize must be 'zscore' or 'minmax' for export_onnx; got 'rank': no "
            "operator of ONNX gives the ranks of ties. Refit with normalize='zscore'."
        )
    if isinstance(ranker, StackingRanker):
        scores = _scores(graph, ranker.final_ranker_, members)
    else:
        scores = graph.op("MatMul", members, graph.constant(ranker.weights_))
    graph.dtype = single
    return scores if single == np.float64 else graph.cast(scores, single)


def _single_feature(graph: Graph, ranker: SingleFeatureRanker, x: str) -> str:
    """A column with its sign; −inf where it is missing."""
    column = graph.op("Gather", x, graph.constant(ranker.feature_, np.int64), axis=1)
    signed = graph.op("Mul", column, graph.constant(float(ranker.direction_)))
    missing = graph.op("IsNaN", signed)
    return graph.op("Where", missing, graph.constant(-np.inf), signed)


def _zeros(graph: Graph, x: str) -> str:
    n_rows = graph.op("Shape", x, start=0, end=1)
    zero = graph.onnx.numpy_helper.from_array(np.zeros(1, dtype=graph.dtype))
    return graph.op("ConstantOfShape", n_rows, value=zero)
