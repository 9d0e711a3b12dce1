"""Matrix products of scorers, in bfloat16 where training asks for it.

Accelerators multiply matrices in bfloat16 several times faster than in float32. In
mixed precision (Micikevicius et al., "Mixed precision training", ICLR 2018; Kalamkar et
al., "A study of bfloat16 for deep learning training", 2019) only the operands of
products are rounded: sums, activations, parameters, losses and the optimizer stay in
float32. As bfloat16 has the exponents of float32, the loss needs no scaling.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Any, Literal

Array = Any  # NumPy or JAX
Precision = Literal["float32", "float64", "bfloat16"]
_IS_ROUNDED: ContextVar[bool] = ContextVar("_IS_ROUNDED", default=False)


def array_type(precision: Precision) -> Literal["float32", "float64"]:
    """Type of features, parameters and losses, for a precision of training."""
    return "float64" if precision == "float64" else "float32"


@contextmanager
def bfloat16_products(active: bool = True) -> Iterator[None]:
    """Let the products that are traced inside round their operands to bfloat16.

    Parameters
    ----------
    active : bool, default=True
        False: they do not.
    """
    token = _IS_ROUNDED.set(active)
    try:
        yield
    finally:
        _IS_ROUNDED.reset(token)


def product(a: Array, b: Array) -> Array:
    """Multiply matrices, within :func:`bfloat16_products` after rounding them.

    Parameters
    ----------
    a : array of shape (..., m, k)
        NumPy or JAX; within :func:`bfloat16_products` JAX. One of sparse features is
        never rounded: gathering them takes the time, not the product.
    b : array of shape (k, n) or (..., k, n)
        In the latter case with the leading axes of ``a``.

    Returns
    -------
    product : array of shape (..., m, n)
        In the type of ``a``.
    """
    if not _IS_ROUNDED.get() or hasattr(a, "columns"):
        return a @ b
    if b.ndim == 2 and a.ndim > 2:
        return _rounded()(a.reshape(-1, a.shape[-1]), b).reshape(*a.shape[:-1], -1)
    return _rounded()(a, b)


@cache
def _rounded() -> Callable[[Array, Array], Array]:
    """The product of rounded operands, whose gradients are such products, too."""
    import jax
    import jax.numpy as jnp

    def multiply(a: Array, b: Array) -> Array:
        half = (x.astype(jnp.bfloat16) for x in (a, b))
        return jnp.matmul(*half, preferred_element_type=a.dtype)

    def forward(a: Array, b: Array) -> tuple[Array, tuple[Array, Array]]:
        return multiply(a, b), (a, b)

    def backward(operands: tuple[Array, Array], slope: Array) -> tuple[Array, Array]:
        # C = A B: dA = dC Bᵀ, dB = Aᵀ dC. Autodiff would leave dC in float32, and the
        # product of it with a rounded operand would be one in float32.
        a, b = operands
        return multiply(slope, b.mT), multiply(a.mT, slope)

    function = jax.custom_vjp(multiply)
    function.defvjp(forward, backward)
    return function
