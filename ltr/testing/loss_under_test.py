"""A loss that is compiled once, what it claims, and the lists that it is given."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import numpy as np
from numpy.typing import NDArray

from ltr.losses import LossInfo, loss_info
from ltr.testing.laws import text
from ltr.testing.ranked_lists import SIZE, RankedList

PADDED = ("scores", "labels", "other", "position")


class Evaluation(NamedTuple):
    """Value of a loss on one list, and its gradient by the scores."""

    value: float
    gradient: NDArray[Any]


@dataclass(frozen=True)
class LossClaims:
    """What a loss promises; see :class:`ltr.losses.LossInfo`.

    Attributes
    ----------
    shift_invariant, convex, smooth, repeats : bool
        As a loss declares them.
    bounds : tuple of float
        Range of the value.
    zero_on_equal_labels, zero_on_one_item : bool
        Lists that teach nothing.
    extras : tuple of str
        Inputs besides labels and weights that it is given: those without a default.
    takes_weights, takes_key : bool
        Whether weights and a key are passed; a key only if the loss needs one.
    """

    shift_invariant: bool = False
    convex: bool = False
    smooth: bool = True
    repeats: bool = True
    bounds: tuple[float, float] = (-np.inf, np.inf)
    zero_on_equal_labels: bool = False
    zero_on_one_item: bool = False
    extras: tuple[str, ...] = ()
    takes_weights: bool = True
    takes_key: bool = False

    @classmethod
    def of(
        cls, loss: Callable[..., Any], extras: Collection[str] | None = None
    ) -> LossClaims:
        """Claims of a loss. One that declares nothing is held to repeats and smooth."""
        info = loss_info(loss)
        declares = is_declared(loss)
        extras = info.required_extras if extras is None else tuple(extras)
        return cls(
            shift_invariant=info.shift_invariant,
            convex=info.convex,
            smooth=info.smooth or not declares,
            repeats=info.repeats or not declares,
            bounds=info.bounds,
            zero_on_equal_labels=declares and info.learns_from == "two_labels",
            extras=extras,
            takes_weights=info.takes("weights"),
            takes_key="key" in info.parameters and needs_key(loss, extras),
        )


def needs_key(loss: Callable[..., Any], extras: Collection[str]) -> bool:
    """Whether a loss with an argument ``key`` fails without one."""
    items = full_list([1.0, 0.0], [1.0, 0.0])
    try:
        loss(items.scores, items.labels, where=items.where, **items.extras(extras))
    except (TypeError, ValueError):
        return True
    return False


def is_declared(loss: Callable[..., Any]) -> bool:
    """Whether a loss, or the function of a partial, declares what it promises."""
    if isinstance(loss, functools.partial):
        return is_declared(loss.func)
    return isinstance(getattr(loss, "info", None), LossInfo)


class LossUnderTest:
    """A loss, compiled once, and what it claims.

    Parameters
    ----------
    function : callable
        The loss.
    claims : LossClaims
        What it promises.
    draws : bool, default=None
        Whether the value depends on the key. None: it is tried.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        claims: LossClaims,
        draws: bool | None = None,
    ) -> None:
        self.function = function
        self.claims = claims
        if draws is not None:
            self.draws = draws

    def __call__(
        self, scores: Any, labels: Any, where: Any, weights: Any, extras: Any
    ) -> Any:
        """Call the loss with those of the inputs that it takes."""
        options = dict(extras)
        if self.claims.takes_weights:
            options["weights"] = weights
        if self.claims.takes_key:
            options["key"] = jax.random.key(0)
        return self.function(scores, labels, where=where, **options)

    @functools.cached_property
    def draws(self) -> bool:
        """Whether the value depends on the key."""
        if not self.claims.takes_key:
            return False
        columns = [np.array([1.0, 0.5, 0.0]), np.array([2.0, 0.0, 1.0])]
        extras = {name: columns[1] + 1 for name in self.claims.extras}
        values = {
            float(self.function(*columns, key=jax.random.key(seed), **extras))
            for seed in range(3)
        }
        return len(values) > 1

    @functools.cached_property
    def _compiled(self) -> Callable[..., Any]:
        return jax.jit(jax.value_and_grad(self.__call__))

    def arguments(self, items: RankedList) -> tuple[Any, ...]:
        """Arguments of :meth:`__call__` for lists."""
        extras = items.extras(self.claims.extras)
        return items.scores, items.labels, items.where, items.weights, extras

    def evaluate(self, items: RankedList, weighted: bool = True) -> Evaluation:
        """Value and gradient of a padded list, in double precision."""
        weights = items.weights if weighted else np.ones(len(items.weights))
        with jax.enable_x64(True):
            value, gradient = self._compiled(
                *self.arguments(items._replace(weights=weights))
            )
        return Evaluation(float(value), np.asarray(gradient))

    def shorten(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """Inputs without masked items, but for one if the law is about them."""
        if "items" not in inputs:
            return dict(inputs)
        items: RankedList = inputs["items"]
        slots = np.flatnonzero(items.where)
        if "garbage" in inputs or len(slots) == 0:
            slots = np.append(slots, np.flatnonzero(~items.where)[:1])
        number = {slot: i for i, slot in enumerate(slots.tolist())}
        short = {**inputs, "items": items.keep(slots)}
        if "item" in inputs:
            short["item"] = number.get(inputs["item"], len(slots))
        if "order" in inputs:
            short["order"] = [
                number[slot] for slot in inputs["order"] if slot in number
            ]
        if "other_scores" in inputs:
            short["other_scores"] = np.array(inputs["other_scores"])[slots]
        return short

    def describe(self, inputs: Mapping[str, Any]) -> list[str]:
        """Lines of Python for the inputs of a law."""
        lines: list[str] = []
        garbage = inputs.get("garbage")
        for name, value in inputs.items():
            if isinstance(value, RankedList):
                items = value if garbage is None else with_padding(value, garbage)
                lines += items.lines(self.claims.extras)
            elif name != "garbage":
                lines.append(f"{name} = {text(value)}")
        return lines


def with_padding(items: RankedList, fillings: Sequence[float]) -> RankedList:
    """The list with other scores, labels, … at its masked positions."""
    columns = {
        name: np.where(items.where, getattr(items, name), filling)
        for name, filling in zip(PADDED, fillings, strict=True)
    }
    return items._replace(**columns)


def in_single_precision(items: RankedList) -> RankedList:
    """The list in float32."""
    columns = {
        name: column.astype(np.float32) for name, column in items._asdict().items()
    }
    return RankedList(**columns)._replace(where=items.where)


def full_list(scores: Any, labels: Any, dtype: Any = np.float64) -> RankedList:
    """A list without padding; its teacher is right, all were shown first."""
    ones = np.ones(len(scores), dtype)
    labels = np.asarray(labels, dtype)
    return RankedList(np.asarray(scores, dtype), labels, ones > 0, ones, labels, ones)


def random_lists(loss: LossUnderTest, shape: tuple[int, ...]) -> RankedList:
    """Lists of shape (*shape, SIZE) with weights and padding."""
    rng = np.random.default_rng(0)
    shape = (*shape, SIZE)
    return RankedList(
        rng.normal(size=shape),
        rng.integers(0, 4, shape).astype(float),
        rng.random(shape) < 0.8,
        rng.integers(1, 4, shape).astype(float),
        rng.integers(1, 9, shape) / 2,
        rng.integers(1, 9, shape).astype(float),
    )
