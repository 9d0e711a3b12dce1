"""Arrays of saved rankers without pickled objects, and functions that are passed."""

from __future__ import annotations

import io
import math
import zipfile
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
_ITEM_KINDS = "biufU"  # of the arrays: Booleans, numbers, text


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
