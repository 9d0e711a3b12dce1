"""TSPLIB files: tours, asymmetric tours and sequential ordering, as cost matrices."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ltr.arguments import check_choice, check_whole
from ltr.files import PathLike
from ltr.queries import FloatArray
from ltr.text import BLANKS, TextFile, excerpt, line_error, open_text

_KINDS = ("TSP", "ATSP", "SOP")
_WEIGHTS, _COORDINATES = "EDGE_WEIGHT_SECTION", "NODE_COORD_SECTION"
_SECTIONS = (
    _WEIGHTS,
    _COORDINATES,
    "DISPLAY_DATA_SECTION",
    "FIXED_EDGES_SECTION",
    "TOUR_SECTION",
)
_DIGITS = r"[0-9]{1,30}"
_NUMBER = rf"[+-]?(?:{_DIGITS}(?:\.{_DIGITS})?|\.{_DIGITS})(?:[eE][+-]?[0-9]{{1,3}})?"
_NUMBERS = re.compile(rf"{_NUMBER}(?:[ \t\v\f]+{_NUMBER})*")
_CITY = re.compile(rf"([0-9]+)[ \t\v\f]+({_NUMBER})[ \t\v\f]+({_NUMBER})")
_FIELD = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)[ \t]*:(.*)")
_DIMENSION = re.compile(r"[0-9]{1,9}")
_MAX_SHOWN = 60
_ROWS = 256  # of a matrix of distances at a time


Distance = Callable[[FloatArray, FloatArray], FloatArray]


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


def load_tsplib(
    path: PathLike, *, max_cities: int = 10_000, encoding: str = "utf-8"
) -> TSPLIBData:
    r"""Load an instance in the TSPLIB format.

    Explicit matrices (``FULL_MATRIX``, upper and lower rows and columns, with or
    without diagonal) and coordinates (``EUC_2D``, ``CEIL_2D``, ``MAN_2D``, ``MAX_2D``,
    ``ATT``, ``GEO``) are read; distances are rounded as the format prescribes.

    Parameters
    ----------
    path : path
        Text file of type TSP, ATSP or SOP; it may be gzipped.
    max_cities : int, default=10000
        Largest instance to read: the matrix of n cities takes 8 n² bytes, 800 MB for
        10,000.
    encoding : str, default="utf-8"
        Encoding of the file.

    Returns
    -------
    instance : TSPLIBData
        The full cost matrix; in an SOP, -1 at [i, j] means that j comes before i, and
        yields a pair (j, i) of ``precedences``.

    Raises
    ------
    ValueError
        If the file is of another type, a line is malformed or not text in the encoding,
        the file does not have the numbers that its header announces or names a city
        twice, or there are more than ``max_cities``; with file and line.

    Warns
    -----
    UserWarning
        If the file fixes edges, which are not read.

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
    check_whole("max_cities", max_cities, low=1)
    path = Path(path)
    with open_text(path, encoding=encoding) as text:
        file = _read(text)
    kind = (file.header.get("TYPE", "").split() or [""])[0].upper()
    if kind not in _KINDS:
        value = excerpt(file.header["TYPE"]) if "TYPE" in file.header else None
        raise ValueError(f"{path} must be of TYPE TSP, ATSP or SOP; got {value}.")
    n = _dimension(file, max_cities)
    weight_type = file.header.get("EDGE_WEIGHT_TYPE", "EXPLICIT").upper()
    weight_types = ["EXPLICIT", *_DISTANCES]
    check_choice(f"{path}: EDGE_WEIGHT_TYPE", weight_type[:_MAX_SHOWN], weight_types)
    if weight_type == "EXPLICIT":
        matrix = _explicit(file, n, kind)
    else:
        with np.errstate(over="ignore", invalid="ignore"):
            matrix = _distances(_points(file, n), _DISTANCES[weight_type])
        _check_finite(file, matrix, "distances")
    if "FIXED_EDGES_SECTION" in file.sections:
        warnings.warn(
            f"{path} fixes edges, which are not read: an order may leave them out.",
            UserWarning,
            stacklevel=2,
        )
    precedences: tuple[tuple[int, int], ...] = ()
    if kind == "SOP":
        after, before = np.nonzero(matrix == -1)
        precedences = tuple(zip(before.tolist(), after.tolist(), strict=True))
    return TSPLIBData(matrix, file.header.get("NAME", path.stem), kind, precedences)


