"""Lines of PrefLib files: the format of 2022 and the one before it."""

from __future__ import annotations

import re
from typing import NamedTuple

from ltr.text import BLANKS, TextFile, excerpt, line_error

Ranking = list[int | tuple[int, ...]]

MAX_UNNAMED = 100_000  # alternatives beyond those that the header names
_NAME = re.compile(r"ALTERNATIVE NAME ([0-9]{1,9})")
_CATEGORY = re.compile(r"CATEGORY NAME ([0-9]{1,9})")
_WHOLE = re.compile(r"[0-9]{1,18}")
_ITEM = r"[ \t]*[0-9]{1,18}[ \t]*"
_TIED = rf"[ \t]*\{{(?:{_ITEM}(?:,{_ITEM})*|[ \t]*)\}}[ \t]*"
_ORDER = re.compile(rf"(?:{_ITEM}|{_TIED})(?:,(?:{_ITEM}|{_TIED}))*")
_GROUP = re.compile(r"\{([^}]*)\}|([0-9]+)")
_OLD_VOTE = re.compile(r"[ \t]*([0-9]{1,18})[ \t]*,(.*)")
_OLD_NAME = re.compile(r"([0-9]{1,9})[ \t]*,(.*)")
_OLD_TOTALS = re.compile(
    r"([0-9]{1,18})[ \t]*,[ \t]*([0-9]{1,18})[ \t]*,[ \t]*([0-9]{1,18})"
)


class Votes(NamedTuple):
    """What a file holds; see :class:`ltr.datasets.preflib.PrefLibData`."""

    rankings: list[Ranking]
    counts: list[int]
    names: list[str]
    metadata: dict[str, str]
    categories: list[str]


def read_votes(file: TextFile, *, is_categorical: bool = False) -> Votes:
    r"""Read a PrefLib file.

    Parameters
    ----------
    file : TextFile
        Open file.
    is_categorical : bool, default=False
        Whether votes sort alternatives into categories (``.cat``) instead of ranking
        them.

    Returns
    -------
    votes : Votes

    Raises
    ------
    ValueError
        If a line is malformed, or the header disagrees with the votes.

    Examples
    --------
    >>> import io
    >>> text = b"2\n1,tea\n2,coffee\n3,3,1\n3,2,1\n"
    >>> read_votes(TextFile(io.BytesIO(text), "drinks.soc")).rankings
    [[1, 0]]
    """
    lines = [(number, line.strip(BLANKS)) for number, line in file.lines()]
    lines = [(number, line) for number, line in lines if line]
    reader = _Reader(file.name, is_categorical)
    is_old = bool(lines) and not lines[0][1].startswith("#")
    votes = reader.read_old_header(lines) if is_old else lines
    for number, line in votes:
        if line.startswith("#") and not is_old:
            reader.read_header(number, line[1:].strip(BLANKS))
        else:
            reader.read_vote(number, line)
    return reader.votes()


