"""Rankings drawn from a Plackett-Luce model with a known truth."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

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
    r"""Draw rankings from a Plackett-Luce model whose utilities are linear.

    The first place goes to item i with probability proportional to
    :math:`e^{u_i / T}`, :math:`u_i = x_i \cdot w`, the second place likewise among the
    items that are left, and so on. A model that is fitted by maximum likelihood (the
    loss ``"plackett_luce"``) finds :math:`w / T`.

    Parameters
    ----------
    n_queries : int, default=100
        Number of rankings, ≥ 1.
    list_size : int, default=10
        Items in each, ≥ 1.
    n_features : int, default=5
        Number of features, drawn from a standard normal distribution.
    coef : array-like of shape (n_features,), default=None
        The weights w. None: drawn from a standard normal distribution.
    n_items : int, default=None
        Size of the pool from which every list draws its items without replacement; the
        number of an item is its ``docids`` entry. None: every item is a new one.
    top : int, default=None
        How many places are seen; items after them share the label 0. None: all.
    temperature : float, default=1.0
        T > 0: how much chance there is in a ranking.
    random_state : int, default=None
        Seed.

    Returns
    -------
    data : RankingData
        ``y`` counts the seen places from the last one, so the first place has the
        highest label; ``true_scores`` are the utilities u.

    Raises
    ------
    ValueError
        If a number is outside its range, or ``coef`` has another length.

    References
    ----------
    R. L. Plackett, "The analysis of permutations", Applied Statistics 24 (1975)
    193-202. Drawn by sorting utilities with Gumbel noise: J. I. Yellott, J. Math.
    Psychology 15 (1977) 109-144.

    Examples
    --------
    >>> data = make_plackett_luce(2, list_size=3, top=1, random_state=0)
    >>> data.X.shape, data.y.tolist(), data.qid.tolist()
    ((6, 5), [1, 0, 0, 0, 1, 0], [0, 0, 0, 1, 1, 1])
    """
    for name, value in (
        ("n_queries", n_queries),
        ("list_size", list_size),
        ("n_features", n_features),
    ):
        if value < 1:
            raise ValueError(f"{name} must be >= 1; got {value!r}.")
    seen = list_size if top is None else top
    if not 1 <= seen <= list_size:
        raise ValueError(
            f"top must be from 1 to list_size, or None; got top={top!r} and "
            f"list_size={list_size!r}."
        )
    if n_items is not None and n_items < list_size:
        raise ValueError(
            f"n_items must be at least list_size; got n_items={n_items!r} and "
            f"list_size={list_size!r}."
        )
    if not temperature > 0:
        raise ValueError(f"temperature must be > 0; got {temperature!r}.")
    rng = np.random.default_rng(random_state)
    weights = rng.normal(size=n_features) if coef is None else np.asarray(coef, float)
    if weights.shape != (n_features,):
        raise ValueError(
            f"coef must have shape ({n_features},), one number a feature; got shape "
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
    noisy = utilities.reshape(shape) / temperature + rng.gumbel(size=shape)
    places = (-noisy).argsort(axis=1).argsort(axis=1)
    # Without a cut the last place is known once the others are: it gets 0 as well.
    last = seen if seen < list_size else list_size - 1
    return RankingData(
        X=X,
        y=np.maximum(last - places, 0).ravel(),
        qid=np.repeat(np.arange(n_queries), list_size),
        feature_names=[f"feature_{i}" for i in range(n_features)],
        description=(
            f"make_plackett_luce(n_queries={n_queries}, random_state={random_state})"
        ),
        docids=docids,
        true_scores=utilities,
    )
