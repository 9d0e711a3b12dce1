"""ONNX graphs, built operator by operator."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

OPSET, OPSET_ML, IR_VERSION = 18, 3, 8


class Graph:
    """Operators and constants of a graph under construction.

    Values are names. Rows are computed in the type of ``dtype``, except for what
    :meth:`double` makes of it.

    Parameters
    ----------
    dtype : {"float32", "float64"}
        Type of the input, of the scores and of the numbers between.
    """

    def __init__(self, dtype: str) -> None:
        import onnx

        self.onnx = onnx
        self.dtype = np.dtype(dtype)
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def op(self, kind: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        """Add an operator; return the name of its output."""
        output = f"{kind.lower()}_{len(self.nodes)}"
        node = self.onnx.helper.make_node(
            kind, list(inputs), [output], domain=domain, **attributes
        )
        self.nodes.append(node)
        return output

    def constant(self, values: ArrayLike, dtype: Any = None) -> str:
        """Add an array; return its name."""
        name = f"constant_{len(self.constants)}"
        array = np.ascontiguousarray(values, dtype=dtype or self.dtype)
        array = array.reshape(np.shape(values))
        self.constants.append(self.onnx.numpy_helper.from_array(array, name))
        return name

    def cast(self, value: str, dtype: Any) -> str:
        """Convert to another type."""
        kind = self.onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        return self.op("Cast", value, to=kind)

    def double(self, value: str) -> str:
        """Convert to double precision."""
        return value if self.dtype == np.float64 else self.cast(value, np.float64)

    def single(self, value: str) -> str:
        """Convert from double precision to the type of the graph."""
        return value if self.dtype == np.float64 else self.cast(value, self.dtype)

    def columns(self, value: str, columns: ArrayLike) -> str:
        """Some columns of a matrix."""
        return self.op("Gather", value, self.constant(columns, np.int64), axis=1)

    def total(self, value: str, axis: int, *, keepdims: bool = False) -> str:
        """Sum over an axis."""
        axes = self.constant([axis], np.int64)
        return self.op("ReduceSum", value, axes, keepdims=int(keepdims))

    def model(self, scores: str, n_features: int, notes: dict[str, str]) -> Any:
        """The checked model, from ``X`` of shape (rows, n_features) to ``scores``."""
        helper = self.onnx.helper
        kind = helper.np_dtype_to_tensor_dtype(self.dtype)
        # a name of its own for the output, whatever the last operator is
        self.nodes.append(helper.make_node("Identity", [scores], ["scores"]))
        graph = helper.make_graph(
            self.nodes,
            "ranker",
            [helper.make_tensor_value_info("X", kind, ["rows", n_features])],
            [helper.make_tensor_value_info("scores", kind, ["rows"])],
            self.constants,
        )
        opsets = [helper.make_opsetid("", OPSET)]
        if any(node.domain for node in self.nodes):
            opsets.append(helper.make_opsetid("ai.onnx.ml", OPSET_ML))
        model = helper.make_model(
            graph,
            opset_imports=opsets,
            ir_version=IR_VERSION,
            producer_name="ltr",
            producer_version=notes["ltr_version"],
        )
        helper.set_model_props(model, notes)
        self.onnx.checker.check_model(model, full_check=True)
        return model
