"""TSPLIB files, written here."""

import re

import numpy as np
import pytest

from ltr.datasets import load_tsplib


def write(folder, text, name="tiny"):
    path = folder / f"{name}.tsp"
    path.write_text(text)
    return path


LAYOUTS = {
    "FULL_MATRIX": "0 1 2 3\n1 0 4 5\n2 4 0 6\n3 5 6 0",
    "UPPER_ROW": "1 2 3 4 5 6",
    "UPPER_DIAG_ROW": "0 1 2 3 0 4\n5 0 6 0",
    "LOWER_ROW": "1\n2 4\n3 5 6",
    "LOWER_DIAG_ROW": "0 1 0 2 4 0 3 5 6 0",
    "UPPER_COL": "1 2 4 3 5 6",
    "LOWER_COL": "1 2 3 4 5 6",
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_triangles(tmp_path, layout):
    """Every triangular layout gives the same symmetric matrix."""
    text = (
        f"NAME : tiny\nTYPE : TSP\nDIMENSION : 4\nEDGE_WEIGHT_TYPE : EXPLICIT\n"
        f"EDGE_WEIGHT_FORMAT : {layout}\nEDGE_WEIGHT_SECTION\n{LAYOUTS[layout]}\n"
        "DISPLAY_DATA_SECTION\n1 0.0 0.0\nEOF\n"
    )
    data = load_tsplib(write(tmp_path, text))
    assert data.matrix.tolist() == [
        [0, 1, 2, 3],
        [1, 0, 4, 5],
        [2, 4, 0, 6],
        [3, 5, 6, 0],
    ]
    assert (data.name, data.kind, data.precedences) == ("tiny", "TSP", ())


POINTS = "1 0.0 0.0\n2 3.0 4.0\n3 1.0 1.2\n"


@pytest.mark.parametrize(
    ("kind", "distances"),
    [
        ("EUC_2D", (5, 2, 3)),  # 1.56 and 3.44 to the nearest
        ("CEIL_2D", (5, 2, 4)),
        ("MAN_2D", (7, 2, 5)),
        ("MAX_2D", (4, 1, 3)),
        ("ATT", (2, 1, 2)),  # 1.58, .49 and 1.09, never below the root
    ],
)
def test_distances(tmp_path, kind, distances):
    """Each distance type, with the rounding of the format."""
    text = (
        f"TYPE: TSP\nDIMENSION: 3\nEDGE_WEIGHT_TYPE: {kind}\nNODE_COORD_SECTION\n"
        f"{POINTS}EOF\n"
    )
    matrix = load_tsplib(write(tmp_path, text)).matrix
    assert (matrix[0, 1], matrix[0, 2], matrix[1, 2]) == distances
    assert (matrix == matrix.T).all()


def test_geographical_distances(tmp_path):
    """A degree and 30 minutes, written 1.30, are 1.5 degrees of the equator."""
    text = (
        "TYPE: TSP\nDIMENSION: 2\nEDGE_WEIGHT_TYPE: GEO\nNODE_COORD_SECTION\n"
        "1 0.0 0.0\n2 0.0 1.30\n"
    )
    arc = 6378.388 * np.radians(1.5)
    assert load_tsplib(write(tmp_path, text)).matrix[0, 1] == np.floor(arc + 1)


def test_sequential_ordering(tmp_path):
    """-1 at [i, j] is the precedence of j before i."""
    text = (
        "NAME: s\nTYPE: SOP\nDIMENSION: 3\nEDGE_WEIGHT_TYPE: EXPLICIT\n"
        "EDGE_WEIGHT_FORMAT: FULL_MATRIX\nEDGE_WEIGHT_SECTION\n3\n0 5 7\n-1 0 2\n-1 -1 0\n"
    )
    data = load_tsplib(write(tmp_path, text))
    assert data.kind == "SOP"
    assert data.matrix.tolist() == [[0, 5, 7], [-1, 0, 2], [-1, -1, 0]]
    assert data.precedences == ((0, 1), (0, 2), (1, 2))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_negative_weights(tmp_path, layout):
    """In a triangle, too, and with either sign."""
    numbers = re.sub("([1-6])", r"-\1", LAYOUTS[layout])
    text = (
        f"TYPE: TSP\nDIMENSION: 4\nEDGE_WEIGHT_TYPE: EXPLICIT\nEDGE_WEIGHT_FORMAT: "
        f"{layout}\nEDGE_WEIGHT_SECTION\n{numbers}\n"
    )
    matrix = load_tsplib(write(tmp_path, text)).matrix
    assert matrix.tolist() == [
        [0, -1, -2, -3],
        [-1, 0, -4, -5],
        [-2, -4, 0, -6],
        [-3, -5, -6, 0],
    ]


def test_cities_in_any_order(tmp_path):
    """Their numbers say which row of the matrix is theirs."""
    head = "type: tsp\nDimension: 3\nEDGE_WEIGHT_TYPE: euc_2d\nNODE_COORD_SECTION\n"
    lines = POINTS.splitlines(keepends=True)
    for order in ([0, 1, 2], [2, 0, 1]):
        text = head + "".join(lines[i] for i in order)
        matrix = load_tsplib(write(tmp_path, text)).matrix
        assert (matrix[0, 1], matrix[0, 2], matrix[1, 2]) == (5, 2, 3)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1", "utf-16"])
def test_text_of_any_kind(tmp_path, end, encoding):
    """Marks, line ends and encodings; an encoding that was not passed is named."""
    path = tmp_path / "a.tsp"
    text = HEAD + "COMMENT: Zürich\nEDGE_WEIGHT_SECTION\n0 1\n2 0\nEOF\n"
    path.write_bytes(text.replace("\n", end).encode(encoding))
    assert load_tsplib(path, encoding=encoding).matrix.tolist() == [[0, 1], [2, 0]]
    if encoding == "latin-1":
        message = (
            f"{path}, line 4: text must be in utf-8; got the byte 0xfc (byte 11 of the "
            'line). Pass encoding= with its encoding, such as encoding="latin-1", or '
            "convert the file: iconv -f LATIN1 -t UTF-8."
        )
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            load_tsplib(path)


def test_many_cities(tmp_path):
    """Distances come in blocks; the limit can be raised."""
    rng = np.random.default_rng(0)
    points = rng.integers(0, 99, (600, 2))
    lines = "".join(f"{i} {x} {y}\n" for i, (x, y) in enumerate(points, 1))
    path = write(
        tmp_path,
        "TYPE: TSP\nDIMENSION: 600\nEDGE_WEIGHT_TYPE: MAN_2D\nNODE_COORD_SECTION\n"
        + lines,
    )
    expected = np.abs(points[:, None] - points).sum(axis=2)
    np.testing.assert_array_equal(load_tsplib(path, max_cities=600).matrix, expected)
    with pytest.raises(ValueError, match="at most max_cities=599; got 600, whose"):
        load_tsplib(path, max_cities=599)


def test_fixed_edges_are_named(tmp_path):
    """They change the problem, and are not read."""
    text = HEAD + "FIXED_EDGES_SECTION\n1 2\n-1\nEDGE_WEIGHT_SECTION\n0 1\n2 0\n"
    path = write(tmp_path, text)
    message = f"{path} fixes edges, which are not read: an order may leave them out."
    with pytest.warns(UserWarning, match=f"^{re.escape(message)}$"):
        assert load_tsplib(path).matrix[1, 0] == 2


COORDINATES = "TYPE: TSP\nDIMENSION: 2\nEDGE_WEIGHT_TYPE: EUC_2D\nNODE_COORD_SECTION\n"
HEAD = "TYPE: ATSP\nDIMENSION: 2\nEDGE_WEIGHT_TYPE: EXPLICIT\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("TYPE: CVRP\n", " must be of TYPE TSP, ATSP or SOP; got 'CVRP'."),
        ("TYPE: TSP\n", " must have a line 'DIMENSION: n'; got None."),
        (
            HEAD + "EDGE_WEIGHT_SECTION\n0 1 2\n",
            ", line 4: EDGE_WEIGHT_SECTION must hold 4 numbers; got 3.",
        ),
        (HEAD, " must have the section EDGE_WEIGHT_SECTION with 4 numbers; got none."),
        (
            HEAD + "EDGE_WEIGHT_SECTION\n0 1\n2 3.\n",
            ", line 6: a line must have numbers only; got '2 3.'.",
        ),
        (
            HEAD + "EDGE_WEIGHT_SECTION\n0 1\n2 1_0\n",
            ", line 6: a line must have numbers only; got '2 1_0'.",
        ),
        (
            HEAD + "EDGE_WEIGHT_SECTION\n0 1\n2 1e999\n",
            ": weights must be finite; got one that is too large.",
        ),
        (
            COORDINATES + "1 0 0\n2 1e999 4\n",
            ": coordinates must be finite; got one that is too large.",
        ),
        (
            COORDINATES + "1 0 0\n2 1e200 4\n",
            ": distances must be finite; got one that is too large.",
        ),
        (
            HEAD + "EDGE_WEIGHT_SECTION\n0 1\nEDGE_WEIGHT_SECTION\n2 3\n",
            ", line 6: EDGE_WEIGHT_SECTION must be there once; got it again.",
        ),
        (HEAD + "TYPE: TSP\n", ", line 4: TYPE must be there once; got 'TYPE: TSP'."),
        (
            "TYPE: TSP\nDIMENSION 2\n",
            ", line 2: a line must be 'KEY: value' or begin a section; got 'DIMENSION 2'.",
        ),
        (
            "TYPE: TSP\nDIMENSION: 2.0\n",
            ", line 2: DIMENSION must be a whole number > 0; got '2.0'.",
        ),
        (
            "TYPE: TSP\nDIMENSION: 33810\n",
            ", line 2: DIMENSION must be at most max_cities=10,000; got 33,810, whose "
            "matrix takes 8.5 GiB. Raise max_cities if you have the memory.",
        ),
        (
            COORDINATES + "1 0 0\n1 3 4\n",
            ", line 6: a city must have coordinates once; got city 1 again, after line 5.",
        ),
        (
            COORDINATES + "1 0 0\n3 3 4\n",
            ", line 6: a line must have a city of 1, …, 2 and its two coordinates; got '3 "
            "3 4'.",
        ),
        (
            COORDINATES + "1 0 0\n2 3 4 5\n",
            ", line 6: a line must have a city of 1, …, 2 and its two coordinates; got '2 "
            "3 4 5'.",
        ),
        (
            COORDINATES + "1 0 0\n",
            ", line 4: NODE_COORD_SECTION must hold a line for each of 2 cities; got 1.",
        ),
        (
            "TYPE: SOP\nDIMENSION: 2\nEDGE_WEIGHT_SECTION\n3\n0 1\n-1 0\n",
            ", line 4: the matrix of an SOP must follow its dimension, 2; got '3'.",
        ),
        (
            HEAD + "EDGE_WEIGHT_FORMAT: FUNCTION\n",
            ": EDGE_WEIGHT_FORMAT must be FULL_MATRIX, or a triangle such as UPPER_ROW or "
            "LOWER_DIAG_ROW; got 'FUNCTION'.",
        ),
        (
            "TYPE: TSP\nDIMENSION: 2\nEDGE_WEIGHT_TYPE: XRAY1\n",
            ": EDGE_WEIGHT_TYPE must be one of 'EXPLICIT', 'EUC_2D', 'CEIL_2D', 'MAN_2D', "
            "'MAX_2D', 'ATT', 'GEO'; got 'XRAY1'.",
        ),
    ],
)
def test_messages(tmp_path, text, message):
    """Whole messages."""
    path = write(tmp_path, text)
    with pytest.raises(ValueError, match=f"^{re.escape(str(path) + message)}$"):
        load_tsplib(path)
