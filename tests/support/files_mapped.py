"""Folders of mapped data: their JSON file and one of their arrays."""

import ast
import io
import json
import struct

import numpy as np

from support.file_text import Refused

N_ROWS = 4


def prepare(folder):
    """Arrays of four rows."""
    np.save(folder / "X.npy", np.arange(8.0).reshape(4, 2))
    np.save(folder / "y.npy", np.arange(4.0))
    np.save(folder / "qid.npy", np.array([7, 7, 8, 8]))
    np.save(folder / "docids.npy", np.array(["a", "b", "c", "d"]))
    (folder / "ranking.json").write_bytes(write_about(np.random.default_rng(0)))


def write_about(rng):
    """The JSON file."""
    docids = ["docids"][: rng.integers(2)]
    about = {"description": "mapped é", "arrays": ["X", "y", "qid", *docids]}
    return json.dumps(about, ensure_ascii=rng.random() < 0.5).encode()


def read_about(data):
    """Description, and whether there are docids."""
    try:
        about = json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError):
        raise Refused from None
    if not isinstance(about, dict) or not isinstance(about.get("description"), str):
        raise Refused
    if about.get("arrays") not in (["X", "y", "qid"], ["X", "y", "qid", "docids"]):
        raise Refused
    return [about["description"], "docids" in about["arrays"]]


def write_labels(rng):
    """Labels of four rows, in a .npy file."""
    file = io.BytesIO()
    np.save(
        file, rng.integers(0, 3, N_ROWS).astype([float, np.float32][rng.integers(2)])
    )
    return file.getvalue()


def read_labels(data):
    """Labels, from the bytes after the header."""
    if data[:8] not in (
        b"\x93NUMPY\x01\x00",
        b"\x93NUMPY\x02\x00",
        b"\x93NUMPY\x03\x00",
    ):
        raise Refused
    size, n_size = ("<H", 2) if data[6] == 1 else ("<I", 4)
    try:
        length = struct.unpack(size, data[8 : 8 + n_size])[0]
        start = 8 + n_size + length
        text = data[8 + n_size : start].decode("utf-8" if data[6] == 3 else "latin-1")
        header = ast.literal_eval(text)
        kind = np.dtype(header["descr"])
    except Exception:  # noqa: BLE001 - whatever a header of junk raises
        raise Refused from None
    if len(text) != length or set(header) != {"descr", "fortran_order", "shape"}:
        raise Refused
    if header["shape"] != (N_ROWS,) or not isinstance(header["fortran_order"], bool):
        raise Refused
    if kind.kind != "f" or len(data) - start != N_ROWS * kind.itemsize:
        raise Refused
    return np.frombuffer(data[start:], kind).astype(float).tolist()
