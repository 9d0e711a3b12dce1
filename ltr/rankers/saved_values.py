"""Values of saved rankers: parameters as JSON, arrays without pickled objects."""

from __future__ import annotations

import functools
import io
import json
import math
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ltr.losses import LOSSES, Combination, combine

Array = NDArray[Any]
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
    if isinstance(value, functools.partial) and not value.args:
        names = [key for key, function in LOSSES.items() if function is value.func]
        if names:
            options = {key: encode(key, v) for key, v in value.keywords.items()}
            return {"loss": names[0], "options": options}
    if isinstance(value, np.generic):
        value = value.item()
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
        return functools.partial(LOSSES[value["loss"]], **options)
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
