"""Consensus scores that are read off the pairwise counts: Borda and Copeland."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ltr.queries import FloatArray
from ltr.solvers.core.inputs import check_counts


def borda(counts: ArrayLike) -> FloatArray:
    """Score items by their wins less their losses, over all votes and pairs.

    For complete rankings of n items this is the Borda count up to an affine map: twice
    the points n - rank, less a constant.

    Parameters
    ----------
    counts : array-like of shape (n, n)
        Entry [i, j]: how often i precedes j; see :func:`pairwise_counts`.

    Returns
    -------
    scores : float array of shape (n,)
        Higher is better.

    Examples
    --------
    >>> from ltr.solvers import borda, pairwise_counts
    >>> borda(pairwise_counts([[0, 1, 2], [1, 2, 0]]))
    array([ 0.,  2., -2.])
    """
    matrix = check_counts(counts)
    return matrix.sum(axis=1) - matrix.sum(axis=0)


def copeland(counts: ArrayLike) -> FloatArray:
    """Score items by the number of items they beat less the number that beat them.

    An item beats another if more votes place it before the other than behind it.

    Parameters
    ----------
    counts : array-like of shape (n, n)
        Entry [i, j]: how often i precedes j; see :func:`pairwise_counts`.

    Returns
    -------
    scores : float array of shape (n,)
        Whole numbers; higher is better.

    Examples
    --------
    >>> from ltr.solvers import copeland, pairwise_counts
    >>> copeland(pairwise_counts([[0, 1, 2], [1, 2, 0]]))
    array([ 0.,  1., -1.])
    """
    matrix = check_counts(counts)
    return np.sign(matrix - matrix.T).sum(axis=1)
