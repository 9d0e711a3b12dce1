"""Training that goes on after the process was killed, to the same bits."""

from __future__ import annotations

import io
import json
import math
import time
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from ltr.files import whole_file
from ltr.training.result import TrainingResult

Pytree = Any
_FORM = 3
_SERIES = ("losses", "seconds", "scores", "rates")
_COUNTS = ("seed", "n_steps", "epoch_steps", "best_epoch")


class Snapshot(NamedTuple):
    """Where training is between two steps.

    Attributes
    ----------
    generator : dict
        State of the generator at the start of the epoch.
    n_steps : int
        Steps of all epochs that are done.
    epoch_steps : int
        Steps of the last whole epoch, or as many as are expected.
    totals : list of float
        Summed loss of each step of this epoch, in the precision of training.
    losses, seconds, scores, rates : list of float
        Of the epochs before.
    watched : dict of str to list of float
        Other metrics of these epochs.
    best_score : float
        Highest validation metric.
    best_epoch : int
        Epoch of that metric.
    state : pytree of arrays
        Parameters and optimizer state.
    best : pytree of arrays
        Parameters of the best epoch.
    """

    generator: dict[str, Any]
    n_steps: int
    epoch_steps: int
    totals: list[Any]
    losses: list[float]
    seconds: list[float]
    scores: list[float]
    rates: list[float]
    watched: dict[str, list[float]]
    best_score: float
    best_epoch: int
    state: Pytree
    best: Pytree

    @property
    def step(self) -> int:
        """Steps of this epoch that are done."""
        return len(self.totals)

    def result_of(self, start: TrainingResult) -> TrainingResult:
        """The result so far, of training that has begun with ``start``."""
        return replace(
            start,
            params=self.best,
            losses=self.losses,
            seconds=self.seconds,
            scores=self.scores,
            rates=self.rates,
            watched=self.watched,
            best_score=self.best_score,
            best_epoch=self.best_epoch,
            n_steps=self.epoch_steps,
        )


