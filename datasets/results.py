"""Results of races: competitors to be ranked by what was known before the start."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ltr.arguments import ArgumentError, check_number, check_seed
from ltr.datasets.delimited import SEPARATOR_OF, Delimited, read_delimited
from ltr.datasets.ranking_data import RankingData
from ltr.files import PathLike
from ltr.queries import BoolArray, FloatArray, IntArray, Queries, group_queries
from ltr.text import excerpt, id_array, line_error, text_array

if TYPE_CHECKING:
    import pandas as pd

_RECENT = 0.7  # weight of a race relative to the next one of the competitor
_ELO_START, _ELO_SCALE, _MOST_ELO = 1500.0, 400.0, 10_000.0


class _Form(NamedTuple):
    """What is known of a competitor. Places are relative: 1 for the winner, 0 last."""

    starts: float = 0.0
    mean_place: float = 0.5  # as if the first start had been in the middle
    recent_place: float = 0.5
    last_place: float = 0.5
    elo: float = _ELO_START

    def after(self, place: float, elo: float) -> _Form:
        """With the result of a race."""
        return _Form(
            starts=self.starts + 1,
            mean_place=self.mean_place + (place - self.mean_place) / (self.starts + 2),
            recent_place=_RECENT * self.recent_place + (1 - _RECENT) * place,
            last_place=place,
            elo=elo,
        )


class _Source(NamedTuple):
    """A table and how its places are called in messages."""

    name: str
    table: Delimited | pd.DataFrame

    def error(self, row: int, expected: str, found: str, cure: str) -> ValueError:
        if isinstance(self.table, Delimited):
            line = int(self.table.lines[row])
            return line_error(self.name, line, expected, found, cure)
        place = f"{self.name}, row {row} (counted from 0)"
        return ValueError(f"{place}: {expected}; got {found}. {cure}")

    def ids(self, column: pd.Series[Any]) -> NDArray[Any]:
        """Ids; those of a file become integers if all are written so."""
        if isinstance(self.table, Delimited):
            return id_array(column.tolist())
        is_text = all(isinstance(value, str) for value in column)
        return text_array(column.tolist()) if is_text else column.to_numpy()


def load_results(
    table: PathLike | pd.DataFrame,
    *,
    race: str = "race",
    competitor: str = "competitor",
    place: str = "place",
    features: Sequence[str] = (),
    elo_step: float = 32.0,
    random_state: int | None = 0,
    encoding: str = "utf-8",
) -> RankingData:
    """Load a table of race results, with the form of each competitor as features.

    Parameters
    ----------
    table : path or DataFrame
        A ``.csv`` or ``.tsv`` file (also gzipped) with a header, or a DataFrame: a row
        per start. Races are in order of their first rows, the earliest first.
    race : str, default="race"
        Column of the ids of the races.
    competitor : str, default="competitor"
        Column of the ids of the competitors.
    place : str, default="place"
        Column of the places, 1 for the winner. A word ("DNF") or nothing is a
        competitor that was not classified, behind all that were.
    features : sequence of str, default=()
        Further numeric columns that are known before the start, such as the grid.
    elo_step : float, default=32.0
        Factor K of the Elo ratings, in (0, 10000]: what the winner gains at most in a
        race.
    random_state : int or None, default=0
        Seed of the order of the rows of each race, which tells nothing then. None: as
        in the table.
    encoding : str, default="utf-8"
        Encoding of a text file.

    Returns
    -------
    data : RankingData
        A row per start, the races in order of time. ``y`` is the number of competitors
        that were placed behind, ``qid`` the race, and ``docids`` the competitors. ``X``
        has ``starts``, ``mean_place``, ``recent_place``, ``last_place`` and ``elo``,
        all of earlier races, then ``features``. Places are relative there: 1 for the
        winner, 0 for the last one, and 0.5 before the first start.

    Raises
    ------
    ValueError
        If a column is missing, an id is missing, a competitor appears twice in a race,
        a place is not a number of at least 1 nor a word, or a feature is not numeric;
        the message has the line number.

    Notes
    -----
    To train on earlier races and test on later ones, split by the order of ``qid``, as
    with :class:`ltr.model_selection.WalkForwardSplit`; random parts would test on races
    whose results are in the features of others.

    In a race of n, the rating R of a competitor gains K / (n − 1) times the sum over
    the others of s − 1 / (1 + 10^((R' − R) / 400)) [1]_, where s is 1 for those behind,
    1/2 for those at the same place, and 0 for those ahead.

    References
    ----------
    .. [1] Elo, "The Rating of Chessplayers, Past and Present", 1978.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({
    ...     "race": [1, 1, 1, 2, 2, 2], "competitor": list("abcabc"),
    ...     "place": ["1", "2", "DNF", "2", "1", "3"]})
    >>> data = load_results(table, random_state=None)
    >>> data.y.tolist(), data.X[3:, -1].round().tolist()
    ([2, 1, 0, 1, 2, 0], [1516.0, 1500.0, 1484.0])
    """
    import pandas as pd

    check_number("elo_step", elo_step, low=0.0, high=_MOST_ELO, open_low=True)
    check_seed("random_state", random_state)
    if isinstance(features, str):
        raise ArgumentError(
            f"features must be a sequence of names; got {features!r}. Pass "
            f"[{features!r}]."
        )
    for name in features:
        if name in _Form._fields:
            raise ArgumentError(
                f"features must not have the name of a column that is computed; got "
                f"{name!r}. Rename it."
            )
    names = [race, competitor, place, *features]
    source, frame = _open(table, names, encoding)
    _check_ids(source, frame, names[:2])
    places = _places(source, frame[place].tolist())
    columns = [_numbers(source, frame, name) for name in features]
    queries = group_queries(pd.factorize(frame[race])[0], len(frame))
    form, labels = _form(queries, frame[competitor].tolist(), places, elo_step)
    rows = queries.order
    if random_state is not None:
        rng = np.random.default_rng(random_state)
        races = np.split(rows, queries.starts[1:-1])
        rows = np.concatenate([rng.permutation(part) for part in races])
    return RankingData(
        X=np.column_stack([form, *columns])[rows],
        y=labels[rows],
        qid=source.ids(frame[race])[rows],
        feature_names=[*_Form._fields, *features],
        description=f"results: {source.name}",
        docids=source.ids(frame[competitor])[rows],
    )


def _open(
    table: PathLike | pd.DataFrame, names: list[str], encoding: str
) -> tuple[_Source, pd.DataFrame]:
    """The table, and these columns of it: ids and places of a file are text."""
    import pandas as pd

    if len(set(names)) < len(names):
        raise ArgumentError(
            "race, competitor, place and features must be distinct columns; got "
            f"{', '.join(map(repr, names))}."
        )
    if isinstance(table, pd.DataFrame):
        source, columns = _Source("the table", table), list(table.columns)
    else:
        text = _read(Path(table), encoding)
        source, columns = _Source(text.file, text), text.columns
    for name in names:
        if columns.count(name) != 1:
            raise ValueError(
                f"{source.name} must have one column {name!r}; got columns "
                f"{', '.join(map(repr, columns))}. Name them in race=, competitor=, "
                "place= and features=."
            )
    if isinstance(source.table, Delimited):
        return source, source.table.frame(names, names[:3])
    if not len(source.table):
        raise ValueError("the table must have at least one row; got none.")
    return source, source.table[names].reset_index(drop=True)


def _form(
    queries: Queries, competitors: list[Any], places: FloatArray, elo_step: float
) -> tuple[FloatArray, IntArray]:
    """Features of each row from earlier races, and the number of those behind."""
    features = np.empty((len(places), len(_Form._fields)))
    labels = np.empty(len(places), dtype=np.int64)
    forms: dict[Any, _Form] = {}
    for rows in np.split(queries.order, queries.starts[1:-1]):
        before = [forms.get(competitors[row], _Form()) for row in rows]
        features[rows] = before
        is_behind = places[rows, None] < places[rows]  # (n, n): j is behind i
        labels[rows] = is_behind.sum(axis=1)
        ratings = _elo(features[rows, -1], is_behind, elo_step)
        results = zip(rows, before, _relative(is_behind), ratings, strict=True)
        for row, own, value, rating in results:
            forms[competitors[row]] = own.after(float(value), float(rating))
    return features, labels


def _read(path: Path, encoding: str) -> Delimited:
    kind = Path(path.name.removesuffix(".gz")).suffix.lower()
    if kind not in SEPARATOR_OF:
        raise ValueError(
            f"the name of a table of results must end in .csv, .tsv, .csv.gz or "
            f".tsv.gz; got {path}."
        )
    return read_delimited(path, SEPARATOR_OF[kind], encoding)


def _check_ids(source: _Source, frame: pd.DataFrame, names: list[str]) -> None:
    """Raise if an id is missing, or a competitor appears twice in a race."""
    for name in names:
        missing = (frame[name].isna() | (frame[name] == "")).to_numpy()
        if missing.any():
            expected = f"column {name!r} must have no empty cells"
            raise source.error(
                int(missing.argmax()), expected, "one", "Drop such rows."
            )
    repeated = frame.duplicated(names).to_numpy()
    if repeated.any():
        row = int(repeated.argmax())
        raise source.error(
            row,
            "a race must have each competitor once",
            f"{excerpt(str(frame[names[1]][row]))} again",
            "Give races distinct ids.",
        )


def _places(source: _Source, cells: list[Any]) -> FloatArray:
    """Places as numbers; infinite where a competitor was not classified."""
    places = np.full(len(cells), np.inf)
    for row, cell in enumerate(cells):
        text = str(cell).strip()
        is_word = not any(map(str.isdecimal, text))
        try:
            value = float(text) if text.isascii() and "_" not in text else math.nan
        except ValueError:
            value = math.nan
        if is_word and not math.isinf(value):  # NaN, too, is no place
            continue
        if not 1 <= value < math.inf:
            raise source.error(
                row,
                "a place must be a number of at least 1, or a word such as DNF",
                excerpt(text),
                "Correct it.",
            )
        places[row] = value
    return places


def _numbers(source: _Source, frame: pd.DataFrame, name: str) -> FloatArray:
    """A column of features; NaN where a cell is empty."""
    import pandas as pd

    column = frame[name]
    is_numeric = pd.api.types.is_numeric_dtype(column)
    if isinstance(source.table, Delimited):
        if not is_numeric:
            raise source.table.not_a_number(name, column, "Encode it.")
        source.table.check_finite(frame[[name]], None)
    elif not is_numeric:
        raise ValueError(
            f"column {name!r} of features must be numeric; got dtype {column.dtype}. "
            "Encode it."
        )
    return np.asarray(column.to_numpy(np.float64, na_value=np.nan))


def _elo(ratings: FloatArray, is_behind: BoolArray, step: float) -> FloatArray:
    """Ratings after a race, shape (n,)."""
    n = len(ratings)
    # s − 1 / (1 + 10^((R' − R) / 400)) for all pairs; 0 on the diagonal
    results = 0.5 + 0.5 * is_behind - 0.5 * is_behind.T
    advantages = (ratings[:, None] - ratings) / _ELO_SCALE
    expected = 1 / (1 + 10 ** np.clip(-advantages, -300, 300))
    gains = (results - expected).sum(axis=1)
    return np.asarray(ratings + step * gains / max(n - 1, 1))


def _relative(is_behind: BoolArray) -> FloatArray:
    """Share of the others that are behind, equal ones half; 0.5 if there are none."""
    n = len(is_behind)
    points = 0.5 * (n - 1 + is_behind.sum(axis=1) - is_behind.sum(axis=0))
    return np.asarray(points / (n - 1)) if n > 1 else np.full(n, 0.5)
