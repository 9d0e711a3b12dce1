"""Training on several devices, which share the lists of a mini-batch."""

from __future__ import annotations

import numbers
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from ltr.arguments import ArgumentError, check_whole
from ltr.lists import PackedLists, Shape
from ltr.training.batches import Data, Lists, batches_of
from ltr.training.hosts import PROCESSES, Hosts

_AXIS = "lists"


def find_mesh(devices: Any) -> Mesh | None:
    """The devices that share a mini-batch.

    Parameters
    ----------
    devices : None, "all", int or Mesh
        None: the default device of JAX. ``"all"``: all devices; under
        ``jax.distributed`` those of all processes. An int: the first ones of this
        process. A mesh: its devices.

    Returns
    -------
    mesh : jax.sharding.Mesh or None
        With the axis ``"lists"``, after ``"processes"`` if there are several; None for
        one device that needs no naming.

    Raises
    ------
    ArgumentError
        If it is none of these, there are fewer devices, or the processes have different
        numbers of them.

    Examples
    --------
    >>> find_mesh(None) is None
    True
    >>> find_mesh("all").axis_names
    ('lists',)
    """
    if devices is None:
        return None
    if isinstance(devices, Mesh):
        named = devices.devices.ravel().tolist()
        if len(set(named)) < max(1, len(named)):
            raise ArgumentError(
                "devices must be a Mesh of one device or more, each of them once; got "
                f"{[str(device) for device in named]}."
            )
        return _mesh_of(named)
    if isinstance(devices, str) and devices == "all":
        return _mesh_of(jax.devices())
    if not isinstance(devices, numbers.Integral):
        raise ArgumentError(
            "devices must be None, 'all', a number of devices or a jax.sharding.Mesh; "
            f"got {devices!r}. JAX uses a GPU if it is installed for one; a Mesh names "
            "devices: jax.sharding.Mesh(np.array(devices), ('lists',))."
        )
    n_devices = check_whole("devices", devices, low=1)
    available = jax.local_devices()
    if n_devices > len(available):
        cure = (
            "On a CPU, XLA_FLAGS=--xla_force_host_platform_device_count=8 simulates 8."
            if jax.process_count() == 1
            else "Those of all processes are devices='all'."
        )
        raise ArgumentError(
            f"devices must be at most {len(available)}, the devices that JAX has here; "
            f"got {n_devices}. {cure}"
        )
    return Mesh(np.array(available[:n_devices]), (_AXIS,))


def _mesh_of(devices: list[jax.Device]) -> Mesh:
    """Devices on one axis, or by the process that has them."""
    by_process: dict[int, list[jax.Device]] = {}
    for device in sorted(devices, key=lambda device: (device.process_index, device.id)):
        by_process.setdefault(device.process_index, []).append(device)
    if [*by_process] == [jax.process_index()]:
        return Mesh(np.array(devices), (_AXIS,))
    counts = {number: len(own) for number, own in by_process.items()}
    if len(counts) < jax.process_count() or len(set(counts.values())) > 1:
        raise ArgumentError(
            "devices must be those of this process, or as many of each of the "
            f"{jax.process_count()} processes of jax.distributed; got "
            f"{', '.join(f'{n} of process {i}' for i, n in counts.items())}. Give each "
            "process as many (local_device_ids of jax.distributed.initialize)."
        )
    return Mesh(np.array([*by_process.values()]), (PROCESSES, _AXIS))


def devices_of_plan(mesh: Mesh | None, *, divides: bool) -> dict[str, Any]:
    """What the plan of a step says of its devices.

    Parameters
    ----------
    mesh : Mesh or None
        Devices, see :func:`find_mesh`.
    divides : bool
        Whether a mini-batch may be computed in parts.

    Returns
    -------
    fields : dict
        ``mesh`` and ``in_parts`` of a :class:`TrainingPlan`. Several devices of one
        process share a mini-batch, so each of its parts would be shared, too: there are
        none.
    """
    several = mesh is not None and PROCESSES in mesh.axis_names
    on_cpu = jax.default_backend() == "cpu"
    return {
        "mesh": mesh if several else None,
        "in_parts": divides and on_cpu and (mesh is None or several),
    }


def share(
    lists: Lists, state: Any, mesh: Mesh
) -> tuple[SharedLists | SharesOfHosts, Any]:
    """Share lists out to devices, and put the state of training on each of them.

    Parameters
    ----------
    lists : Lists
        What an epoch visits.
    state : pytree of arrays
        Parameters and state of the optimizer.
    mesh : Mesh
        Devices, see :func:`find_mesh`.

    Returns
    -------
    shared : SharedLists or SharesOfHosts
        The latter if the devices are those of several processes.
    state : pytree of arrays
        The same on each device.
    """
    several = PROCESSES in mesh.axis_names
    shared = SharesOfHosts(lists, mesh) if several else SharedLists(lists, mesh)
    return shared, shared.replicate(state)


