"""PrefLib files: what is written is what is read, and errors name the line."""

import re

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from ltr.datasets import load_preflib, save_preflib
from ltr.solvers import kemeny

HEADER = "# TITLE: Drinks: hot\n# NUMBER ALTERNATIVES: 3\n# ALTERNATIVE NAME 2: tea\n"


def test_load(tmp_path):
    """Header, names, ties, counts."""
    path = tmp_path / "drinks.toi"
    path.write_text(f"{HEADER}4: 2,{{1,3}}\n\n1: 3\n")
    votes = load_preflib(path)
    assert votes.rankings == [[1, (0, 2)], [2]]
    assert votes.counts == [4, 1]
    assert votes.names == ["1", "tea", "3"]
    assert votes.metadata == {"TITLE": "Drinks: hot", "NUMBER ALTERNATIVES": "3"}
    assert (votes.n_items, votes.n_voters, votes.data_type) == (3, 5, "toi")
    assert repr(votes) == "PrefLibData(3 items, 5 voters, 2 different rankings)"
    assert kemeny(votes.rankings, weights=votes.counts).order[0] == 1


@st.composite
def rankings(draw):
    """Items 0, …, n - 1: some of them, cut into groups."""
    n = draw(st.integers(1, 6))
    found = []
    for _ in range(draw(st.integers(1, 4))):
        items = draw(st.permutations(range(n)))[: draw(st.integers(1, n))]
        ranking = []
        while items:
            size = draw(st.integers(1, len(items)))
            ranking.append(tuple(items[:size]) if size > 1 else items[0])
            items = items[size:]
        found.append(ranking)
    return n, found


@settings(max_examples=30)
@given(rankings(), st.data())
def test_round_trip(tmp_path, drawn, data):
    """Votes, names and the lines of the header come back."""
    n, votes = drawn
    counts = data.draw(
        st.lists(st.integers(1, 99), min_size=len(votes), max_size=len(votes))
    )
    names = [f"näme: {i}" for i in range(n)]
    path = tmp_path / "votes.toi"
    extra = {"TITLE": "A: title", "PUBLICATION DATE": "2020-01-01"}
    save_preflib(path, votes, counts=counts, names=names, metadata=extra)
    again = load_preflib(path)
    assert (again.rankings, again.counts, again.names) == (votes, counts, names)
    assert extra.items() <= again.metadata.items()
    text = path.read_text()
    save_preflib(
        path, again.rankings, counts=counts, names=names, metadata=again.metadata
    )
    assert path.read_text() == text
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("name", "text", "line", "what"),
    [
        (
            "a.soc",
            "3: 1,2,3\n",
            1,
            "the line '# NUMBER ALTERNATIVES: n' must precede the votes.",
        ),
        (
            "a.soc",
            HEADER + "3: 1,2,\n",
            4,
            "a vote must have the form '3: 1,{2,4},5'; got '3: 1,2,'.",
        ),
        (
            "a.soc",
            HEADER + "x: 1,2,3\n",
            4,
            "a vote must have the form '3: 1,{2,4},5'; got 'x: 1,2,3'.",
        ),
        (
            "a.soc",
            HEADER + "1: 1,2,3\n2: 1,2,4\n",
            5,
            "alternatives must be in 1, …, 3; got 4.",
        ),
        ("a.soc", HEADER + "1: 1,2,1\n", 4, "alternative 1 is ranked twice."),
        (
            "a.soc",
            HEADER + "# nonsense\n",
            4,
            "a header line must be '# KEY: value'; got 'nonsense'.",
        ),
        (
            "a.soc",
            "# NUMBER ALTERNATIVES: many\n",
            1,
            "NUMBER ALTERNATIVES must be a whole number; got 'many'.",
        ),
        (
            "a.soc",
            HEADER + "# NUMBER VOTERS: 3\n2: 1,2,3\n",
            4,
            "NUMBER VOTERS is 3, but the votes have 2.",
        ),
        (
            "a.soc",
            "# TITLE: none\n",
            1,
            "the header must have '# NUMBER ALTERNATIVES: n'.",
        ),
    ],
)
def test_malformed_lines(tmp_path, name, text, line, what):
    """File, line, what is wrong."""
    path = tmp_path / name
    path.write_text(text)
    message = f"{path}, line {line}: {what}"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        load_preflib(path)


@pytest.mark.parametrize(
    ("name", "vote", "what"),
    [
        (
            "a.soc",
            "1,2",
            "the votes of a .soc file must be free of ties and complete; got votes "
            "of type soi.",
        ),
        (
            "a.soi",
            "1,{2,3}",
            "the votes of a .soi file must be free of ties; got votes of type toc.",
        ),
        (
            "a.toc",
            "{1,3}",
            "the votes of a .toc file must be complete; got votes of type toi.",
        ),
    ],
)
def test_votes_fit_the_type(tmp_path, name, vote, what):
    """A name that promises more than the votes keep is an error, both ways."""
    path = tmp_path / name
    path.write_text(f"{HEADER}1: {vote}\n")
    with pytest.raises(ValueError, match=f"^{re.escape(f'{path}: {what}')}$"):
        load_preflib(path)


def test_name_of_the_file(tmp_path):
    """Only the four kinds."""
    message = f"the name of a PrefLib file must end in .soc, .soi, .toc, .toi; got {tmp_path / 'a.txt'}."
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        load_preflib(tmp_path / "a.txt")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"rankings": [[0, (1, 2)]]},
            "the file name must end in a type that allows "
            "the votes, such as .toc; got 'a.soc'.",
        ),
        (
            {"rankings": [[0, 0]]},
            "a ranking must have distinct items >= 0, at least one; got rankings[0] "
            "= [0, 0].",
        ),
        (
            {"rankings": [[0, 1]], "names": ["a"]},
            "names must have one name for each of 2 items; got 1.",
        ),
        (
            {"rankings": [[0, 1]], "counts": [1, 2]},
            "counts must have one number per ranking, 1; got 2.",
        ),
        (
            {"rankings": [[0]], "names": ["a\nb"]},
            "names and metadata must be single lines; got 'a\\nb'.",
        ),
    ],
)
def test_nothing_is_written_after_an_error(tmp_path, arguments, message):
    """The file that was there stays."""
    path = tmp_path / "a.soc"
    path.write_text("before")
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        save_preflib(path, **arguments)
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_real_files(ltr_data, tmp_path):
    """Each file of the collection comes back letter by letter."""
    from pathlib import Path

    files = sorted(Path(ltr_data, "preflib", "small").glob("*.[st]o[ci]"))
    assert len(files) == 10
    for file in files:
        votes, copy = load_preflib(file), tmp_path / file.name
        save_preflib(
            copy,
            votes.rankings,
            counts=votes.counts,
            names=votes.names,
            metadata=votes.metadata,
        )
        assert copy.read_text() == file.read_text()
