"""How much other orders lose, relative to the best one.

It says whether the best order is unique, without solving the problem again.
"""

import numpy as np

from ltr.queries import IntArray
from ltr.solvers.core.solution import Margin
from ltr.solvers.orderings.local_search import move_gains, moved
from ltr.solvers.orderings.problem import OrderingProblem


def margin_of_moves(problem: OrderingProblem, order: IntArray) -> Margin:
    """Return the margin that one insertion of an item shows: no lower bound.

    Parameters
    ----------
    problem : OrderingProblem
        Its constraints are kept by the moves.
    order : int array of shape (n,)
        The best order.

    Examples
    --------
    >>> from ltr.solvers.orderings.problem import ordering_problem
    >>> problem = ordering_problem(np.array([[0.0, 4.0], [1.0, 0.0]]))
    >>> margin_of_moves(problem, np.array([0, 1]))
    Margin(lower=0.0, upper=3.0)
    """
    n = len(order)
    if n < 2:
        return Margin(np.inf, np.inf)
    losses = -move_gains(problem.steep, order)
    np.fill_diagonal(losses, np.inf)
    if problem.is_free:
        a, b = divmod(int(losses.argmin()), n)
        neighbor = moved(order, a, b)
        loss = max(0.0, float(losses[a, b]))
        return Margin(0.0, loss if problem.keeps(neighbor) else np.inf)
    # with positions and groups, few moves are allowed: exchanges of neighbors
    places = np.arange(n - 1)
    upper = np.inf
    for place in places[np.isfinite(losses[places, places + 1])].tolist():
        loss = max(0.0, float(losses[place, place + 1]))
        if loss < upper and problem.keeps(moved(order, place, place + 1)):
            upper = loss
    return Margin(0.0, upper)


def margin_across(problem: OrderingProblem, parts: list[IntArray]) -> Margin:
    """Return the margin of orders that mix strong components.

    No pair of items of two components is reversed by the best order. An order that
    reverses one of positive gain loses at least that. If none is, and each component
    has the order given, the order is a linear extension of these pairs and chains. It
    is the only one if and only if each item and the next are such a pair or in a chain:
    this may fail only from the last item of a component to the first of the next one.

    Parameters
    ----------
    problem : OrderingProblem
        Only settled pairs constrain its orders.
    parts : list of int arrays
        Items of each component in their order, in topological order of the components.

    Examples
    --------
    >>> from ltr.solvers.orderings.problem import ordering_problem
    >>> problem = ordering_problem(np.zeros((2, 2)))
    >>> margin_across(problem, [np.array([0]), np.array([1])])
    Margin(lower=0.0, upper=0.0)
    """
    losses = np.where(problem.settled, np.inf, 2 * problem.gains)
    label = np.empty(len(problem), dtype=np.int64)
    for number, part in enumerate(parts):
        label[part] = number
    is_forward = (label[:, None] < label) & (losses > 0)
    lower = float(losses[is_forward].min(initial=np.inf))
    last = [part[-1] for part in parts[:-1]]
    first = [part[0] for part in parts[1:]]
    upper = float(losses[last, first].min(initial=np.inf))
    return Margin(min(lower, upper), upper)
