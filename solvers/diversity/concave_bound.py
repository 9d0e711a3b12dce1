"""The bound of a concave relaxation: strong where similarities are cosines.

For x ∈ {0, 1}^n with Σ x = k and any d, as x_i² = x_i,

    f(x) = Σ_i (a_i + d/2)·x_i - x'Hx/2,  H = Q + d·1,

which is concave if d ≥ -(least eigenvalue of Q). It is then no greater than its tangent
at any point z, so its maximum is at most z'Hz/2 plus the k greatest b = a + d/2 - Hz.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ltr.queries import FloatArray, IntArray
from ltr.solvers.core.budget import Budget
from ltr.solvers.core.tolerance import EPSILON
from ltr.solvers.diversity.dispersion import Dispersion, Relaxation

# Steps between two bounds; rounds of them; the share of the gap to the incumbent below
# which a better z is not worth its steps.
_STEPS, _MAX_ROUNDS, _ENOUGH = 20, 40, 0.02
# Units of work of a round: overhead, and per candidate.
_WORK_OF_ROUND, _WORK_PER_CANDIDATE = 4e-4, 1e-6


class ConcaveRelaxation:
    """Bounds from tangents at a point z that ascends from node to node.

    Parameters
    ----------
    problem : Dispersion
        The problem.
    """

    def __init__(self, problem: Dispersion) -> None:
        self.problem = problem
        n = len(problem.gains)
        size = float(np.linalg.norm(problem.costs))
        least = float(np.linalg.eigvalsh(problem.costs)[0])
        self._shift = max(0.0, 10 * n * EPSILON * size - least)
        self._z = np.full(n, problem.k / n)

    def tighten(
        self,
        included: IntArray,
        candidates: IntArray,
        budget: Budget,
        value: float,
        is_pruned: Callable[[float], bool],
    ) -> Relaxation:
        """Bound the sets of a node; with the included items, m places are open.

        A step moves weight from the candidate of least slope that has some to the one
        of greatest slope that is not full, as far as the value increases.
        """
        problem, m = self.problem, self.problem.k - len(included)
        curvature = problem.costs[np.ix_(candidates, candidates)]
        diagonal = curvature.diagonal() + self._shift
        curvature = curvature + np.diag(np.full(len(candidates), self._shift))
        across = problem.costs[np.ix_(candidates, included)]
        linear = problem.gains[candidates] + self._shift / 2 - across.sum(axis=1)
        sizes = np.abs(problem.gains[candidates]) + self._shift
        sizes += np.abs(across).sum(axis=1)
        terms = problem.terms(included)
        z = _with_sum(self._z[candidates], m)
        best: Relaxation | None = None
        for _ in range(_MAX_ROUNDS):
            budget.spend(_WORK_OF_ROUND + _WORK_PER_CANDIDATE * len(candidates))
            product = curvature @ z
            rounded = EPSILON * (len(z) + problem.k)
            b = linear - product + rounded * (sizes + np.abs(curvature) @ z)
            top = np.argsort(-b, kind="stable")[:m]
            parts = np.concatenate([terms, b[top], [float(z @ product) / 2]])
            bound = float(parts.sum()) + rounded * float(np.abs(parts).sum())
            if best is None or bound < best.bound:
                best = Relaxation(bound, b, top)
            own = float(terms.sum() + linear @ z - z @ product / 2)
            is_done = bound - own <= _ENOUGH * max(0.0, bound - value)
            if is_pruned(best.bound) or is_done or budget.is_spent:
                break
            _ascend(z, linear - product, curvature, diagonal)
        self._z[candidates] = z
        assert best is not None
        return best


def _ascend(
    z: FloatArray, slope: FloatArray, curvature: FloatArray, diagonal: FloatArray
) -> None:
    """Improve z in place; the slope b at z is changed along with it."""
    for _ in range(_STEPS):
        gaining = int(np.where(z < 1, slope, -np.inf).argmax())
        losing = int(np.where(z > 0, slope, np.inf).argmin())
        rise = slope[gaining] - slope[losing]
        if not rise > 0:
            return
        bend = diagonal[gaining] + diagonal[losing] - 2 * curvature[gaining, losing]
        step = min(1 - z[gaining], z[losing])
        if rise < step * bend:
            step = rise / bend
        z[gaining] += step
        z[losing] -= step
        slope -= step * (curvature[gaining] - curvature[losing])


def _with_sum(z: FloatArray, total: int) -> FloatArray:
    """Shift all entries alike, and clip them to [0, 1], so that their sum is total."""
    low, high = -1.0, 1.0
    for _ in range(40):
        middle = (low + high) / 2
        if np.clip(z + middle, 0.0, 1.0).sum() < total:
            low = middle
        else:
            high = middle
    return np.clip(z + high, 0.0, 1.0)
