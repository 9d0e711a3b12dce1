"""Cuts that a fractional tour violates: sets of nodes, and sets with teeth.

Leaving and entering a set balance, so a cut can be found on the undirected weights
x_ij + x_ji, and is valid for both directions together.
"""

import numpy as np

from ltr.solvers.core.solution import BoolArray, FloatArray, IntArray
from ltr.solvers.paths.subtour_relaxation import Cut

_EPSILON = 1e-6
# By how much a set with teeth, or a triangle, must be violated.
_LEAST = 0.02


def violated_cuts(
    tails: IntArray, heads: IntArray, x: FloatArray, size: int
) -> list[Cut]:
    """Cuts for a solution; none if it is a tour, or if all sets hold.

    First the components of the arcs that are used; if these hang together, minimum cuts
    (Stoer and Wagner, 1997) after nodes between which a whole arc runs are made one
    (Padberg and Rinaldi, 1990); then sets with an odd number of teeth.
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
    joined = groups.astype(float)
    between = joined @ weight @ joined.T
    np.fill_diagonal(between, 0.0)
    open_ = np.flatnonzero(between.sum(axis=1) < 2 - _EPSILON)
    sets = [groups[k] for k in open_] or cuts_below_two(between, groups)
    if sets:
        return [set_cut(nodes) for nodes in sets]
    return blossoms(weight) + triangles(tails, heads, x, size)


def set_cut(nodes: BoolArray) -> Cut:
    """Fewer arcs inside a set than it has nodes; the smaller of it and the rest."""
    if 2 * nodes.sum() > len(nodes):
        nodes = ~nodes
    return Cut((nodes[:, None] & nodes).astype(np.int8), int(nodes.sum()) - 1)


def components(near: BoolArray) -> IntArray:
    """Number of each node's component; edges are read above the diagonal."""
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


def cuts_below_two(weight: FloatArray, groups: BoolArray) -> list[BoolArray]:
    """Sets with less than 2 between them and the rest, by minimum cuts.

    Parameters
    ----------
    weight : float array of shape (r, r)
        Symmetric, between groups of nodes.
    groups : bool array of shape (r, size)
        Nodes of each group.
    """
    weight, groups = weight.copy(), groups.copy()
    left = np.ones(len(weight), dtype=bool)
    found = []
    for n_left in range(len(weight), 2, -1):
        towards = np.where(left, 0.0, -np.inf)
        previous = last = -1
        for _ in range(n_left):
            previous, last = last, int(towards.argmax())
            between = towards[last]
            towards += weight[last]
            towards[last] = -np.inf
        if between < 2 - _EPSILON:
            found.append(groups[last].copy())
        weight[previous] += weight[last]
        weight[:, previous] += weight[:, last]
        weight[previous, previous] = 0.0
        groups[previous] |= groups[last]
        left[last] = False
        weight[last] = 0.0
        weight[:, last] = 0.0
    return found


def blossoms(weight: FloatArray) -> list[Cut]:
    """Sets with an odd number of whole edges, the teeth, that stick out.

    A tour has at most |H| + (t - 1) / 2 edges inside the set H and among its t teeth
    (Edmonds, 1965). Sets are components of the fractional edges (Padberg and Hong,
    1980).
    """
    fractional = (weight > _EPSILON) & (weight < 1 - _EPSILON)
    whole = weight >= 1 - _EPSILON
    labels = components(fractional)
    found = []
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
            found.append(Cut(arcs.astype(np.int8), at_most))
    return found


def triangles(tails: IntArray, heads: IntArray, x: FloatArray, size: int) -> list[Cut]:
    """Three nodes i, j, k with 2 x_ij + x_ji + x_ik + x_kj > 2, in either direction.

    These are D3+ and D3- of Grötschel and Padberg (1985).
    """
    solution = np.zeros((size, size))
    solution[tails, heads] = x
    found = []
    for is_turned in (False, True):
        flow = solution.T if is_turned else solution
        i, j = np.nonzero((flow > 0.01) & (flow < 0.99))
        total = (2 * flow[i, j] + flow[j, i])[:, None] + flow[i] + flow.T[j]
        pairs = np.arange(len(i))
        total[pairs, i] = total[pairs, j] = 0.0
        for pair, k in np.argwhere(total > 2 + _LEAST).tolist():
            counts = np.zeros((size, size), dtype=np.int8)
            counts[i[pair], j[pair]] = 2
            counts[j[pair], i[pair]] = counts[i[pair], k] = counts[k, j[pair]] = 1
            found.append(Cut(counts.T.copy() if is_turned else counts, 2))
    return found
