"""Dated historical events: a bundled set, a reader and a near-duplicate filter."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

from ltr.arguments import check_number
from ltr.files import PathLike
from ltr.text import excerpt, line_error, open_text

if TYPE_CHECKING:
    import pandas as pd

_NOT_WORD = re.compile(r"\W+")


def load_events() -> pd.DataFrame:
    r"""Load 756 dated events of world history, each described in one sentence.

    The sentences were written for this library. None contains its date, another year or
    a number of more than two digits, and their lengths hardly correlate with the year,
    so only their content can order them.

    Returns
    -------
    events : DataFrame with 756 rows, earliest first
        ``year`` is an integer from −1457 to 2020; negative years are BC as historians
        count them (−44 is 44 BC, and there is no year 0). The earliest dates are
        conventional: Thutmose's and Ramesses' battles, the founding of Rome.
        ``place`` is the country, by today's borders, where it happened; ``theme`` is
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

    Queries of ten random events to put in order, earlier events with higher labels:

    >>> import numpy as np
    >>> shuffled = events.sample(frac=1, random_state=0)
    >>> qid = np.arange(len(shuffled)) // 10
    >>> y = -shuffled["year"]
    """
    import pandas as pd

    return pd.read_csv(Path(__file__).with_name("events.csv"))


def read_events(path: PathLike) -> pd.DataFrame:
    """Read dated events from a file of JSON lines.

    Parameters
    ----------
    path : path
        Text file, gzipped if its name ends in ``.gz``. Each line is an object with an
        integer ``year`` and a sentence, ``text`` or ``event``; other fields are
        ignored.

    Returns
    -------
    events : DataFrame
        Columns ``year`` and ``text``. The index is the line number from 0, which still
        addresses the rows of an array of embeddings after events have been dropped.

    Raises
    ------
    ValueError
        If a line is not such an object; the message has the file and line number.
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
    import pandas as pd

    path = Path(path)
    years, texts = [], []
    with open_text(path) as file:
        for number, line in file.lines():
            year, text = _parse(line, path, number)
            years.append(year)
            texts.append(text)
    return pd.DataFrame({"year": years, "text": texts})


def _parse(line: str, path: Path, number: int) -> tuple[int, str]:
    try:
        row = json.loads(line)
        year, text = row["year"], row.get("text", row.get("event"))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        year, text = None, None
    if isinstance(year, bool) or not isinstance(year, int) or not isinstance(text, str):
        raise line_error(
            path,
            number,
            "a line must be a JSON object with an integer 'year' and a string 'text' "
            "or 'event'",
            excerpt(line),
        )
    return year, text.strip()


def drop_near_duplicates(
    train: pd.DataFrame, test: pd.DataFrame, *, jaccard: float = 0.6
) -> pd.DataFrame:
    """Drop events of ``train`` that ``test`` has too, verbatim or in similar words.

    An event is dropped if its text equals one of ``test`` up to case, punctuation and
    spacing, or if an event of ``test`` has the same year and their sets of words have a
    Jaccard similarity of at least ``jaccard``.

    Parameters
    ----------
    train, test : DataFrame
        With columns ``year`` and ``text``, as :func:`read_events` returns them. To drop
        the events of a validation and a test set at once, concatenate the two.
    jaccard : float, default=0.6
        Similarity, in (0, 1], at which two events of the same year count as one.

    Returns
    -------
    train : DataFrame
        The remaining rows, with their index.

    Raises
    ------
    ValueError
        If ``jaccard`` is outside (0, 1].

    Examples
    --------
    >>> import pandas as pd
    >>> train = pd.DataFrame({"year": [1815, 1815, 1969], "text": [
    ...     "Napoleon is beaten at Waterloo", "Napoleon, beaten at Waterloo, gives up.",
    ...     "A man is on the moon"]})
    >>> test = train.iloc[:1]
    >>> drop_near_duplicates(train, test)["text"].tolist()
    ['Napoleon, beaten at Waterloo, gives up.', 'A man is on the moon']
    >>> drop_near_duplicates(train, test, jaccard=0.5)["text"].tolist()
    ['A man is on the moon']
    """
    check_number("jaccard", jaccard, low=0, high=1, open_low=True)
    texts = [_normalize(text) for text in test["text"]]
    test_texts = set(texts)
    words_by_year: dict[int, list[set[str]]] = {}
    for year, text in zip(test["year"], texts, strict=True):
        words_by_year.setdefault(year, []).append(set(text.split()))

    def is_new(year: int, text: str) -> bool:
        if text in test_texts:
            return False
        words = set(text.split())
        return all(
            len(words & other) < jaccard * len(words | other)
            for other in words_by_year.get(year, [])
        )

    rows = zip(train["year"], train["text"], strict=True)
    return train[[is_new(year, _normalize(text)) for year, text in rows]]


def _normalize(text: str) -> str:
    return _NOT_WORD.sub(" ", text.lower()).strip()
