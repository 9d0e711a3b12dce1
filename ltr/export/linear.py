"""Linear rankers as weights of the raw features."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ltr.arguments import ArgumentError
from ltr.export.names import feature_names
from ltr.queries import FloatArray
from ltr.rankers import LinearRanker, NeuralRanker

_SINGLE = np.finfo(np.float32)


class RawWeights(NamedTuple):
    """score = weight · x + constant, of features as they come.

    Attributes
    ----------
    weight : float array of shape (n_features,)
        Weights.
    constant : float
        The same for all items: it changes no order.
    """

    weight: FloatArray
    constant: float


def is_linear(ranker: Any) -> bool:
    """Whether the ranker is one that :func:`raw_weights` may take."""
    return isinstance(ranker, LinearRanker) or (
        isinstance(ranker, NeuralRanker) and ranker.make_scorer().is_linear
    )


def raw_weights(ranker: Any, caller: str) -> RawWeights:
    """Weights of the raw features, with the scaling folded in.

    w · (x − mean) / scale + b is (w / scale) · x + (b − w · mean / scale).

    Parameters
    ----------
    ranker : LinearRanker, or NeuralRanker with ``scorer="linear"``
        Fitted.
    caller : str
        Function that needs them, for messages.

    Returns
    -------
    raw : RawWeights

    Raises
    ------
    ArgumentError
        If it is another ranker.
    ValueError
        If its scores are not linear in the features.
    """
    if not is_linear(ranker):
        raise ArgumentError(
            "ranker must be a LambdaMARTRanker, a LinearRanker or a NeuralRanker with "
            f"scorer='linear' for {caller}; got {type(ranker).__name__}. Use "
            "export_onnx."
        )
    check_is_fitted(ranker)
    if ranker.scales_within_lists_:
        raise ValueError(
            f"{caller} needs scores that are linear in the features; this ranker "
            "scales them within the list, and a search engine scores each item by "
            "itself. Fit with preprocess='standard'."
        )
    weights = ranker.weights_
    weight = weights["weight"][:, 0]
    constant = float(weights["bias"][0]) if "bias" in weights else 0.0
    if "preprocess.mean" not in weights:
        return RawWeights(weight, constant)
    is_log = weights["preprocess.log_features"] & (weight != 0)
    if is_log.any():
        column = int(is_log.argmax())
        raise ValueError(
            f"{caller} needs scores that are linear in the features; this ranker takes "
            f"the logarithm of feature {feature_names(ranker, None)[column]!r}. Fit "
            "with preprocess='standard', on log1p of such features where the engine "
            "computes it too."
        )
    weight = weight / weights["preprocess.scale"]
    return RawWeights(weight, constant - float(weight @ weights["preprocess.mean"]))


def single_weights(ranker: Any, names: list[str], caller: str) -> dict[str, float]:
    """Weights of the raw features by name, for engines that compute in float32.

    Raises
    ------
    ArgumentError, ValueError
        As :func:`raw_weights`, or if a weight is out of the range of float32.
    """
    weight = raw_weights(ranker, caller).weight
    check_single(weight, names, caller)
    return dict(zip(names, shortest(weight), strict=True))


def check_single(weight: FloatArray, names: list[str], caller: str) -> None:
    """Raise if a weight, of shape (n_features,), is out of the range of float32."""
    size = np.abs(weight)
    is_out = (size > _SINGLE.max) | ((size > 0) & (size < _SINGLE.tiny))
    if is_out.any():
        column = int(is_out.argmax())
        raise ValueError(
            f"{caller} needs weights in the range of single precision, 1.2e-38 to "
            f"3.4e+38, as the engine computes in it; that of {names[column]!r} is "
            f"{weight[column]:.3g}. Fit on features of another unit, or use "
            "export_onnx with dtype='float64'."
        )


def shortest(values: Any) -> Any:
    """Numbers in single precision with as few digits as name them, as floats.

    A reader that parses them in single precision gets the same numbers.

    Raises
    ------
    ValueError
        If one is too large for it.

    Examples
    --------
    >>> shortest(np.float32(0.1))
    0.1
    """
    double = np.asarray(values, dtype=np.float64)
    if (np.abs(double) > _SINGLE.max).any():
        raise ValueError(
            "leaf values must be in the range of single precision, up to 3.4e+38; got "
            f"{double.flat[int(np.abs(double).argmax())]:.3g}. Fit with a smaller "
            "learning_rate."
        )
    single = double.astype(np.float32)
    floats = [float(str(value)) for value in single.ravel()]
    return floats[0] if single.ndim == 0 else floats
