"""Cuts for orders with constraints.

The path from item j to the depot visits no item that must come before j. So x, as a
flow, sends 1 from j to the depot through the nodes without pred(j); if the maximum flow
there is less, its minimum cut (S, T) gives a violated inequality Σ_{i in S, k in T}
x_ik ≥ 1. Likewise from the depot to i without succ(i), and, if a comes before b, from a
to b without pred(a) and succ(b). These are the weak π-, σ- and (π, σ)-inequalities of
Balas, Fischetti and Pulleyblank (1995).
"""

from typing import NamedTuple

import numpy as np

from ltr.queries import BoolArray, FloatArray
from ltr.solvers.core.budget import Budget
from ltr.solvers.paths.problem import PathProblem
from ltr.solvers.paths.subtour_relaxation import Cut

# Flows are computed in integers; this is the flow of an arc with x = 1.
_ONE = 10**6
# Minimum violation of a cut.
_LEAST = 0.01
# Units of work of one flow: fixed, and per arc.
_WORK_OF_FLOW, _WORK_PER_ARC = 1e-4, 2e-7


def together_cuts(problem: PathProblem) -> list[Cut]:
    """Return a cut for each group: at least m - 1 arcs between its m items."""
    size = problem.n_items + 1
    cuts = []
    for group in problem.rules.together:
        counts = np.zeros((size, size), dtype=np.int8)
        counts[np.ix_(group.items, group.items)] = -1
        cuts.append(Cut(counts, 1 - len(group.items)))
    return cuts


class Flow(NamedTuple):
    """A unit of flow from source to sink that avoids some nodes, shape (n + 1,)."""

    source: int
    sink: int
    avoided: BoolArray


class PrecedenceCuts:
    """Separation of cuts from the precedences of a problem.

    Attributes
    ----------
    flows : list of Flow
        Flows of value 1 in every order that keeps the precedences.
    """

    def __init__(self, problem: PathProblem) -> None:
        n = problem.n_items
        self.flows: list[Flow] = []
        if problem.rules.is_empty:
            return
        closure = problem.rules.before(n)
        before = np.zeros((n + 1, n + 1), dtype=bool)
        before[:n, :n] = closure
        for i in range(n):
            if before[:, i].any():
                self.flows.append(Flow(i, n, before[:, i]))
            if before[i].any():
                self.flows.append(Flow(n, i, before[i]))
        # only pairs with no third item between them: these imply all the others
        n_between = closure.astype(np.float32) @ closure.astype(np.float32)
        for a, b in np.argwhere(closure & (n_between == 0)).tolist():
            avoided = before[:, a] | before[b]
            avoided[n] = True
            self.flows.append(Flow(a, b, avoided))

    def __call__(self, x: FloatArray, budget: Budget) -> list[Cut]:
        """Return cuts that x, a matrix over the arcs, violates, within the budget."""
        from ortools.graph.python.max_flow import SimpleMaxFlow

        capacity = np.rint(x * _ONE).astype(np.int64)
        tails, heads = np.nonzero(capacity)
        capacity = capacity[tails, heads]
        cuts = []
        for source, sink, avoided in self.flows:
            budget.spend(_WORK_OF_FLOW + _WORK_PER_ARC * len(tails))
            if budget.is_spent:
                break
            inside = ~(avoided[tails] | avoided[heads])
            network = SimpleMaxFlow()
            # an arc without capacity, so that both nodes exist
            network.add_arc_with_capacity(source, sink, 0)
            network.add_arcs_with_capacity(
                tails[inside], heads[inside], capacity[inside]
            )
            if network.solve(source, sink) != network.OPTIMAL:
                continue
            if network.optimal_flow() > (1 - _LEAST) * _ONE:
                continue
            # S: the nodes that the source reaches in the residual graph
            in_s = np.zeros(len(x), dtype=bool)
            in_s[network.get_source_side_min_cut()] = True
            counts = -(in_s[:, None] & ~(in_s | avoided)).astype(np.int8)
            cuts.append(Cut(counts, -1))
        return cuts


def chain_cut(problem: PathProblem, order: list[int]) -> Cut | None:
    """Return the cut "not all arcs of the broken chain"; None if none is broken."""
    chain = problem.broken_chain(order)
    if chain is None:
        return None
    size = problem.n_items + 1
    counts = np.zeros((size, size), dtype=np.int8)
    counts[chain[:-1], chain[1:]] = 1
    return Cut(counts, len(chain) - 2)
