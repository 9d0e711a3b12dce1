"""Dynamic programs over subsets, in JAX: best orders, log Z, marginals, samples.

For lists of up to 15 items (12 comfortably) all orders are summed over or compared
[1]_. There is no callback, so all of it runs inside ``jit``, ``vmap`` and ``grad`` and
on any device.

A *path* π has the gain ``start[π_1] + Σ_k matrix[π_k, π_{k+1}] + end[π_n]``, an
*ordering* the gain ``Σ_{i before j} matrix[i, j]``. In the semiring (max, +) the
recursion finds the best order, in (logsumexp, +) the log of Z = Σ_π e^{gain(π)}, the
normalizer of the distribution P(π) = e^{gain(π)} / Z over orders: a conditional random
field (CRF) [2]_. The gradient of log Z is the marginals; a second recursion from the
other end computes it, in the memory of the first, without a reverse-mode tape.

Everywhere in this module:

* the last two axes of ``matrix`` are the list, all leading axes are the batch; under
  ``vmap`` the same batch can be several times slower, gradients above all;
* ``where`` is True for real items. Entries of masked items, NaN included, change
  neither value nor gradient; masked items come last in every order;
* −inf forbids an arc, an end or a pair; the diagonal is ignored. If no order is left,
  the value is −inf, all marginals and gradients are 0, and orders and samples are
  arbitrary;
* NaN and +inf raise a ValueError, except inside ``jit``, ``vmap`` or ``grad``, where
  values cannot be inspected: there they propagate;
* the work doubles with each item: 2^n n² steps for paths and 2^n n for orderings. Use
  :func:`ltr.solvers.solve_paths` and :func:`ltr.solvers.solve_orderings` for longer
  lists;
* the precision is that of ``matrix``: float32, or float64 within
  ``jax.enable_x64(True)``.

References
----------
.. [1] Held & Karp, "A dynamic programming approach to sequencing problems", Journal of
   SIAM 1962; Bellman, "Dynamic programming treatment of the travelling salesman
   problem", JACM 1962.
.. [2] Lafferty, McCallum & Pereira, "Conditional random fields", ICML 2001.
"""

from __future__ import annotations

from ltr.solvers.dynamic.inputs import MAX_ITEMS
from ltr.solvers.dynamic.orderings import (
    best_ordering,
    ordering_log_partition,
    ordering_marginals,
    sample_orderings,
)
from ltr.solvers.dynamic.paths import (
    PathMarginals,
    best_path,
    path_log_partition,
    path_marginals,
    path_precedence,
    sample_paths,
)

__all__ = [
    "MAX_ITEMS",
    "PathMarginals",
    "best_ordering",
    "best_path",
    "ordering_log_partition",
    "ordering_marginals",
    "path_log_partition",
    "path_marginals",
    "path_precedence",
    "sample_orderings",
    "sample_paths",
]
