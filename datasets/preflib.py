"""PrefLib files (2022 format): ``# KEY: value`` lines, then ``count: 1,{2,3},4``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ltr.files import PathLike, whole_file

Ranking = list[int | tuple[int, ...]]

_TYPES = ("soc", "soi", "toc", "toi")
_NAME = re.compile(r"ALTERNATIVE NAME (\d+)$")
_ORDER = re.compile(r"(?:\d+|\{\d+(?:,\d+)*\})(?:,(?:\d+|\{\d+(?:,\d+)*\}))*$")
_GROUP = re.compile(r"\{([\d,]+)\}|(\d+)")


@dataclass(frozen=True, eq=False)
class PrefLibData:
    """Votes, with the header of their PrefLib file.

    Attributes
    ----------
    rankings : list of lists
        Items 0, …, n_items - 1, best first; tied items in a tuple; unranked items
        absent. ``ltr.solvers.kemeny`` and ``pairwise_counts`` accept this format.
    counts : list of int
        Number of voters who cast each ranking.
    names : list of str
        Names of the items; the file's alternative 1 is item 0.
    metadata : dict of str to str
        The other header lines in file order, such as "TITLE".

    Examples
    --------
    >>> votes = PrefLibData([[1, 0], [0, 1]], [3, 2], ["tea", "coffee"])
    >>> votes, votes.data_type
    (PrefLibData(2 items, 5 voters, 2 different rankings), 'soc')
    """

    rankings: list[Ranking]
    counts: list[int]
    names: list[str]
    metadata: dict[str, str] = field(default_factory=dict)

    def __repr__(self) -> str:
        return (
            f"PrefLibData({self.n_items} items, {self.n_voters} voters, "
            f"{len(self.rankings)} different rankings)"
        )

    @property
    def n_items(self) -> int:
        """Number of items."""
        return len(self.names)

    @property
    def n_voters(self) -> int:
        """Number of voters."""
        return sum(self.counts)

    @property
    def data_type(self) -> str:
        """PrefLib's type: strict or with ties, orders complete or incomplete.

        "soc", "soi", "toc" or "toi".
        """
        ties = any(isinstance(group, tuple) for r in self.rankings for group in r)
        complete = all(_length(r) == self.n_items for r in self.rankings)
        return ("t" if ties else "s") + "o" + ("c" if complete else "i")


def _length(ranking: Ranking) -> int:
    return sum(len(group) if isinstance(group, tuple) else 1 for group in ranking)


def load_preflib(path: PathLike) -> PrefLibData:
    r"""Load votes from a PrefLib file of type soc, soi, toc or toi.

    The format of 2022 (https://www.preflib.org/format): header lines ``# KEY: value``,
    then one line ``count: order`` for each distinct vote, with alternatives numbered
    from 1 and tied ones in braces.

    Parameters
    ----------
    path : path
        A file whose name ends in .soc, .soi, .toc or .toi.

    Returns
    -------
    votes : PrefLibData
        ``rankings``, ``counts``, ``names``, ``metadata``.

    Raises
    ------
    ValueError
        If a line is malformed, ranks an alternative twice or an unknown one, or if the
        numbers of voters and orders in the header disagree with the votes; the message
        has the file and line number.
    FileNotFoundError
        If the file is missing.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "drinks.toi"
    >>> text = "# NUMBER ALTERNATIVES: 3\n# ALTERNATIVE NAME 1: tea\n4: 2,{1,3}\n1: 3\n"
    >>> _ = path.write_text(text)
    >>> votes = load_preflib(path)
    >>> votes.rankings, votes.counts, votes.names
    ([[1, (0, 2)], [2]], [4, 1], ['tea', '2', '3'])
    """
    file = Path(path)
    if file.suffix[1:] not in _TYPES:
        kinds = ", ".join("." + kind for kind in _TYPES)
        raise ValueError(f"the name of a PrefLib file must end in {kinds}; got {file}.")
    reader = _Reader(file)
    with open(file, encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            reader.read(number, line.strip())
    return reader.data()


class _Reader:
    """Parser of a PrefLib file, line by line."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.metadata: dict[str, str] = {}
        self.lines: dict[str, int] = {}
        self.names: dict[int, str] = {}
        self.rankings: list[Ranking] = []
        self.counts: list[int] = []
        self.n_items = 0

    def read(self, number: int, line: str) -> None:
        if line.startswith("#"):
            self._read_header(number, line[1:].strip())
        elif line:
            self._read_vote(number, line)

    def _error(self, number: int, problem: str) -> ValueError:
        return ValueError(f"{self.file}, line {number}: {problem}")

    def _read_header(self, number: int, line: str) -> None:
        key, colon, value = (part.strip() for part in line.partition(":"))
        if not colon:
            raise self._error(
                number, f"a header line must be '# KEY: value'; got {line!r}."
            )
        match = _NAME.match(key)
        if match:
            self.names[int(match[1])] = value
        else:
            self.metadata[key] = value
            self.lines[key] = number
        if key == "NUMBER ALTERNATIVES":
            self.n_items = self._whole(key)

    def _whole(self, key: str) -> int:
        if not self.metadata[key].isdecimal():
            raise self._error(
                self.lines[key],
                f"{key} must be a whole number; got {self.metadata[key]!r}.",
            )
        return int(self.metadata[key])

    def _read_vote(self, number: int, line: str) -> None:
        if not self.n_items:
            raise self._error(
                number, "the line '# NUMBER ALTERNATIVES: n' must precede the votes."
            )
        count, colon, order = line.replace(" ", "").partition(":")
        if not (colon and count.isdecimal() and _ORDER.match(order)):
            raise self._error(
                number, f"a vote must have the form '3: 1,{{2,4}},5'; got {line!r}."
            )
        ranking: Ranking = []
        ranked: set[int] = set()
        for tied, alone in _GROUP.findall(order):
            group = [int(item) for item in (tied or alone).split(",")]
            for item in group:
                if not 1 <= item <= self.n_items:
                    raise self._error(
                        number,
                        f"alternatives must be in 1, …, {self.n_items}; got {item}.",
                    )
                if item in ranked:
                    raise self._error(number, f"alternative {item} is ranked twice.")
                ranked.add(item)
            zero_based = [item - 1 for item in group]
            ranking.append(tuple(zero_based) if len(group) > 1 else zero_based[0])
        self.rankings.append(ranking)
        self.counts.append(int(count))

    def data(self) -> PrefLibData:
        if not self.n_items:
            raise self._error(1, "the header must have '# NUMBER ALTERNATIVES: n'.")
        unknown = [item for item in self.names if not 1 <= item <= self.n_items]
        if unknown:
            raise ValueError(
                f"{self.file}: alternatives must be in 1, …, {self.n_items}; the "
                f"header has a name for {unknown[0]}."
            )
        names = [self.names.get(i, str(i)) for i in range(1, self.n_items + 1)]
        data = PrefLibData(self.rankings, self.counts, names, self.metadata)
        self._check_total("NUMBER VOTERS", data.n_voters)
        self._check_total("NUMBER UNIQUE ORDERS", len(data.rankings))
        self._check_type(data)
        return data

    def _check_total(self, key: str, total: int) -> None:
        if key in self.metadata and self._whole(key) != total:
            raise self._error(
                self.lines[key],
                f"{key} is {self.metadata[key]}, but the votes have {total}.",
            )

    def _check_type(self, data: PrefLibData) -> None:
        kind = self.file.suffix[1:]
        if not _allows(kind, data.data_type):
            raise ValueError(
                f"{self.file}: the votes of a .{kind} file must be "
                f"{_requirement(kind)}; got votes of type {data.data_type}."
            )


def _allows(kind: str, data_type: str) -> bool:
    """Whether a file type may hold such votes: no ties in "s", no gaps in "c"."""
    has_ties = kind[0] == "s" and data_type[0] == "t"
    has_gaps = kind[2] == "c" and data_type[2] == "i"
    return not (has_ties or has_gaps)


def _requirement(kind: str) -> str:
    parts = ["free of ties"] if kind[0] == "s" else []
    return " and ".join(parts + (["complete"] if kind[2] == "c" else []))


def save_preflib(
    path: PathLike,
    rankings: Iterable[Sequence[Any]],
    *,
    counts: Sequence[int] | None = None,
    names: Sequence[str] | None = None,
    metadata: dict[str, str] | None = None,
) -> None:
    r"""Write votes to a PrefLib file.

    The file appears whole or not at all.

    Parameters
    ----------
    path : path
        File to write. Its name must end in .soc, .soi, .toc or .toi, a type that allows
        the votes.
    rankings : iterable of sequences
        Items from 0, best first; tied items in a tuple.
    counts : sequence of int, default=None
        Number of voters who cast each ranking. None: one.
    names : sequence of str, default=None
        Names of the items. None: their PrefLib numbers, up to the largest item.
    metadata : dict of str to str, default=None
        Other header lines, such as ``{"TITLE": "Drinks"}``. Those that follow from the
        votes are recomputed.

    Raises
    ------
    ValueError
        If the file type does not allow the votes, or an argument is malformed.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "drinks.toc"
    >>> save_preflib(path, [[1, (0, 2)]], counts=[4], names=["tea", "coffee", "milk"])
    >>> path.read_text().splitlines()[-1]
    '4: 2,{1,3}'
    """
    file = Path(path)
    votes = _checked_votes(rankings, counts, names, metadata)
    kind = file.suffix[1:]
    if kind not in _TYPES or not _allows(kind, votes.data_type):
        raise ValueError(
            f"the file name must end in a type that allows the votes, such as "
            f".{votes.data_type}; got {file.name!r}."
        )
    header = {
        "FILE NAME": file.name,
        "TITLE": "",
        **votes.metadata,
        "DATA TYPE": kind,
        "NUMBER ALTERNATIVES": votes.n_items,
        "NUMBER VOTERS": votes.n_voters,
        "NUMBER UNIQUE ORDERS": len(votes.rankings),
    }
    header["FILE NAME"] = file.name
    lines = [f"# {key}: {value}" for key, value in header.items()]
    lines += [
        f"# ALTERNATIVE NAME {i}: {name}" for i, name in enumerate(votes.names, 1)
    ]
    for count, ranking in zip(votes.counts, votes.rankings, strict=True):
        groups = [
            "{" + ",".join(str(item + 1) for item in group) + "}"
            if isinstance(group, tuple)
            else str(group + 1)
            for group in ranking
        ]
        lines.append(f"{count}: {','.join(groups)}")
    with whole_file(file) as scratch:
        scratch.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _checked_votes(
    rankings: Iterable[Sequence[Any]],
    counts: Sequence[int] | None,
    names: Sequence[str] | None,
    metadata: dict[str, str] | None,
) -> PrefLibData:
    votes: list[Ranking] = []
    for number, ranking in enumerate(rankings):
        groups: Ranking = []
        for group in ranking:
            tied = (
                [int(i) for i in group] if hasattr(group, "__iter__") else [int(group)]
            )
            groups.append(tuple(tied) if len(tied) > 1 else tied[0])
        items = _items(groups)
        if not items or min(items) < 0 or len(set(items)) < len(items):
            raise ValueError(
                "a ranking must have distinct items >= 0, at least one; got "
                f"rankings[{number}] = {groups}."
            )
        votes.append(groups)
    n_items = 1 + max((max(_items(ranking)) for ranking in votes), default=-1)
    if names is None:
        names = [str(i) for i in range(1, n_items + 1)]
    if len(names) < n_items:
        raise ValueError(
            f"names must have one name for each of {n_items} items; got {len(names)}."
        )
    if counts is None:
        counts = [1] * len(votes)
    if len(counts) != len(votes):
        raise ValueError(
            f"counts must have one number per ranking, {len(votes)}; got {len(counts)}."
        )
    texts = [*names, *(metadata or {}), *(metadata or {}).values()]
    for text in texts:
        if "\n" in text or "\r" in text:
            raise ValueError(f"names and metadata must be single lines; got {text!r}.")
    integers = [int(count) for count in counts]
    return PrefLibData(votes, integers, list(names), dict(metadata or {}))


def _items(ranking: Ranking) -> list[int]:
    return [
        item
        for group in ranking
        for item in (group if isinstance(group, tuple) else (group,))
    ]
