"""Weighted sums of losses that are losses themselves."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

import jax
from jax.typing import ArrayLike

from ltr.losses.declaration import LossFunction, LossInfo, loss_info, split_partial


@dataclass(frozen=True, repr=False)
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
    >>> combine((0.5, "ranknet"), (2.0, "mse"))
    combine((0.5, 'ranknet'), (2, 'mse'))
    """

    losses: tuple[tuple[LossFunction, tuple[tuple[str, Any], ...]], ...]
    names: tuple[str, ...]
    numbers: tuple[float, ...]

    def __getstate__(self) -> dict[str, Any]:
        """The fields: a parameter that is asked for its ``info`` stays the same."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def __repr__(self) -> str:
        """The call of :func:`combine` that makes it."""
        from ltr.losses import LOSSES

        names = {function: name for name, function in LOSSES.items()}
        terms = []
        for weight, part in self.terms():
            function = part.func
            text = getattr(function, "__name__", repr(function))
            if part.keywords:
                options = (f"{key}={value!r}" for key, value in part.keywords.items())
                text = f"partial({', '.join([text, *options])})"
            elif function in names:
                text = repr(names[function])
            terms.append(f"({weight:g}, {text})")
        return f"combine({', '.join(terms)})"

    def __call__(
        self,
        scores: ArrayLike,
        labels: ArrayLike,
        *,
        where: ArrayLike | None = None,
        weights: ArrayLike | None = None,
        key: jax.Array | None = None,
        normalize: bool = False,
        **inputs: Any,
    ) -> jax.Array:
        """Value of the sum, shape (...); each part gets the inputs that it takes."""
        inputs |= {"where": where, "weights": weights, "normalize": normalize}
        total: Any = 0.0
        for weight, part, arguments in self.calls(key=key, **inputs):
            total += weight * part(scores, labels, **arguments)
        return total

    def calls(
        self, *, key: jax.Array | None = None, **inputs: Any
    ) -> Iterator[tuple[Any, functools.partial[jax.Array], dict[str, Any]]]:
        """Iterate over weight, loss and arguments of each part.

        Parameters
        ----------
        key : PRNG key, default=None
            Each part gets another one that follows from it.
        **inputs : object
            What the combination is called with; each part gets the inputs that it
            takes.

        Yields
        ------
        weight, part, arguments : number, functools.partial, dict
            The sum is that of ``weight * part(scores, labels, **arguments)``.
        """
        numbers = tuple(
            inputs.pop(name, number)
            for name, number in zip(self.names, self.numbers, strict=True)
        )
        terms = self.terms(numbers)
        for name in inputs:
            if name not in ("where", "weights", "normalize") and not any(
                loss_info(part).takes(name) for _, part in terms
            ):
                raise TypeError(f"no loss of the combination takes {name!r}.")
        for i, (weight, part) in enumerate(terms):
            part_key = None if key is None else jax.random.fold_in(key, i)
            arguments = loss_info(part).arguments(key=part_key, **inputs)
            yield weight, part, arguments | part.keywords

    @functools.cached_property
    def info(self) -> LossInfo:
        """What holds for all parts: see :func:`ltr.losses.loss_info`."""
        weights = [weight for weight, _ in self.terms()]
        parts = [loss_info(part) for _, part in self.terms()]
        inputs = dict.fromkeys(name for info in parts for name in info.inputs)
        ranges = [
            sorted(weight * bound for bound in info.bounds)
            for weight, info in zip(weights, parts, strict=True)
            if weight
        ]
        positive = min(weights) >= 0
        curvatures = {info.curvature for info in parts}
        return LossInfo(
            labels="from_0" if any(i.labels == "from_0" for i in parts) else "real",
            learns_from=(
                "two_items"
                if any(info.learns_from == "two_items" for info in parts)
                else "two_labels"
            ),
            shift_invariant=all(info.shift_invariant for info in parts),
            convex=positive and all(info.convex for info in parts),
            smooth=all(info.smooth for info in parts),
            repeats=all(info.repeats for info in parts),
            bounds=(sum(low for low, _ in ranges), sum(high for _, high in ranges)),
            curvature=curvatures.pop() if len(curvatures) == 1 else "secant",
            parameters=(*inputs, *self.names),
            required=tuple(
                name for name in inputs if any(name in info.required for info in parts)
            ),
            numbers=self.names,
            takes_kwargs=any(info.takes_kwargs for info in parts),
        )

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


def combination(*terms: tuple[float, LossFunction]) -> Combination:
    """Combine functions; see :func:`ltr.losses.combine`, which also takes names."""
    losses, names, numbers = [], [], []
    for i, (weight, loss) in enumerate(terms):
        function, options = split_partial(loss)
        traced = loss_info(function).traced(options)
        losses.append(
            (
                function,
                tuple(
                    sorted(
                        (name, value)
                        for name, value in options.items()
                        if name not in traced
                    )
                ),
            )
        )
        names += [f"weight_{i}", *(f"{name}_{i}" for name in traced)]
        numbers += [float(weight), *traced.values()]
    return Combination(tuple(losses), tuple(names), tuple(numbers))
