"""Optax optimizers by name or by factory, with one meaning of weight decay."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any

import optax

from ltr.arguments import ArgumentError, suggest
from ltr.scorers import Scorer

_RATE, _STREAM_STEPS = 0.001, 10
_LINEAR_RATES, _LINEAR_DECAYS = (0.001, 0.1), (0.01, 10.0)  # least and greatest

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


def auto_rate(
    scorer: Scorer, n_steps: int | None, *, n_features: int, weight_decay: float
) -> float:
    """Step size for a scorer, with this number of steps in an epoch.

    None: the epoch is a piece of a stream, and the number does not matter.

    A step of Adam moves each weight by about the learning rate η, whatever the size of
    the gradient. The weights of a linear scorer end somewhere between 0.1 and 10, and
    with η = 0.1 / n_steps they reach 10 in 100 epochs; 0.001 would take thousands of
    steps on few lists. A larger η than that only adds noise. A step also takes the
    share ηλ from each weight for the decay λ, which is to be at most 0.1, and moves the
    scores of p independent standardized features by about η√p, at most 0.3. Other
    scorers: 0.001.
    """
    if not scorer.is_linear:
        return _RATE
    low, high = _LINEAR_RATES
    n_steps = _STREAM_STEPS if n_steps is None else n_steps
    by_decay = 0.1 / max(weight_decay, 1.0)
    by_features = 0.3 / max(n_features, 1) ** 0.5
    return max(min(high / max(n_steps, 1), by_decay, by_features), low)


def auto_decay(
    optimizer: str | OptimizerFactory,
    scorer: Scorer,
    *,
    n_features: int,
    n_rows: float | None,
) -> float:
    """Weight decay: 0 for other optimizers than ``"adamw"``.

    With p standardized features, n rows and noise of variance σ², the best penalty of a
    ridge regression is p σ² / (n ‖w‖²) (Hoerl, Kennard & Baldwin, 1975). So the decay
    of a linear scorer is 10 p / n, between 0.01 and 10, and 1 on streams. For others it
    is a constant of the scorer, 3 for ``"mlp"``.

    Parameters
    ----------
    optimizer : str or callable
        Parameter of the ranker.
    scorer : Scorer
        What is trained.
    n_features : int
        Number of features.
    n_rows : float or None
        Sum of the row weights. None: unknown, because more are to come.
    """
    if optimizer != "adamw":
        return 0.0
    if not scorer.is_linear or n_rows is None:
        return scorer.auto_decay
    low, high = _LINEAR_DECAYS
    return min(max(high * n_features / max(n_rows, 1.0), low), high)


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
