"""Generated ranking data with known scores."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ltr.arguments import check_number, check_whole
from ltr.datasets.ranking_data import RankingData
from ltr.queries import FloatArray, IntArray

# Share of the items with at least grade 1, 2, …, about as in web search data.
_GRADE_SHARES = (0.45, 0.18, 0.06, 0.02)


def make_ranking(
    n_queries: int = 100,
    *,
    list_size: int | tuple[int, int] = (5, 60),
    n_features: int = 20,
    n_informative: int | None = None,
    nonlinearity: float = 0.5,
    noise: float = 0.5,
    query_offset: float = 1.0,
    n_grades: int | None = 5,
    duplicates: float = 0.0,
    random_state: int | None = None,
) -> RankingData:
    """Draw ranking data whose best order is known.

    The score of an item is a linear function of its informative features plus
    ``nonlinearity`` times products of pairs of them. Noise is added, and each item is
    graded against the other items of its query. All items of a query share an offset in
    their features, which shifts their scores but not their labels, so a model that
    compares items across queries (regression on the labels) is misled.

    Parameters
    ----------
    n_queries : int, default=100
        Number of queries, ≥ 1.
    list_size : int or (int, int), default=(5, 60)
        Items of a query: fixed, or bounds of log-normal sizes.
    n_features : int, default=20
        Number of features.
    n_informative : int, default=None
        Number of features that matter, the first ones. None: 10, or all if they are
        fewer.
    nonlinearity : float, default=0.5
        Weight of the products; with 0 the scores are linear.
    noise : float, default=0.5
        Standard deviation of the noise, ≥ 0; that of the scores within queries is 1.
    query_offset : float, default=1.0
        Standard deviation of the offset that the items of a query share, ≥ 0.
    n_grades : int or None, default=5
        Number of grades, ≥ 2: labels are 0, …, n_grades − 1, high ones rare. None: the
        label is the noisy score.
    duplicates : float, default=0.0
        Share of the items after the first that repeat an earlier item of their query,
        in [0, 1): with equal features, their scores tie under every model.
    random_state : int or None, default=None
        Seed.

    Returns
    -------
    data : RankingData
        Rows query by query, shuffled within each; ``true_scores`` are the noise-free
        scores, centered within each query.

    Raises
    ------
    ValueError
        If a parameter is outside its range.

    Examples
    --------
    >>> data = make_ranking(n_queries=3, list_size=4, random_state=0)
    >>> data.X.shape, data.qid.tolist()
    ((12, 20), [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2])
    """
    if n_informative is None:
        n_informative = min(10, n_features)
    _check(n_queries, n_features, n_informative, noise, query_offset, duplicates)
    check_whole("n_grades", n_grades, low=2, optional=True)
    rng = np.random.default_rng(random_state)
    sizes = _list_sizes(rng, n_queries, list_size)
    qid = np.repeat(np.arange(n_queries), sizes)

    X = rng.normal(size=(len(qid), n_features))
    if duplicates:
        X = X[_repeat_items(rng, sizes, duplicates)]
    X += query_offset * rng.normal(size=(n_queries, n_features))[qid]
    linear, products = rng.normal(size=(2, n_informative))
    # s = x·w + nonlinearity · Σⱼ vⱼ xⱼ x_π(j), π a permutation of these features
    informative, partner = X[:, :n_informative], rng.permutation(n_informative)
    scores = informative @ linear
    scores += nonlinearity * (informative * informative[:, partner]) @ products
    scores -= (np.bincount(qid, scores) / sizes)[qid]  # centered within each query
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
    check_whole("n_queries", n_queries, low=1)
    if not 1 <= n_informative <= n_features:
        raise ValueError(
            "n_informative must be in 1, …, n_features; got "
            f"n_informative={n_informative!r} and n_features={n_features!r}."
        )
    check_number("noise", noise, low=0)
    check_number("query_offset", query_offset, low=0)
    check_number("duplicates", duplicates, low=0, high=1, open_high=True)


def _list_sizes(
    rng: np.random.Generator, n_queries: int, list_size: int | tuple[int, int]
) -> IntArray:
    """Sizes, log-normal with the bounds two standard deviations from the median."""
    low, high = list_size if isinstance(list_size, tuple) else (list_size, list_size)
    if not 1 <= low <= high:
        raise ValueError(
            "list_size must be a whole number >= 1, or bounds (low, high); got "
            f"{list_size!r}."
        )
    middle, spread = (np.log(low) + np.log(high)) / 2, (np.log(high) - np.log(low)) / 4
    sizes = np.exp(rng.normal(middle, spread, size=n_queries))
    return np.clip(np.round(sizes), low, high).astype(np.intp)


def _repeat_items(
    rng: np.random.Generator, sizes: IntArray, duplicates: float
) -> IntArray:
    """Index of the row that each row copies: itself or an earlier row of its query."""
    starts = np.repeat(np.cumsum(sizes) - sizes, sizes)
    rows = np.arange(len(starts))
    earlier = starts + np.floor(rng.random(len(rows)) * (rows - starts)).astype(np.intp)
    source = np.where(rng.random(len(rows)) < duplicates, earlier, rows)
    while (source[source] != source).any():  # the copied row may itself be a copy
        source = source[source]
    return source


def _grades(noisy: FloatArray, sizes: IntArray, n_grades: int) -> NDArray[np.int64]:
    """Grade each item by the share of its query that ranks above it.

    The grade of the item at position r of n is the number of shares in
    ``_GRADE_SHARES`` that exceed (r + ½) / n.
    """
    queries = np.repeat(np.arange(len(sizes)), sizes)
    order = np.lexsort((-noisy, queries))
    starts = np.repeat(np.cumsum(sizes) - sizes, sizes)
    share = np.empty(len(noisy))
    share[order] = (np.arange(len(noisy)) - starts + 0.5) / np.repeat(sizes, sizes)
    if n_grades - 1 <= len(_GRADE_SHARES):
        limits = np.array(_GRADE_SHARES[: n_grades - 1])
    else:
        limits = np.linspace(_GRADE_SHARES[0], 0.0, n_grades - 1, endpoint=False)
    return (share[:, None] < limits).sum(axis=1)
