"""Weighted sums of losses that are losses themselves."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
from jax.typing import ArrayLike

LossFunction = Callable[..., jax.Array]
_SHARED = ("where", "weights", "key", "normalize")


@dataclass(frozen=True)
class Combination:
    """A weighted sum of losses. Made by :func:`ltr.losses.combine`.

    Attributes
    ----------
    losses : tuple of (function, options)
        The losses, each with those of its options that are not numbers.
    names : tuple of str
        The numbers that it takes as keywords: ``weight_0`` and, for an option of the
        first loss, ``sigma_0``.
    numbers : tuple of float
        Their values.

    Examples
    --------
    >>> from ltr.losses import combine
    >>> combine((0.5, "ranknet"), (2.0, "mse")).numbers
    (0.5, 2.0)
    """

    losses: tuple[tuple[LossFunction, tuple[tuple[str, Any], ...]], ...]
    names: tuple[str, ...]
    numbers: tuple[float, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "__signature__", self._signature())

    def __call__(
        self,
        scores: ArrayLike,
        labels: ArrayLike,
        *,
        where: ArrayLike | None = None,
        weights: ArrayLike | None = None,
        key: jax.Array | None = None,
        normalize: bool = False,
        **given: Any,
    ) -> jax.Array:
        """Value of the sum, shape (...)."""
        numbers = tuple(
            given.pop(name, number)
            for name, number in zip(self.names, self.numbers, strict=True)
        )
        total: Any = 0.0
        for i, (weight, part) in enumerate(self.terms(numbers)):
            taken = inspect.signature(part.func).parameters
            shared = {
                "where": where,
                "weights": weights,
                "key": None if key is None else jax.random.fold_in(key, i),
                "normalize": normalize,
                **given,
            }
            own = {name: value for name, value in shared.items() if name in taken}
            total += weight * part(scores, labels, **(own | part.keywords))
        return total

    def terms(
        self, numbers: tuple[Any, ...] | None = None
    ) -> list[tuple[Any, functools.partial[jax.Array]]]:
        """Weight of each loss, and the loss with its options.

        Parameters
        ----------
        numbers : tuple, default=None
            Values for ``names``. None: ``self.numbers``.

        Returns
        -------
        terms : list of (weight, functools.partial)
        """
        by_name = dict(zip(self.names, numbers or self.numbers, strict=True))
        terms = []
        for i, (function, fixed) in enumerate(self.losses):
            options = {
                name.removesuffix(f"_{i}"): number
                for name, number in by_name.items()
                if name.endswith(f"_{i}")
            }
            weight = options.pop("weight")
            terms.append(
                (weight, functools.partial(function, **dict(fixed), **options))
            )
        return terms

    def as_partial(self) -> functools.partial[jax.Array]:
        """Split into what a compiled program depends on, and its numbers."""
        structure = Combination(self.losses, self.names, (0.0,) * len(self.names))
        numbers = dict(zip(self.names, self.numbers, strict=True))
        return functools.partial(structure, **numbers)  # type: ignore[arg-type]

    def _signature(self) -> inspect.Signature:
        kind = inspect.Parameter.KEYWORD_ONLY
        own = list(inspect.signature(Combination.__call__).parameters.values())[1:-1]
        extras: dict[str, inspect.Parameter] = {}
        for function, options in self.losses:
            for name, parameter in inspect.signature(function).parameters.items():
                is_array = name.endswith("_scores") or name in ("position", "epoch")
                if is_array and name not in dict(options):
                    required = parameter.default is inspect.Parameter.empty
                    if required or name not in extras:
                        extras[name] = parameter
        numbers = [
            inspect.Parameter(name, kind, default=value)
            for name, value in zip(self.names, self.numbers, strict=True)
        ]
        return inspect.Signature([*own, *extras.values(), *numbers])


def combination(*terms: tuple[float, LossFunction]) -> Combination:
    """Combine functions; see :func:`ltr.losses.combine`, which also takes names."""
    losses, names, numbers = [], [], []
    for i, (weight, loss) in enumerate(terms):
        names.append(f"weight_{i}")
        numbers.append(float(weight))
        function, options = loss, dict[str, Any]()
        if isinstance(loss, functools.partial) and not loss.args:
            function, options = loss.func, loss.keywords
        taken = inspect.signature(function).parameters
        fixed = {}
        for name, value in options.items():
            default = taken[name].default if name in taken else None
            if isinstance(default, float) and isinstance(value, (int, float)):
                names.append(f"{name}_{i}")
                numbers.append(float(value))
            else:
                fixed[name] = value
        losses.append((function, tuple(sorted(fixed.items()))))
    return Combination(tuple(losses), tuple(names), tuple(numbers))


def parts(loss: object) -> tuple[object, ...]:
    """Return the functions that a combination adds up; of another loss, itself."""
    if isinstance(loss, Combination):
        return tuple(part for function, _ in loss.losses for part in parts(function))
    return (loss,)