class SharedLists:
    """Lists whose mini-batches are shared out to the devices of a mesh.

    The rows of the data are on every device. A mini-batch gets empty lists until the
    devices share it evenly, so its lists, and with them the result, do not depend on
    the number of devices but by rounding.

    Parameters
    ----------
    lists : Lists
        What an epoch visits.
    mesh : Mesh
        Devices, on one axis.
    """

    def __init__(self, lists: Lists, mesh: Mesh) -> None:
        self._lists, self._mesh = lists, mesh
        self._sharding = NamedSharding(mesh, PartitionSpec(_AXIS))
        self._placed: tuple[Data, Data] | None = None

    @property
    def data(self) -> Data:
        """The rows, on all devices."""
        return self._place(self._lists.data)

    @property
    def packed(self) -> PackedLists:
        """Lists of these rows."""
        return self._lists.packed

    @property
    def batch_size(self) -> int:
        """Lists in a full mini-batch."""
        return self._lists.batch_size

    @property
    def shapes(self) -> list[Shape]:
        """Shapes of mini-batches that are known beforehand."""
        return [(self._even(n_lists), size) for n_lists, size in self._lists.shapes]

    @property
    def batches(self) -> list[jax.ShapeDtypeStruct]:
        """Mini-batches of these shapes, shared out."""
        return batches_of(self.shapes, self._sharding)

    @property
    def n_lists(self) -> int:
        """Lists that the last epoch has visited."""
        return self._lists.n_lists

    def epoch(
        self, number: int, rng: np.random.Generator
    ) -> Iterator[tuple[Data, Any]]:
        """Yield the mini-batches of an epoch, shared out.

        Parameters
        ----------
        number : int
            Of the epoch, from 0.
        rng : numpy Generator
            Source of the order.

        Yields
        ------
        data : Data
        rows : int array of shape (batch_size, list_size)
        """
        for data, rows in self._lists.epoch(number, rng):
            n_lists, size = rows.shape
            shared = np.full(
                (self._even(n_lists), size), int(data.n_samples), dtype=rows.dtype
            )
            shared[:n_lists] = rows
            yield self._place(data), jax.device_put(shared, self._sharding)

    def replicate(self, tree: Any) -> Any:
        """Put arrays on every device."""
        return jax.device_put(tree, NamedSharding(self._mesh, PartitionSpec()))

    @property
    def steps_per_epoch(self) -> int | None:
        """Mini-batches of the first epoch, where they are known."""
        return self._lists.steps_per_epoch

    def _place(self, data: Data) -> Data:
        if self._placed is None or self._placed[0] is not data:
            self._placed = data, self.replicate(data)
        return self._placed[1]

    def _even(self, n_lists: int) -> int:
        """The next multiple of the number of devices."""
        n_devices = self._mesh.size
        return -(-n_lists // n_devices) * n_devices


class SharesOfHosts:
    """Lists of several processes, each of which has the rows of its own.

    A mini-batch has a first axis of processes, then lists of the devices of each.

    Parameters
    ----------
    lists : Lists
        What an epoch visits of the lists of this process; its mini-batches have the
        same shapes in all processes, and so have its rows.
    mesh : Mesh
        Devices by process.
    """

    def __init__(self, lists: Lists, mesh: Mesh) -> None:
        self._lists, self._hosts = lists, Hosts(mesh)
        self._rows = PartitionSpec(PROCESSES, _AXIS)
        own = jax.tree.map(lambda leaf: leaf[None], lists.data._replace(n_samples=None))
        shares = self._hosts.put(own, PartitionSpec(PROCESSES))
        self.data = shares._replace(n_samples=lists.data.n_samples)

    @property
    def packed(self) -> PackedLists:
        """Lists of this process."""
        return self._lists.packed

    @property
    def batch_size(self) -> int:
        """Lists of all processes in a full mini-batch."""
        return self._lists.batch_size

    @property
    def shapes(self) -> list[Shape]:
        """Shapes of the shares of a process that are known beforehand."""
        return self._lists.shapes

    @property
    def batches(self) -> list[jax.ShapeDtypeStruct]:
        """Mini-batches of these shapes."""
        assert self._hosts.mesh is not None
        shapes = [(self._hosts.n, *shape) for shape in self.shapes]
        return batches_of(shapes, NamedSharding(self._hosts.mesh, self._rows))

    @property
    def n_lists(self) -> int:
        """Lists of all processes that the last epoch has visited."""
        return self._lists.n_lists

    @property
    def steps_per_epoch(self) -> int | None:
        """Mini-batches of an epoch."""
        return self._lists.steps_per_epoch

    def epoch(
        self, number: int, rng: np.random.Generator
    ) -> Iterator[tuple[Data, Any]]:
        """Yield the mini-batches of an epoch, see :meth:`PackedShare.epoch`.

        Parameters
        ----------
        number : int
            Number of the epoch, from 0.
        rng : numpy Generator
            Source of the order.

        Yields
        ------
        data : Data
        rows : int array of shape (n_processes, n_lists, list_size)
        """
        for _, rows in self._lists.epoch(number, rng):
            yield self.data, self._hosts.put(rows[None], self._rows)

    def replicate(self, tree: Any) -> Any:
        """Put arrays on every device."""
        return self._hosts.put(tree, PartitionSpec())
