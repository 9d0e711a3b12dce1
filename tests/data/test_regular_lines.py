"""Blocks of TSV and JSON lines that are read as a whole, against line by line."""

import hypothesis.strategies as st
import pytest
from hypothesis import given

from ltr.datasets import read_run
from ltr.datasets.runs import delimited, files

CELLS = st.sampled_from(
    [
        "7",
        "07",
        "a",
        "é",
        "#x",
        "a b",
        " ",
        "",
        "1.5",
        "1_0",
        "nan",
        "inf",
        "1e999",
        "-2",
    ]
)
JSON_LINES = st.sampled_from(
    [
        *[
            '{"qid": 7, "docid": "a", "score": 1}',
            '{"qid": "é", "docid": 8, "score": -2.5}',
        ],
        *['{"score": 1, "docid": "b", "qid": 7}', '{"qid": 7, "results": {"c": 1}}'],
        # one of two lines, two of one line, a name twice, a string over two lines
        *['{"qid": 7, "docid": "d", "score": 1', '"t": 2}', '{"t": 1}, {"t": 2}'],
        '{"qid": 1, "docid": "e", "score": 1}, {"qid": 2, "docid": "e", "score": 1}',
        '{"qid": 7, "docid": "f", "docid": "g", "score": 1}',
        *['{"qid": 1, "docid": "h", "score": 1, "t": "}', '{", "u": 1}'],
        *['{"qid": 1, "docid": "h", "score": 1, "t": [{}', '{"y": 1}]}'],
        '{"qid": 1, "docid": "\\u0000", "score": 1}',
        '{"qid": 1, "docid": "\\ud800", "score": 1}',
        '{"qid": 1, "docid": "i\\"", "docid": "", "score": 1}',
        '{"qid": true, "docid": "j", "score": 1}',
        '{"qid": 1, "docid": "k", "score": 1e999}',
        '{"qid": 1, "docid": "l", "score": Infinity}',
        '{"qid": 1, "docid": "m", "score": NaN}',
        '{"qid": 1, "docid": "", "score": 1}',
        *["", " ", "[1]", '"x"', "{}"],
    ]
)


def outcome(path):
    """Rows in order and message of a file."""
    try:
        return read_run(path).astype({"qid": str, "docid": str}).values.tolist()
    except ValueError as error:
        return str(error)


def without_fast_path(path, monkeypatch):
    """The same, line by line."""
    with monkeypatch.context() as patch:
        for name in ("regular_tsv", "regular_json"):
            patch.setattr(delimited, name, lambda *_: None)
        patch.setattr(
            delimited, "read_cells", lambda blocks, _, read_others: read_others(blocks)
        )
        return outcome(path)


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    """A folder for the files that laws draw."""
    return tmp_path_factory.mktemp("lines")


@given(
    rows=st.lists(st.tuples(CELLS, CELLS, CELLS), max_size=4), size=st.integers(1, 40)
)
def test_tsv_as_line_by_line(scratch, rows, size):
    """Rows, messages and line numbers, wherever blocks end."""
    lines = ["\t".join(row).rstrip(" ") for row in rows]
    path = scratch / "run.tsv"
    path.write_text("\n".join(["qid\tdocid\tscore", *lines, ""]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "BLOCK_BYTES", size)
        assert outcome(path) == without_fast_path(path, patch)


@given(lines=st.lists(JSON_LINES, max_size=4), size=st.sampled_from([1, 60, 10**6]))
def test_json_lines_as_line_by_line(scratch, lines, size):
    """No line is made of two, nor two of one; messages name the line."""
    path = scratch / "run.jsonl"
    path.write_text("\n".join([*lines, ""]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "BLOCK_BYTES", size)
        assert outcome(path) == without_fast_path(path, patch)


@pytest.mark.parametrize(
    "text",
    [
        '{"qid": 1, "docid": "h", "score": 1, "t": "}\n{", "u": 1}\n'
        '{"qid": 1, "docid": "a", "score": 1, "t": "", "u": 1}, '
        '{"qid": 1, "docid": "b", "score": 1, "t": "", "u": 1}',
        '{"qid": 1, "docid": "a", "score": 1}, {"qid": 1, "docid": "b", "score": 1}\n'
        '{"qid": 1, "docid": "h", "score": 1, "t": [{}\n{"y": 1}]}',
    ],
)
def test_json_of_two_lines_and_two_on_a_line(tmp_path, text):
    """As many records as lines, though no line is one."""
    path = tmp_path / "run.jsonl"
    path.write_text(text + "\n")  # else the last line is a block of its own
    with pytest.raises(ValueError, match=r"line 1: a line must be a JSON object"):
        read_run(path)
