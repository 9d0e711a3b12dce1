"""PrefLib files: what is written is what is read, and errors name the line."""

import gzip
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
            "a file must begin with '# KEY: value', or, in the format before 2022, with "
            "the number of alternatives; got '3: 1,2,3'.",
        ),
        (
            "a.soc",
            "# TITLE: none\n3: 1,2,3\n",
            2,
            "the line '# NUMBER ALTERNATIVES: n', n > 0, must precede the votes; got '3: "
            "1,2,3'.",
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
            HEADER + "1: 1 2,3\n",
            4,
            "a vote must have the form '3: 1,{2,4},5'; got '1: 1 2,3'.",
        ),
        (
            "a.soc",
            HEADER + "0: 1,2,3\n",
            4,
            "a vote must have the form '3: 1,{2,4},5'; got '0: 1,2,3'.",
        ),
        (
            "a.soc",
            HEADER + "٣: 1,2,3\n",
            4,
            "a vote must have the form '3: 1,{2,4},5'; got '٣: 1,2,3'.",
        ),
        (
            "a.toi",
            HEADER + "1: 1,{}\n",
            4,
            "a group of ties must not be empty; got '1: 1,{}'.",
        ),
        (
            "a.soi",
            "# NUMBER ALTERNATIVES: 1000000000\n# ALTERNATIVE NAME 1: tea\n1: 1\n",
            1,
            "NUMBER ALTERNATIVES must be at most 100,000 more than the 1 that have names; "
            "got 1,000,000,000.",
        ),
        (
            "a.soc",
            HEADER + "# NUMBER ALTERNATIVES: 2\n",
            4,
            "NUMBER ALTERNATIVES must be given once; got it again, after line 2.",
        ),
        (
            "a.soc",
            HEADER + "# ALTERNATIVE NAME 2: milk\n",
            4,
            "ALTERNATIVE NAME 2 must be given once; got it again, after line 3.",
        ),
        (
            "a.soc",
            HEADER + "1: 1,2,3\n2: 1,2,4\n",
            5,
            "alternatives must be in 1, …, 3; got 4.",
        ),
        (
            "a.soc",
            HEADER + "1: 1,2,1\n",
            4,
            "a vote must have an alternative only once; got 1 twice.",
        ),
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
            "NUMBER VOTERS must be that of the votes, 2; got 3.",
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
    """Only the five kinds, in either case, gzipped or not."""
    message = (
        "the name of a PrefLib file must end in .soc, .soi, .toc, .toi, .cat; got "
        f"{tmp_path / 'a.txt'}."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        load_preflib(tmp_path / "a.txt")
    for name in ("a.SOI", "a.soi.gz"):
        (tmp_path / name).write_bytes(gzip.compress(f"{HEADER}2: 3,1\n".encode()))
        assert load_preflib(tmp_path / name).rankings == [[2, 0]]


@pytest.mark.parametrize("text", ["", "\n", "# TITLE: none\n"])
def test_no_alternatives(tmp_path, text):
    """An empty file, a header without them."""
    path = tmp_path / "a.soc"
    path.write_text(text)
    message = f"{path} must have the line '# NUMBER ALTERNATIVES: n', n > 0; got none."
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        load_preflib(path)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1", "utf-16"])
def test_text_of_any_kind(tmp_path, end, encoding):
    """Marks, line ends and encodings; an encoding that was not passed is named."""
    path = tmp_path / "a.toi"
    text = f"{HEADER.replace('tea', 'thé')}4 : 2 , {{ 1,3 }}\n"
    path.write_bytes(text.replace("\n", end).encode(encoding))
    votes = load_preflib(path, encoding=encoding)
    assert (votes.rankings, votes.names[1]) == ([[1, (0, 2)]], "thé")
    if encoding == "latin-1":
        message = (
            f"{path}, line 3: text must be in utf-8; got the byte 0xe9 (byte 25 of the "
            'line). Pass encoding= with its encoding, such as encoding="latin-1", or '
            "convert the file: iconv -f LATIN1 -t UTF-8."
        )
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            load_preflib(path)


OLD = "3\n1,tea\n2,coffee, black\n3,milk\n5,5,2\n"


def test_the_format_before_2022(tmp_path):
    """No marks: names, totals, votes."""
    path = tmp_path / "drinks.toi"
    path.write_text(f"{OLD}4,2,{{1,3}}\n1,3\n")
    votes = load_preflib(path)
    assert (votes.rankings, votes.counts) == ([[1, (0, 2)], [2]], [4, 1])
    assert votes.names == ["tea", "coffee, black", "milk"]
    save_preflib(tmp_path / "new.toi", votes.rankings, counts=[4, 1], names=votes.names)
    assert load_preflib(tmp_path / "new.toi").rankings == votes.rankings


def test_approvals_before_2022(tmp_path):
    """Kept as rankings of two groups, of which one may be empty; or as categories."""
    header = "3\n1,tea \n2,coffee \n3,milk \n6,6,3\n"
    votes = "3,{},{1,2,3}\n2,{1,2,3},{}\n1,2,{1,3}\n"
    path = tmp_path / "a.toc"
    path.write_text(header + votes)
    data = load_preflib(path)
    assert data.rankings == [[(0, 1, 2)], [(0, 1, 2)], [1, (0, 2)]]
    assert (data.counts, data.names) == ([3, 2, 1], ["tea", "coffee", "milk"])
    path = tmp_path / "a.cat"
    path.write_text(header + votes)
    data = load_preflib(path)
    assert data.rankings[:2] == [[(), (0, 1, 2)], [(0, 1, 2), ()]]
    assert data.categories == ["1", "2"]


def test_alternatives_from_0_before_2022(tmp_path):
    """As in the bids of the conference AAMAS; item 0 is alternative 0."""
    path = tmp_path / "bids.toi"
    path.write_text("3\n0,P02 \n1,P0A \n2,P0K \n2,2,2\n1,{0,2},1\n1,1\n")
    votes = load_preflib(path)
    assert votes.rankings == [[(0, 2), 1], [1]]
    assert votes.names == ["P02", "P0A", "P0K"]


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        (
            "1\n1,tea\n4,5,1\n5,1\n",
            3,
            "the numbers of voters and of votes must be the same; got 4 and 5.",
        ),
        (
            "2\n0,tea\n1,milk\n1,1,1\n1,2\n",
            5,
            "alternatives must be in 0, …, 1; got 2.",
        ),
        (
            "2\n0,tea\n2,milk\n1,1,1\n1,2\n",
            3,
            "the name of alternative 1 must follow; got '2,milk'.",
        ),
        (
            "2\n1,tea\n2,milk\n1,1,1\n1,{},{}\n",
            5,
            "a group of ties must not be empty; got '1,{},{}'.",
        ),
        (
            OLD + "4,2 1,3\n",
            6,
            "a vote must have the form '3,1,{2,4},5'; got '4,2 1,3'.",
        ),
        (OLD + "4,2,1,4\n", 6, "alternatives must be in 1, …, 3; got 4."),
        (
            OLD + "4,2,1,3\n",
            5,
            "NUMBER VOTERS must be that of the votes, 4; got 5.",
        ),
        (
            OLD + "5,2,1,3\n",
            5,
            "NUMBER UNIQUE ORDERS must be that of the votes, 1; got 2.",
        ),
        (
            "3\n1,tea\n3,milk\n",
            3,
            "the name of alternative 2 must follow; got '3,milk'.",
        ),
        (
            "2\n1,tea\n2,milk\n1,2,1\n",
            4,
            "after the names must follow the numbers of voters, of votes and of unique "
            "orders, such as '5,5,2'; got '1,2,1'.",
        ),
        (
            "999999999\n1,tea\n",
            3,
            "after the names must follow the numbers of voters, of votes and of unique "
            "orders, such as '5,5,2'; got ''.",
        ),
    ],
)
def test_malformed_lines_before_2022(tmp_path, text, line, what):
    """File, line, what is wrong."""
    path = tmp_path / "a.soc"
    path.write_text(text.replace("1,2,1\n", "1,2\n"))
    what = what.replace("'1,2,1'", "'1,2'")
    with pytest.raises(
        ValueError, match=f"^{re.escape(f'{path}, line {line}: {what}')}$"
    ):
        load_preflib(path)


CATEGORIES = (
    "# NUMBER ALTERNATIVES: 3\n# NUMBER CATEGORIES: 2\n# CATEGORY NAME 1: Yes\n"
)


def test_categories(tmp_path):
    """A tuple for each category, which may be empty; a consensus takes them."""
    path = tmp_path / "a.cat"
    path.write_text(
        f"{CATEGORIES}# NUMBER VOTERS: 3\n2: {{1,3}},2\n1: {{}},{{1,2,3}}\n"
    )
    votes = load_preflib(path)
    assert votes.rankings == [[(0, 2), (1,)], [(), (0, 1, 2)]]
    assert (votes.categories, votes.data_type) == (["Yes", "2"], "cat")
    assert kemeny(votes.rankings, weights=votes.counts).order[-1] == 1
    save_preflib(tmp_path / "a.toc", votes.rankings, counts=votes.counts)
    again = load_preflib(tmp_path / "a.toc")
    assert again.rankings == [[(0, 2), 1], [(0, 1, 2)]]
    path.write_text(f"{CATEGORIES}2: {{1,3}}\n")
    message = (
        f"{path}: a vote must have an entry for each of 2 categories; got one with 1."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        load_preflib(path)


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
