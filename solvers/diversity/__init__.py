"""Choose ``k`` relevant items that are unlike each other.

:func:`diversify` is maximal marginal relevance, greedy as in the paper or exact.
"""

from __future__ import annotations

from ltr.solvers.diversity.solve import diversify

__all__ = ["diversify"]
