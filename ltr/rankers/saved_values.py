"""Values of saved rankers: parameters as JSON, arrays without pickled objects."""

from __future__ import annotations

import functools
import io
import json
import math
import os
import sys
import zipfile
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ltr.losses import LOSSES, Combination, combine

Array = NDArray[Any]
# Parameters whose function is saved as its name only: nothing is imported on loading.
NAMED_FUNCTIONS = ("pair_features",)
_ITEM_KINDS = "biufU"  # of the arrays: Booleans, numbers, text


def encode(name: str, value: Any) -> Any:
    """A parameter as JSON; losses with options as {"loss": name, option: value}.

    Parameters
    ----------
    name : str
        Name of the parameter, for messages.
    value : object
        Its value.

    Returns
    -------
    value : object
        For :func:`json.dumps`.

    Raises
    ------
    ValueError
        If it cannot be written without code.
    """
    if isinstance(value, Combination):
        return {"combine": [[w, encode(name, part)] for w, part in value.terms()]}
    function, keywords = value, {}
    if isinstance(value, functools.partial) and not value.args:
        function, keywords = value.func, value.keywords
    names = [key for key, loss in LOSSES.items() if loss is function]
    if names:
        options = {key: encode(key, v) for key, v in keywords.items()}
        return {"loss": names[0], "options": options}
    if name in NAMED_FUNCTIONS and callable(value):
        return {"function": _importable_name(name, value)}
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    if isinstance(value, tuple):
        value = list(value)
    try:
        json.dumps(value)
    except TypeError:
        raise ValueError(
            f"{name} must be a plain value to be saved; got {value!r}. Use a name "
            "instead of a function, or pickle the ranker."
        ) from None
    return value


def _importable_name(name: str, function: Any) -> str:
    """Return "module:qualname" of a function at the top level of a module."""
    module = getattr(function, "__module__", None)
    qualname = getattr(function, "__qualname__", None)
    target: Any = sys.modules.get(str(module))
    for part in str(qualname).split("."):
        target = getattr(target, part, None)
    if target is not function:
        raise ValueError(
            f"{name} must be a function that can be imported to be saved; got "
            f"{function!r}. Define it by def at the top level of a module, or pickle "
            "the ranker."
        )
    return f"{module}:{qualname}"


def insert_function(
    document: dict[str, Any], name: str, function: Callable[..., Any] | None
) -> dict[str, Any]:
    """Put a function in place of each name that is saved for a parameter.

    Parameters
    ----------
    document : dict
        From JSON.
    name : str
        Name of the parameter.
    function : callable or None
        What the user passed for it.

    Returns
    -------
    document : dict
        A copy.

    Raises
    ------
    ValueError
        If there is a name but no function, or the other way round.
    """
    n_names = 0

    def copy(value: Any) -> Any:
        if isinstance(value, list):
            return [copy(item) for item in value]
        if not isinstance(value, dict):
            return value
        return {key: insert(key, item) for key, item in value.items()}

    def insert(key: str, value: Any) -> Any:
        nonlocal n_names
        if key != name or not isinstance(value, dict) or set(value) != {"function"}:
            return copy(value)
        n_names += 1
        if not callable(function):
            raise ValueError(
                f"{name} is required: the ranker was saved with the function "
                f"{value['function']!r:.100}, and loading imports no code. Import it, "
                f"and pass load_ranker(folder, {name}=function)."
            )
        return function

    document = copy(document)
    if function is not None and n_names == 0:
        raise ValueError(
            f"{name} must be None for a ranker that was saved without such a function; "
            f"got {function!r}. Leave it out."
        )
    return document


def decode(name: str, value: Any) -> Any:
    """Reverse :func:`encode`.

    Parameters
    ----------
    name : str
        Name of the parameter, for messages.
    value : object
        From JSON.

    Returns
    -------
    value : object

    Raises
    ------
    ValueError
        If it is not what :func:`encode` makes.
    """
    try:
        return _decode(value)
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise ValueError(
            f"{name} must be a value that save_ranker writes; got {value!r:.100} "
            f"({type(error).__name__}: {error})."
        ) from error


def _decode(value: Any) -> Any:
    if isinstance(value, dict) and set(value) == {"combine"}:
        return combine(*((weight, _decode(part)) for weight, part in value["combine"]))
    if isinstance(value, dict) and set(value) == {"loss", "options"}:
        options = {key: _decode(option) for key, option in value["options"].items()}
        loss = LOSSES[value["loss"]]
        return functools.partial(loss, **options) if options else loss
    return tuple(value) if isinstance(value, list) else value


def pack_arrays(arrays: Mapping[str, Any]) -> bytes:
    """Arrays as the bytes of an uncompressed .npz file.

    Parameters
    ----------
    arrays : mapping of str to array
        Their names.

    Returns
    -------
    data : bytes
    """
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def unpack_arrays(data: bytes) -> dict[str, Array]:
    """Arrays of an uncompressed .npz file; no object is unpickled.

    A header that promises more than the file holds is refused before anything is
    allocated.

    Parameters
    ----------
    data : bytes
        The file.

    Returns
    -------
    arrays : dict of str to array

    Raises
    ------
    ValueError
        If the file is damaged, compressed, or has other items than Booleans, numbers
        and text.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return {
                info.filename.removesuffix(".npy"): _unpack(archive, info)
                for info in archive.infolist()
            }
    except Exception as error:  # zipfile and NumPy raise of many kinds
        raise ValueError(
            f"arrays.npz must be an archive of arrays; reading it failed: "
            f"{type(error).__name__}: {error}. Save the ranker again."
        ) from error


def _unpack(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Array:
    if info.compress_type != zipfile.ZIP_STORED or not info.filename.endswith(".npy"):
        raise ValueError(f"{info.filename!r} is not an uncompressed .npy file")
    content = archive.read(info)
    file = io.BytesIO(content)
    version = np.lib.format.read_magic(file)
    if version != (1, 0):
        raise ValueError(f"{info.filename!r} has version {version} instead of (1, 0)")
    shape, _, dtype = np.lib.format.read_array_header_1_0(file)
    n_bytes = len(content) - file.tell()
    if dtype.kind not in _ITEM_KINDS or dtype.fields or dtype.subdtype:
        raise ValueError(
            f"{info.filename!r} has items of type {dtype}; objects are not loaded"
        )
    if min(shape, default=0) < 0 or math.prod(shape) * dtype.itemsize != n_bytes:
        raise ValueError(
            f"{info.filename!r} has {n_bytes} bytes for shape {shape} of {dtype}"
        )
    return np.lib.format.read_array(io.BytesIO(content), allow_pickle=False)
