"""The solutions of solvers, and the one place where a proof is accepted."""

import time
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ltr.queries import FloatArray, IntArray

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ltr.solvers.core.constraints import Constraint


class Status(StrEnum):
    """How much is known about an order.

    ``OPTIMAL``: no order is better, beyond rounding at the scale of the order's own
    terms; if all gains are integers, none is better at all. ``FEASIBLE``: it keeps the
    constraints; the bound says how much better another may be. ``UNKNOWN``: no order
    was found within the limits. ``INFEASIBLE``: there is none.

    Examples
    --------
    >>> Status("OPTIMAL") is Status.OPTIMAL
    True
    >>> print(Status.INFEASIBLE.advice)
    No order keeps the constraints; explain_conflict(solution) names those that clash.
    """

    OPTIMAL = "OPTIMAL"
    FEASIBLE = "FEASIBLE"
    UNKNOWN = "UNKNOWN"
    INFEASIBLE = "INFEASIBLE"

    @property
    def advice(self) -> str:
        """One sentence: what it means, and what to try next."""
        return _ADVICE[self]


_ADVICE = {
    Status.OPTIMAL: "The order is proven to be best; there is nothing to improve.",
    Status.FEASIBLE: "The order keeps the constraints, and solution.gap is left open; "
    "raise time_limit_s or work_limit, or try another method, to close it.",
    Status.UNKNOWN: "No order was found within the limits; raise time_limit_s or "
    "work_limit, or drop constraints.",
    Status.INFEASIBLE: "No order keeps the constraints; explain_conflict(solution) "
    "names those that clash.",
}


@dataclass(frozen=True, eq=False)
class Solution:
    """An order, its value, and a bound on the value of every other order.

    Attributes
    ----------
    order : int array of shape (n,) or None
        Item indices, best first. None if the status is UNKNOWN or INFEASIBLE.
    objective : float
        Value of the order, computed from it in double precision; NaN without an order.
    bound : float
        Upper bound on the value of every order; inf if none is known, -inf if
        INFEASIBLE. If ``sense`` is "min", a lower bound; -inf if none is known, inf if
        INFEASIBLE.
    status : Status
        OPTIMAL, FEASIBLE, UNKNOWN or INFEASIBLE; ``status.advice`` says what to try
        next.
    method : str
        Method that found the order or, if the status is OPTIMAL, proved it.
    wall_time_s : float
        Wall-clock seconds of the solve.
    conflict : tuple of constraints
        A smallest set of constraints that no order keeps; empty unless INFEASIBLE.
    sense : {"max", "min"}
        Whether the best order has the greatest or the least objective.
    is_unique : bool or None
        False: the order is OPTIMAL, and another is equally good, up to rounding. True:
        it is proven that none is. None: not known. It is known for most orderings and
        consensuses, for committees by rules that add up scores, for paths that the
        dynamic program proves, and for assignments of scores without constraints;
        :func:`all_optimal` finds out for any problem.
    is_interrupted : bool
        Whether Ctrl-C ended the solve. A loop over solves should end, too; Ctrl-C
        twice within a second raises KeyboardInterrupt.

    Examples
    --------
    >>> from ltr.solvers import solve_path
    >>> solution = solve_path([[0, 3, 1], [1, 0, 2], [4, 1, 0]])
    >>> solution.order, solution.objective, solution.is_optimal
    (array([2, 0, 1]), 7.0, True)
    >>> print(solution)  # doctest: +ELLIPSIS
    Solution(OPTIMAL, objective=7, bound=7, gap=0, order=[2, 0, 1], method=..., ...)
    """

    order: IntArray | None
    objective: float
    bound: float
    status: Status
    method: str
    wall_time_s: float
    conflict: "tuple[Constraint, ...]" = ()
    sense: str = "max"
    is_unique: bool | None = None
    is_interrupted: bool = False

    def __repr__(self) -> str:
        """One line, with the long orders abridged."""
        order = "None"
        if self.order is not None:
            order = np.array2string(self.order, separator=", ", threshold=20)
            order = " ".join(order.split())
        parts = [
            f"{type(self).__name__}({self.status.value}",
            f"objective={self.objective:.10g}",
            f"bound={self.bound:.10g}",
            f"gap={self.gap:.3g}",
            f"order={order}",
            f"method={self.method!r}",
            f"wall_time_s={self.wall_time_s:.3g}",
        ]
        if self.conflict:
            parts.append(f"conflict={self.conflict!r}")
        parts += ["sense='min'"] * (self.sense == "min")
        parts += ["is_interrupted=True"] * self.is_interrupted
        return ", ".join(parts) + ")"

    @property
    def is_optimal(self) -> bool:
        """Whether the order is proven to be best."""
        return self.status is Status.OPTIMAL

    @property
    def gap(self) -> float:
        """``|bound - objective|``, relative to the objective; inf without an order."""
        if self.order is None:
            return float("inf")
        difference = self.bound - self.objective
        if self.sense == "min":
            difference = -difference
        if difference <= 0:
            return 0.0
        return difference / abs(self.objective) if self.objective else float("inf")


def in_sense(solution: Solution, sense: str) -> Solution:
    """Return the solution of a maximization in the sense that the user asked for.

    Costs are minimized by maximizing their negatives: min c = -max(-c), so objective
    and bound change their sign, and an upper bound becomes a lower one.

    Parameters
    ----------
    solution : Solution
        Of the maximization.
    sense : {"max", "min"}
        "max" returns it as it is.

    Examples
    --------
    >>> found = certify([1, 0], -2.0, -1.5, tolerance=0.0, method="x", started=0.0)
    >>> solution = in_sense(found, "min")
    >>> solution.objective, solution.bound, solution.gap
    (2.0, 1.5, 0.25)
    """
    if sense == "max":
        return solution
    return replace(
        solution,
        objective=0.0 - solution.objective,
        bound=0.0 - solution.bound,
        sense=sense,
    )


