"""Rankings drawn from a Plackett-Luce model with known utilities."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ltr.arguments import check_number, check_whole
from ltr.datasets.ranking_data import RankingData


def make_plackett_luce(
    n_queries: int = 100,
    *,
    list_size: int = 10,
    n_features: int = 5,
    coef: ArrayLike | None = None,
    n_items: int | None = None,
    top: int | None = None,
    temperature: float = 1.0,
    random_state: int | None = None,
) -> RankingData:
    r"""Draw rankings from a Plackett-Luce model with linear utilities.

    Position 1 goes to item i with probability proportional to :math:`e^{u_i / T}`,
    :math:`u_i = x_i \cdot w`, position 2 likewise among the remaining items, and so on.
    The maximum-likelihood estimate (loss ``"plackett_luce"``, linear scorer) is
    consistent for :math:`w / T`.

    Parameters
    ----------
    n_queries : int, default=100
        Number of rankings, ≥ 1.
    list_size : int, default=10
        Number of items in each ranking, ≥ 1.
    n_features : int, default=5
        Number of features, ≥ 1; they are standard normal.
    coef : array-like of shape (n_features,), default=None
        Weights w. None: drawn from a standard normal distribution.
    n_items : int, default=None
        Size of the pool from which every list draws its items without replacement;
        ``docids`` has the number of each item. None: no item is shared.
    top : int, default=None
        Number of positions that are observed; items below share the label 0. None: all.
    temperature : float, default=1.0
        T > 0; the higher, the more random the rankings.
    random_state : int, default=None
        Seed.

    Returns
    -------
    data : RankingData
        ``y`` counts the observed positions from the bottom, so that position 1 has the
        highest label; ``true_scores`` are the utilities u.

    Raises
    ------
    ValueError
        If a parameter is outside its range, or ``coef`` has another length.

    References
    ----------
    R. L. Plackett, "The analysis of permutations", Applied Statistics 24 (1975)
    193-202. Sampling by sorting utilities with Gumbel noise: J. I. Yellott, J. Math.
    Psychology 15 (1977) 109-144.

    Examples
    --------
    >>> data = make_plackett_luce(2, list_size=3, top=1, random_state=0)
    >>> data.X.shape, data.y.tolist(), data.qid.tolist()
    ((6, 5), [1, 0, 0, 0, 1, 0], [0, 0, 0, 1, 1, 1])
    """
    check_whole("n_queries", n_queries, low=1)
    check_whole("list_size", list_size, low=1)
    check_whole("n_features", n_features, low=1)
    if top is not None and not 1 <= top <= list_size:
        raise ValueError(
            f"top must be in 1, …, list_size, or None; got top={top!r} and "
            f"list_size={list_size!r}."
        )
    if n_items is not None and n_items < list_size:
        raise ValueError(
            f"n_items must be at least list_size, or None; got n_items={n_items!r} and "
            f"list_size={list_size!r}."
        )
    check_number("temperature", temperature, low=0, open_low=True)
    rng = np.random.default_rng(random_state)
    weights = rng.normal(size=n_features) if coef is None else np.asarray(coef, float)
    if weights.shape != (n_features,):
        raise ValueError(
            f"coef must have one weight per feature, shape ({n_features},); got shape "
            f"{weights.shape}."
        )
    shape, docids = (n_queries, list_size), None
    if n_items is None:
        X = rng.normal(size=(n_queries * list_size, n_features))
    else:
        pool = rng.normal(size=(n_items, n_features))
        drawn = rng.random((n_queries, n_items)).argsort(axis=1)[:, :list_size]
        docids = drawn.ravel()
        X = pool[docids]
    utilities = X @ weights
    # with independent Gumbel noise g, sorting by u / T + g draws from Plackett-Luce
    noisy = utilities.reshape(shape) / temperature + rng.gumbel(size=shape)
    positions = (-noisy).argsort(axis=1).argsort(axis=1)  # from 0
    # all positions but the last determine the ranking, so without a cut-off the last
    # item also gets the label 0
    n_observed = list_size - 1 if top is None else min(top, list_size - 1)
    return RankingData(
        X=X,
        y=np.maximum(n_observed - positions, 0).ravel(),
        qid=np.repeat(np.arange(n_queries), list_size),
        feature_names=[f"feature_{i}" for i in range(n_features)],
        description=(
            f"make_plackett_luce(n_queries={n_queries}, random_state={random_state})"
        ),
        docids=docids,
        true_scores=utilities,
    )
