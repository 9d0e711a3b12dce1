"""Processes of ``jax.distributed`` that train one ranker together."""

from __future__ import annotations

import json
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from numpy.typing import NDArray

if TYPE_CHECKING:
    from ltr.training.batches import Lists
    from ltr.training.checkpoint import Checkpoint

# Words of the errors of collectives; an error of the process itself has none of them.
_TRANSPORTS = ("gloo ", "nccl ", "coordination service")
_WORDS = ("collective", "connection", "peer", "barrier", "timed out")
LOST = (jax.errors.JaxRuntimeError, ValueError)  # what a lost process may raise
PROCESSES = "processes"  # axis of the mesh
_SUMS_PER_STEP, _N_SUMS = 20, 7


class Hosts:
    """The processes that take part in a fit, and what they tell each other.

    Every method that returns what others have said is a collective: all processes call
    it, in the same order. With one process nothing is sent.

    Parameters
    ----------
    mesh : Mesh, optional
        Devices; with several processes, one row for each of them. Default: those of
        this process.

    Examples
    --------
    >>> hosts = Hosts()
    >>> hosts.n, hosts.total(2.5), hosts.any(True)
    (1, 2.5, True)
    """

    def __init__(self, mesh: Mesh | None = None) -> None:
        self.mesh = mesh
        is_shared = mesh is not None and PROCESSES in mesh.axis_names
        self.n = jax.process_count() if is_shared else 1
        self.index = jax.process_index() if is_shared else 0
        self._n_interrupts = 0  # held back since the processes last met

    def gathered(self, values: NDArray[Any]) -> list[NDArray[Any]]:
        """The arrays of all processes, which may differ in length, not in dtype."""
        values = np.ascontiguousarray(values)
        if self.n == 1:
            return [values]
        parts = self._gathered_bytes(values.tobytes())
        return [
            np.frombuffer(part, values.dtype).reshape(-1, *values.shape[1:])
            for part in parts
        ]

    def concatenated(self, values: NDArray[Any]) -> NDArray[Any]:
        """The entries of all processes, in the order of their numbers."""
        return values if self.n == 1 else np.concatenate(self.gathered(values))

    def own_part(self, values: NDArray[Any], n_own: int) -> NDArray[Any]:
        """What this process has of the entries of all, of which it passed ``n_own``."""
        if self.n == 1:
            return values
        counts = self.gathered(np.array([n_own]))
        begin = int(sum(count[0] for count in counts[: self.index]))
        return values[begin : begin + n_own]

    def total(self, value: float) -> float:
        """Sum of one number per process, the same bits in each of them."""
        if self.n == 1:
            return value
        return float(sum(part[0] for part in self.gathered(np.array([value], float))))

    def greatest(self, values: NDArray[Any]) -> NDArray[Any]:
        """Entry by entry the greatest of the processes; NaN is no value."""
        if self.n == 1:
            return values
        return np.asarray(np.fmax.reduce(np.stack(self.gathered(values))))

    def any(self, flag: bool) -> bool:
        """Whether it is true in one of the processes."""
        return bool(flag) if self.n == 1 else self.total(float(flag)) > 0

    def ends(self, call: Callable[[], bool] | None) -> bool:
        """Whether a function returns True in one of the processes.

        Parameters
        ----------
        call : callable or None
            Called here; None: False.

        Returns
        -------
        ends : bool

        Raises
        ------
        ValueError
            In all processes, if the function fails in one of them.
        KeyboardInterrupt
            In all processes, if one of them was interrupted.
        """
        if self.n == 1:
            return bool(call and call())
        ends = False
        with self.together():
            try:
                ends = bool(call and call())
            except KeyboardInterrupt:
                self._n_interrupts += 1
        flags = self.greatest(np.array([[ends, self._n_interrupts > 0]], float))
        if flags[0, 1]:
            self._n_interrupts = 0
            raise KeyboardInterrupt
        return bool(flags[0, 0])

    @contextmanager
    def held_interrupts(self) -> Iterator[None]:
        """Let Ctrl-C wait for :meth:`ends`: the others would wait for this process.

        A second one does not wait.
        """
        is_main = threading.current_thread() is threading.main_thread()
        before = signal.getsignal(signal.SIGINT)
        if self.n == 1 or not is_main or before is None:  # not of Python: not ours
            yield
            return

        def hold(*_: Any) -> None:
            self._n_interrupts += 1
            if self._n_interrupts > 1:
                self._n_interrupts = 0
                raise KeyboardInterrupt

        signal.signal(signal.SIGINT, hold)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)
        if self._n_interrupts:
            raise KeyboardInterrupt

    def texts(self, text: str) -> list[str]:
        """A text of each process."""
        if self.n == 1:
            return [text]
        return [part.decode() for part in self._gathered_bytes(text.encode())]

    def of_first(self, content: bytes | None) -> bytes | None:
        """What process 0 says; the others pass anything."""
        if self.n == 1:
            return content
        message = b"" if content is None or self.index else b"+" + content
        answer, *_ = self._gathered_bytes(message)
        return answer[1:] if answer else None

    def same_start(self, tree: Any) -> Any:
        """Arrays of process 0, in the shapes of those of this process."""
        if self.n == 1:
            return tree
        leaves, structure = jax.tree.flatten(tree)
        arrays = [np.asarray(leaf) for leaf in leaves]
        content = self.of_first(b"".join(array.tobytes() for array in arrays)) or b""
        begin, copies = 0, []
        for array in arrays:
            part = np.frombuffer(content[begin : begin + array.nbytes], array.dtype)
            copies.append(part.reshape(array.shape))
            begin += array.nbytes
        return jax.tree.unflatten(structure, copies)

    def put(self, tree: Any, spec: PartitionSpec) -> Any:
        """Arrays on the devices of all processes.

        Parameters
        ----------
        tree : pytree of arrays
            By an empty ``spec`` the same in each process; otherwise its share, with a
            first axis of length 1.
        spec : PartitionSpec
            How the devices share them.

        Returns
        -------
        tree : pytree of arrays
            A share has the first axis of the others', too: (n_processes, ...).
        """
        assert self.mesh is not None
        sharding = NamedSharding(self.mesh, spec)

        def place(leaf: Any) -> jax.Array:
            array = np.asarray(leaf)
            shape = (self.n, *array.shape[1:]) if spec else array.shape

            def part(index: Any) -> NDArray[Any]:
                return np.asarray(array[(slice(None), *index[1:]) if spec else index])

            return jax.make_array_from_callback(shape, sharding, part)

        return jax.tree.map(place, tree)

    def advice(self, seconds: float, n_steps: int, params: Any, lists: Lists) -> str:
        """What to do if steps are too short to be shared; "" if they are not.

        Parameters
        ----------
        seconds, n_steps : float and int
            Time of some steps.
        params : pytree of arrays
            What it moves: the sum of the gradients of all processes is as large.
        lists : Lists
            What a step is made of.

        Returns
        -------
        advice : str
            In process 0, if a step takes less than 20 times as long as that sum.
        """
        if self.n == 1 or not n_steps:
            return ""
        step_seconds = seconds / n_steps
        sum_seconds = self._seconds_of_sum(sum(x.size for x in jax.tree.leaves(params)))
        if self.index or step_seconds >= _SUMS_PER_STEP * sum_seconds:
            return ""
        return (
            f"A step takes {1e3 * step_seconds:.2g} ms, and {1e3 * sum_seconds:.2g} ms "
            f"the sum of its gradients over {self.n} processes; they gain little where "
            f"it is not {_SUMS_PER_STEP} times as long. Raise batch_size (now "
            f"{lists.batch_size} lists in a step), or train in one process."
        )

    def _seconds_of_sum(self, n_values: int) -> float:
        """Median time to sum arrays of all processes."""
        assert self.mesh is not None
        everywhere = NamedSharding(self.mesh, PartitionSpec())
        add = jax.jit(lambda shares: shares.sum(axis=0), out_shardings=everywhere)
        shares = self.put(np.zeros((1, n_values), np.float32), PartitionSpec(PROCESSES))
        add(shares).block_until_ready()
        times = []
        for _ in range(_N_SUMS):
            started = time.perf_counter()
            add(shares).block_until_ready()
            times.append(time.perf_counter() - started)
        return float(np.median(times))

    @contextmanager
    def together(self) -> Iterator[None]:
        """If the block fails in one process, it fails in all; none waits for it.

        Raises
        ------
        ValueError
            In the processes whose own block has succeeded.
        """
        try:
            yield
        except Exception as error:
            if self.n > 1 and not _is_of_collective(error):
                self.texts(f"{type(error).__name__}: {error}")
            raise
        failures = [
            f"process {number} of {self.n} failed with {text.rstrip('.')}."
            for number, text in enumerate(self.texts(""))
            if text
        ]
        if failures:
            raise ValueError(
                f"fit needs all processes, and {'; '.join(failures)} Correct it there, "
                "and start all of them again."
            )

    def check_same(self, facts: dict[str, tuple[str, str]]) -> None:
        """Raise in all processes if they differ in what must be the same.

        Parameters
        ----------
        facts : dict of str to (str, str)
            Name → what is compared, and how to show it.

        Raises
        ------
        ValueError
            With the first three differences, in every process.
        """
        reference, *answers = map(json.loads, self.texts(json.dumps(facts)))
        differences = [
            f"process {number} has {name}={answer.get(name, ('', None))[1]}, process 0 "
            f"has {name}={reference.get(name, ('', None))[1]}"
            for number, answer in enumerate(answers, start=1)
            for name in [*reference, *(set(answer) - set(reference))]
            if answer.get(name, [""])[0] != reference.get(name, [""])[0]
        ]
        if differences:
            raise ValueError(
                "all processes must call fit with the same parameters and columns, "
                f"each with its own lists; {'; '.join(differences[:3])}. Start them "
                "with the same."
            )

    @contextmanager
    def alive(self, stage: str) -> Iterator[None]:
        """Run a block of collectives, see :meth:`check_alive`."""
        try:
            yield
        except LOST as error:
            self.check_alive(error, stage)
            raise

    def check_alive(
        self, error: Exception, stage: str, checkpoint: Checkpoint | None = None
    ) -> None:
        """Say which process lost which others, and how to go on.

        Parameters
        ----------
        error : Exception
            What JAX raised.
        stage : str
            When it was, in words.
        checkpoint : Checkpoint, optional
            What training goes on from.

        Raises
        ------
        ConnectionError
            If it is the error of a collective.
        """
        if self.n == 1 or not _is_of_collective(error):
            return
        peer = f"process {1 - self.index}" if self.n == 2 else "another process"
        way = (
            "Start all processes again; with checkpoint_dir, fit would go on from the "
            "state that process 0 wrote last."
        )
        if checkpoint is not None:
            way = (
                "Start all processes again with the same checkpoint_dir: fit goes on "
                f"from {checkpoint.place}."
            )
        text = str(error).splitlines()[0].rstrip(".")
        message = (
            f"process {self.index} of {self.n} lost {peer} {stage}: it was killed, it "
            f"failed, or it cannot be reached ({text}). {way}"
        )
        if self.index:  # without process 0, JAX ends this one within milliseconds
            sys.stderr.write(f"{message}\n")
            sys.stderr.flush()
        raise ConnectionError(message) from error

    def _gathered_bytes(self, content: bytes) -> list[bytes]:
        """Bytes of each process; JAX would turn 64 bits into 32."""
        from jax.experimental.multihost_utils import process_allgather

        length = np.array([len(content)], np.int64).view(np.uint8)
        gathered = process_allgather(length)  # (n, 8)
        lengths = np.ascontiguousarray(gathered).view(np.int64)[:, 0]
        # a power of two: few programs to compile
        padded = np.zeros(max(64, 1 << int(lengths.max() - 1).bit_length()), np.uint8)
        padded[: len(content)] = np.frombuffer(content, np.uint8)
        rows = process_allgather(padded)  # (n, length)
        return [row[:n].tobytes() for row, n in zip(rows, lengths, strict=True)]


def _is_of_collective(error: BaseException) -> bool:
    """Whether another process is the cause; JAX raises several types."""
    text = str(error).lower()
    if isinstance(error, jax.errors.JaxRuntimeError):
        return any(word in text for word in (*_TRANSPORTS, *_WORDS))
    return isinstance(error, ValueError) and any(word in text for word in _TRANSPORTS)
