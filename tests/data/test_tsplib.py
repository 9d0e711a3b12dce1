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


HEAD = "TYPE: ATSP\nDIMENSION: 2\nEDGE_WEIGHT_TYPE: EXPLICIT\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("TYPE: CVRP\n", " must be of TYPE TSP, ATSP or SOP; got 'CVRP'."),
        ("TYPE: TSP\n", " must have a line 'DIMENSION: n'; got None."),
        (
            HEAD + "EDGE_WEIGHT_SECTION\n0 1 2\n",
            ": EDGE_WEIGHT_SECTION must hold 4 numbers; got 3.",
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
