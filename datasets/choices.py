"""Multiple-choice questions as lists: the right choice has the label 1."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ltr.arguments import check_whole
from ltr.datasets.delimited import Delimited, read_delimited
from ltr.files import PathLike
from ltr.text import excerpt, line_error

if TYPE_CHECKING:
    import pandas as pd


def read_choices(
    path: PathLike,
    *,
    question: str,
    choices: Sequence[str],
    answer: str,
    first: int | None = None,
    encoding: str = "utf-8",
) -> pd.DataFrame:
    r"""Read multiple-choice questions as lists of items, as RAR-b does.

    The accuracy of the choice with the best score is then ``success@1``.

    Parameters
    ----------
    path : path
        A CSV file, or tab-separated if its name ends in ``.tsv``; may be gzipped.
    question : str
        Column of the question.
    choices : sequence of str
        Columns of the choices; an empty cell is no choice.
    answer : str
        Column that tells the right choice: its number, its letter ("A" is the first),
        the name of its column or its text.
    first : int, default=None
        Number of the first choice in the column ``answer``. None: 0 if a 0 is there, 1
        if the number of choices is there.
    encoding : str, default="utf-8"
        Encoding of the file.

    Returns
    -------
    lists : DataFrame
        A row per choice, with columns ``qid`` (the row of the question, from 0),
        ``docid`` (the name of the column of the choice), ``question``, ``text`` (of the
        choice) and ``label``, 1 for the right choice and 0 for others. It is accepted
        as judgments by :func:`read_qrels` and :func:`ltr.metrics.evaluate_run`.

    Raises
    ------
    ValueError
        If a column is missing, an answer names no choice or an empty one, or whether
        the first choice is 0 or 1 is not clear; with the line of the file.
    FileNotFoundError
        If there is no such file.

    References
    ----------
    .. [1] Xiao, Hudson & Al Moubayed, "RAR-b: Reasoning as retrieval benchmark", 2024.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "piqa.csv"
    >>> _ = path.write_text("goal,sol1,sol2,label\ndry a cup,use a towel,use oil,0\n")
    >>> lists = read_choices(
    ...     path, question="goal", choices=["sol1", "sol2"], answer="label"
    ... )
    >>> lists[["docid", "label"]].to_dict("list")
    {'docid': ['sol1', 'sol2'], 'label': [1.0, 0.0]}
    """
    import pandas as pd

    check_whole("first", first, low=0, optional=True)
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist.")
    is_tabbed = path.name.removesuffix(".gz").endswith(".tsv")
    table = read_delimited(path, "\t" if is_tabbed else ",", encoding)
    columns = [question, *choices, answer]
    missing = [name for name in columns if name not in table.columns]
    if missing:
        raise ValueError(
            f"{path} must have the columns {columns}; got {table.columns}."
        )
    cells = table.frame(columns, columns)
    texts = [cells[name].tolist() for name in choices]
    answers = [str(cell).strip() for cell in cells[answer].tolist()]
    base = _first_number(answers, len(choices), first, path)
    rows: list[tuple[Any, ...]] = []
    for row, (words, asked) in enumerate(
        zip(answers, cells[question].tolist(), strict=True)
    ):
        options = [column[row] for column in texts]
        right = _right_choice(words, options, choices, base)
        if right is None:
            raise _no_choice(table, row, words, answer)
        rows += [
            (str(row), name, asked, text, float(place == right))
            for place, (name, text) in enumerate(zip(choices, options, strict=True))
            if text
        ]
    return pd.DataFrame(rows, columns=["qid", "docid", "question", "text", "label"])


def _first_number(
    answers: list[str], n_choices: int, first: int | None, path: Path
) -> int | None:
    """Number of the first choice; None if answers are no numbers."""
    numbers = {int(word) for word in answers if word.isdecimal()}
    if first is not None or not numbers:
        return first
    if 0 in numbers:
        return 0
    if n_choices in numbers:
        return 1
    raise ValueError(
        f"{path}: whether the first of {n_choices} choices has the number 0 or 1 must "
        f"be clear; got the answers {sorted(numbers)}. Pass first=0 or first=1."
    )


def _right_choice(
    words: str, options: list[str], choices: Sequence[str], base: int | None
) -> int | None:
    """Place of the right choice; None if the answer names none, or an empty one."""
    place: int | None = None
    if base is not None and words.isdecimal():
        place = int(words) - base
    elif words in choices:
        place = list(choices).index(words)
    elif words and words in options:
        place = options.index(words)
    elif len(words) == 1 and "A" <= words.upper() <= "Z":
        place = ord(words.upper()) - ord("A")
    is_there = place is not None and 0 <= place < len(options) and options[place]
    return place if is_there else None


def _no_choice(table: Delimited, row: int, words: str, answer: str) -> ValueError:
    return line_error(
        table.file,
        int(table.lines[row]),
        f"column {answer!r} must name one of the choices that are there",
        excerpt(words),
    )
