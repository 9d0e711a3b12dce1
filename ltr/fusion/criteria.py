"""Orders of one list by more than one score: classes of answers, several criteria."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from ltr.arguments import check_choice, check_number
from ltr.queries import FloatArray, IntArray

CLASS_VALUES = ("best", "sum")


def interleave_classes(
    scores: ArrayLike,
    keys: Sequence[Hashable],
    *,
    keep: ArrayLike | None = None,
    by: Literal["best", "sum"] = "best",
) -> IntArray:
    """Order candidates so that the first ones differ: the best of each class, then on.

    Candidates with an equal key, such as programs with the same output, form a class.
    The best of each class come first, then the second ones, and so forth; classes by
    their best score, or by their sum, which counts agreement.

    Parameters
    ----------
    scores : array of shape (n,)
        Higher is better.
    keys : sequence of hashables, of length n
        What the class of each candidate is known by.
    keep : bool array of shape (n,), default=None
        False for candidates that are dropped, such as those without an output. None:
        all are kept.
    by : {"best", "sum"}, default="best"
        What orders the classes. Ties go to the class that comes first.

    Returns
    -------
    order : int array
        The candidates that are kept, best first.

    Raises
    ------
    ValueError
        If lengths differ, a score is NaN or ``by`` is unknown.

    References
    ----------
    .. [1] "From words to code: harnessing data for program synthesis from natural
       language", 2023; its order of classes could not be verified.

    Examples
    --------
    >>> interleave_classes([0.9, 0.8, 0.7, 0.6, 0.5], [*"xxyxz"]).tolist()
    [0, 2, 4, 1, 3]
    """
    check_choice("by", by, CLASS_VALUES)
    values = np.asarray(scores, dtype=np.float64)
    if values.ndim != 1 or len(keys) != len(values) or np.isnan(values).any():
        raise ValueError(
            "scores must be a number, and keys a key, for each candidate; got "
            f"{values.shape}, {int(np.isnan(values).sum())} NaN, and {len(keys)} keys."
        )
    is_kept = np.ones(len(values), bool) if keep is None else np.asarray(keep, bool)
    if is_kept.shape != values.shape:
        raise ValueError(f"keep must have shape {values.shape}; got {is_kept.shape}.")
    rows = np.flatnonzero(is_kept)
    rows = rows[np.argsort(-values[rows], kind="stable")]
    members: dict[Hashable, list[int]] = {}  # best first; classes by their best
    for row in rows.tolist():
        members.setdefault(keys[row], []).append(row)
    classes = list(members.values())
    if by == "sum":
        classes.sort(key=lambda group: -values[group].sum())
    turns = [
        (turn, number, row)
        for number, group in enumerate(classes)
        for turn, row in enumerate(group)
    ]
    return np.array([row for *_, row in sorted(turns)], dtype=np.intp)


def multi_criteria(
    relevance: ArrayLike,
    criteria: ArrayLike,
    weight: float = 0.5,
    gate: float | None = 3.0,
) -> FloatArray:
    r"""Add scores of secondary criteria to relevance, for what is relevant enough.

    .. math:: s = \rho + w \sum_c c \text{ if } \rho \ge g, \text{ else } -\infty

    Parameters
    ----------
    relevance : array of shape (..., n)
        ρ, such as a grade from 0 to 10.
    criteria : array of shape (..., n, n_criteria)
        c, such as depth or recency, each from 0 to 5.
    weight : float, default=0.5
        w of every criterion.
    gate : float, default=3.0
        g: least relevance. None: no gate.

    Returns
    -------
    scores : float array of shape (..., n)
        A stable sort of them leaves ties in the order of the input;
        ``np.lexsort((-criteria[:, 0], -scores))`` breaks them by the first criterion.

    Raises
    ------
    ValueError
        If the shapes do not match, or an input is NaN.

    References
    ----------
    .. [1] LeVine & Varjavand, "Relevance isn't all you need: scaling RAG systems with
       inference-time compute via multi-criteria reranking", 2025.

    Examples
    --------
    >>> multi_criteria([7, 2, 9], [[3, 4, 2], [5, 5, 5], [0, 1, 0]]).tolist()
    [11.5, -inf, 9.5]
    """
    check_number("weight", weight)
    check_number("gate", gate, optional=True)
    base = np.asarray(relevance, dtype=np.float64)
    values = np.asarray(criteria, dtype=np.float64)
    if values.shape[:-1] != base.shape or values.ndim != base.ndim + 1:
        raise ValueError(
            "criteria must have the shape of relevance and one more axis; got "
            f"{values.shape} and {base.shape}."
        )
    if np.isnan(base).any() or np.isnan(values).any():
        raise ValueError("relevance and criteria must have no NaN; got some.")
    scores = base + weight * values.sum(axis=-1)
    return scores if gate is None else np.where(base >= gate, scores, -np.inf)