class _Reader:
    """Parser of a PrefLib file, line by line."""

    def __init__(self, name: str, is_categorical: bool) -> None:
        self.name, self.is_categorical = name, is_categorical
        self.metadata: dict[str, str] = {}
        self.lines: dict[str, int] = {}  # of the header
        self.names: dict[int, str] = {}
        self.categories: dict[int, str] = {}
        self.rankings: list[Ranking] = []
        self.counts: list[int] = []
        self.n_items = 0
        self.is_old = False
        self.first = 1  # number of the first alternative

    def error(self, line: int, expected: str, got: str, cure: str = "") -> ValueError:
        return line_error(self.name, line, expected, got, cure)

    def read_header(self, number: int, line: str) -> None:
        key, colon, value = (part.strip(BLANKS) for part in line.partition(":"))
        if not colon:
            raise self.error(
                number, "a header line must be '# KEY: value'", excerpt(line)
            )
        name, category = _NAME.fullmatch(key), _CATEGORY.fullmatch(key)
        if key in self.lines and (name or category or key.startswith("NUMBER ")):
            raise self.error(
                number,
                f"{key} must be given once",
                f"it again, after line {self.lines[key]}",
            )
        self.lines[key] = number
        if name:
            self.names[int(name[1])] = value
        elif category:
            self.categories[int(category[1])] = value
        else:
            self.metadata[key] = value
        if key == "NUMBER ALTERNATIVES":
            self.n_items = self.whole(key)

    def whole(self, key: str) -> int:
        if not _WHOLE.fullmatch(self.metadata[key]):
            raise self.error(
                self.lines[key],
                f"{key} must be a whole number",
                excerpt(self.metadata[key]),
            )
        return int(self.metadata[key])

    def read_old_header(self, lines: list[tuple[int, str]]) -> list[tuple[int, str]]:
        """Number of alternatives, their names and the totals; returns the votes."""
        self.is_old = True
        number, line = lines[0]
        if not _WHOLE.fullmatch(line):
            raise self.error(
                number,
                "a file must begin with '# KEY: value', or, in the format before 2022, "
                "with the number of alternatives",
                excerpt(line),
            )
        self._set("NUMBER ALTERNATIVES", line, number)
        self.n_items = int(line)
        n_header = min(self.n_items + 2, len(lines) + 1)
        for item, (number, line) in enumerate(lines[1 : n_header - 1], start=1):
            match = _OLD_NAME.fullmatch(line)
            if item == 1 and match is not None and int(match[1]) == 0:
                self.first = 0  # as in the bids of conferences
            expected = item - 1 + self.first
            if match is None or int(match[1]) != expected:
                raise self.error(
                    number,
                    f"the name of alternative {expected} must follow",
                    excerpt(line),
                )
            self.names[item] = match[2].strip(BLANKS)
        number, line = (
            lines[n_header - 1] if n_header <= len(lines) else (number + 1, "")
        )
        match = _OLD_TOTALS.fullmatch(line)
        if match is None:
            raise self.error(
                number,
                "after the names must follow the numbers of voters, of votes and of "
                "unique orders, such as '5,5,2'",
                excerpt(line),
            )
        if int(match[1]) != int(match[2]):
            raise self.error(
                number,
                "the numbers of voters and of votes must be the same",
                f"{match[1]} and {match[2]}",
            )
        self._set("NUMBER VOTERS", match[2], number)
        self._set("NUMBER UNIQUE ORDERS", match[3], number)
        return lines[n_header:]

    def _set(self, key: str, value: str, number: int) -> None:
        self.metadata[key], self.lines[key] = value, number

    def read_vote(self, number: int, line: str) -> None:
        if not self.n_items:
            raise self.error(
                number,
                "the line '# NUMBER ALTERNATIVES: n', n > 0, must precede the votes",
                excerpt(line),
            )
        count, order = self._parts(line)
        if not (_WHOLE.fullmatch(count) and int(count) and _ORDER.fullmatch(order)):
            form = "3,1,{2,4},5" if self.is_old else "3: 1,{2,4},5"
            raise self.error(
                number, f"a vote must have the form '{form}'", excerpt(line)
            )
        ranking: Ranking = []
        ranked: set[int] = set()
        for tied, alone in _GROUP.findall(order):
            group = [int(item) for item in (tied or alone).split(",") if item.strip()]
            for item in group:
                self._check_item(number, item, ranked)
                ranked.add(item)
            zero_based = [item - self.first for item in group]
            if len(group) == 1 and not self.is_categorical:
                ranking.append(zero_based[0])
            else:
                ranking.append(tuple(zero_based))
        if self.is_old and not self.is_categorical:
            # approvals of all or of none, which were kept as rankings before 2022
            ranking = [group for group in ranking if group != ()] or ranking
        if not self.is_categorical and () in ranking:
            raise self.error(number, "a group of ties must not be empty", excerpt(line))
        self.rankings.append(ranking)
        self.counts.append(int(count))

    def _parts(self, line: str) -> tuple[str, str]:
        if self.is_old:
            match = _OLD_VOTE.fullmatch(line)
            return (match[1], match[2]) if match else ("", "")
        count, _, order = line.partition(":")
        return count.strip(BLANKS), order

    def _check_item(self, number: int, item: int, ranked: set[int]) -> None:
        last = self.n_items - 1 + self.first
        if not self.first <= item <= last:
            raise self.error(
                number, f"alternatives must be in {self.first}, …, {last}", str(item)
            )
        if item in ranked:
            raise self.error(
                number, "a vote must have an alternative only once", f"{item} twice"
            )

    def votes(self) -> Votes:
        if not self.n_items:
            raise ValueError(
                f"{self.name} must have the line '# NUMBER ALTERNATIVES: n', n > 0; "
                "got none."
            )
        if self.n_items > len(self.names) + MAX_UNNAMED:
            raise self.error(
                self.lines["NUMBER ALTERNATIVES"],
                f"NUMBER ALTERNATIVES must be at most {MAX_UNNAMED:,} more than the "
                f"{len(self.names):,} that have names",
                f"{self.n_items:,}",
            )
        names = self._numbered_names(self.names, self.n_items, "ALTERNATIVE NAME")
        self._check_total("NUMBER VOTERS", sum(self.counts))
        for key in ("NUMBER UNIQUE ORDERS", "NUMBER UNIQUE PREFERENCES"):
            self._check_total(key, len(self.rankings))
        categories = self._category_names() if self.is_categorical else []
        return Votes(self.rankings, self.counts, names, self.metadata, categories)

    def _category_names(self) -> list[str]:
        """Names of the categories, as many as the votes have."""
        lengths = {len(ranking) for ranking in self.rankings}
        if "NUMBER CATEGORIES" in self.metadata:
            n_categories = self.whole("NUMBER CATEGORIES")
        else:
            n_categories = max([*self.categories, *lengths], default=0)
        wrong = [n for n in lengths if n != n_categories]
        if wrong:
            raise ValueError(
                f"{self.name}: a vote must have an entry for each of {n_categories} "
                f"categories; got one with {wrong[0]}."
            )
        n_named = max(n_categories if lengths else 0, len(self.categories))
        return self._numbered_names(self.categories, n_named, "CATEGORY NAME")

    def _numbered_names(self, names: dict[int, str], n: int, key: str) -> list[str]:
        unknown = [item for item in names if not 1 <= item <= n]
        if unknown:
            raise ValueError(
                f"{self.name}: {key} must be followed by one of 1, …, {n}; got "
                f"{unknown[0]}."
            )
        return [names.get(i, str(i)) for i in range(1, n + 1)]

    def _check_total(self, key: str, total: int) -> None:
        if key in self.metadata and self.whole(key) != total:
            raise self.error(
                self.lines[key],
                f"{key} must be that of the votes, {total}",
                self.metadata[key],
            )
