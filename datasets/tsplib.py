"""TSPLIB files: tours, asymmetric tours and sequential ordering, as cost matrices."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

_KINDS = ("TSP", "ATSP", "SOP")
_DATA = ("EDGE_WEIGHT_SECTION", "NODE_COORD_SECTION")
_OTHER = ("DISPLAY_DATA_SECTION", "FIXED_EDGES_SECTION", "TOUR_SECTION")


@dataclass(frozen=True, eq=False)
class TSPLIBData:
    """One instance.

    Attributes
    ----------
    matrix : array of shape (n, n)
        Costs: entry [i, j] from city i to city j. The diagonal means nothing.
    name : str
        As the file has it.
    kind : str
        ``"TSP"`` and ``"ATSP"``: a closed tour. ``"SOP"``: a path from city 0 to city
        n - 1.
    precedences : tuple of (int, int)
        Of a SOP: pairs of which the first comes before the second.

    Examples
    --------
    >>> TSPLIBData(np.zeros((2, 2)), "two", "ATSP").matrix.shape
    (2, 2)
    """

    matrix: FloatArray
    name: str
    kind: str
    precedences: tuple[tuple[int, int], ...] = ()


def load_tsplib(path: str | os.PathLike[str]) -> TSPLIBData:
    r"""Load an instance in the TSPLIB format.

    Explicit matrices (``FULL_MATRIX``, upper and lower rows and columns, with or
    without diagonal) and coordinates (``EUC_2D``, ``CEIL_2D``, ``MAN_2D``, ``MAX_2D``,
    ``ATT``, ``GEO``) are read; distances are rounded as the format says.

    Parameters
    ----------
    path : path
        Text file of type TSP, ATSP or SOP.

    Returns
    -------
    instance : TSPLIBData
        The full matrix of costs; in a SOP, -1 at [i, j] says that j comes before i, and
        becomes a pair (j, i) of ``precedences``.

    Raises
    ------
    ValueError
        If the file is not of such a type, or does not have the numbers it announces.

    References
    ----------
    G. Reinelt, "TSPLIB 95", 1995.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from pathlib import Path
    >>> text = (
    ...     "NAME: tiny\nTYPE: ATSP\nDIMENSION: 2\nEDGE_WEIGHT_TYPE: EXPLICIT\n"
    ...     "EDGE_WEIGHT_FORMAT: FULL_MATRIX\nEDGE_WEIGHT_SECTION\n0 3\n4 0\nEOF\n"
    ... )
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "tiny.atsp"
    ...     _ = path.write_text(text)
    ...     load_tsplib(path).matrix.tolist()
    [[0.0, 3.0], [4.0, 0.0]]
    """
    path = Path(path)
    header, sections = _parts(path.read_text())
    kind = header.get("TYPE", "").split(" ")[0]
    if kind not in _KINDS:
        raise ValueError(
            f"{path} must be of TYPE TSP, ATSP or SOP; got {header.get('TYPE')!r}."
        )
    try:
        n = int(header["DIMENSION"])
    except (KeyError, ValueError) as error:
        raise ValueError(
            f"{path} must have a line 'DIMENSION: n'; got {header.get('DIMENSION')!r}."
        ) from error
    weight_type = header.get("EDGE_WEIGHT_TYPE", "EXPLICIT")
    if weight_type == "EXPLICIT":
        matrix = _explicit(path, header, sections, n, kind)
    elif weight_type in _DISTANCES:
        numbers = _numbers(path, sections, "NODE_COORD_SECTION", 3 * n)
        matrix = _DISTANCES[weight_type](numbers.reshape(n, 3)[:, 1:])
    else:
        raise ValueError(
            f"{path} has the EDGE_WEIGHT_TYPE {weight_type!r}; known are EXPLICIT, "
            f"{', '.join(_DISTANCES)}."
        )
    precedences: tuple[tuple[int, int], ...] = ()
    if kind == "SOP":
        after, before = np.nonzero(matrix == -1)
        precedences = tuple(zip(before.tolist(), after.tolist(), strict=True))
    return TSPLIBData(matrix, header.get("NAME", path.stem), kind, precedences)


def _parts(text: str) -> tuple[dict[str, str], dict[str, list[str]]]:
    """Header fields, and the words of each section."""
    header: dict[str, str] = {}
    sections: dict[str, list[str]] = {}
    words: list[str] | None = None
    for line in text.splitlines():
        line = line.strip()
        key = re.match(r"[A-Z_0-9]+", line)
        name = key[0] if key else ""
        if name == "EOF":
            break
        if name in _DATA or name in _OTHER:
            words = sections.setdefault(name, [])
        elif name and ":" in line and not name[0].isdigit():
            field, _, value = line.partition(":")
            header[field.strip()] = value.strip()
            words = None
        elif words is not None:
            words += line.split()
    return header, sections


def _numbers(
    path: Path, sections: dict[str, list[str]], name: str, count: int
) -> FloatArray:
    words = sections.get(name, [])
    try:
        numbers = np.array(words, dtype=np.float64)
    except ValueError as error:
        raise ValueError(f"{path}: {name} must hold numbers; {error}.") from error
    if len(numbers) != count:
        raise ValueError(
            f"{path}: {name} must hold {count} numbers; got {len(numbers)}."
        )
    return numbers


def _explicit(
    path: Path,
    header: dict[str, str],
    sections: dict[str, list[str]],
    n: int,
    kind: str,
) -> FloatArray:
    """Matrix of a full or of a triangular section."""
    name = "EDGE_WEIGHT_SECTION"
    layout = header.get("EDGE_WEIGHT_FORMAT", "FULL_MATRIX")
    if layout == "FULL_MATRIX":
        if kind == "SOP":  # these repeat the dimension
            sections = {name: sections.get(name, [])[1:]}
        return _numbers(path, sections, name, n * n).reshape(n, n)
    match = re.fullmatch(r"(UPPER|LOWER)(_DIAG)?_(ROW|COL)", layout)
    if match is None:
        raise ValueError(
            f"{path} has the EDGE_WEIGHT_FORMAT {layout!r}; known are FULL_MATRIX and "
            "UPPER_ROW, LOWER_DIAG_ROW and the like."
        )
    without = 0 if match[2] else 1
    # An upper triangle by columns is a lower one by rows, and the other way round.
    is_upper = (match[1] == "UPPER") == (match[3] == "ROW")
    rows, columns = (
        np.triu_indices(n, without) if is_upper else np.tril_indices(n, -without)
    )
    matrix = np.zeros((n, n))
    matrix[rows, columns] = _numbers(path, sections, name, len(rows))
    return np.maximum(matrix, matrix.T)


def _differences(points: FloatArray) -> FloatArray:
    return np.abs(points[:, None] - points)


def _euclidean(points: FloatArray) -> FloatArray:
    return np.sqrt((_differences(points) ** 2).sum(axis=2))


def _pseudo_euclidean(points: FloatArray) -> FloatArray:
    exact = np.sqrt((_differences(points) ** 2).sum(axis=2) / 10)
    rounded = np.floor(exact + 0.5)
    return np.where(rounded < exact, rounded + 1, rounded)


def _geographical(points: FloatArray) -> FloatArray:
    """Distances on the sphere; the format's own π and radius."""
    degrees = np.trunc(points)
    minutes = points - degrees
    latitude, longitude = (3.141592 * (degrees + 5 * minutes / 3) / 180).T
    q1 = np.cos(longitude[:, None] - longitude)
    q2 = np.cos(latitude[:, None] - latitude)
    q3 = np.cos(latitude[:, None] + latitude)
    angle = np.arccos(np.clip(0.5 * ((1 + q1) * q2 - (1 - q1) * q3), -1, 1))
    return np.floor(6378.388 * angle + 1)


_DISTANCES: dict[str, Callable[[FloatArray], FloatArray]] = {
    "EUC_2D": lambda points: np.floor(_euclidean(points) + 0.5),
    "CEIL_2D": lambda points: np.ceil(_euclidean(points)),
    "MAN_2D": lambda points: np.floor(_differences(points).sum(axis=2) + 0.5),
    "MAX_2D": lambda points: np.floor(_differences(points).max(axis=2) + 0.5),
    "ATT": _pseudo_euclidean,
    "GEO": _geographical,
}
