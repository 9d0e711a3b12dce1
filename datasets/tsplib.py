"""TSPLIB files: tours, asymmetric tours and sequential ordering, as cost matrices."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ltr.arguments import check_choice
from ltr.files import PathLike
from ltr.queries import FloatArray

_KINDS = ("TSP", "ATSP", "SOP")
_DATA = ("EDGE_WEIGHT_SECTION", "NODE_COORD_SECTION")
_OTHER = ("DISPLAY_DATA_SECTION", "FIXED_EDGES_SECTION", "TOUR_SECTION")


@dataclass(frozen=True, eq=False)
class TSPLIBData:
    """One instance.

    Attributes
    ----------
    matrix : array of shape (n, n)
        Costs: entry [i, j] from city i to city j. The diagonal is meaningless.
    name : str
        Name in the file.
    kind : str
        ``"TSP"`` and ``"ATSP"``: a closed tour. ``"SOP"``: a path from city 0 to city
        n - 1.
    precedences : tuple of (int, int)
        Pairs (i, j) of an SOP: i comes before j.

    Examples
    --------
    >>> TSPLIBData(np.zeros((2, 2)), "two", "ATSP").matrix.shape
    (2, 2)
    """

    matrix: FloatArray
    name: str
    kind: str
    precedences: tuple[tuple[int, int], ...] = ()


def load_tsplib(path: PathLike) -> TSPLIBData:
    r"""Load an instance in the TSPLIB format.

    Explicit matrices (``FULL_MATRIX``, upper and lower rows and columns, with or
    without diagonal) and coordinates (``EUC_2D``, ``CEIL_2D``, ``MAN_2D``, ``MAX_2D``,
    ``ATT``, ``GEO``) are read; distances are rounded as the format prescribes.

    Parameters
    ----------
    path : path
        Text file of type TSP, ATSP or SOP.

    Returns
    -------
    instance : TSPLIBData
        The full cost matrix; in an SOP, -1 at [i, j] means that j comes before i, and
        yields a pair (j, i) of ``precedences``.

    Raises
    ------
    ValueError
        If the file is of another type, or does not have the numbers that its header
        announces.

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
    weight_types = ["EXPLICIT", *_DISTANCES]
    check_choice(f"{path}: EDGE_WEIGHT_TYPE", weight_type, weight_types)
    if weight_type == "EXPLICIT":
        matrix = _explicit(path, header, sections, n, kind)
    else:
        numbers = _numbers(path, sections, "NODE_COORD_SECTION", 3 * n)
        points = numbers.reshape(n, 3)[:, 1:]  # after the number of the city
        matrix = _DISTANCES[weight_type](points)
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
    """Matrix from a full or a triangular section."""
    name = "EDGE_WEIGHT_SECTION"
    layout = header.get("EDGE_WEIGHT_FORMAT", "FULL_MATRIX")
    if layout == "FULL_MATRIX":
        if kind == "SOP":  # its section starts by repeating the dimension
            sections = {name: sections.get(name, [])[1:]}
        return _numbers(path, sections, name, n * n).reshape(n, n)
    match = re.fullmatch(r"(UPPER|LOWER)(_DIAG)?_(ROW|COL)", layout)
    if match is None:
        raise ValueError(
            f"{path}: EDGE_WEIGHT_FORMAT must be FULL_MATRIX, or a triangle such as "
            f"UPPER_ROW or LOWER_DIAG_ROW; got {layout!r}."
        )
    offset = 0 if match[2] else 1
    # an upper triangle by columns is a lower triangle by rows, and vice versa
    is_upper = (match[1] == "UPPER") == (match[3] == "ROW")
    rows, columns = (
        np.triu_indices(n, offset) if is_upper else np.tril_indices(n, -offset)
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
    """Distances on the sphere, with the π and the radius of the format.

    Coordinates are degrees.minutes. With the latitudes φ and longitudes λ,
    cos(angle) = ((1 + q₁) q₂ − (1 − q₁) q₃) / 2, q₁ = cos(λᵢ − λⱼ), q₂ = cos(φᵢ − φⱼ),
    q₃ = cos(φᵢ + φⱼ), which is the spherical law of cosines.
    """
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
