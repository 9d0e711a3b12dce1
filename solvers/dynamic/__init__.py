"""Dynamic programmes over subsets, in JAX: best orders, log Z, marginals, samples.

For lists of up to 15 items, 12 with comfort, every order is summed over or compared:
no callback, so all of it runs inside ``jit``, ``vmap`` and ``grad`` and on any device.

A *path* gains ``start[π_1] + Σ matrix[π_k, π_{k+1}] + end[π_n]``, an *ordering*
``Σ_{i before j} matrix[i, j]``. With "max, +" the programme finds the best order, with
"log-sum-exp, +" the log of Z = Σ_π e^{gain(π)}, the normaliser of the distribution
P(π) = e^{gain(π)} / Z over orders: a conditional random field (CRF). The gradient of
log Z is the marginals; it is computed by a second recursion from the other end, in the
memory of the first, and not by a tape.

Everywhere in this module:

* the last two axes of ``matrix`` are the list, all leading axes are the batch; under
  ``vmap`` the same batch can be several times slower, gradients above all;
* ``where`` is True for real items. What stands elsewhere, NaN included, changes neither
  value nor gradient; the others come last in every order;
* −inf forbids an arc, an end or a pair; the diagonal is not read. If no order is left,
  the value is −inf, all marginals and gradients are 0, and orders and samples are
  arbitrary;
* NaN and +inf raise a ValueError, but inside ``jit``, ``vmap`` or ``grad``, where
  numbers cannot be looked at, they go through;
* the work doubles with each item: it grows with 2^n n² for paths and 2^n n for
  orderings. Use :func:`ltr.solvers.solve_paths` and :func:`ltr.solvers.solve_orderings`
  for longer lists;
* the precision is that of ``matrix``: float32, or float64 within
  ``jax.enable_x64(True)``.

References
----------
.. [1] Held & Karp, "A dynamic programming approach to sequencing problems", Journal of
   SIAM 1962; Bellman, "Dynamic programming treatment of the travelling salesman
   problem", JACM 1962.
.. [2] Lafferty, McCallum & Pereira, "Conditional random fields", ICML 2001.
"""

from ltr.solvers.dynamic.functions import (
    MAX_ITEMS,
    PathMarginals,
    best_ordering,
    best_path,
    ordering_log_partition,
    ordering_marginals,
    path_log_partition,
    path_marginals,
    path_precedence,
    sample_orderings,
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
