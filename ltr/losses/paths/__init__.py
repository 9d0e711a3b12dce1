"""Losses on the pairwise matrix of a list, for :class:`ltr.TSPRanker`.

``matrix[i, j]`` is the gain of placing item j directly after item i; ``start[j]`` that
of placing j first, ``end[i]`` that of placing i last. The true order is descending
``labels``. The contract is that of :mod:`ltr.losses`: the last axes are the list, all
leading axes the batch; what stands where ``where`` is False, and on the diagonal,
changes neither value nor gradient.

Items with equal labels are a *block*: they are adjacent, in any order. So the target is
not one path but every path that visits the blocks in turn, and

* ``successor`` expects the arcs of one of them, drawn at random;
* ``crf`` maximizes the probability of all of them together;
* ``max_margin`` and ``perturbed_fy`` compare with the best of them;
* ``pairwise`` and ``gap_weighted`` omit pairs of equal labels.

A list of one block holds no information: its loss is 0.

Up to 12 items, best paths are computed exactly inside the compiled program; beyond
that, it calls a solver.
"""

from ltr.losses.paths.losses import (
    PATH_LOSSES,
    gap_weighted_bce_loss,
    hybrid_loss,
    pairwise_logistic_loss,
    successor_loss,
)
from ltr.losses.paths.structured import (
    max_margin_loss,
    path_crf_loss,
    perturbed_fy_loss,
)

__all__ = [
    "PATH_LOSSES",
    "gap_weighted_bce_loss",
    "hybrid_loss",
    "max_margin_loss",
    "pairwise_logistic_loss",
    "path_crf_loss",
    "perturbed_fy_loss",
    "successor_loss",
]