@dataclass(frozen=True, eq=False)
class Lottery:
    """A probability distribution over orders.

    Attributes
    ----------
    orders : int array of shape (n_orders, k)
        Each row an order, best first.
    probabilities : float array of shape (n_orders,)
        They sum to 1.

    Examples
    --------
    >>> import numpy as np
    >>> lottery = Lottery(np.array([[0, 1], [1, 0]]), np.array([0.5, 0.5]))
    >>> sorted(lottery.draw(np.random.default_rng(0)).tolist())
    [0, 1]
    """

    orders: IntArray
    probabilities: FloatArray

    def draw(self, random_state: int | np.random.Generator | None = None) -> IntArray:
        """Draw one order.

        Parameters
        ----------
        random_state : int, Generator or None, default=None
            Seed. None: another draw at each call.

        Returns
        -------
        order : int array of shape (k,)
            One row of ``orders``.
        """
        rng = np.random.default_rng(random_state)
        return np.asarray(
            self.orders[rng.choice(len(self.orders), p=self.probabilities)]
        )


class Margin(NamedTuple):
    """What the best other order loses, relative to the best one, lies in between.

    Attributes
    ----------
    lower, upper : float
        Bounds on the loss; inf if there is no other order.

    Examples
    --------
    >>> Margin(0.5, 2.0).is_unique(0.1), Margin(0.0, 0.0).is_unique(0.1)
    (True, False)
    """

    lower: float = 0.0
    upper: float = float("inf")

    def is_unique(self, tolerance: float) -> bool | None:
        """Whether no other order is equally good; None: the bounds do not tell."""
        if self.lower > tolerance:
            return True
        return False if self.upper <= tolerance else None


def least_margin(margins: "Iterable[Margin]") -> Margin:
    """Return the margin of a whole whose parts are solved independently.

    Examples
    --------
    >>> least_margin([Margin(1.0, 1.0), Margin(0.0, 3.0)])
    Margin(lower=0.0, upper=1.0)
    """
    least = Margin(float("inf"), float("inf"))
    for margin in margins:
        least = Margin(min(least.lower, margin.lower), min(least.upper, margin.upper))
    return least


class Outcome(NamedTuple):
    """What a method establishes about a problem, in the problem's own item numbers.

    Attributes
    ----------
    status : Status
        FEASIBLE with an order, whether or not it is proven; UNKNOWN or INFEASIBLE.
    order : int array of shape (n,), default=None
        The best order that was found, if any.
    bound : float, default=inf
        Upper bound on the value of every order.
    method : str, default=""
        Method that found it.
    margin : Margin, default=Margin(0, inf)
        What other orders lose, if this order is best.
    """

    status: Status
    order: IntArray | None = None
    bound: float = float("inf")
    method: str = ""
    margin: Margin = Margin()


def certify(
    order: ArrayLike,
    objective: float,
    bound: float,
    *,
    tolerance: float,
    method: str,
    started: float,
    is_whole: bool = False,
    is_unique: bool | None = None,
) -> Solution:
    """Return a solution whose status follows from objective and bound.

    Parameters
    ----------
    order : array-like of int, shape (n,)
        Item indices, best first; it must keep the constraints.
    objective : float
        Its value, recomputed from the order.
    bound : float
        Upper bound, with the rounding of the solver's numbers added.
    tolerance : float
        Greatest gap that counts as a proof; see :mod:`ltr.solvers.core.tolerance`.
    method : str
        Method that found the order or proved it optimal.
    started : float
        ``time.perf_counter()`` at the beginning.
    is_whole : bool, default=False
        Whether all values are integers: a bound that proves the objective equals it.
    is_unique : bool, default=None
        Whether no other order is equally good, provided that the order is best.

    Raises
    ------
    RuntimeError
        If the bound is below the objective by more than the tolerance, so that one of
        the two is wrong.

    Examples
    --------
    >>> solution = certify([1, 0], 2.0, 2.5, tolerance=1e-6, method="x", started=0.0)
    >>> solution.status.value, solution.gap
    ('FEASIBLE', 0.25)
    """
    if not bound >= objective - tolerance:
        raise RuntimeError(
            f"{method} gave the bound {bound!r} for an order of value {objective!r}: "
            "one of them is wrong. Please report this with the matrix."
        )
    bound = max(bound, objective)
    proven = bound - objective <= tolerance
    if is_whole and proven:
        bound = objective
    return Solution(
        np.asarray(order, dtype=np.int64),
        float(objective),
        float(bound),
        Status.OPTIMAL if proven else Status.FEASIBLE,
        method,
        time.perf_counter() - started,
        is_unique=is_unique if proven else None,
    )


def without_order(
    status: Status,
    *,
    method: str,
    started: float,
    bound: float = float("inf"),
    conflict: "tuple[Constraint, ...]" = (),
) -> Solution:
    """Return a solution without an order, UNKNOWN or INFEASIBLE.

    Examples
    --------
    >>> without_order(Status.UNKNOWN, method="x", started=0.0).gap
    inf
    """
    return Solution(
        None,
        float("nan"),
        float("-inf") if status is Status.INFEASIBLE else bound,
        status,
        method,
        time.perf_counter() - started,
        conflict,
    )
