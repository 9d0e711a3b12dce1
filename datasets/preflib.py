"""PrefLib files: votes with ties, gaps or categories, and their header."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ltr.datasets.preflib_reader import Ranking, read_votes
from ltr.files import PathLike, unwritable, whole_file
from ltr.text import open_text

_TYPES = ("soc", "soi", "toc", "toi")


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
    categories : list of str
        Names of the categories of a .cat file, best first: each ranking then has a
        tuple for each of them, which may be empty. [] for rankings.

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
    categories: list[str] = field(default_factory=list)

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

        "soc", "soi", "toc" or "toi"; "cat" for votes by categories.
        """
        if self.categories:
            return "cat"
        ties = any(isinstance(group, tuple) for r in self.rankings for group in r)
        complete = all(_length(r) == self.n_items for r in self.rankings)
        return ("t" if ties else "s") + "o" + ("c" if complete else "i")


def _length(ranking: Ranking) -> int:
    return sum(len(group) if isinstance(group, tuple) else 1 for group in ranking)


def load_preflib(path: PathLike, *, encoding: str = "utf-8") -> PrefLibData:
    r"""Load votes from a PrefLib file of type soc, soi, toc, toi or cat.

    The format of 2022 (https://www.preflib.org/format): header lines ``# KEY: value``,
    then one line ``count: order`` for each distinct vote, with alternatives numbered
    from 1 and tied ones in braces. The format before it is read, too: the number of
    alternatives, a line ``1,name`` for each, a line with the numbers of voters, votes
    and unique orders, and lines ``count,order``. There, numbers may begin at 0 (as in
    the bids of conferences), and approvals of all or of none, which leave an empty
    group ``{}``, are rankings of the other group.

    Parameters
    ----------
    path : path
        A file whose name ends in .soc, .soi, .toc, .toi or .cat; it may be gzipped.
    encoding : str, default="utf-8"
        Its encoding.

    Returns
    -------
    votes : PrefLibData
        ``rankings``, ``counts``, ``names``, ``metadata``; of a .cat file also
        ``categories``.

    Raises
    ------
    ValueError
        If a line is malformed or not text in the encoding, ranks an alternative twice
        or an unknown one, or if the header disagrees with the votes, or announces
        100,000 alternatives more than it names; the message has the file and line.
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
    kind = Path(file.name.removesuffix(".gz")).suffix[1:].lower()
    if kind not in (*_TYPES, "cat"):
        kinds = ", ".join("." + name for name in (*_TYPES, "cat"))
        raise ValueError(f"the name of a PrefLib file must end in {kinds}; got {file}.")
    with open_text(file, encoding=encoding) as text:
        votes = PrefLibData(*read_votes(text, is_categorical=kind == "cat"))
    if kind != "cat":
        _check_type(votes, kind, str(file))
    return votes


def _check_type(votes: PrefLibData, kind: str, name: str) -> None:
    if not _allows(kind, votes.data_type):
        raise ValueError(
            f"{name}: the votes of a .{kind} file must be {_requirement(kind)}; got "
            f"votes of type {votes.data_type}."
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
            if tied:
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
        fault = unwritable(text)
        if fault:
            raise ValueError(
                "names and metadata must be text that a PrefLib file can hold; got "
                f"{text!r}, which has {fault}. Change it."
            )
    integers = [int(count) for count in counts]
    return PrefLibData(votes, integers, list(names), dict(metadata or {}))


def _items(ranking: Ranking) -> list[int]:
    return [
        item
        for group in ranking
        for item in (group if isinstance(group, tuple) else (group,))
    ]
