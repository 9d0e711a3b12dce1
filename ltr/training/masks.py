"""Does a loss of a user's own leave masked items out? Tried before training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ltr.losses.combination import Combination
from ltr.losses.declaration import LossFunction
from ltr.queries import BoolArray
from ltr.scorers import PairScores
from ltr.training.plan import (
    LossPlan,
    check_one_per_list,
    errors_of,
    loss_arguments,
)

_MAX_LISTS, _MAX_ITEMS, _N_PADDED = 4, 8, 2
_RTOL = 1e-4


def check_mask(
    plan: LossPlan,
    numbers: Mapping[str, Any],
    labels: jax.Array,
    where: BoolArray,
    weights: jax.Array | None,
    extras: Mapping[str, jax.Array],
    *,
    scores_pairs: bool,
) -> None:
    """Raise if masked items have an influence on a loss.

    The first items of a few lists are scored at random and padded: with zeros, with
    other numbers, and not at all. Value and gradient must be the same.

    Parameters
    ----------
    plan : LossPlan
        The loss.
    numbers : mapping of str to number
        Its traced options.
    labels, where, weights : array of shape (n_lists, list_size)
        A mini-batch; ``weights`` may be None.
    extras : mapping of str to array of shape (n_lists, list_size)
        Further inputs of the loss.
    scores_pairs : bool
        Whether the loss takes a matrix of pairs.

    Raises
    ------
    TypeError
        If the loss calls NumPy.
    ValueError
        If the loss breaks the law ``padding_changes_nothing`` of
        :func:`ltr.testing.check_loss`, or returns anything but one number per list.
    """
    corner = (slice(_MAX_LISTS), slice(_MAX_ITEMS))
    inputs: dict[str, Any] = {"labels": labels, "where": where, **extras}
    if weights is not None:
        inputs["weights"] = weights
    columns = {name: np.asarray(values[corner]) for name, values in inputs.items()}
    n_lists, n_items = columns["where"].shape
    size = n_items + _N_PADDED
    shape = (n_lists, size, size) if scores_pairs else (n_lists, size)
    scores = np.random.default_rng(0).normal(size=shape).astype(columns["labels"].dtype)

    def evaluate(n_padded: int, filler: float) -> tuple[Any, Any]:
        """Losses, and their gradients at the masked entries of the scores."""
        rows = {name: _pad(column, n_padded) for name, column in columns.items()}
        is_real = rows.pop("where")
        real = is_real[:, :, None] & is_real[:, None, :] if scores_pairs else is_real
        width = n_items + n_padded
        part = scores[:, :width, :width] if scores_pairs else scores[:, :width]
        values = np.where(real, part, filler).astype(scores.dtype)
        single = np.where(is_real, part[..., 0] if scores_pairs else part, filler)

        def total(values: jax.Array) -> tuple[jax.Array, jax.Array]:
            ends = jnp.asarray(single, values.dtype)
            values, options = loss_arguments(
                plan,
                numbers,
                PairScores(values, ends, ends) if scores_pairs else values,
                weights=jnp.asarray(rows["weights"]) if "weights" in rows else None,
                extras={name: jnp.asarray(rows[name]) for name in extras},
                key=jax.random.key(0),
                epoch=0.0,
                step=0,
            )
            labels, where = jnp.asarray(rows["labels"]), jnp.asarray(is_real)
            with errors_of(plan):
                losses = plan.function(values, labels, where=where, **options)
            check_one_per_list(plan, losses, values)
            return losses.sum(), losses

        gradient, losses = jax.grad(total, has_aux=True)(jnp.asarray(values))
        return np.asarray(losses), np.asarray(gradient)[~real]

    zeros, gradient = evaluate(_N_PADDED, 0.0)
    others, _ = evaluate(_N_PADDED, 3.0)
    _expect_same(plan, zeros, others, "zeros there, and {} with threes")
    if not plan.info.takes("key"):  # the number of draws depends on the padded size
        none, _ = evaluate(0, 0.0)
        _expect_same(plan, zeros, none, "zeros there, and {} without such positions")
    if np.isfinite(gradient).all() and np.abs(gradient).max(initial=0.0) > _RTOL:
        _refuse(
            plan, f"its gradient there is {np.abs(gradient).max():.4g} instead of 0"
        )


def is_ours(loss: LossFunction) -> bool:
    """Whether it is a loss of this library, or a combination of such losses."""
    if isinstance(loss, Combination):
        return all(is_ours(function) for function, _ in loss.losses)
    module = getattr(loss, "__module__", None) or ""  # None: code run by exec
    return module.startswith("ltr.losses")


def _pad(column: Any, n_padded: int) -> Any:
    """Masked positions at the end; what stands there is like the first item."""
    padding = np.repeat(column[:, :1], n_padded, axis=1)
    if column.dtype == bool:
        padding = np.zeros_like(padding)
    return np.concatenate([column, padding], axis=1)


def _expect_same(plan: LossPlan, first: Any, second: Any, difference: str) -> None:
    if np.allclose(first, second, rtol=_RTOL, atol=_RTOL, equal_nan=True):
        return
    worst = int(np.nanargmax(np.abs(first - second)))
    values = f"{first[worst]:.4g} with " + difference.format(f"{second[worst]:.4g}")
    _refuse(plan, f"the loss of a list is {values}")


def _refuse(plan: LossPlan, fault: str) -> None:
    raise ValueError(
        "a loss must leave masked items out (the law padding_changes_nothing of "
        f"ltr.testing.check_loss); {plan.function!r} does not: where is False, "
        f"{fault}. Put 0 there before you sum, for example by "
        "jnp.where(where, terms, 0.0)."
    )
