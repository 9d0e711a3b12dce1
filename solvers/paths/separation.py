"""Separation: cuts that a fractional solution violates (subtours, blossoms, triangles).

As many arcs enter a set of nodes as leave it, so most cuts are found on the undirected
weights w_ij = x_ij + x_ji, and are valid for both directions together.
"""

import numpy as np

from ltr.queries import BoolArray, FloatArray, IntArray
from ltr.solvers.core.budget import Budget
from ltr.solvers.paths.subtour_relaxation import Cut

_EPSILON = 1e-6
# Minimum violation for which a blossom or triangle is worth a row.
_LEAST = 0.02


def violated_cuts(
    tails: IntArray, heads: IntArray, x: FloatArray, size: int, budget: Budget
) -> list[Cut]:
    """Return cuts that a solution violates; none if it is a tour, or if none is found.

    First the components of the support; if it is connected, minimum cuts (Stoer and
    Wagner, 1997) after the ends of edges with w = 1 are contracted (Padberg and
    Rinaldi, 1990); if no subtour cut is violated, blossoms and triangles.
    """
    weight = np.zeros((size, size))
    weight[tails, heads] = x
    weight += weight.T
    labels = components(weight > _EPSILON)
    if labels.any():
        return [set_cut(labels == k) for k in range(labels.max() + 1)]
    labels = components(weight > 1 - _EPSILON)
    n_groups = labels.max() + 1
    if n_groups == 1:
        return []
    groups = np.arange(n_groups)[:, None] == labels
    member = groups.astype(float)
    between = member @ weight @ member.T
    np.fill_diagonal(between, 0.0)
    # w(S, rest) < 2 violates Σ_{i, j in S} x_ij ≤ |S| - 1, since degrees are 2
    violated = np.flatnonzero(between.sum(axis=1) < 2 - _EPSILON)
    sets = [groups[k] for k in violated] or cuts_below_two(between, groups, budget)
    if sets:
        return [set_cut(nodes) for nodes in sets]
    return blossoms(weight) + triangles(tails, heads, x, size)


def set_cut(nodes: BoolArray) -> Cut:
    """Return the subtour cut of a set S or of its complement, whichever is smaller.

    The two are equivalent: x(S) ≤ |S| - 1 and x(complement) ≤ |complement| - 1.
    """
    if 2 * nodes.sum() > len(nodes):
        nodes = ~nodes
    return Cut((nodes[:, None] & nodes).astype(np.int8), int(nodes.sum()) - 1)


def components(near: BoolArray) -> IntArray:
    """Return the component of each node; only the upper triangle is read."""
    parent = list(range(len(near)))

    def root(node: int) -> int:
        while parent[node] != node:
            parent[node] = node = parent[parent[node]]
        return node

    for i, j in np.argwhere(np.triu(near, 1)).tolist():
        parent[root(i)] = root(j)
    roots = [root(node) for node in range(len(near))]
    number = {node: k for k, node in enumerate(dict.fromkeys(roots))}
    return np.array([number[node] for node in roots])


def cuts_below_two(
    weight: FloatArray, groups: BoolArray, budget: Budget
) -> list[BoolArray]:
    """Return sets S with w(S, rest) < 2, by Stoer and Wagner's minimum cuts.

    A phase adds the group most tightly connected to those added before, until all are
    in; the cut between the last group and the others is a minimum cut between the last
    two, which are then merged.

    Parameters
    ----------
    weight : float array of shape (r, r)
        Symmetric weights between groups of nodes.
    groups : bool array of shape (r, size)
        Nodes of each group.
    budget : Budget
        When it is spent, the cuts so far are returned.
    """
    weight, groups = weight.copy(), groups.copy()
    remaining = np.ones(len(weight), dtype=bool)
    sets = []
    for n_remaining in range(len(weight), 2, -1):
        if budget.is_spent:
            break
        connection = np.where(remaining, 0.0, -np.inf)
        previous = last = -1
        for _ in range(n_remaining):
            previous, last = last, int(connection.argmax())
            cut_of_phase = connection[last]
            connection += weight[last]
            connection[last] = -np.inf
        if cut_of_phase < 2 - _EPSILON:
            sets.append(groups[last].copy())
        weight[previous] += weight[last]
        weight[:, previous] += weight[:, last]
        weight[previous, previous] = 0.0
        groups[previous] |= groups[last]
        remaining[last] = False
        weight[last] = 0.0
        weight[:, last] = 0.0
    return sets


def blossoms(weight: FloatArray) -> list[Cut]:
    """Return violated blossom inequalities (2-matching, Edmonds, 1965).

    A tour has at most |H| + (t - 1) / 2 edges inside the handle H and among its teeth,
    an odd number t of disjoint edges that leave H. Handles are components of the edges
    with 0 < w < 1, teeth edges with w = 1 (Padberg and Hong, 1980).
    """
    fractional = (weight > _EPSILON) & (weight < 1 - _EPSILON)
    whole = weight >= 1 - _EPSILON
    labels = components(fractional)
    cuts = []
    for k in np.flatnonzero(np.bincount(labels) >= 3):
        handle = labels == k
        inside, outside = np.nonzero(whole & handle[:, None] & ~handle)
        n_teeth = len(inside)
        if n_teeth % 2 == 0 or n_teeth < 3 or len(set(outside.tolist())) < n_teeth:
            continue
        arcs = handle[:, None] & handle
        arcs[inside, outside] = arcs[outside, inside] = True
        at_most = int(handle.sum()) + (n_teeth - 1) // 2
        if weight[arcs].sum() / 2 > at_most + _LEAST:
            cuts.append(Cut(arcs.astype(np.int8), at_most))
    return cuts


def triangles(tails: IntArray, heads: IntArray, x: FloatArray, size: int) -> list[Cut]:
    """Return violated inequalities 2 x_ij + x_ji + x_ik + x_kj ≤ 2, in both directions.

    These are D3+ and D3- of Grötschel and Padberg (1985).
    """
    matrix = np.zeros((size, size))
    matrix[tails, heads] = x
    cuts = []
    for is_transposed in (False, True):
        x_ij = matrix.T if is_transposed else matrix
        i, j = np.nonzero((x_ij > 0.01) & (x_ij < 0.99))
        # (number of the pair i, j; k)
        total = (2 * x_ij[i, j] + x_ij[j, i])[:, None] + x_ij[i] + x_ij.T[j]
        pairs = np.arange(len(i))
        total[pairs, i] = total[pairs, j] = 0.0
        for pair, k in np.argwhere(total > 2 + _LEAST).tolist():
            counts = np.zeros((size, size), dtype=np.int8)
            counts[i[pair], j[pair]] = 2
            counts[j[pair], i[pair]] = counts[i[pair], k] = counts[k, j[pair]] = 1
            cuts.append(Cut(counts.T.copy() if is_transposed else counts, 2))
    return cuts
