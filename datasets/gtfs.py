"""Trips of public transport: the stops of GTFS feeds, to be put in order."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ltr.arguments import check_flag, check_seed, check_whole
from ltr.datasets.benchmarks.archives import open_member
from ltr.datasets.delimited import Delimited, parse_delimited
from ltr.datasets.ranking_data import RankingData
from ltr.files import PathLike
from ltr.queries import FloatArray, IntArray
from ltr.text import excerpt, id_array, line_error

if TYPE_CHECKING:
    import pandas as pd

_COORDINATES = {"stop_lat": 90.0, "stop_lon": 180.0}  # largest magnitude in degrees
_OTHER_PLACES = ("location_group_id", "location_id")  # of trips on demand


def load_gtfs(
    path: PathLike,
    *,
    min_stops: int = 2,
    unique: bool = True,
    random_state: int | None = 0,
    encoding: str = "utf-8",
) -> RankingData:
    r"""Load the trips of a GTFS feed as lists of stops in order.

    Parameters
    ----------
    path : path
        Folder, zip or tar archive with one ``stops.txt`` and one ``stop_times.txt``.
    min_stops : int, default=2
        Trips with fewer stops are left out.
    unique : bool, default=True
        Whether of trips with the same stops in the same order only the first is kept.
    random_state : int or None, default=0
        Seed of the order of the rows of each trip, which tells nothing then. None: the
        rows are in order of travel.
    encoding : str, default="utf-8"
        Encoding of the files.

    Returns
    -------
    data : RankingData
        A row per stop of a trip. ``X`` has the coordinates of the stop in degrees,
        ``stop_lat`` and ``stop_lon``; ``y`` is 0 for the first stop, −1 for the second,
        and so on; ``qid`` is the trip, ``docids`` are the stops. Trips are in the order
        of the file.

    Raises
    ------
    ValueError
        If a file or column is missing, a row is malformed, a coordinate or
        ``stop_sequence`` is no number in range, a stop of a trip is not in
        ``stops.txt``, a number of a trip's sequence or a stop appears twice, or no trip
        is left; the message has the file and line number.
    FileNotFoundError
        If there is no such folder or archive.

    References
    ----------
    .. [1] General Transit Feed Specification, https://gtfs.org/documentation/schedule/.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> _ = (folder / "stops.txt").write_text(
    ...     "stop_id,stop_lat,stop_lon\nA,52.5,13.4\nB,52.6,13.5\nC,52.7,13.6\n")
    >>> _ = (folder / "stop_times.txt").write_text(
    ...     "trip_id,stop_id,stop_sequence\nT1,A,1\nT1,C,9\nT1,B,5\n")
    >>> data = load_gtfs(folder, random_state=None)
    >>> data.docids.tolist(), data.y.tolist(), data.X[0].tolist()
    (['A', 'B', 'C'], [0, -1, -2], [52.5, 13.4])
    """
    check_whole("min_stops", min_stops, low=1)
    check_flag("unique", unique)
    check_seed("random_state", random_state)
    source = Path(path)
    stops = _read(source, "stops.txt", encoding, ("stop_id", *_COORDINATES))
    times = _read(
        source, "stop_times.txt", encoding, ("trip_id", "stop_id", "stop_sequence")
    )
    visits = _visits(times)
    stop_ids, X = _stops(stops, set(visits["stop_id"]))
    _check_known(times, visits, stop_ids, stops.file)
    numbers = {stop: number for number, stop in enumerate(stop_ids)}
    visits["stop"] = visits["stop_id"].map(numbers)
    trips = []  # the rows of each, in order of travel
    sequences = set()
    for trip in _trips(times, visits):
        sequence = tuple(visits["stop"].to_numpy()[trip].tolist())
        if len(trip) < min_stops or (unique and sequence in sequences):
            continue
        sequences.add(sequence)
        trips.append(trip)
    if not trips:
        raise ValueError(
            f"{source} must have a trip with at least {min_stops} stops; got none. "
            "Lower min_stops."
        )
    rng = np.random.default_rng(random_state)
    positions = [
        np.arange(len(trip)) if random_state is None else rng.permutation(len(trip))
        for trip in trips
    ]
    rows = np.concatenate(
        [trip[own] for trip, own in zip(trips, positions, strict=True)]
    )
    return RankingData(
        X=X[visits["stop"].to_numpy()[rows]],
        y=-np.concatenate(positions),
        qid=id_array(visits["trip_id"].to_numpy()[rows].tolist()),
        feature_names=list(_COORDINATES),
        description=f"GTFS feed: {source}",
        docids=id_array(visits["stop_id"].to_numpy()[rows].tolist()),
    )


def _read(
    source: Path, member: str, encoding: str, columns: tuple[str, ...]
) -> Delimited:
    """Read a file of the feed, with these columns among others."""
    with open_member(source, member, encoding, has_quotes=True) as file:
        table = parse_delimited(file, ",")
    for name in columns:
        if name not in table.columns:
            raise ValueError(
                f"{table.file} must have a column {name!r}, as GTFS requires; got "
                f"{', '.join(map(repr, table.columns))}."
            )
    return table


def _visits(times: Delimited) -> pd.DataFrame:
    """Rows of ``stop_times.txt`` with a stop: ids, whole ``sequence`` and ``row``."""
    ids = ["trip_id", "stop_id"]
    visits = times.frame([*ids, "stop_sequence"], ids)
    is_place = np.zeros(len(visits), dtype=bool)
    for name in set(_OTHER_PLACES) & set(times.columns):
        is_place |= (times.frame([name], [name])[name] != "").to_numpy()
    for name in ids:
        is_empty = (visits[name] == "").to_numpy()
        if name == "stop_id":
            is_empty = is_empty & ~is_place
        if is_empty.any():
            raise times.empty_cell(name, int(is_empty.argmax()))
    sequence = _numbers(times, visits, "stop_sequence")
    bad = (sequence < 0) | (sequence != np.floor(sequence))
    if bad.any():
        row = int(bad.argmax())
        raise line_error(
            times.file,
            int(times.lines[row]),
            "stop_sequence must be a whole number >= 0",
            f"{sequence[row]:g}",
        )
    visits["sequence"], visits["row"] = sequence, np.arange(len(visits))
    return visits[(visits["stop_id"] != "").to_numpy()].reset_index(drop=True)


def _numbers(table: Delimited, frame: pd.DataFrame, name: str) -> FloatArray:
    """A column of finite numbers, or an error about its first cell that is none."""
    import pandas as pd

    column = frame[name]
    if not pd.api.types.is_numeric_dtype(column) or column.dtype == bool:
        raise table.not_a_number(name, column, "Correct it, or drop the row.")
    values = column.to_numpy(np.float64)
    if np.isnan(values).any():
        raise table.empty_cell(name, int(np.isnan(values).argmax()))
    if np.isinf(values).any():
        row = int(np.isinf(values).argmax())
        raise line_error(
            table.file,
            int(table.lines[row]),
            f"column {name!r} must hold finite numbers",
            f"{values[row]:g}",
            "Correct it, or drop the row.",
        )
    return values


def _stops(stops: Delimited, visited: set[str]) -> tuple[list[str], FloatArray]:
    """Ids and coordinates of the stops of trips; others may lack coordinates."""
    frame = stops.frame(["stop_id"], ["stop_id"])
    repeated = frame["stop_id"].duplicated().to_numpy()
    if repeated.any():
        row = int(repeated.argmax())
        raise line_error(
            stops.file,
            int(stops.lines[row]),
            "stop ids must be distinct",
            f"{excerpt(frame['stop_id'][row])} again",
        )
    rows = np.flatnonzero(frame["stop_id"].isin(visited).to_numpy())
    places = stops.frame(list(_COORDINATES), [])
    X = np.empty((len(rows), len(_COORDINATES)))
    of_trips = replace(stops, lines=stops.lines[rows])
    for column, (name, limit) in enumerate(_COORDINATES.items()):
        X[:, column] = _numbers(of_trips, _picked(places, name, rows), name)
        bad = np.abs(X[:, column]) > limit
        if bad.any():
            row = int(bad.argmax())
            raise line_error(
                stops.file,
                int(of_trips.lines[row]),
                f"{name} must be from {-limit:g} to {limit:g} degrees",
                f"{X[row, column]:g}",
            )
    return frame["stop_id"].to_numpy()[rows].tolist(), X


def _picked(frame: pd.DataFrame, name: str, rows: IntArray) -> pd.DataFrame:
    """Some rows of a column; numbers if they are, whatever the other rows hold."""
    import pandas as pd

    column = frame[name].iloc[rows].reset_index(drop=True)
    with suppress(ValueError, TypeError):
        column = pd.to_numeric(column)
    return pd.DataFrame({name: column})


def _check_known(
    times: Delimited, visits: pd.DataFrame, stop_ids: list[str], file: str
) -> None:
    """Raise if a trip has a stop that ``stops.txt`` lacks."""
    is_unknown = ~visits["stop_id"].isin(stop_ids).to_numpy()
    if is_unknown.any():
        row = int(is_unknown.argmax())
        raise line_error(
            times.file,
            int(times.lines[visits["row"][row]]),
            f"a stop must be in {file}",
            excerpt(visits["stop_id"][row]),
        )


def _trips(times: Delimited, visits: pd.DataFrame) -> list[IntArray]:
    """Rows of ``visits`` of each trip, by first appearance, in order of travel."""
    if not len(visits):
        return []
    trip = visits["trip_id"].factorize()[0]
    sequence = visits["sequence"].to_numpy()
    order = np.lexsort((sequence, trip))
    is_start = np.diff(trip[order]) > 0
    is_equal = ~is_start & (np.diff(sequence[order]) == 0)
    if is_equal.any():
        row = int(order[1:][is_equal].min())
        raise line_error(
            times.file,
            int(times.lines[visits["row"][row]]),
            "a trip must have each stop_sequence once",
            f"{sequence[row]:g} again in trip {excerpt(visits['trip_id'][row])}",
        )
    return np.split(order, np.flatnonzero(is_start) + 1)
