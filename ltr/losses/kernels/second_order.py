"""Second derivatives of kernels whose terms couple the items of a list.

The second derivative of a sum of terms f_i(s_i), one per item, is one product of its
Hessian with a vector of ones, as nothing stands off the diagonal. A pair or a softmax
couples the items. While :func:`diagonal_only` is active, the kernels of pairs and of
the softmax return, in place of their value v with gradient g and Hessian H at the
scores s, the function

    q(t) = v + g · (t − s) + ½ Σ_i H_ii (t_i − s_i)²,

which has the same value, gradient and diagonal, but no coupling. So the product of the
Hessian of a whole loss with ones is its diagonal, whatever the loss does to the scores
of each item before the kernel (σ, a temperature) and to the sum after it (a mean).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import jax
import jax.numpy as jnp

_CALLS: ContextVar[list[None] | None] = ContextVar("_CALLS", default=None)


@contextmanager
def diagonal_only() -> Iterator[list[None]]:
    """Let the kernels that are traced inside drop the coupling of the items.

    Yields
    ------
    calls : list
        An entry for each kernel that did. None: the loss uses none of them, or JAX has
        compiled it before.
    """
    calls: list[None] = []
    token = _CALLS.set(calls)
    try:
        yield calls
    finally:
        _CALLS.reset(token)


def is_diagonal() -> bool:
    """Whether :func:`diagonal_only` is active."""
    return _CALLS.get() is not None


def without_coupling(
    scores: jax.Array, value: jax.Array, gradient: jax.Array, curvature: jax.Array
) -> jax.Array:
    """The function q of the module's docstring, at t = s.

    Parameters
    ----------
    scores : array of shape (..., list_size)
        s.
    value : array of shape (...)
        v.
    gradient, curvature : arrays of shape (..., list_size)
        g, and the diagonal of H.

    Returns
    -------
    value : array of shape (...)
        v, with g as its gradient and the diagonal as its Hessian.
    """
    calls = _CALLS.get()
    if calls is not None:
        calls.append(None)
    value, gradient, curvature = jax.lax.stop_gradient((value, gradient, curvature))
    offset = scores - jax.lax.stop_gradient(scores)  # t − s: 0, with gradient 1
    return value + jnp.sum((gradient + 0.5 * curvature * offset) * offset, axis=-1)
