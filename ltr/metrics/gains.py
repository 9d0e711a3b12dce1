"""Gains of labels and discounts of positions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from ltr.arguments import ArgumentError, check_choice
from ltr.queries import FloatArray

Gain = Literal["exp2", "linear"] | ArrayLike | Callable[[FloatArray], ArrayLike]
Discount = Literal["log2", "letor"] | Callable[[FloatArray], ArrayLike]
MAX_EXP2_LABEL = 1000
_OTHER_GAINS = "a table or a function"


def gains_of(
    labels: FloatArray, gain: Gain = "exp2", *, name: str = "gain"
) -> FloatArray:
    """Gain of each label.

    Parameters
    ----------
    labels : float array of shape (n,)
        Labels.
    gain : {"exp2", "linear"}, array-like or callable, default="exp2"
        2^label − 1; the label itself; a table indexed by whole labels; or a function
        of the array of labels.
    name : str, default="gain"
        Name of the argument, for messages about its kind.

    Returns
    -------
    gains : float array of shape (n,)

    Raises
    ------
    ValueError
        If a label is negative or too large for the gain, or a gain is negative or not
        finite.

    Examples
    --------
    >>> gains_of(np.array([0.0, 1.0, 3.0])).tolist()
    [0.0, 1.0, 7.0]
    """
    if not callable(gain) and not isinstance(gain, str):
        gain = _as_table(gain, name)
    if callable(gain):
        gains = np.asarray(gain(labels), dtype=np.float64)
    elif isinstance(gain, str):
        check_choice(name, gain, ("exp2", "linear"), alternative=_OTHER_GAINS)
        check_labels(labels, gain)
        grades = labels.astype(np.intp)
        if gain == "linear":
            gains = labels.copy()
        elif (grades == labels).all():
            gains = (np.exp2(np.arange(grades.max(initial=0) + 1.0)) - 1.0)[grades]
        else:  # 2^y − 1 = expm1(y ln 2), which keeps the digits of a small y
            small = np.expm1(np.minimum(labels, 0.5) * np.log(2.0))
            gains = np.where(labels < 0.5, small, np.exp2(labels) - 1.0)
    else:
        gains = _look_up(labels, gain)
    bad = ~(np.isfinite(gains) & (gains >= 0))
    if bad.any():
        row = int(bad.argmax())
        raise ValueError(
            f"gain must give finite numbers >= 0; got {gains[row]} for the label "
            f"{labels[row]:g}. Pass another gain, or use kendall_tau_score or "
            "spearman_score, which take any label."
        )
    return gains


def discounts(n_positions: int, discount: Discount, k: int | None) -> FloatArray:
    """Weight of positions 1, 2, …, ``n_positions``; 0 after ``k``.

    Parameters
    ----------
    n_positions : int
        Number of positions.
    discount : {"log2", "letor"} or callable
        1 / log2(rank + 1); LETOR's evaluator: 1, 1, then 1 / log2(rank); or a function
        of the array of 1-based ranks.
    k : int or None
        Last position that counts.

    Returns
    -------
    weights : float array of shape (n_positions,)

    Raises
    ------
    ValueError
        If ``discount`` is unknown, or a function returns another shape.

    Examples
    --------
    >>> discounts(4, "log2", 3).round(3).tolist()
    [1.0, 0.631, 0.5, 0.0]
    """
    ranks = np.arange(1.0, n_positions + 1.0)
    if callable(discount):
        weights = np.array(discount(ranks), dtype=np.float64)
        if weights.shape != ranks.shape:
            raise ValueError(
                f"discount must return one weight per rank; got shape {weights.shape} "
                f"for {n_positions} ranks."
            )
    else:
        check_choice("discount", discount, ("log2", "letor"), alternative="a function")
        shifted = ranks + 1.0 if discount == "log2" else np.maximum(ranks, 2.0)
        weights = 1.0 / np.log2(shifted)
    if k is not None:
        weights[k:] = 0.0
    return weights


def check_labels(labels: FloatArray, gain: str) -> None:
    """Raise unless a named gain is defined for all labels."""
    check_choice("gain", gain, ("exp2", "linear"), alternative=_OTHER_GAINS)
    if labels.min(initial=0) < 0:
        raise ValueError(
            f"labels must be >= 0 for gain={gain!r}; got {labels.min():g}. "
            "Shift them, pass gain as a function, or use a metric that takes any "
            "label: kendall_tau_score, spearman_score or pairwise_accuracy_score."
        )
    if gain == "exp2" and labels.max(initial=0) > MAX_EXP2_LABEL:
        raise ValueError(
            f"labels must be <= {MAX_EXP2_LABEL} for gain='exp2' (2^label overflows); "
            f"got {labels.max():g}. Pass gain='linear'."
        )


def _as_table(gain: Any, name: str) -> FloatArray:
    """Gains of the labels 0, 1, …; an error if they are anything else."""
    try:
        table = np.asarray(gain, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        table = np.zeros(0)
    if table.ndim != 1 or not len(table):
        raise ArgumentError(
            f"{name} must be one of 'exp2', 'linear', or {_OTHER_GAINS}; got {gain!r}."
        )
    return table


def _look_up(labels: FloatArray, table: FloatArray) -> FloatArray:
    index = labels.astype(np.intp)
    bad = (index != labels) | (index < 0) | (index >= len(table))
    if bad.any():
        row = int(bad.argmax())
        raise ValueError(
            f"a gain table of length {len(table)} takes whole labels from 0 to "
            f"{len(table) - 1}; got {labels[row]:g}. Extend the table or "
            "pass gain as a function."
        )
    return table[index]
