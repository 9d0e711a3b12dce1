"""A good order of scores under precedences, at once."""

from heapq import heapify, heappop, heappush

import numpy as np

from ltr.queries import IntArray
from ltr.solvers.assignment.problem import Gains, Rules


def greedy_order(gains: Gains, rules: Rules) -> IntArray | None:
    """Repeatedly place the best item whose predecessors are placed.

    None unless gains are scores, precedences are the only constraints, and they have
    no cycle.

    Examples
    --------
    >>> from ltr.solvers import Precedence
    >>> from ltr.solvers.assignment.problem import check_gains
    >>> gains = check_gains([3.0, 2.0, 1.0], None, None)
    >>> greedy_order(gains, Rules({}, (), (Precedence(2, 0),), False))
    array([1, 2, 0])
    """
    if gains.scores is None or rules.groups or rules.fixed:
        return None
    if rules.windows or rules.together:
        return None
    n_before = np.zeros(gains.n_items, dtype=np.int64)
    successors: dict[int, list[int]] = {}
    for pair in rules.precedences:
        n_before[pair.after] += 1
        successors.setdefault(pair.before, []).append(pair.after)
    queue = [(-gains.scores[i], i) for i in np.flatnonzero(n_before == 0).tolist()]
    heapify(queue)
    order: list[int] = []
    while queue and len(order) < gains.k:
        item = heappop(queue)[1]
        order.append(item)
        for successor in successors.get(item, []):
            n_before[successor] -= 1
            if n_before[successor] == 0:
                heappush(queue, (-gains.scores[successor], successor))
    return np.array(order) if len(order) == gains.k else None
