"""What a loss declares about itself: :func:`ranking_loss` and :class:`LossInfo`.

A loss is a function. What its callers must know about it stands beside it, once::

    @ranking_loss(learns_from="two_labels", shift_invariant=True, convex=True)
    def my_loss(scores, labels, *, where=None, weights=None): ...

Its signature (which inputs and options it takes) is read at the same time.
:func:`loss_info` gives both, also for a function that declares nothing.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, TypeVar, get_args

import jax

from ltr.arguments import check_choice

Labels = Literal["real", "from_0"]
LearnsFrom = Literal["two_items", "two_labels"]
Curvature = Literal["items", "pairs", "softmax", "secant", "ones"]
LossFunction = Callable[..., jax.Array]
Loss = TypeVar("Loss", bound=LossFunction)

CURVATURE_KINDS: tuple[Curvature, ...] = get_args(Curvature)
EXTRAS = ("teacher_scores", "reference_scores", "position")
_LIST_INPUTS = ("where", "weights", *EXTRAS)
_INPUTS = (*_LIST_INPUTS, "key", "epoch", "step", "normalize")


@dataclasses.dataclass(frozen=True)
class LossInfo:
    """Facts about a loss: those it declares, and those that its signature shows.

    Claims are about the default options; False and infinite bounds claim nothing.
    ``curvature`` is a choice, not a claim.

    Attributes
    ----------
    labels : {"real", "from_0"}
        ``"from_0"``: negative labels have no meaning.
    learns_from : {"two_items", "two_labels"}
        What a list must contain to be informative. Training drops the others.
    shift_invariant : bool
        Adding a constant to the scores of a list changes nothing.
    convex : bool
        Convex in the scores.
    smooth : bool
        Differentiable almost everywhere, and JAX's gradient is the derivative there. A
        hinge qualifies; a gradient that is estimated from draws does not.
    repeats : bool
        An item of weight k is that item k times.
    bounds : tuple of float
        Range of the value.
    curvature : {"items", "pairs", "softmax", "secant", "ones"}
        How tree objectives are to approximate the diagonal of the Hessian: by the
        second derivative of each item's own term, or of the pairs; p (1 − p) of a
        softmax; a secant of the gradient; or 1; see :func:`ltr.losses.derivatives`.
        This is a choice of its author, not a property of the loss, so ``check_loss``
        does not test it.
    per_batch : bool
        The loss compares the lists of a batch with each other: it takes arrays of shape
        (n_lists, list_size) and returns one number. A function of your own says so by
        an attribute ``per_batch = True``.
    parameters : tuple of str
        Names of the keyword arguments.
    required : tuple of str
        Those without a default.
    numbers : tuple of str
        Those whose default is a float: numbers that are traced, so that changing one
        recompiles nothing.
    takes_kwargs : bool
        Whether the loss has ``**kwargs``, which stand for any input of a list.

    Examples
    --------
    >>> from ltr.losses import loss_info, ranknet_loss
    >>> info = loss_info(ranknet_loss)
    >>> info.learns_from, info.extras, info.numbers
    ('two_labels', ('teacher_scores',), ('sigma',))
    """

    labels: Labels = "real"
    learns_from: LearnsFrom = "two_items"
    shift_invariant: bool = False
    convex: bool = False
    smooth: bool = False
    repeats: bool = False
    bounds: tuple[float, float] = (-math.inf, math.inf)
    curvature: Curvature = "secant"
    per_batch: bool = False
    parameters: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()
    takes_kwargs: bool = False

    def takes(self, name: str) -> bool:
        """Whether the loss has a keyword argument, or ``**kwargs`` that accept it.

        Parameters
        ----------
        name : str
            Name of the argument.

        Returns
        -------
        takes : bool
        """
        return name in self.parameters or (self.takes_kwargs and name in _LIST_INPUTS)

    @property
    def extras(self) -> tuple[str, ...]:
        """Inputs besides labels and weights, one number per item."""
        return tuple(name for name in EXTRAS if self.takes(name))

    @property
    def required_extras(self) -> tuple[str, ...]:
        """Extras without a default."""
        return tuple(name for name in EXTRAS if name in self.required)

    @property
    def inputs(self) -> tuple[str, ...]:
        """Named arguments that differ from call to call, unlike options."""
        return tuple(name for name in _INPUTS if name in self.parameters)

    def traced(self, options: Mapping[str, Any]) -> dict[str, float]:
        """Select the options that are traced numbers.

        Parameters
        ----------
        options : mapping of str to object
            Options of the loss by name.

        Returns
        -------
        numbers : dict of str to float
        """
        return {
            name: float(value)
            for name, value in options.items()
            if name in self.numbers
            and isinstance(value, (int, float))
            and not isinstance(value, bool)
        }

    def arguments(self, **inputs: Any) -> dict[str, Any]:
        """Select the inputs that the loss takes.

        Parameters
        ----------
        **inputs : object
            By the name of the argument. ``**kwargs`` of a loss receive the inputs of a
            list (``where``, ``weights``, ``teacher_scores``, ``reference_scores``,
            ``position``) that are not None; others, such as ``key`` or ``epoch``, must
            be named by the loss.

        Returns
        -------
        arguments : dict of str to object

        Examples
        --------
        >>> from ltr.losses import loss_info, mse_loss
        >>> loss_info(mse_loss).arguments(weights=None, key=None, normalize=True)
        {'weights': None, 'normalize': True}
        """
        return {
            name: value
            for name, value in inputs.items()
            if name in self.parameters or (self.takes(name) and value is not None)
        }


def ranking_loss(
    *,
    labels: Labels = "real",
    learns_from: LearnsFrom = "two_items",
    shift_invariant: bool = False,
    convex: bool = False,
    smooth: bool = False,
    repeats: bool = False,
    bounds: tuple[float, float] | None = None,
    curvature: Curvature = "secant",
    per_batch: bool = False,
) -> Callable[[Loss], Loss]:
    """Declare a loss: attach a :class:`LossInfo` to it as ``.info``.

    Nothing else changes: the function, its signature and its docstring stay. A claim
    is a promise that ``ltr.testing.check_loss`` tests; the defaults claim nothing. Only
    ``curvature`` is not tested: it is a choice for tree objectives.

    Parameters
    ----------
    labels : {"real", "from_0"}, default="real"
        ``"from_0"``: negative labels have no meaning, rankers refuse them.
    learns_from : {"two_items", "two_labels"}, default="two_items"
        What a list must contain to be informative. Rankers drop the others, also from
        the mean over lists.
    shift_invariant, convex, smooth, repeats : bool, default=False
        See :class:`LossInfo`.
    bounds : tuple of float, default=None
        Range of the value. None: any number.
    curvature : {"items", "pairs", "softmax", "secant", "ones"}, default="secant"
        How tree objectives approximate the second derivative: a choice, not a claim.
        The default needs nothing but the gradient. See :class:`LossInfo`.
    per_batch : bool, default=False
        One number per batch instead of one per list. See :class:`LossInfo`.

    Returns
    -------
    decorator : callable
        Takes a loss and returns it.

    Raises
    ------
    ValueError
        If an option is unknown, or the bounds are out of order.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from ltr.losses import loss_info, ranking_loss
    >>> @ranking_loss(convex=True, bounds=(0.0, float("inf")))
    ... def absolute_error(scores, labels, *, where=None, scale=1.0):
    ...     return scale * jnp.abs(scores - labels).sum(axis=-1, where=where)
    >>> loss_info(absolute_error).numbers
    ('scale',)
    """
    check_choice("labels", labels, ("real", "from_0"))
    check_choice("learns_from", learns_from, ("two_items", "two_labels"))
    check_choice("curvature", curvature, CURVATURE_KINDS)
    low, high = (-math.inf, math.inf) if bounds is None else bounds
    if not low <= high:
        raise ValueError(f"bounds must be (low, high) with low <= high; got {bounds}.")

    def declare(loss: Loss) -> Loss:
        info = dataclasses.replace(
            _read_signature(loss),
            labels=labels,
            learns_from=learns_from,
            shift_invariant=shift_invariant,
            convex=convex,
            smooth=smooth,
            repeats=repeats,
            bounds=(low, high),
            curvature=curvature,
            per_batch=per_batch,
        )
        object.__setattr__(loss, "info", info)
        return loss

    return declare


def loss_info(loss: LossFunction) -> LossInfo:
    """Facts about any loss.

    Parameters
    ----------
    loss : callable
        A declared loss, a ``functools.partial`` of one, a combination, or a function
        that declares nothing: its signature is read, and it claims nothing.

    Returns
    -------
    info : LossInfo
        Of a partial: what the function declares, without the extras that it fixes.

    Examples
    --------
    >>> from ltr.losses import combine, loss_info
    >>> loss_info(combine((0.5, "ranknet"), (1.0, "softmax"))).labels
    'from_0'
    >>> loss_info(lambda scores, labels, *, where=None: ...).learns_from
    'two_items'
    """
    info = getattr(loss, "info", None)
    if isinstance(info, LossInfo):
        return info
    function, options = split_partial(loss)
    if function is not loss:
        return _without(loss_info(function), options)
    return _read_signature(loss)


def split_partial(loss: LossFunction) -> tuple[LossFunction, dict[str, Any]]:
    """Split a partial that sets only keywords into its function and those keywords."""
    if isinstance(loss, functools.partial) and not loss.args:
        return loss.func, dict(loss.keywords)  # a partial of a partial is one
    return loss, {}


def functions_with(
    losses: Iterable[LossFunction], **facts: object
) -> frozenset[LossFunction]:
    """Losses whose info has the given values."""
    return frozenset(
        loss
        for loss in losses
        if all(getattr(loss_info(loss), name) == facts[name] for name in facts)
    )


def _read_signature(loss: LossFunction) -> LossInfo:
    options = []
    takes_kwargs = False
    for parameter in inspect.signature(loss).parameters.values():
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            takes_kwargs = True
        elif parameter.kind is not inspect.Parameter.VAR_POSITIONAL:
            options.append(parameter)
    options = options[2:]  # after scores and labels
    return LossInfo(
        per_batch=bool(getattr(loss, "per_batch", False)),
        parameters=tuple(option.name for option in options),
        required=tuple(
            option.name
            for option in options
            if option.default is inspect.Parameter.empty
        ),
        numbers=tuple(
            option.name for option in options if isinstance(option.default, float)
        ),
        takes_kwargs=takes_kwargs,
    )


def _without(info: LossInfo, names: Iterable[str]) -> LossInfo:
    extras = {name for name in names if name in EXTRAS}
    return dataclasses.replace(
        info,
        parameters=tuple(name for name in info.parameters if name not in extras),
        required=tuple(name for name in info.required if name not in extras),
    )
