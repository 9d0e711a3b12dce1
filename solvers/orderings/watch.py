"""What is reported of an ordering problem while it is solved, part by part."""

from collections.abc import Callable

import numpy as np

from ltr.queries import IntArray
from ltr.solvers.orderings.problem import OrderingProblem

# A better order or bound of a problem, both in its own numbers.
Report = Callable[[IntArray, float], None]


class Watch:
    """The best order and bound of a problem so far; nothing, if nobody watches.

    Methods offer what they find, and never read from it: the result is the same whether
    or not somebody watches.

    Parameters
    ----------
    problem : OrderingProblem
        The problem that is solved.
    report : callable, default=None
        Called with the order and the bound whenever one of them is better. None: nobody
        watches.

    Examples
    --------
    >>> from ltr.solvers.orderings.problem import ordering_problem
    >>> problem = ordering_problem(np.array([[0.0, 2.0], [0.0, 0.0]]))
    >>> watch = Watch(problem, lambda order, bound: print(order, bound))
    >>> watch.offer(np.array([1, 0]))
    [1 0] 1.0
    >>> watch.offer(np.array([0, 1]))
    [0 1] 1.0
    """

    def __init__(self, problem: OrderingProblem, report: Report | None = None) -> None:
        self._problem, self._report = problem, report
        self._order: IntArray | None = None
        self._value = -np.inf
        self._bound = problem.spread / 2 if self.is_on else np.inf

    @property
    def is_on(self) -> bool:
        """Whether somebody watches."""
        return self._report is not None

    def offer(self, order: IntArray) -> None:
        """Report an order if it is better and keeps the constraints."""
        if self._report is None:
            return
        value = self._problem.value(order)
        if value > self._value and self._problem.keeps(order):
            self._order, self._value = order.copy(), value
            self._pass_on()

    def tighten(self, bound: float) -> None:
        """Report a bound if it is better."""
        if self._report is not None and bound < self._bound:
            self._bound = bound
            self._pass_on()

    def _pass_on(self) -> None:
        if self._report is not None and self._order is not None:
            self._report(self._order, max(self._bound, self._value))


class Parts:
    """Reports of parts that are solved one after another, as reports of the whole.

    All pairs of items in two parts are in their better direction, so the gap of the
    whole is the sum of the gaps of the parts.

    Parameters
    ----------
    whole : Watch
        Watch of the whole problem.
    problem : OrderingProblem
        The whole problem.
    parts : list of int array
        Items of each part, in ascending order; the order of the parts.
    """

    def __init__(
        self, whole: Watch, problem: OrderingProblem, parts: list[IntArray]
    ) -> None:
        self._whole, self._problem, self._parts = whole, problem, parts
        self._orders = list(parts)
        self._gaps = np.zeros(len(parts))
        for number, items in enumerate(parts if whole.is_on else ()):
            inside = problem.part(items)
            value = inside.value(np.arange(len(items)))
            self._gaps[number] = inside.spread / 2 - value

    def watch(self, number: int, inside: OrderingProblem) -> Watch:
        """Return the watch of a part, given its problem."""

        def report(order: IntArray, bound: float) -> None:
            self._orders[number] = self._parts[number][order]
            self._gaps[number] = bound - inside.value(order)
            joined = np.concatenate(self._orders)
            self._whole.offer(joined)
            self._whole.tighten(self._problem.value(joined) + float(self._gaps.sum()))

        return Watch(inside, report if self._whole.is_on else None)


def watch_units(
    whole: Watch,
    problem: OrderingProblem,
    merged: OrderingProblem,
    units: list[IntArray],
    gap: float,
) -> Watch:
    """Return the watch of a problem whose items are units of items.

    Parameters
    ----------
    whole : Watch
        Watch of the problem of all items.
    problem, merged : OrderingProblem
        The problem of all items, and that of the units.
    units : list of int array
        Items of each unit, in order.
    gap : float
        Sum of the gaps inside the units.
    """

    def report(order: IntArray, bound: float) -> None:
        joined = np.concatenate([units[unit] for unit in order])
        whole.offer(joined)
        whole.tighten(problem.value(joined) + gap + bound - merged.value(order))

    return Watch(merged, report if whole.is_on else None)
