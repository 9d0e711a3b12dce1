"""Cuts for orders with constraints.

After item j, the path to the end meets no item that must come before j: with those
items left out, a whole arc still flows from j to the end. Likewise from the start to i
without the items that must come after i, and from a to b, if a comes before b, without
what must come before a or after b (Balas, Fischetti and Pulleyblank, 1995).
"""

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import breadth_first_order, maximum_flow

from ltr.solvers.core.budget import Budget
from ltr.solvers.core.constraints import Together
from ltr.solvers.core.solution import BoolArray, FloatArray
from ltr.solvers.paths.problem import PathProblem, precedence_closure
from ltr.solvers.paths.subtour_relaxation import Cut

# Flows are computed in integers; this is a whole arc.
_ONE = 10**6
# By how much a cut must be violated.
_LEAST = 0.01
# Units of work of one flow.
_WORK_PER_ARC = 1e-7


def together_cuts(problem: PathProblem) -> list[Cut]:
    """Items that stand together are joined by all but one of as many arcs."""
    size = problem.n_items + 1
    cuts = []
    for constraint in problem.constraints:
        if isinstance(constraint, Together):
            counts = np.zeros((size, size), dtype=np.int8)
            counts[np.ix_(constraint.items, constraint.items)] = -1
            cuts.append(Cut(counts, 1 - len(constraint.items)))
    return cuts


class PrecedenceCuts:
    """Finds violated cuts of a problem's precedences.

    Attributes
    ----------
    flows : list of (source, sink, left out)
        Each must have a whole arc from source to sink without the nodes left out.
    """

    def __init__(self, problem: PathProblem) -> None:
        n = problem.n_items
        self.flows: list[tuple[int, int, BoolArray]] = []
        if not problem.constraints:
            return
        closure = precedence_closure(n, problem.constraints)
        before = np.zeros((n + 1, n + 1), dtype=bool)
        before[:n, :n] = closure
        for i in range(n):
            if before[:, i].any():
                self.flows.append((i, n, before[:, i]))
            if before[i].any():
                self.flows.append((n, i, before[i]))
        count = closure.astype(np.float32)
        for a, b in np.argwhere(closure & (count @ count == 0)).tolist():
            out = before[:, a] | before[b]
            out[n] = True
            self.flows.append((a, b, out))

    def __call__(self, flow: FloatArray, budget: Budget) -> list[Cut]:
        """Cuts that a solution, as a matrix of arcs, violates; those found in time."""
        capacity = np.rint(flow * _ONE).astype(np.int32)
        cuts = []
        for source, sink, out in self.flows:
            budget.spend(_WORK_PER_ARC * flow.size)
            if budget.is_spent:
                break
            kept = np.where(out[:, None] | out, 0, capacity)
            graph = csr_array(kept)
            found = maximum_flow(graph, source, sink)
            if found.flow_value > (1 - _LEAST) * _ONE:
                continue
            residual = csr_array(np.maximum(kept - found.flow.toarray(), 0))
            near = np.zeros(len(flow), dtype=bool)
            near[breadth_first_order(residual, source, return_predecessors=False)] = (
                True
            )
            counts = -(near[:, None] & ~(near | out)).astype(np.int8)
            cuts.append(Cut(counts, -1))
        return cuts


def chain_cut(problem: PathProblem, order: list[int]) -> Cut | None:
    """Not all arcs of a chain that breaks a constraint; None if none does."""
    chain = problem.broken_chain(order)
    if chain is None:
        return None
    size = problem.n_items + 1
    counts = np.zeros((size, size), dtype=np.int8)
    counts[chain[:-1], chain[1:]] = 1
    return Cut(counts, len(chain) - 2)