@dataclass
class _File:
    """Fields of the header and lines of the sections, each with its number."""

    name: str
    header: dict[str, str] = field(default_factory=dict)
    header_lines: dict[str, int] = field(default_factory=dict)
    sections: dict[str, list[tuple[int, str]]] = field(default_factory=dict)
    section_lines: dict[str, int] = field(default_factory=dict)


def _read(text: TextFile) -> _File:
    file = _File(text.name)
    section: list[tuple[int, str]] | None = None
    is_over = False
    for number, line in text.lines():  # to the end, so that all of it is text
        line = line.strip(BLANKS)
        name = line.rstrip(" :").upper()
        is_over = is_over or name == "EOF"
        if is_over:
            continue
        match = _FIELD.fullmatch(line)
        if name in _SECTIONS:
            if name in file.sections:
                raise text.error(number, f"{name} must be there once", "it again")
            section = file.sections[name] = []
            file.section_lines[name] = number
        elif match:
            key = match[1].upper()
            if key in file.header and key != "COMMENT":
                raise text.error(number, f"{key} must be there once", excerpt(line))
            file.header[key] = match[2].strip(BLANKS)
            file.header_lines[key] = number
            section = None
        elif line and section is not None:
            section.append((number, line))
        elif line:
            raise text.error(
                number, "a line must be 'KEY: value' or begin a section", excerpt(line)
            )
    return file


def _dimension(file: _File, max_cities: int) -> int:
    value = file.header.get("DIMENSION")
    if value is None:
        raise ValueError(f"{file.name} must have a line 'DIMENSION: n'; got None.")
    line = file.header_lines["DIMENSION"]
    if not _DIMENSION.fullmatch(value) or int(value) == 0:
        raise line_error(
            file.name, line, "DIMENSION must be a whole number > 0", excerpt(value)
        )
    n = int(value)
    if n > max_cities:
        raise line_error(
            file.name,
            line,
            f"DIMENSION must be at most max_cities={max_cities:,}",
            f"{n:,}, whose matrix takes {8 * n * n / 2**30:,.1f} GiB",
            "Raise max_cities if you have the memory.",
        )
    return n


def _points(file: _File, n: int) -> FloatArray:
    """Coordinates of the cities in the order of their numbers, shape (n, 2)."""
    lines = file.sections.get(_COORDINATES, [])
    if len(lines) != n:
        raise _count_error(
            file, _COORDINATES, f"a line for each of {n} cities", len(lines)
        )
    points = np.empty((n, 2))
    line_of_city: dict[int, int] = {}
    for number, line in lines:
        match = _CITY.fullmatch(line)
        city = int(match[1]) if match and len(match[1]) <= len(str(n)) else 0
        if match is None or not 1 <= city <= n:
            raise line_error(
                file.name,
                number,
                f"a line must have a city of 1, …, {n} and its two coordinates",
                excerpt(line),
            )
        if city in line_of_city:
            raise line_error(
                file.name,
                number,
                "a city must have coordinates once",
                f"city {city} again, after line {line_of_city[city]}",
            )
        line_of_city[city] = number
        points[city - 1] = float(match[2]), float(match[3])
    _check_finite(file, points, "coordinates")
    return points


def _count_error(file: _File, name: str, expected: str, count: int) -> ValueError:
    if name not in file.sections:
        return ValueError(
            f"{file.name} must have the section {name} with {expected}; got none."
        )
    return line_error(
        file.name, file.section_lines[name], f"{name} must hold {expected}", str(count)
    )


def _check_finite(file: _File, numbers: FloatArray, name: str) -> None:
    if not np.isfinite(numbers).all():
        raise ValueError(
            f"{file.name}: {name} must be finite; got one that is too large."
        )


def _numbers(file: _File, count: int, *, dimension: int | None = None) -> FloatArray:
    """The numbers of the matrix, after the dimension, which an SOP repeats."""
    lines = file.sections.get(_WEIGHTS, [])
    for number, line in lines:
        if not _NUMBERS.fullmatch(line):
            raise line_error(
                file.name, number, "a line must have numbers only", excerpt(line)
            )
    n_words = sum(len(line.split()) for _, line in lines)
    if dimension is not None and n_words == count + 1:
        number, line = lines[0]
        first, *words = line.split()
        others = " ".join(words)
        if first != str(dimension):
            raise line_error(
                file.name,
                number,
                f"the matrix of an SOP must follow its dimension, {dimension}",
                excerpt(first),
            )
        lines, n_words = [(number, others), *lines[1:]], count
    if n_words != count:
        raise _count_error(file, _WEIGHTS, f"{count} numbers", n_words)
    numbers = np.empty(count)
    begin = 0
    for _, line in lines:
        words = line.split()
        numbers[begin : begin + len(words)] = words
        begin += len(words)
    _check_finite(file, numbers, "weights")
    return numbers


