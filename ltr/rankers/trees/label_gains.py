"""Labels for LightGBM: any real numbers, as whole numbers with a table of gains."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from ltr.metrics.gains import Gain, gains_of
from ltr.queries import FloatArray
from ltr.rankers.warning import warn

_MAX_CODES = 2**24  # LightGBM keeps labels in single precision
_EXP2_LABELS = 30  # LightGBM's own table ends there


@dataclass(frozen=True)
class GainLabels:
    """Labels as LightGBM wants them.

    Attributes
    ----------
    labels : float array of shape (n_samples,)
        Whole numbers ≥ 0 in the order of the real labels.
    gains : float array of shape (n_samples,)
        Gain of each row.
    table : float array or None
        Gain of each label; None where it is LightGBM's own, 2^label − 1.
    """

    labels: FloatArray
    gains: FloatArray
    table: FloatArray | None


def label_gains(y: FloatArray, label_gain: Gain | Any) -> GainLabels:
    """Choose the gains and translate the labels.

    Parameters
    ----------
    y : float array of shape (n_samples,)
        Labels.
    label_gain : {"auto", "exp2", "linear"}, array-like or callable
        ``"auto"``: 2^y − 1 for whole labels from 0 to 30, else y − min(y). The others
        as in :func:`ltr.metrics.ndcg_score`.

    Returns
    -------
    labels : GainLabels

    Raises
    ------
    ValueError
        If a label does not fit the gain, or there are more than 2**24 distinct labels.

    Warns
    -----
    UserWarning
        If ``"auto"`` meets whole labels above 30 and takes the linear gain.

    Examples
    --------
    >>> label_gains(np.array([-0.5, 0.0, 1.0]), "auto").gains.tolist()
    [0.0, 0.5, 1.5]
    """
    is_whole = bool((y == np.floor(y)).all()) and y.min() >= 0
    if isinstance(label_gain, str) and label_gain == "auto":
        label_gain = auto_gain(float(y.min()), float(y.max()), is_whole=is_whole)
    gains = gains_of(y, label_gain, name="label_gain")
    is_default = isinstance(label_gain, str) and label_gain == "exp2"
    if is_default and is_whole and y.max() <= _EXP2_LABELS:
        return GainLabels(y, gains, None)
    values, codes = np.unique(y, return_inverse=True)
    if len(values) > _MAX_CODES:
        raise ValueError(
            f"y must have at most {_MAX_CODES} distinct labels for LightGBM; got "
            f"{len(values)}. Round them."
        )
    table = np.empty(len(values))
    table[codes] = gains
    return GainLabels(codes.astype(np.float64), gains, table)


def auto_gain(low: float, high: float, *, is_whole: bool) -> Literal["exp2"] | Gain:
    """Gain of ``label_gain="auto"``.

    Parameters
    ----------
    low, high : float
        Least and greatest label.
    is_whole : bool
        Whether all labels are whole numbers ≥ 0.

    Returns
    -------
    gain : "exp2" or AboveMinimum

    Warns
    -----
    UserWarning
        If whole labels go above 30.

    Examples
    --------
    >>> auto_gain(0.0, 4.0, is_whole=True)
    'exp2'
    """
    if not is_whole:
        return AboveMinimum(low)
    if high <= _EXP2_LABELS:
        return "exp2"
    warn(
        f"Labels go up to {high:g}, where 2^label - 1 would leave only the best one to "
        "count, so gains are the labels minus their minimum. Set label_gain='linear' "
        "to say so, or 'exp2', a table or a function."
    )
    return AboveMinimum(low)


class AboveMinimum:
    """The gain y − min(y), where the minimum may be that of more rows.

    Parameters
    ----------
    minimum : float
        Least label.
    """

    def __init__(self, minimum: float) -> None:
        self.minimum = minimum

    def __call__(self, y: FloatArray) -> FloatArray:
        """Gain of each label."""
        return y - self.minimum
