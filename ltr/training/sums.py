"""The loss of a large mini-batch and its gradient, as sums of those of its parts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jax.sharding import PartitionSpec

from ltr.training.batches import Batch, Data, gather
from ltr.training.memory import part_size
from ltr.training.plan import TrainingPlan

Pytree = Any
LossAndGradient = tuple[jax.Array, Pytree]
# Parameters, a batch and a key → loss and gradient
Differentiate = Callable[[Pytree, Batch, jax.Array], LossAndGradient]


def sum_over_parts(
    differentiate: Differentiate,
    params: Pytree,
    data: Data,
    rows: jax.Array,
    key: jax.Array,
    *,
    plan: TrainingPlan,
) -> LossAndGradient:
    """Sum over the lists of a mini-batch, some of them at a time.

    Parameters
    ----------
    differentiate : callable
        Parameters, :class:`Batch` and key → loss and gradient.
    params : pytree of arrays
        Parameters of the scorer.
    data : Data
        The rows.
    rows : int array of shape (n_lists, list_size)
        Row of each item; empty lists are the last ones.
    key : PRNG key
        Source of the keys of the parts.
    plan : TrainingPlan
        What the step does.

    Returns
    -------
    loss : array of shape ()
    gradient : pytree of arrays
        Shaped as ``params``.
    """
    n_lists, list_size = rows.shape
    size = part_size(n_lists, list_size, params, plan)
    n_parts = -(-n_lists // size)
    if n_parts == 1:
        return differentiate(params, gather(data, rows), key)
    n_empty = n_parts * size - n_lists
    rows = jnp.pad(rows, ((0, n_empty), (0, 0)), constant_values=data.n_samples)
    rows = rows.reshape(n_parts, size, list_size)
    keys = jax.random.split(key, n_parts)

    def of_part(part: Any) -> LossAndGradient:
        return differentiate(params, gather(data, rows[part]), keys[part])

    def add(part: jax.Array, sums: LossAndGradient) -> LossAndGradient:
        total: LossAndGradient = jax.tree.map(jnp.add, sums, of_part(part))
        return total

    zeros: LossAndGradient = jax.tree.map(
        lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), jax.eval_shape(of_part, 0)
    )
    n_filled = (rows[:, 0, 0] < data.n_samples).sum()  # the other parts are empty
    total: LossAndGradient = jax.lax.fori_loop(0, n_filled, add, zeros)
    return total


def sum_over_processes(
    differentiate: Differentiate,
    params: Pytree,
    data: Data,
    rows: jax.Array,
    key: jax.Array,
    *,
    plan: TrainingPlan,
) -> LossAndGradient:
    """Sum over the devices of several processes, each of which has lists of its own.

    There is one sum over the processes. Left to itself, XLA makes one for every array
    of parameters, and each waits for the network.

    Parameters
    ----------
    differentiate, params, key, plan
        As for :func:`sum_over_parts`.
    data : Data
        The rows of the processes, with a first axis of processes.
    rows : int array of shape (n_processes, n_lists, list_size)
        Row of each item among those of its process; shared by its devices.

    Returns
    -------
    loss, gradient
        The same on every device.
    """
    assert plan.mesh is not None
    axes = plan.mesh.axis_names  # processes, and the devices of each
    n_samples = data.n_samples

    def of_device(
        params: Pytree, data: Data, rows: jax.Array, key: jax.Array
    ) -> LossAndGradient:
        data = jax.tree.map(_first, data)._replace(n_samples=n_samples)
        key = jax.random.fold_in(key, jax.lax.axis_index(axes))
        own = sum_over_parts(differentiate, params, data, _first(rows), key, plan=plan)
        flat, unravel = ravel_pytree(own)
        total: LossAndGradient = unravel(jax.lax.psum(flat, axes))
        return total

    replicated, of_process = PartitionSpec(), PartitionSpec(axes[0])
    total: LossAndGradient = jax.shard_map(
        of_device,
        mesh=plan.mesh,
        in_specs=(replicated, of_process, PartitionSpec(*axes), replicated),
        out_specs=replicated,
        check_vma=False,
    )(params, data._replace(n_samples=None), rows, key)
    return total


def _first(array: jax.Array) -> jax.Array:
    """The only entry of the first axis, without a copy."""
    return array.reshape(array.shape[1:])