class Checkpoint:
    """A file that training writes now and then, and goes on from.

    Parameters
    ----------
    path : Path
        File to write; its folder exists.
    identity : dict of str to str
        Hashes of what the fit depends on: a file of another fit is refused.
    every_s : float
        Seconds between two writings.
    content : bytes, optional
        What the file holds, if another process writes it. Default: read it.
    writes : bool, default=True
        Whether this process writes it.
    """

    def __init__(
        self,
        path: Path,
        identity: dict[str, str],
        every_s: float,
        *,
        content: bytes | None = None,
        writes: bool = True,
    ) -> None:
        self.path = path
        self.identity = identity
        self.every_s = every_s
        self.seed = 0
        self.place = (
            f"what process 0 has written to {path}" if not writes else "the start"
        )
        self._writes = writes
        self._last = time.monotonic()
        self._header: dict[str, Any] | None = None
        self._arrays: list[Any] = []
        if content is not None or (writes and path.exists()):
            self._read(content)
            self.seed = int(self.header["seed"])

    @property
    def exists(self) -> bool:
        """Whether there is a state to go on from."""
        return self._header is not None

    @property
    def header(self) -> dict[str, Any]:
        """Everything but the arrays."""
        assert self._header is not None
        return self._header

    @property
    def is_due(self) -> bool:
        """Whether the time between two writings is over."""
        return self._writes and time.monotonic() - self._last >= self.every_s

    def save(
        self,
        generator: Any,
        n_steps: int,
        totals: list[Any],
        state: Pytree,
        result: TrainingResult,
    ) -> None:
        """Write the file, whole or not at all.

        Parameters
        ----------
        generator : dict
            State of the generator at the start of the epoch.
        n_steps : int
            Steps of all epochs that are done.
        totals : list of scalars
            Summed loss of each step of this epoch.
        state : pytree of arrays
            Parameters and optimizer state.
        result : TrainingResult
            Of the epochs before.
        """
        if not self._writes:
            return
        header = {
            "form": _FORM,
            "identity": self.identity,
            "seed": self.seed,
            "generator": generator,
            "n_steps": n_steps,
            "epoch_steps": result.n_steps,
            "losses": result.losses,
            "seconds": result.seconds,
            "scores": result.scores,
            "rates": result.rates,
            "watched": result.watched,
            "best_score": float(result.best_score),
            "best_epoch": result.best_epoch,
        }
        text = np.frombuffer(json.dumps(header).encode(), dtype=np.uint8)
        leaves = jax.tree.leaves((state, result.params))
        arrays: dict[str, Any] = {
            f"leaf_{i}": np.asarray(leaf) for i, leaf in enumerate(leaves)
        }
        losses = np.array([np.asarray(total) for total in totals])
        with whole_file(self.path) as scratch, scratch.open("wb") as file:
            np.savez(file, header=text, totals=losses, **arrays)
        self._last = time.monotonic()
        step = f", after {len(totals)} steps of it" if totals else ""
        self.place = f"epoch {len(result.losses) + 1}{step}"

    def load(self, state: Pytree, best: Pytree) -> Snapshot:
        """Where training was; these trees give the shapes."""
        leaves, structure = jax.tree.flatten((state, best))
        totals, *arrays = self._arrays
        kinds = [(np.shape(leaf), np.asarray(leaf).dtype) for leaf in leaves]
        if [(array.shape, array.dtype) for array in arrays] != kinds:
            raise _not_a_checkpoint(self.path, "its arrays have other shapes")
        state, best = jax.tree.unflatten(structure, arrays)
        names = set(Snapshot._fields) - {"totals", "state", "best"}
        values = {name: self.header[name] for name in names}
        return Snapshot(**values, totals=list(totals), state=state, best=best)

    def _read(self, content: bytes | None) -> None:
        """Read the file, and compare what the fit depends on."""
        try:
            file = self.path if content is None else io.BytesIO(content)
            n_bytes = self.path.stat().st_size if content is None else len(content)
            with zipfile.ZipFile(file) as archive:  # as numpy.savez makes
                sizes = [member.file_size for member in archive.infolist()]
                if sum(sizes) > n_bytes:
                    raise ValueError("its arrays are larger than the file")
                n_leaves = len(sizes) - 2
                names = ["header", "totals", *(f"leaf_{i}" for i in range(n_leaves))]
                text, *arrays = (_member(archive, f"{name}.npy") for name in names)
            header = json.loads(text.tobytes())
        except OSError:
            raise
        except Exception as error:  # of readers of a file that anybody may have made
            raise _not_a_checkpoint(self.path, str(error)) from error
        if not _is_header(header) or arrays[0].ndim != 1:
            raise _not_a_checkpoint(self.path, "its header is of another form")
        stored = header["identity"]
        others = [
            name for name in self.identity if stored.get(name) != self.identity[name]
        ]
        if others:
            raise ValueError(
                f"checkpoint_dir must be empty or hold the state of this same fit; "
                f"{self.path} has that of a fit with other {' and other '.join(others)}"
                ". Pass another folder, or delete the file to begin from the start."
            )
        self._header, self._arrays = header, arrays


def _member(archive: zipfile.ZipFile, name: str) -> Any:
    """An array, which needs no more memory than the file has bytes."""
    member = archive.getinfo(name)
    if member.compress_type != zipfile.ZIP_STORED:
        raise ValueError(f"{name} is compressed")
    content = io.BytesIO(archive.read(member))
    version = np.lib.format.read_magic(content)
    if version != (1, 0):
        raise ValueError(f"{name} is of version {version}")
    shape, _, dtype = np.lib.format.read_array_header_1_0(content)
    n_bytes = math.prod(shape) * dtype.itemsize
    if dtype.hasobject or n_bytes != member.file_size - content.tell():
        raise ValueError(f"{name} holds no array of shape {shape} and dtype {dtype}")
    content.seek(0)
    return np.load(content, allow_pickle=False)


def _is_header(header: Any) -> bool:
    """Whether all of it that a fit reads is there, and of its type."""
    if not isinstance(header, dict) or header.get("form") != _FORM:
        return False
    try:
        np.random.default_rng().bit_generator.state = header["generator"]
        columns = [header[name] for name in _SERIES] + [*header["watched"].values()]
        series = [value for column in columns for value in column]
        counts = [header[name] for name in _COUNTS]
        identity = header["identity"]
        numbers = [*series, header["best_score"]]
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        return False
    return (
        isinstance(identity, dict)
        and all(type(count) is int for count in counts)
        and all(type(number) in (int, float) for number in numbers)
        and min(header["n_steps"], header["epoch_steps"]) >= 0
    )


def _not_a_checkpoint(path: Path, reason: str) -> ValueError:
    return ValueError(
        f"{path} is no checkpoint of a fit: {reason}. Delete it to begin from the "
        "start."
    )
