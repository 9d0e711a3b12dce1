"""Generated ranking data with a known truth."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ltr.datasets.ranking_data import RankingData

# Share of the items that reach each grade above 0, about as in web search data.
_GRADE_SHARES = (0.45, 0.18, 0.06, 0.02)


def make_ranking(
    n_queries: int = 100,
    *,
    list_size: int | tuple[int, int] = (5, 60),
    n_features: int = 20,
    n_informative: int = 10,
    nonlinearity: float = 0.5,
    noise: float = 0.5,
    query_offset: float = 1.0,
    n_grades: int | None = 5,
    duplicates: float = 0.0,
    random_state: int | None = None,
) -> RankingData:
    """Draw lists whose best order is known.

    The score of an item is a linear function of its informative features plus
    ``nonlinearity`` times products of pairs of them; noise is added, and the labels
    grade the items of a list against one another. All items of a list share an offset
    in their features, which moves their scores together but not their labels, so a
    model that compares items across lists (regression on the labels) is misled.

    Parameters
    ----------
    n_queries : int, default=100
        Number of lists, ≥ 1.
    list_size : int or (int, int), default=(5, 60)
        Items in a list: fixed, or bounds of log-normal sizes.
    n_features : int, default=20
        Number of features.
    n_informative : int, default=10
        How many of them matter; the rest is irrelevant.
    nonlinearity : float, default=0.5
        Weight of the products; 0 makes a linear model right.
    noise : float, default=0.5
        Standard deviation of the noise, ≥ 0; that of the scores within lists is 1.
    query_offset : float, default=1.0
        Standard deviation of the offset that a list's features share, ≥ 0.
    n_grades : int or None, default=5
        Labels 0, …, n_grades − 1, the higher the rarer, at least 2. None: the noisy
        score itself.
    duplicates : float, default=0.0
        Share of the items after the first that repeat an earlier item of their list, in
        [0, 1): tied features, hence tied scores of every model.
    random_state : int or None, default=None
        Seed.

    Returns
    -------
    data : RankingData
        Rows list by list, shuffled within; ``true_scores`` are the noise-free scores,
        centred in each list.

    Raises
    ------
    ValueError
        If a number is outside its range.

    Examples
    --------
    >>> data = make_ranking(n_queries=3, list_size=4, random_state=0)
    >>> data.X.shape, data.qid.tolist()
    ((12, 20), [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2])
    """
    _check(n_queries, n_features, n_informative, noise, query_offset, duplicates)
    if n_grades is not None and n_grades < 2:
        raise ValueError(f"n_grades must be >= 2, or None; got {n_grades!r}.")
    rng = np.random.default_rng(random_state)
    sizes = _list_sizes(rng, n_queries, list_size)
    qid = np.repeat(np.arange(n_queries), sizes)

    X = rng.normal(size=(len(qid), n_features))
    if duplicates:
        X = X[_repeat_items(rng, sizes, duplicates)]
    X += query_offset * rng.normal(size=(n_queries, n_features))[qid]
    linear, products = rng.normal(size=(2, n_informative))
    informative, partner = X[:, :n_informative], rng.permutation(n_informative)
    scores = informative @ linear
    scores += nonlinearity * (informative * informative[:, partner]) @ products
    scores -= (np.bincount(qid, scores) / sizes)[qid]
    scores /= scores.std() or 1.0
    noisy = scores + noise * rng.normal(size=len(qid))
    labels = noisy if n_grades is None else _grades(noisy, sizes, n_grades)
    return RankingData(
        X=X,
        y=labels,
        qid=qid,
        feature_names=[f"feature_{i}" for i in range(n_features)],
        description=f"make_ranking(n_queries={n_queries}, random_state={random_state})",
        true_scores=scores,
    )


def _check(
    n_queries: int,
    n_features: int,
    n_informative: int,
    noise: float,
    query_offset: float,
    duplicates: float,
) -> None:
    if n_queries < 1:
        raise ValueError(f"n_queries must be >= 1; got {n_queries!r}.")
    if not 1 <= n_informative <= n_features:
        raise ValueError(
            "n_informative must be from 1 to n_features; got "
            f"n_informative={n_informative!r} and n_features={n_features!r}."
        )
    for name, value in (("noise", noise), ("query_offset", query_offset)):
        if value < 0:
            raise ValueError(f"{name} must be >= 0; got {value!r}.")
    if not 0.0 <= duplicates < 1.0:
        raise ValueError(f"duplicates must be in [0, 1); got {duplicates!r}.")


def _list_sizes(
    rng: np.random.Generator, n_queries: int, list_size: int | tuple[int, int]
) -> NDArray[np.intp]:
    """Sizes; log-normal ones have two standard deviations between their bounds."""
    low, high = list_size if isinstance(list_size, tuple) else (list_size, list_size)
    if not 1 <= low <= high:
        raise ValueError(
            f"list_size must be a number >= 1 or an ascending pair; got {list_size!r}."
        )
    middle, spread = (np.log(low) + np.log(high)) / 2, (np.log(high) - np.log(low)) / 4
    sizes = np.exp(rng.normal(middle, spread, size=n_queries))
    return np.clip(np.round(sizes), low, high).astype(np.intp)


def _repeat_items(
    rng: np.random.Generator, sizes: NDArray[np.intp], duplicates: float
) -> NDArray[np.intp]:
    """Row that each row copies: itself, or an earlier one of its list."""
    starts = np.repeat(np.cumsum(sizes) - sizes, sizes)
    rows = np.arange(len(starts))
    earlier = starts + np.floor(rng.random(len(rows)) * (rows - starts)).astype(np.intp)
    source = np.where(rng.random(len(rows)) < duplicates, earlier, rows)
    while (source[source] != source).any():  # what it copies may be a copy itself
        source = source[source]
    return source


def _grades(
    noisy: NDArray[np.float64], sizes: NDArray[np.intp], n_grades: int
) -> NDArray[np.int64]:
    """Grade by the share of the list that an item leaves behind."""
    lists = np.repeat(np.arange(len(sizes)), sizes)
    order = np.lexsort((-noisy, lists))
    starts = np.repeat(np.cumsum(sizes) - sizes, sizes)
    share = np.empty(len(noisy))
    share[order] = (np.arange(len(noisy)) - starts + 0.5) / np.repeat(sizes, sizes)
    if n_grades - 1 <= len(_GRADE_SHARES):
        limits = np.array(_GRADE_SHARES[: n_grades - 1])
    else:
        limits = np.linspace(_GRADE_SHARES[0], 0.0, n_grades - 1, endpoint=False)
    return (share[:, None] < limits).sum(axis=1)
