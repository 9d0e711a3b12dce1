r"""Learn through a solver: losses and gradients for a best order.

A solver answers "which order y has the greatest gain under the scores θ?" Written with
the 0/1 indicator of its parts (arcs, first and last item; or "i before j"), that is
:math:`y^*(\theta) = \arg\max_y \langle \theta, y \rangle`: piecewise constant, so
its derivative is 0 almost everywhere. This module provides substitutes.

===============================  ========================================  ============
function                         gradient with respect to θ                solves
===============================  ========================================  ============
:func:`structured_hinge`         y*(θ + margin) − y                        1
:func:`perturbed_fenchel_young`  mean of y*(θ + σZ) − y                    n_samples
:func:`blackbox`                 (y*(θ) − y*(θ − λg)) / λ                  2
:func:`identity`                 g, through a projection                   1
:func:`sinkhorn_loss`            relaxed arcs − y                          0
===============================  ========================================  ============

(g is the gradient of a loss with respect to y*.) For up to 15 items
:func:`ltr.solvers.dynamic.path_log_partition` has an exact gradient.

The solver is an *oracle*: :class:`PathOracle` or :class:`OrderingOracle`, by default
the dynamic program up to 12 items and ``solve_paths`` or ``solve_orderings`` beyond;
any other solver can be plugged in. In all functions the last two axes of ``matrix`` are
the list, leading axes are the batch, and ``where`` is True for real items.
"""

from __future__ import annotations

from ltr.solvers.differentiable.gradients import blackbox, identity
from ltr.solvers.differentiable.host_callbacks import (
    STATUSES,
    GraphSolutions,
    solve_in_graph,
)
from ltr.solvers.differentiable.losses import perturbed_fenchel_young, structured_hinge
from ltr.solvers.differentiable.oracles import (
    Oracle,
    OrderingOracle,
    Parts,
    PathOracle,
    inner,
    path_parts,
)
from ltr.solvers.differentiable.sinkhorn import sinkhorn, sinkhorn_loss

__all__ = [
    "STATUSES",
    "GraphSolutions",
    "Oracle",
    "OrderingOracle",
    "Parts",
    "PathOracle",
    "blackbox",
    "identity",
    "inner",
    "path_parts",
    "perturbed_fenchel_young",
    "sinkhorn",
    "sinkhorn_loss",
    "solve_in_graph",
    "structured_hinge",
]
