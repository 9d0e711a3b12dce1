"""What a fit depends on, as hashes: a checkpoint of another fit is refused."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import fields, is_dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from types import CodeType, FunctionType, MethodType
from typing import Any

import jax
import numpy as np

from ltr.rankers.inputs import TrainingSet
from ltr.rankers.neural.options import TrainingOptions
from ltr.training.checkpoint import Checkpoint
from ltr.training.hosts import Hosts

_BLOCK_ROWS = 2**16
# Functions that watch a fit, and what they remember, have no part in it.
NO_PART = (
    "verbose",
    "checkpoint_dir",
    "checkpoint_every_s",
    "random_state",
    "callbacks",
    "devices",
)
_ADDRESS = re.compile(" at 0x[0-9a-f]+")


def open_checkpoint(
    options: TrainingOptions,
    sets: Iterable[TrainingSet | None],
    start: Any,
    member: int,
    *,
    is_stream: bool = False,
    hosts: Hosts | None = None,
) -> Checkpoint | None:
    """The checkpoint of a fit, read if there is one; None if none is wanted.

    Parameters
    ----------
    options : TrainingOptions
        Parameters of the ranker.
    sets : iterable of TrainingSet or None
        Training rows, in pieces if they are a stream, and validation rows.
    start : LearnedState or None
        State from which training begins.
    member : int
        Number within an ensemble; each has a file of its own.
    is_stream : bool, default=False
        Whether the rows pass by; another fit than one on the same rows in memory.
    hosts : Hosts, optional
        Processes that train together: process 0 reads and writes the file.

    Returns
    -------
    checkpoint : Checkpoint or None

    Raises
    ------
    ValueError
        If the file is of another fit, or no checkpoint.
    """
    if options.is_stream:
        return None
    if hosts is not None and hosts.n > 1:
        return _open_together(options, sets, start, member, hosts)
    if options.checkpoint_dir is None:
        return None
    path = _path(options, member)
    content = _hash_of_data(sets, is_stream=is_stream)
    return Checkpoint(
        path, _identity(options, start, content), options.checkpoint_every_s
    )


def _open_together(
    options: TrainingOptions,
    sets: Iterable[TrainingSet | None],
    start: Any,
    member: int,
    hosts: Hosts,
) -> Checkpoint | None:
    """One of several processes: process 0 reads the file, and says what is in it."""
    if not hosts.any(hosts.index == 0 and options.checkpoint_dir is not None):
        return None
    content = ",".join(hosts.texts(_hash_of_data(sets, is_stream=False)))
    checkpoint, file_bytes, every_s = None, None, options.checkpoint_every_s
    identity = _identity(options, start, content)
    with hosts.together():
        if hosts.index == 0:
            path = _path(options, member)
            checkpoint = Checkpoint(path, identity, every_s)
            file_bytes = path.read_bytes() if checkpoint.exists else None
    file_bytes = hosts.of_first(file_bytes)
    if checkpoint is None:
        path = Path(options.checkpoint_dir or "its checkpoint_dir")
        checkpoint = Checkpoint(
            path, identity, every_s, content=file_bytes, writes=False
        )
    return checkpoint


def _path(options: TrainingOptions, member: int) -> Path:
    """File of a member, in a folder that exists."""
    assert options.checkpoint_dir is not None
    folder = Path(options.checkpoint_dir).expanduser()
    if folder.exists() and not folder.is_dir():
        raise NotADirectoryError(
            f"checkpoint_dir must be a folder; {folder} is a file. Pass another path."
        )
    folder.mkdir(parents=True, exist_ok=True)
    return folder / _file_name(member, is_refit=options.replay is not None)


def _identity(options: TrainingOptions, start: Any, content: str) -> dict[str, str]:
    """Hashes of what a fit depends on; ``content`` is that of its data."""
    values = {
        field.name: getattr(options, field.name)
        for field in fields(options)
        if field.name not in NO_PART
    }
    if isinstance(options.random_state, (int, np.integer)):
        values["random_state"] = int(options.random_state)
    return {
        "data": content,
        "parameters": _hash_of_values(values, start),
        "version of ltr": version("ltr"),
    }


def remove_checkpoints(options: TrainingOptions, n_members: int = 1) -> None:
    """Delete the files of a fit that has ended."""
    if options.checkpoint_dir is not None:
        folder = Path(options.checkpoint_dir).expanduser()
        for member in range(n_members):
            for is_refit in (False, True):
                name = _file_name(member, is_refit=is_refit)
                (folder / name).unlink(missing_ok=True)


def _file_name(member: int, *, is_refit: bool) -> str:
    """File of a member; that on all queries has one of its own."""
    return f"{'refit' if is_refit else 'member'}_{member}.npz"


def _hash_of_data(sets: Iterable[TrainingSet | None], *, is_stream: bool) -> str:
    digest = hashlib.sha256(b"stream" if is_stream else b"")
    for rows in sets:
        if rows is None:
            continue
        X = rows.X
        features = [X]
        if hasattr(X, "tocsr"):
            features = [X.data, X.indices, X.indptr, np.array(X.shape)]
        columns = [*features, rows.y, rows.queries.codes]
        columns += [rows.weights, rows.list_weights]
        columns += [rows.extras[name] for name in sorted(rows.extras)]
        columns += [] if rows.pairs is None else list(rows.pairs)
        for array in columns:
            digest.update(
                repr((np.shape(array), getattr(array, "dtype", None))).encode()
            )
            for begin in range(0, 0 if array is None else len(array), _BLOCK_ROWS):
                block = np.ascontiguousarray(array[begin : begin + _BLOCK_ROWS])
                digest.update(block.tobytes())
    return digest.hexdigest()


def _hash_of_values(values: dict[str, Any], start: Any) -> str:
    digest = hashlib.sha256()
    for name, value in sorted(values.items()):
        digest.update(f"{name}={text_of(value)};".encode(errors="backslashreplace"))
    for leaf in jax.tree.leaves((start.params, start.last_params)) if start else ():
        digest.update(np.ascontiguousarray(leaf).tobytes())
    return digest.hexdigest()


def text_of(value: Any, seen: dict[int, tuple[int, Any]] | None = None) -> str:
    """Text of a parameter that is the same in another process.

    That of a function has its code, defaults and closure: the name alone is that of
    every lambda. ``seen`` numbers objects by ``id``, and keeps them alive, since they
    may refer to each other.
    """
    seen = {} if seen is None else seen
    if isinstance(value, (str, bytes, int, float, complex, type(None))):
        return repr(value)
    if id(value) in seen:
        return f"object {seen[id(value)][0]}"
    seen[id(value)] = len(seen), value
    if isinstance(value, (np.ndarray, jax.Array)):
        array = np.ascontiguousarray(value)
        content = hashlib.sha256(array.tobytes()).hexdigest()
        return f"{array.dtype}{array.shape}{content}"
    if isinstance(value, (set, frozenset)):
        return f"{type(value).__qualname__}({sorted(map(repr, value))})"
    if isinstance(value, CodeType):
        return (
            f"{value.co_code.hex()}({text_of((value.co_names, value.co_consts), seen)})"
        )
    parts = _parts(value)
    if parts is None:
        return _ADDRESS.sub("", repr(value))
    name, entries = parts
    return f"{name}({', '.join(text_of(entry, seen) for entry in entries)})"


def _parts(value: Any) -> tuple[str, Sequence[Any]] | None:
    """Name of an object, and what it consists of; None if its ``repr`` says it."""
    name = type(value).__qualname__
    if isinstance(value, partial):
        return name, (value.func, value.args, value.keywords)
    if isinstance(value, dict):
        return name, [entry for pair in value.items() for entry in pair]
    if isinstance(value, (list, tuple)):
        return name, value
    if isinstance(value, MethodType):
        return name, (value.__self__, value.__func__)
    if isinstance(value, FunctionType):
        cells = [cell.cell_contents for cell in value.__closure__ or ()]
        inputs = (value.__defaults__, value.__kwdefaults__, cells)
        return f"{value.__module__}.{value.__qualname__}", (value.__code__, *inputs)
    if hasattr(value, "__qualname__"):  # a class, or a compiled function
        wrapped = getattr(value, "__wrapped__", None)
        return f"{value.__module__}.{value.__qualname__}", (wrapped,)
    if is_dataclass(value):
        return name, [getattr(value, field.name) for field in fields(value)]
    if getattr(type(value), "__repr__", None) is object.__repr__:
        return name, (type(value), getattr(value, "__dict__", None))
    return None
