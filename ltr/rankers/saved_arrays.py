"""Arrays of saved rankers, without pickled objects."""

from __future__ import annotations

import io
import math
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
_ITEM_KINDS = "biufU"  # of the arrays: Booleans, numbers, text


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
