"""Dated historical events: a bundled set, and what reading others takes."""

from __future__ import annotations

import gzip
import json
import os
import re
from pathlib import Path

import pandas as pd

PathLike = str | os.PathLike[str]
_NOT_WORD = re.compile(r"\W+")


def load_events() -> pd.DataFrame:
    r"""Load 756 dated events of world history, each told in one sentence.

    The sentences were written for this library. None holds its date, another year, or a
    number of more than two digits, and their length says next to nothing about the
    year, so that only what they tell can order them.

    Returns
    -------
    events : DataFrame with 756 rows, earliest first
        ``year`` is an integer from −1457 to 2020; negative years are BC as historians
        count them (−44 is 44 BC, and there is no year 0). The earliest dates are
        conventional: Thutmose's and Ramesses' battles, the founding of Rome.
        ``place`` is the country, in today's borders, where it happened; ``theme`` is
        one of art, disaster, economy, exploration, law, medicine, politics, religion,
        science, society, sport, technology, war; ``text`` has 8 to 20 words.

    Examples
    --------
    >>> events = load_events()
    >>> print(*events[events["place"] == "Mongolia"].iloc[0], sep="\n")
    1206
    Mongolia
    politics
    An assembly on the Onon river proclaims Temujin as Genghis Khan.

    Random groups to put in order, labels higher for earlier events:

    >>> import numpy as np
    >>> shuffled = events.sample(frac=1, random_state=0)
    >>> qid = np.arange(len(shuffled)) // 10
    >>> y = -shuffled["year"]
    """
    return pd.read_csv(Path(__file__).with_name("events.csv"))


def read_events(path: PathLike) -> pd.DataFrame:
    """Read dated events from a file of JSON lines.

    Parameters
    ----------
    path : path
        Text file, gzipped if it ends in ``.gz``. Each line is an object with an integer
        ``year`` and a sentence, ``text`` or ``event``; other fields are not read.

    Returns
    -------
    events : DataFrame
        Columns ``year`` and ``text``. The index is the number of the line from 0, by
        which to find a row of an array of embeddings after rows have been dropped.

    Raises
    ------
    ValueError
        If a line is not such an object: with file and line number.
    FileNotFoundError
        If the file is missing.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "events.jsonl"
    >>> _ = path.write_text('{"year": 1969, "event": "Two men walk on the moon."}')
    >>> read_events(path)
       year                       text
    0  1969  Two men walk on the moon.
    """
    path = Path(path)
    opener = gzip.open if path.suffix == ".gz" else open
    years, texts = [], []
    with opener(path, "rt", encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            year, text = _parse(str(line), path, number)
            years.append(year)
            texts.append(text)
    return pd.DataFrame({"year": years, "text": texts})


def _parse(line: str, path: Path, number: int) -> tuple[int, str]:
    try:
        row = json.loads(line)
        year, text = row["year"], row.get("text", row.get("event"))
    except (json.JSONDecodeError, KeyError, TypeError, AttributeError):
        year, text = None, None
    if isinstance(year, bool) or not isinstance(year, int) or not isinstance(text, str):
        shown = line.strip()
        shown = shown if len(shown) <= 60 else shown[:57] + "..."
        raise ValueError(
            f"{path}, line {number}: a line must be a JSON object with an integer "
            f"'year' and a string 'text' or 'event'; got {shown!r}."
        )
    return year, text.strip()


def drop_near_duplicates(
    train: pd.DataFrame, test: pd.DataFrame, *, jaccard: float = 0.6
) -> pd.DataFrame:
    """Drop the events of ``train`` that are in ``test`` too, in these or similar words.

    An event goes if its text equals one of ``test`` after lower-casing and turning all
    but letters and digits into spaces, or if it has the year of an event of ``test``
    and shares with it at least the share ``jaccard`` of the words that either has.

    Parameters
    ----------
    train, test : DataFrame
        With columns ``year`` and ``text``, as :func:`read_events` returns them. To keep
        clear of validation and test set at once, concatenate the two.
    jaccard : float, default=0.6
        Share of common words, in (0, 1], from which two events of a year are one.

    Returns
    -------
    train : DataFrame
        The other rows, with their index.

    Raises
    ------
    ValueError
        If ``jaccard`` is outside (0, 1].

    Examples
    --------
    >>> train = pd.DataFrame({"year": [1815, 1815, 1969], "text": [
    ...     "Napoleon is beaten at Waterloo", "Napoleon, beaten at Waterloo, gives up.",
    ...     "A man is on the moon"]})
    >>> test = train.iloc[:1]
    >>> drop_near_duplicates(train, test)["text"].tolist()
    ['Napoleon, beaten at Waterloo, gives up.', 'A man is on the moon']
    >>> drop_near_duplicates(train, test, jaccard=0.5)["text"].tolist()
    ['A man is on the moon']
    """
    if not 0.0 < jaccard <= 1.0:
        raise ValueError(f"jaccard must be above 0 and at most 1; got {jaccard!r}.")
    plain = [_plain(text) for text in test["text"]]
    known = set(plain)
    of_year: dict[int, list[set[str]]] = {}
    for year, text in zip(test["year"], plain, strict=True):
        of_year.setdefault(year, []).append(set(text.split()))

    def is_new(year: int, text: str) -> bool:
        if text in known:
            return False
        words = set(text.split())
        return all(
            len(words & other) < jaccard * len(words | other)
            for other in of_year.get(year, [])
        )

    rows = zip(train["year"], train["text"], strict=True)
    return train[[is_new(year, _plain(text)) for year, text in rows]]


def _plain(text: str) -> str:
    return _NOT_WORD.sub(" ", text.lower()).strip()
