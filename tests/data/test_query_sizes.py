"""Files of query sizes beside LETOR files without qid."""

import gzip
import re

import numpy as np
import pytest

from ltr.datasets import convert_letor, load_letor, open_ranking

LINES = "2 1:0.5\n0 2:4 # docid = b\n\n1 1:3\n1\n0 2:1\n"


@pytest.mark.parametrize("ending", [".query", ".group"])
@pytest.mark.parametrize("zipped", [False, True])
def test_rows_by_the_sizes_of_queries(tmp_path, ending, zipped):
    """As with the qid in the lines; comments and empty lines as ever."""
    path = tmp_path / ("rank.train.gz" if zipped else "rank.train")
    path.write_bytes(gzip.compress(LINES.encode()) if zipped else LINES.encode())
    (tmp_path / f"rank.train{ending}").write_text("2\n0\n3\n")
    data = load_letor(path)
    assert data.qid.tolist() == [1, 1, 3, 3, 3]
    assert data.y.tolist() == [2, 0, 1, 1, 0]
    assert data.X.tolist() == [[0.5, 0], [0, 4], [3, 0], [0, 0], [0, 1]]
    assert data.docids.tolist() == ["", "b", "", "", ""]
    convert_letor(path, tmp_path / "mapped")
    np.testing.assert_array_equal(open_ranking(tmp_path / "mapped").qid, data.qid)


def test_queries_of_two_files_stay_apart(tmp_path):
    """The second file goes on counting; qids in the lines are kept."""
    for name in ("a", "b"):
        (tmp_path / name).write_text("1 1:1\n0 1:2\n")
        (tmp_path / f"{name}.query").write_text("1\n1\n")
    assert load_letor([tmp_path / "a", tmp_path / "b"]).qid.tolist() == [1, 2, 3, 4]
    (tmp_path / "a").write_text("1 qid:9 1:1\n0 qid:9 1:2\n")
    assert load_letor(tmp_path / "a").qid.tolist() == [9, 9]


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        (
            "2\n2\n",
            "the sizes in {0}.query must add up to the rows of {0}; got 4 for more than "
            "4 rows.",
        ),
        (
            "2\n9\n",
            "the sizes in {0}.query must add up to the rows of {0}; got 11 for 5 rows.",
        ),
        (
            "2\n-1\n",
            "{0}.query, line 2: a line must be the number of rows of a query; got '-1'.",
        ),
    ],
)
def test_sizes_that_do_not_fit(tmp_path, sizes, message):
    """Both files are named."""
    path = tmp_path / "rank.train"
    path.write_text(LINES)
    (tmp_path / "rank.train.query").write_text(sizes)
    with pytest.raises(ValueError, match=f"^{re.escape(message.format(path))}$"):
        load_letor(path)


def test_malformed_lines_keep_their_number(tmp_path):
    """The number is that of the line in the file."""
    path = tmp_path / "rank.train"
    path.write_text(LINES.replace("1 1:3", "1 x:3"))
    (tmp_path / "rank.train.query").write_text("5\n")
    with pytest.raises(
        ValueError, match=f"^{re.escape(str(path))}, line 4: a line must"
    ):
        load_letor(path)
