"""``diversify``: maximal marginal relevance, greedy or exact."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ltr.arguments import check_number, check_whole
from ltr.queries import FloatArray, IntArray, check_axes, check_rows
from ltr.solvers.core.budget import Budget
from ltr.solvers.core.inputs import check_method, to_array
from ltr.solvers.core.observation import Callback, observed
from ltr.solvers.core.solution import Solution, certify
from ltr.solvers.core.tolerance import tolerance
from ltr.solvers.diversity.branch_and_bound import Incumbent, Search
from ltr.solvers.diversity.dispersion import Dispersion, exchange, greedy_set

METHODS = ("exact", "greedy")
# Similarities of i to j and of j to i may differ by this share of the greatest one.
_ASYMMETRY = 1e-6


def diversify(
    relevance: ArrayLike,
    similarity: ArrayLike,
    k: int,
    *,
    trade_off: float = 0.5,
    method: str = "exact",
    time_limit_s: float | None = None,
    work_limit: float | None = None,
    callback: Callback | None = None,
    verbose: int = 0,
) -> Solution:
    r"""Choose ``k`` relevant items that are unlike each other.

    Maximal marginal relevance (MMR, [1]_) adds the item of greatest
    :math:`\lambda r_i - (1 - \lambda) \max_{j \in S} s_{ij}` to the set :math:`S`,
    ``k`` times; the first one is the most relevant. It maximizes nothing, but a set
    that is good in both respects has a great value of

    .. math:: \lambda \sum_{i \in S} r_i - (1 - \lambda) \frac{2}{k - 1}
        \sum_{i < j \in S} s_{ij},

    the sum of the relevance of each item and its mean similarity to the others (the
    max-sum diversification of [2]_, with similarities in place of distances).
    ``"exact"`` finds the set of greatest value.

    Parameters
    ----------
    relevance : array-like of shape (n_items,)
        Relevance r of each item, higher is better.
    similarity : array-like of shape (n_items, n_items)
        Similarity s of each pair, say cosines; symmetric. The diagonal is not read.
        For distances, pass their negatives.
    k : int
        Number of items, from 1 to n_items.
    trade_off : float, default=0.5
        λ in [0, 1]; 1: relevance alone; 0: diversity alone.
    method : {"exact", "greedy"}, default="exact"
        ``"exact"``: MMR, exchanges of one item, then branch and bound on a Lagrangian
        bound [3]_ until the best set is proven or a limit is reached. ``"greedy"``: MMR
        alone, with a bound on the value of every set.
    time_limit_s : float, default=None
        Wall-clock seconds, after which the best set so far is returned with its bound.
    work_limit : float, default=None
        Units of about a second, counted in steps instead of time, so that results
        repeat. None: 20, or no limit if there is a time limit.
    callback : callable, default=None
        Called with the best :class:`Solution` so far at each better set or bound, and
        at the end; True ends the solve. The result is the same without it.
    verbose : int, default=0
        1: a line a second at most, on standard error.

    Returns
    -------
    solution : Solution
        ``order``: the set, in the order in which MMR would add its items. ``objective``
        and ``bound``: of the value above. Ctrl-C ends the solve with the best set so
        far and ``is_interrupted=True``; a second one raises KeyboardInterrupt.

    Raises
    ------
    ValueError, TypeError
        If an argument is not as described.

    References
    ----------
    .. [1] J. Carbonell and J. Goldstein. The use of MMR, diversity-based reranking for
       reordering documents and producing summaries. SIGIR 1998.
    .. [2] S. Gollapudi and A. Sharma. An axiomatic approach for result diversification.
       WWW 2009, section 3.1.
    .. [3] D. Pisinger. Upper bounds and exact algorithms for p-dispersion problems.
       Computers & Operations Research 33, 2006.

    Examples
    --------
    Items 0 and 1 are nearly the same:

    >>> relevance = [0.9, 0.8, 0.6, 0.5]
    >>> similarity = [[1, 0.9, 0.1, 0.5], [0.9, 1, 0.2, 0], [0.1, 0.2, 1, 0.4],
    ...               [0.5, 0, 0.4, 1]]
    >>> solution = diversify(relevance, similarity, 2)
    >>> solution.order, round(solution.objective, 3), solution.is_optimal
    (array([0, 2]), 0.65, True)

    Greedy is not always best, and its bound tells:

    >>> best = diversify(relevance, similarity, 2, trade_off=0.4)
    >>> mmr = diversify(relevance, similarity, 2, trade_off=0.4, method="greedy")
    >>> best.order, mmr.order
    (array([1, 3]), array([0, 2]))
    >>> round(best.objective, 3), round(mmr.objective, 3), round(mmr.bound, 3)
    (0.52, 0.48, 0.62)
    """
    check_method(method, METHODS)
    r = _check_relevance(relevance)
    s = _check_similarity(similarity, len(r))
    check_rows({"relevance": relevance, "similarity": similarity})
    k = check_whole("k", k, low=1)
    if k > len(r):
        raise ValueError(f"k must be at most the number of items, {len(r)}; got {k}.")
    trade_off = check_number("trade_off", trade_off, low=0.0, high=1.0)
    return observed(
        lambda budget: _solve(r, s, k, trade_off, method, budget),
        time_limit_s=time_limit_s,
        work_limit=work_limit,
        callback=callback,
        verbose=verbose,
    )


def _solve(
    r: FloatArray, s: FloatArray, k: int, trade_off: float, method: str, budget: Budget
) -> Solution:
    """Solve a problem whose inputs have been checked."""
    gains, costs = trade_off * r, (1 - trade_off) * s * (2 / max(k - 1, 1))
    size = max(float(np.abs(gains).max()), float(np.abs(costs).max()))
    unit = float(2.0 ** np.floor(np.log2(size))) if size else 1.0
    problem = Dispersion(gains / unit, costs / unit, k)
    greedy = mmr(r, s, np.arange(len(r)), k, trade_off)
    search = Search(problem, greedy, budget)

    def certified(incumbent: Incumbent) -> Solution:
        order = mmr(r, s, np.sort(incumbent.items), k, trade_off)
        terms = problem.terms(order)
        value = float(terms.sum())
        return certify(
            order,
            value * unit,
            max(value, incumbent.bound) * unit,
            tolerance=tolerance(terms, search.spread) * unit,
            method="greedy" if method == "greedy" else "branch_and_bound",
            started=budget.started,
        )

    first = Incumbent(greedy, search.root_bound)
    if method == "greedy":
        return certified(first)
    observer = budget.observer
    if observer is not None:
        observer.report(certified(first))
        search.report = lambda incumbent: observer.report(certified(incumbent))
    for start in (greedy, greedy_set(problem)):
        search.consider(exchange(problem, start, budget))
    return certified(search.run())


def mmr(
    r: FloatArray, s: FloatArray, items: IntArray, k: int, trade_off: float
) -> IntArray:
    """Order ``k`` of some items by maximal marginal relevance; the first wins ties.

    Examples
    --------
    >>> similarity = np.array([[1.0, 0.9, 0.1], [0.9, 1.0, 0.2], [0.1, 0.2, 1.0]])
    >>> mmr(np.array([3.0, 2.9, 2.5]), similarity, np.arange(3), 3, 0.5)
    array([0, 2, 1])
    """
    own, others = trade_off * r[items], (1 - trade_off) * s[np.ix_(items, items)]
    nearest = np.full(len(items), -np.inf)
    is_out = np.zeros(len(items), dtype=bool)
    order = np.zeros(k, dtype=np.int64)
    for place in range(k):
        marginal = own - nearest if place else r[items].copy()
        marginal[is_out] = -np.inf
        order[place] = item = int(marginal.argmax())
        is_out[item] = True
        np.maximum(nearest, others[item], out=nearest)
    return items[order]


def _check_relevance(relevance: ArrayLike) -> FloatArray:
    """Return a finite vector that is not empty."""
    array: FloatArray = to_array(relevance, "relevance must be one number per item")
    if array.ndim != 1 or not array.size:
        raise ValueError(
            "relevance must have shape (n_items,), one number for each of at least one "
            f"item; got shape {array.shape}."
        )
    if not np.isfinite(array).all():
        i = int((~np.isfinite(array)).argmax())
        raise ValueError(
            f"relevance must be finite; got {array[i]} at [{i}]. Leave items out that "
            "must not be in the set."
        )
    return array


def _check_similarity(similarity: ArrayLike, n_items: int) -> FloatArray:
    """Return a finite symmetric array, 0 on its diagonal."""
    array = to_array(similarity, "similarity must be a square array of numbers").copy()
    if array.shape != (n_items, n_items):
        raise ValueError(
            f"similarity must have shape ({n_items}, {n_items}), a row and a column "
            f"for each item of relevance; got shape {array.shape}."
        )
    check_axes(similarity, "similarity")
    np.fill_diagonal(array, 0.0)
    if not np.isfinite(array).all():
        i, j = np.argwhere(~np.isfinite(array))[0]
        raise ValueError(f"similarity must be finite; got {array[i, j]} at [{i}, {j}].")
    difference = np.abs(array - array.T)
    if (difference > _ASYMMETRY * np.abs(array).max(initial=0.0)).any():
        i, j = np.unravel_index(difference.argmax(), difference.shape)
        raise ValueError(
            f"similarity must be symmetric; got {array[i, j]} at [{i}, {j}] and "
            f"{array[j, i]} at [{j}, {i}]. Pass (similarity + similarity.T) / 2."
        )
    return (array + array.T) / 2
