"""The laws of ranking losses, and :func:`check_loss`."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import jax
import numpy as np
from hypothesis import strategies as st

from ltr.losses import get_loss
from ltr.testing.laws import (
    LawTable,
    by_name,
    check_laws,
    differ,
    expect_close,
    law,
    name_of,
    text,
)
from ltr.testing.loss_under_test import (
    Evaluation,
    LossClaims,
    LossUnderTest,
    full_list,
    in_single_precision,
    random_lists,
    with_padding,
)
from ltr.testing.ranked_lists import SIZE, RankedList, orders, ranked_lists

GARBAGE = (np.nan, np.inf, -np.inf, 1e30, 7.0)
EXTREMES = (0.0, 1.0, 5e3, 1e4, -5e3, -1e4)


def expect_same(
    got: Evaluation, expected: Evaluation, what: str, exact: bool = False
) -> None:
    """Raise unless value and gradient agree."""
    near = {"rtol": 0.0, "atol": 0.0} if exact else {}
    expect_close(got.value, expected.value, f"the value {what}", **near)
    expect_close(got.gradient, expected.gradient, f"the gradient {what}", **near)


def expect_zero(got: Evaluation, atol: float = 0.0) -> None:
    """Raise unless value and gradient are 0."""
    expect_close(got.value, 0.0, "the value", rtol=0, atol=atol)
    zero = np.zeros_like(got.gradient)
    expect_close(got.gradient, zero, "the gradient", rtol=0, atol=atol)


def unless_weights(loss: LossUnderTest) -> str:
    """Why laws of weights do not apply."""
    return "" if loss.claims.takes_weights else "it takes no weights"


def unless_repeats(loss: LossUnderTest) -> str:
    """Why weights need not repeat."""
    if loss.draws:
        return "its value depends on draws"
    return unless_weights(loss) or ("" if loss.claims.repeats else "repeats=False")


def unless_fixed(loss: LossUnderTest) -> str:
    """Why laws whose two sides would see different draws do not apply."""
    return "its value depends on draws" if loss.draws else ""


def unless_smooth(loss: LossUnderTest) -> str:
    """Why the gradient need not be the derivative."""
    return "" if loss.claims.smooth else "smooth=False"


smooth_lists = ranked_lists(ties=False)


@law()
def one_value_per_list(loss: LossUnderTest) -> None:
    """Scores of shape (..., list_size) give one value per list, in shape (...)."""
    with jax.enable_x64(True):
        arguments = loss.arguments(random_lists(loss, (2, 3)))
        losses = jax.eval_shape(loss, *arguments)
    shape = getattr(losses, "shape", None)
    if shape != (2, 3):
        outcome = type(losses).__name__ if shape is None else f"shape {shape}"
        raise differ("shape (2, 3) for scores of shape (2, 3, 6)", outcome)


@law(
    items=ranked_lists(),
    garbage=st.lists(st.sampled_from(GARBAGE), min_size=4, max_size=4),
)
def padding_changes_nothing(
    loss: LossUnderTest, items: RankedList, garbage: list[float]
) -> None:
    """What stands at masked positions changes nothing; its gradient is exactly 0."""
    clean = loss.evaluate(with_padding(items, [0.0, 0.0, 0.0, 1.0]))
    dirty = loss.evaluate(with_padding(items, garbage))
    expect_same(dirty, clean, "with zeros at masked positions", exact=True)
    masked = clean.gradient[~items.where]
    expect_close(masked, 0.0 * masked, "the gradient of masked items", 0.0, 0.0)


@law(
    exempt=unless_fixed,
    items=ranked_lists(),
    order=orders(),
)
def order_of_rows_changes_nothing(
    loss: LossUnderTest, items: RankedList, order: list[int]
) -> None:
    """Permuting the items permutes the gradient and leaves the value, ties included."""
    value, gradient = loss.evaluate(items)
    expected = Evaluation(value, gradient[np.asarray(order)])
    expect_same(loss.evaluate(items.permute(order)), expected, "before permuting")


@law(exempt=unless_weights, items=ranked_lists(), item=st.integers(0, SIZE - 1))
def weight_0_removes_an_item(loss: LossUnderTest, items: RankedList, item: int) -> None:
    """An item of weight 0 is not there."""
    others = np.arange(len(items.scores)) != item
    absent = loss.evaluate(items._replace(where=items.where & others))
    weightless = loss.evaluate(items._replace(weights=items.weights * others))
    expect_same(weightless, absent, f"without item {item}", exact=True)


@law(
    exempt=unless_repeats,
    declare="@ranking_loss(repeats=False)",
    items=ranked_lists(weights=2),
)
def weight_k_repeats_an_item(loss: LossUnderTest, items: RankedList) -> None:
    """An item of weight k is the item k times."""
    items = keep_total_weight(items)
    value, gradient = loss.evaluate(items)
    counts = (items.weights * items.where).astype(int)
    copies = RankedList(*(np.repeat(column, counts) for column in items)).pad()
    copied = loss.evaluate(copies, weighted=False)
    copy_of = np.repeat(np.arange(len(items.scores)), counts)
    total = np.zeros(len(items.scores))
    np.add.at(total, copy_of, copied.gradient[: len(copy_of)])
    expect_same(
        Evaluation(value, gradient), Evaluation(copied.value, total), "of the copies"
    )


def keep_total_weight(items: RankedList) -> RankedList:
    """The first items, as many as have SIZE copies at most."""
    total = np.cumsum(items.weights * items.where)
    return items._replace(where=items.where & (total <= SIZE))


@law(exempt=unless_fixed, items=ranked_lists())
def right_order_costs_no_more(loss: LossUnderTest, items: RankedList) -> None:
    """Scores in the order of the labels cost no more than in the reverse order."""
    real = items.real()
    order, ascending = np.argsort(real.labels, kind="stable"), np.sort(real.scores)
    right, wrong = np.empty_like(ascending), np.empty_like(ascending)
    right[order], wrong[order] = ascending, ascending[::-1]
    right_value, wrong_value = (
        loss.evaluate(full_list(column, real.labels).pad(len(items.scores))).value
        for column in (right, wrong)
    )
    if not right_value <= wrong_value + 1e-9 * max(1.0, abs(wrong_value)):
        raise differ(
            f"at most {wrong_value}, the value of scores = {text(wrong)}",
            f"{right_value} for scores = {text(right)}",
        )


@law()
def empty_list_is_0(loss: LossUnderTest) -> None:
    """A list without items has value 0 and gradient 0."""
    ones = np.ones(SIZE)
    expect_zero(loss.evaluate(RankedList(ones, ones, ones < 0, ones, ones, ones)))


@law(
    exempt=lambda loss: (
        "" if loss.claims.zero_on_one_item else "it may learn from one item"
    ),
    items=ranked_lists(),
    item=st.integers(0, SIZE - 1),
)
def one_item_is_0(loss: LossUnderTest, items: RankedList, item: int) -> None:
    """A list of a single item has value 0 and gradient 0."""
    alone = items._replace(where=np.arange(len(items.scores)) == item)
    expect_zero(loss.evaluate(alone, weighted=False), atol=1e-15)


@law(
    exempt=lambda loss: (
        "" if loss.claims.zero_on_equal_labels else "it does not learn from labels only"
    ),
    declare='@ranking_loss(learns_from="two_items")',
    items=ranked_lists(),
    label=st.sampled_from([0.0, 1.0, 3.0]),
)
def equal_labels_are_0(loss: LossUnderTest, items: RankedList, label: float) -> None:
    """A list without two distinct labels has value 0 and gradient 0."""
    expect_zero(loss.evaluate(items._replace(labels=np.full(len(items.scores), label))))


@law(items=ranked_lists(grid=EXTREMES))
def extreme_scores_stay_finite(loss: LossUnderTest, items: RankedList) -> None:
    """Scores of ±1e4 in single precision give a finite value and a finite gradient."""
    value, gradient = loss.evaluate(in_single_precision(items))
    if not (np.isfinite(value) and np.isfinite(gradient).all()):
        raise differ("finite numbers", f"value {value}, gradient {text(gradient)}")


@law(exempt=unless_smooth, declare="@ranking_loss(smooth=False)", items=smooth_lists)
def gradient_is_the_derivative(loss: LossUnderTest, items: RankedList) -> None:
    """The gradient equals central differences where no scores tie.

    Weights made from ranks are constants in it, and so they are between two swaps.
    """
    step, slopes = 1e-5, np.zeros(len(items.scores))
    for i in np.flatnonzero(items.where):
        up, down = (
            loss.evaluate(items._replace(scores=items.scores + h)).value
            for h in (
                step * (np.arange(len(items.scores)) == i),
                -step * (np.arange(len(items.scores)) == i),
            )
        )
        slopes[i] = (up - down) / (2 * step)
    gradient = loss.evaluate(items).gradient
    expect_close(gradient, slopes, "central differences", rtol=1e-5, atol=1e-7)


@law(
    exempt=lambda loss: (
        "" if loss.claims.shift_invariant else "shift_invariant is not claimed"
    ),
    declare="@ranking_loss(shift_invariant=False)",
    items=ranked_lists(),
    constant=st.sampled_from([-3.0, 0.125, 50.0]),  # exact sums: a kink stays one
)
def adding_a_constant_changes_nothing(
    loss: LossUnderTest, items: RankedList, constant: float
) -> None:
    """Adding a constant to all scores changes nothing, so the gradient sums to 0."""
    before = loss.evaluate(items)
    after = loss.evaluate(items._replace(scores=items.scores + constant))
    moment = f"before adding {constant}"
    expect_close(after.value, before.value, f"the value {moment}")
    expect_close(after.gradient, before.gradient, f"the gradient {moment}", 1e-7, 1e-10)
    expect_close(before.gradient.sum(), 0.0, "the sum of the gradient", 0.0, 1e-10)


@law(
    exempt=lambda loss: "" if loss.claims.convex else "convex is not claimed",
    declare="@ranking_loss(convex=False)",
    items=ranked_lists(),
    other_scores=st.lists(st.floats(-5, 5), min_size=SIZE, max_size=SIZE),
    t=st.floats(0.05, 0.95),
)
def convex_in_the_scores(
    loss: LossUnderTest, items: RankedList, other_scores: list[float], t: float
) -> None:
    """loss((1 − t) a + t b) ≤ (1 − t) loss(a) + t loss(b) for scores a and b."""
    a, b = items.scores, np.array(other_scores)
    middle, at_a, at_b = (
        loss.evaluate(items._replace(scores=scores)).value
        for scores in ((1 - t) * a + t * b, a, b)
    )
    chord = (1 - t) * at_a + t * at_b
    if not middle <= chord + 1e-9:
        raise differ(f"at most {chord}, the value on the chord", middle)


@law(
    exempt=lambda loss: "" if np.isfinite(loss.claims.bounds).any() else "no bounds",
    declare="@ranking_loss(bounds=(low, high))",
    items=ranked_lists(),
)
def value_is_within_bounds(loss: LossUnderTest, items: RankedList) -> None:
    """The value lies in the range that the loss declares."""
    low, high = loss.claims.bounds
    value = loss.evaluate(items).value
    if not low - 1e-12 <= value <= high + 1e-12:
        raise differ(f"between {low} and {high}", value)


@law()
def jit_changes_nothing(loss: LossUnderTest) -> None:
    """The loss has the same value inside and outside of jax.jit."""
    items = random_lists(loss, ())
    inside = loss.evaluate(items).value
    with jax.enable_x64(True):
        outside = float(loss(*loss.arguments(items)))
    expect_close(outside, inside, "the value inside jax.jit", rtol=1e-10)


@law(exempt=unless_fixed)
def batch_is_a_loop(loss: LossUnderTest) -> None:
    """Leading axes are a batch: a batch, jax.vmap and a loop over its lists agree."""
    items = random_lists(loss, (2, 3))
    values = [
        loss.evaluate(RankedList(*(column[i] for column in items))).value
        for i in np.ndindex(2, 3)
    ]
    expected = np.reshape(values, (2, 3))
    with jax.enable_x64(True):
        batched = jax.jit(loss)(*loss.arguments(items))
        mapped = jax.jit(jax.vmap(jax.vmap(loss)))(*loss.arguments(items))
    expect_close(batched, expected, "the values list by list", rtol=1e-10)
    expect_close(mapped, expected, "by jax.vmap, the values list by list", rtol=1e-10)


@law(items=smooth_lists)
def single_precision_is_close(loss: LossUnderTest, items: RankedList) -> None:
    """float32 scores give a float32 gradient near the one in double precision."""
    exact = loss.evaluate(items)
    single = loss.evaluate(in_single_precision(items))
    if single.gradient.dtype != np.float32:
        raise differ("a gradient of dtype float32", single.gradient.dtype)
    scale = np.abs(exact.gradient).max(initial=0.1)  # large terms may cancel
    expect_close(single.gradient, exact.gradient, "in float64", 0.0, 1e-4 * scale)


LOSS_LAWS = by_name(
    one_value_per_list,
    padding_changes_nothing,
    order_of_rows_changes_nothing,
    weight_0_removes_an_item,
    weight_k_repeats_an_item,
    right_order_costs_no_more,
    empty_list_is_0,
    one_item_is_0,
    equal_labels_are_0,
    extreme_scores_stay_finite,
    gradient_is_the_derivative,
    adding_a_constant_changes_nothing,
    convex_in_the_scores,
    value_is_within_bounds,
    jit_changes_nothing,
    batch_is_a_loop,
    single_precision_is_close,
)


def check_loss(
    loss: str | Callable[..., Any],
    *,
    extras: Collection[str] | None = None,
    skip: Collection[str] = (),
    max_examples: int = 50,
) -> LawTable:
    """Check a ranking loss against the laws of ranking losses.

    The laws are those of :mod:`ltr.losses`: neither padding nor the order of the rows
    matters, weights repeat, the right order costs least, gradients are derivatives, and
    so on; :data:`LOSS_LAWS` has them all. What a loss declares with
    :func:`ltr.losses.ranking_loss` is checked as well. It takes a few seconds.

    Parameters
    ----------
    loss : str or callable
        A loss ``(scores, labels, *, where, weights=…, …)`` in JAX, a
        ``functools.partial`` of one, a combination, or a name of
        :data:`ltr.losses.LOSSES`.
    extras : collection of str, default=None
        Inputs to pass besides labels and weights: ``"teacher_scores"``,
        ``"reference_scores"``, ``"position"``. None: those without a default.
    skip : collection of str, default=()
        Names of laws that the loss breaks on purpose.
    max_examples : int, default=50
        Inputs that each law is tried on.

    Returns
    -------
    table : LawTable
        Law → number of inputs, or ``"skipped: "`` and why.

    Raises
    ------
    LawBroken
        If a law does not hold, with the smallest list that shows it.
    ValueError
        If the loss or a law of ``skip`` is unknown.

    Examples
    --------
    A loss that keeps all laws. One that declares nothing is held to the laws of every
    loss; those that not every loss keeps are skipped:

    >>> import jax.numpy as jnp
    >>> from ltr.testing import LawBroken, check_loss
    >>> def squared_error(scores, labels, *, where=None, weights=1.0):
    ...     error = jnp.where(where, scores - labels, 0.0)
    ...     return (weights * error**2).sum(axis=-1)
    >>> table = check_loss(squared_error, max_examples=10)
    >>> table["padding_changes_nothing"], table["convex_in_the_scores"]
    (10, 'skipped: convex is not claimed')

    One that forgets the mask:

    >>> def leaking_error(scores, labels, *, where=None, weights=1.0):
    ...     return (weights * (scores - labels) ** 2).sum(axis=-1)
    >>> try:
    ...     check_loss(leaking_error)
    ... except LawBroken as broken:
    ...     print(broken)
    leaking_error breaks the law padding_changes_nothing.
    Law: What stands at masked positions changes nothing; its gradient is exactly 0.
    Smallest input found:
        scores = [nan]
        labels = [nan]
        where = [False]
    Expected: 0.0 (the value with zeros at masked positions)
    Got: nan
    If that is intended, pass skip=("padding_changes_nothing",).
    """
    function = get_loss(loss) if isinstance(loss, str) else loss
    subject = LossUnderTest(function, LossClaims.of(function, extras))
    return check_laws(
        name_of(loss),
        subject,
        LOSS_LAWS,
        skip=skip,
        max_examples=max_examples,
        describe=subject.describe,
        shorten=subject.shorten,
    )
