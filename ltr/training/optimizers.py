"""Optax optimizers by name or by factory, with one meaning of weight decay."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any

import optax

from ltr.arguments import ArgumentError, suggest

OptimizerFactory = Callable[..., optax.GradientTransformation]

OPTIMIZERS: dict[str, OptimizerFactory] = {
    "adam": optax.adam,
    "adamw": optax.adam,  # decay is decoupled for all, see build_optimizer
    "adagrad": optax.adagrad,
    "lion": partial(optax.lion, weight_decay=0.0),
    "nadam": optax.nadam,
    "rmsprop": optax.rmsprop,
    "sgd": optax.sgd,
}


def get_optimizer(optimizer: str | OptimizerFactory) -> OptimizerFactory:
    """Look up an optimizer.

    Parameters
    ----------
    optimizer : str or callable
        A key of :data:`OPTIMIZERS`, or an importable function of ``learning_rate``
        (and, optionally, ``weight_decay``) that returns an optax transformation.

    Returns
    -------
    factory : callable

    Raises
    ------
    ValueError
        If the name is unknown.
    TypeError
        If it is neither a name nor a function, for example an optax transformation,
        which cannot be pickled.

    Examples
    --------
    >>> get_optimizer("sgd") is optax.sgd
    True
    """
    if isinstance(optimizer, str):
        if optimizer in OPTIMIZERS:
            return OPTIMIZERS[optimizer]
        names = ", ".join(repr(name) for name in OPTIMIZERS)
        raise ArgumentError(
            f"optimizer={optimizer!r} is not a known optimizer. Known optimizers: "
            f"{names}.{suggest(optimizer, OPTIMIZERS)}"
        )
    if not callable(optimizer):
        raise ArgumentError(
            "optimizer must be a name or a function of learning_rate that returns an "
            f"optax transformation; got {type(optimizer).__name__}. Pass the factory "
            "itself, for example optax.adam instead of optax.adam(1e-3)."
        )
    if not _takes_learning_rate(optimizer):
        raise ArgumentError(
            "optimizer must be a name or a function of learning_rate that returns an "
            f"optax transformation; got {optimizer!r}, which takes no learning_rate."
        )
    return optimizer


def _takes_learning_rate(factory: OptimizerFactory) -> bool:
    """Whether it can be called with this keyword."""
    parameters = inspect.signature(factory).parameters.values()
    return any(p.name == "learning_rate" or p.kind is p.VAR_KEYWORD for p in parameters)


def build_optimizer(
    factory: OptimizerFactory, learning_rate: Any, weight_decay: Any
) -> optax.GradientTransformation:
    """Make the transformation, with weight decay decoupled from the gradient.

    Each step shrinks the parameters by ``learning_rate · weight_decay`` beside the
    optimizer's own update (Loshchilov & Hutter, ICLR 2019), whatever the optimizer, so
    that ``weight_decay`` means the same for all. A factory that takes ``weight_decay``
    gets it and applies it itself.

    Parameters
    ----------
    factory : callable
        From :func:`get_optimizer`.
    learning_rate, weight_decay : float or traced number
        Step size and decay.

    Returns
    -------
    optimizer : optax.GradientTransformation
    """
    is_own = factory in OPTIMIZERS.values()
    if not is_own and "weight_decay" in inspect.signature(factory).parameters:
        return factory(learning_rate=learning_rate, weight_decay=weight_decay)
    # θ ← θ + u - η λ θ: updates are added, so the decay comes with the sign of -η λ.
    return optax.chain(
        factory(learning_rate=learning_rate),
        optax.add_decayed_weights(-learning_rate * weight_decay),
    )
