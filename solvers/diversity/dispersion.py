"""Sets of k items with great gains and small costs of pairs: values and search.

The value of a set S is f(S) = Σ_{i ∈ S} a_i - Σ_{i < j ∈ S} q_ij, the dispersion
problem with a linear part (Kuby, 1987; Pisinger, 2006).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ltr.queries import FloatArray, IntArray
from ltr.solvers.core.budget import Budget

# Units of work per entry of the table of exchanges.
_WORK_PER_EXCHANGE = 1e-8


@dataclass(frozen=True, eq=False)
class Dispersion:
    """Gains of items and costs of pairs.

    Attributes
    ----------
    gains : float array of shape (n,)
        a.
    costs : float array of shape (n, n)
        q: symmetric, 0 on the diagonal.
    k : int
        Number of items in a set.

    Examples
    --------
    >>> costs = np.array([[0.0, 2.0], [2.0, 0.0]])
    >>> problem = Dispersion(np.array([3.0, 1.0]), costs, 2)
    >>> problem.value(np.array([0, 1]))
    2.0
    """

    gains: FloatArray
    costs: FloatArray
    k: int

    def terms(self, items: IntArray) -> FloatArray:
        """Terms of the value of a set: one per item, and one per pair."""
        rows, columns = np.triu_indices(len(items), 1)
        pairs = self.costs[np.ix_(items, items)][rows, columns]
        return np.concatenate([self.gains[items], -pairs])

    def value(self, items: IntArray) -> float:
        """The value of a set."""
        return float(self.terms(items).sum())


class Relaxation(NamedTuple):
    """The maximizer of a relaxation that adds m candidates to the items of a node.

    Attributes
    ----------
    bound : float
        Its value, rounding added.
    b : float array of shape (n_candidates,)
        What each candidate adds to it.
    top : int array of shape (m,)
        Indices of the m greatest of these.
    partners : int array of shape (m, m - 1) or None
        Candidates that each of them is paired with, if the relaxation has pairs.
    """

    bound: float
    b: FloatArray
    top: IntArray
    partners: IntArray | None = None


def greedy_set(problem: Dispersion) -> IntArray:
    """Add the item that increases the value most, k times."""
    marginal = problem.gains.copy()
    items = np.zeros(problem.k, dtype=np.int64)
    for place in range(problem.k):
        items[place] = item = int(marginal.argmax())
        marginal -= problem.costs[item]
        marginal[item] = -np.inf
    return items


def exchange(problem: Dispersion, items: IntArray, budget: Budget) -> IntArray:
    """Exchange one item for another, the best exchange first, while that improves.

    With Q_i = Σ_{j ∈ S} q_ij, replacing i by j gains (a_j - Q_j + q_ij) - (a_i - Q_i).
    """
    value = problem.value(items)
    while not budget.is_spent and problem.k < len(problem.gains):
        budget.spend(_WORK_PER_EXCHANGE * problem.k * len(problem.gains))
        marginal = problem.gains - problem.costs[items].sum(axis=0)
        change = marginal + problem.costs[items] - marginal[items][:, None]  # (k, n)
        change[:, items] = -np.inf
        place, item = divmod(int(change.argmax()), change.shape[1])
        neighbor = items.copy()
        neighbor[place] = item
        neighbor_value = problem.value(neighbor)
        if not neighbor_value > value:
            break
        items, value = neighbor, neighbor_value
    return items
