"""load_results: form before each race, places in words, and what is refused."""

import re

import numpy as np
import pandas as pd
import pytest

from ltr.datasets import load_results

HEADER = "race,competitor,place,grid\n"
TABLE = "A,x,1,2\nA,y,2,1\nA,z,DNF,\nB,z,1,3\nA,w,DNF,4\nB,x,2,1\nB,y,3,2\nC,v,1,1\nC,x,,2\n"


def write(tmp_path, table=TABLE, header=HEADER, name="results.csv"):
    path = tmp_path / name
    path.write_text(header + table, encoding="utf-8")
    return path


def test_form_of_earlier_races(tmp_path):
    """By hand: of race A for the starters of B, of both for those of C."""
    data = load_results(write(tmp_path), features=["grid"], random_state=None)
    assert data.feature_names == [
        *["starts", "mean_place", "recent_place", "last_place", "elo", "grid"]
    ]
    assert data.qid.tolist() == [*"AAAABBBCC"]
    assert data.docids.tolist() == [*"xyzwzxyvx"]
    assert data.y.tolist() == [3, 2, 0, 0, 2, 1, 0, 1, 0]
    np.testing.assert_array_equal(data.X[:4, :5], [[0, 0.5, 0.5, 0.5, 1500]] * 4)
    x = data.X[5]  # first of four
    np.testing.assert_allclose(x, [1, 0.75, 0.65, 1.0, 1516.0, 1])
    z = data.X[4]  # last together with another, half a win
    np.testing.assert_allclose(z[:4], [1, (0.5 + 1 / 6) / 2, 0.35 + 0.3 / 6, 1 / 6])
    assert z[4] == pytest.approx(1500 - 32 / 3)
    v, x = data.X[7:]
    assert (v[0], x[0], x[3]) == (0, 2, 0.5)
    assert x[1] == pytest.approx((0.5 + 1 + 0.5) / 3)
    assert np.isnan(data.X[2, 5])
    first = data.X[4:7, 4]  # ratings of z, x and y before race B, in which z won
    gains = lambda own, others: sum(
        1 - 1 / (1 + 10 ** ((r - own) / 400)) for r in others
    )
    again = TABLE + "D,z,1,\nD,x,2,\n"
    later = load_results(write(tmp_path, again), random_state=None)
    assert later.X[-2, 4] == pytest.approx(first[0] + 16 * gains(first[0], first[1:]))


def test_elo_is_a_zero_sum():
    """Ratings of all who raced have the mean 1500, whatever the ties."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "race": np.repeat(np.arange(30), 7),
            "competitor": np.tile(np.arange(7), 30),
            "place": rng.integers(1, 5, 210),
        }
    )
    data = load_results(table, elo_step=80.0)
    elo = data.X[:, 4].reshape(30, 7)
    np.testing.assert_allclose(elo.mean(1), 1500)
    assert elo[-1].std() > 5


def test_the_order_of_rows_tells_nothing(tmp_path):
    """Rows are shuffled within races; the values of each stay the same."""
    plain = load_results(write(tmp_path), random_state=None)
    shuffled = load_results(write(tmp_path), random_state=3)
    assert shuffled.docids.tolist() != plain.docids.tolist()
    assert shuffled.qid.tolist() == plain.qid.tolist()
    frames = [
        pd.DataFrame(d.X).assign(y=d.y, q=d.qid, d=d.docids).sort_values(["q", "d"])
        for d in (plain, shuffled)
    ]
    pd.testing.assert_frame_equal(*(f.reset_index(drop=True) for f in frames))


def test_frames_and_other_names(tmp_path):
    """As the file; ids of a frame stay what they are."""
    path = write(tmp_path, TABLE.replace(",", "\t"), HEADER.replace(",", "\t"), "r.tsv")
    frame = pd.read_csv(path, sep="\t")
    names = {"race": "heat", "competitor": "who", "place": "rank"}
    renamed = load_results(frame.rename(columns=names), random_state=None, **names)
    np.testing.assert_array_equal(renamed.X, load_results(path, random_state=None).X)
    frame["race"] = frame["race"].map({"A": 1, "B": 2, "C": 3})
    assert load_results(frame).qid.dtype.kind == "i"


REFUSED = {
    "twice": (
        TABLE + "C,x,2,1\n",
        "{path}, line 11: a race must have each competitor once; got 'x' again. Give "
        "races distinct ids.",
    ),
    "zero": (
        TABLE.replace("y,2", "y,0"),
        "{path}, line 3: a place must be a number of at least 1, or a word such as DNF; "
        "got '0'. Correct it.",
    ),
    "another script": (
        TABLE.replace("y,2", "y,٢"),
        "{path}, line 3: a place must be a number of at least 1, or a word such as DNF; "
        "got '٢'. Correct it.",
    ),
    "infinite": (
        TABLE.replace("y,2", "y,inf"),
        "{path}, line 3: a place must be a number of at least 1, or a word such as DNF; "
        "got 'inf'. Correct it.",
    ),
    "no competitor": (
        TABLE.replace("A,y", "A,"),
        "{path}, line 3: column 'competitor' must have no empty cells; got one. Drop "
        "such rows.",
    ),
    "text feature": (
        TABLE.replace("x,1,2", "x,1,two"),
        "{path}, line 2: column 'grid' must hold numbers; got 'two'. Encode it.",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name, tmp_path):
    """Whole messages, with the file and the line."""
    table, message = REFUSED[name]
    path = write(tmp_path, table)
    whole = f"^{re.escape(message.format(path=path))}$"
    with pytest.raises(ValueError, match=whole):
        load_results(path, features=["grid"])


def test_refused_arguments(tmp_path):
    """Columns that are not there, or are one; files of another kind."""
    path = write(tmp_path)
    messages = {
        f"{path} must have one column 'heat'; got columns 'race', 'competitor', "
        "'place', 'grid'. Name them in race=, competitor=, place= and features=.": {
            "race": "heat"
        },
        "race, competitor, place and features must be distinct columns; got 'race', "
        "'competitor', 'place', 'place'.": {"features": ["place"]},
        "features must be a sequence of names; got 'grid'. Pass ['grid'].": {
            "features": "grid"
        },
        "features must not have the name of a column that is computed; got 'elo'. Rename "
        "it.": {"features": ["elo"]},
        "elo_step must be a number > 0 and <= 10000; got 1e+308.": {"elo_step": 1e308},
    }
    for message, options in messages.items():
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            load_results(path, **options)
    with pytest.raises(ValueError, match=r"must end in .csv, .tsv, .csv.gz or .tsv.gz"):
        load_results(tmp_path / "results.xlsx")
    frame = pd.DataFrame({"race": [1], "competitor": ["a"], "place": [-1]})
    message = (
        "the table, row 0 (counted from 0): a place must be a number of at least 1, or a "
        "word such as DNF; got '-1'. Correct it."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        load_results(frame)
    with pytest.raises(
        ValueError, match=r"^the table must have at least one row; got n"
    ):
        load_results(frame[:0])