def _explicit(file: _File, n: int, kind: str) -> FloatArray:
    """Matrix from a full or a triangular section."""
    layout = file.header.get("EDGE_WEIGHT_FORMAT", "FULL_MATRIX").upper()
    if layout == "FULL_MATRIX":
        dimension = n if kind == "SOP" else None
        return _numbers(file, n * n, dimension=dimension).reshape(n, n)
    match = re.fullmatch(r"(UPPER|LOWER)(_DIAG)?_(ROW|COL)", layout)
    if match is None:
        raise ValueError(
            f"{file.name}: EDGE_WEIGHT_FORMAT must be FULL_MATRIX, or a triangle such "
            f"as UPPER_ROW or LOWER_DIAG_ROW; got {layout[:_MAX_SHOWN]!r}."
        )
    offset = 0 if match[2] else 1
    numbers = _numbers(file, n * (n + 1) // 2 - offset * n)
    # an upper triangle by columns is a lower triangle by rows, and vice versa
    is_upper = (match[1] == "UPPER") == (match[3] == "ROW")
    rows, columns = (
        np.triu_indices(n, offset) if is_upper else np.tril_indices(n, -offset)
    )
    matrix = np.zeros((n, n))
    matrix[rows, columns] = numbers
    matrix[columns, rows] = numbers
    return matrix


def _distances(points: FloatArray, distance: Distance) -> FloatArray:
    """Matrix of the distances, some rows at a time: no array is larger than it."""
    matrix = np.empty((len(points), len(points)))
    for begin in range(0, len(points), _ROWS):
        rows = slice(begin, begin + _ROWS)
        matrix[rows] = distance(points[rows], points)
    return matrix


def _differences(points: FloatArray, others: FloatArray) -> FloatArray:
    return np.abs(points[:, None] - others)


def _euclidean(points: FloatArray, others: FloatArray) -> FloatArray:
    return np.sqrt((_differences(points, others) ** 2).sum(axis=2))


def _pseudo_euclidean(points: FloatArray, others: FloatArray) -> FloatArray:
    exact = np.sqrt((_differences(points, others) ** 2).sum(axis=2) / 10)
    rounded = np.floor(exact + 0.5)
    return np.where(rounded < exact, rounded + 1, rounded)


def _geographical(points: FloatArray, others: FloatArray) -> FloatArray:
    """Distances on the sphere, with the π and the radius of the format.

    Coordinates are degrees.minutes. With the latitudes φ and longitudes λ,
    cos(angle) = ((1 + q₁) q₂ − (1 − q₁) q₃) / 2, q₁ = cos(λᵢ − λⱼ), q₂ = cos(φᵢ − φⱼ),
    q₃ = cos(φᵢ + φⱼ), which is the spherical law of cosines.
    """
    latitude, longitude = (column[:, None] for column in _radians(points).T)
    latitudes, longitudes = _radians(others).T
    q1 = np.cos(longitude - longitudes)
    q2 = np.cos(latitude - latitudes)
    q3 = np.cos(latitude + latitudes)
    angle = np.arccos(np.clip(0.5 * ((1 + q1) * q2 - (1 - q1) * q3), -1, 1))
    return np.floor(6378.388 * angle + 1)


def _radians(points: FloatArray) -> FloatArray:
    degrees = np.trunc(points)
    minutes = points - degrees
    return 3.141592 * (degrees + 5 * minutes / 3) / 180


_DISTANCES: dict[str, Distance] = {
    "EUC_2D": lambda *points: np.floor(_euclidean(*points) + 0.5),
    "CEIL_2D": lambda *points: np.ceil(_euclidean(*points)),
    "MAN_2D": lambda *points: np.floor(_differences(*points).sum(axis=2) + 0.5),
    "MAX_2D": lambda *points: np.floor(_differences(*points).max(axis=2) + 0.5),
    "ATT": _pseudo_euclidean,
    "GEO": _geographical,
}
