"""Trips of GTFS feeds: rows of the lists, and what is refused, with file and line."""

import re
import zipfile

import numpy as np
import pytest

from ltr.datasets import load_gtfs

STOPS = """\
stop_id,stop_name,stop_lat,stop_lon
A,"Market, north",52.5,13.4
B,Bridge,52.6,-13.5
07,Castle,-52.7,13.6
hall,a room without a place,,
"""
TIMES = """\
trip_id,arrival_time,stop_id,stop_sequence
T1,8:00:00,A,1
T2,9:00:00,07,30
T1,8:09:00,07,5
T1,8:04:00,B,2
T2,9:09:00,A,40
T3,9:30:00,A,0
T4,10:00:00,A,7
T4,10:09:00,07,9
T4,10:04:00,B,8
"""


@pytest.fixture
def feed(tmp_path):
    """A function that writes a feed and returns its folder."""

    def write(stops=STOPS, times=TIMES):
        (tmp_path / "stops.txt").write_text(stops)
        (tmp_path / "stop_times.txt").write_text(times)
        return tmp_path

    return write


def test_trips(feed):
    """Trips by first appearance, stops in order of travel; equal trips once."""
    data = load_gtfs(feed(), random_state=None)
    assert data.qid.tolist() == ["T1"] * 3 + ["T2"] * 2
    assert data.docids.tolist() == ["A", "B", "07", "07", "A"]
    assert data.y.tolist() == [0, -1, -2, 0, -1]
    assert data.X[:2].tolist() == [[52.5, 13.4], [52.6, -13.5]]
    assert data.feature_names == ["stop_lat", "stop_lon"]
    every = load_gtfs(feed(), random_state=None, unique=False, min_stops=1)
    assert list(dict.fromkeys(every.qid)) == ["T1", "T2", "T3", "T4"]
    assert load_gtfs(feed(), min_stops=3).n_queries == 1


def test_rows_tell_nothing(feed):
    """The rows of a trip are shuffled, labels and features with them."""
    plain = load_gtfs(feed(), random_state=None)
    orders = set()
    for seed in range(20):
        data = load_gtfs(feed(), random_state=seed)
        assert data.qid.tolist() == plain.qid.tolist()
        rows = np.lexsort((-data.y, data.qid))
        np.testing.assert_array_equal(data.X[rows], plain.X)
        assert data.docids[rows].tolist() == plain.docids.tolist()
        orders.add(tuple(data.y[:3]))
    assert len(orders) == 6
    assert load_gtfs(feed()).y.tolist() == load_gtfs(feed(), random_state=0).y.tolist()


def test_archive(feed, tmp_path):
    """A zip archive with a folder in it is the same feed; Windows line ends, too."""
    folder = feed(STOPS.replace("\n", "\r\n"), "\ufeff" + TIMES)
    with zipfile.ZipFile(tmp_path / "feed.zip", "w") as archive:
        for name in ("stops.txt", "stop_times.txt"):
            archive.write(folder / name, f"google_transit/{name}")
    plain, zipped = load_gtfs(folder), load_gtfs(tmp_path / "feed.zip")
    np.testing.assert_array_equal(plain.X, zipped.X)
    assert plain.docids.tolist() == zipped.docids.tolist()


def test_numbers_as_ids(feed):
    """Ids are integers if all are written so."""
    data = load_gtfs(feed(times=TIMES.replace("T", "1")))
    assert data.qid.tolist() == [11] * 3 + [12] * 2
    assert data.docids.dtype.kind == "U"


def test_places_on_demand(feed):
    """A row with a location instead of a stop is left out."""
    times = "trip_id,stop_id,stop_sequence,location_id\nT1,A,1,\nT1,,2,zone\nT1,B,3,\n"
    assert load_gtfs(feed(times=times), random_state=None).docids.tolist() == ["A", "B"]


REFUSED = {
    "unknown stop": (
        (STOPS, TIMES.replace("T1,8:04:00,B", "T1,8:04:00,X")),
        "{times}, line 5: a stop must be in {stops}; got 'X'.",
    ),
    "empty stop": (
        (STOPS, TIMES.replace("8:04:00,B", "8:04:00,")),
        "{times}, line 5: column 'stop_id' must have no empty cells; got one. Drop "
        "such rows.",
    ),
    "empty trip": (
        (STOPS, TIMES.replace("T1,8:04", ",8:04")),
        "{times}, line 5: column 'trip_id' must have no empty cells; got one. Drop "
        "such rows.",
    ),
    "empty sequence": (
        (STOPS, TIMES.replace("B,2", "B,")),
        "{times}, line 5: column 'stop_sequence' must have no empty cells; got one. "
        "Drop such rows.",
    ),
    "text": (
        (STOPS, TIMES.replace("B,2", "B,two")),
        "{times}, line 5: column 'stop_sequence' must hold numbers; got 'two'. Correct "
        "it, or drop the row.",
    ),
    "fraction": (
        (STOPS, TIMES.replace("B,2", "B,2.5")),
        "{times}, line 5: stop_sequence must be a whole number >= 0; got 2.5.",
    ),
    "twice": (
        (STOPS, TIMES.replace("B,2", "B,5")),
        "{times}, line 5: a trip must have each stop_sequence once; got 5 again in "
        "trip 'T1'.",
    ),
    "cells": (
        (STOPS, TIMES.replace("T1,8:04:00,B,2", "T1,8:04:00,B")),
        "{times}, line 5: a row must have 4 cells, as the header has; got 3. Quote "
        "cells that contain the separator; is the file cut off?",
    ),
    "no column": (
        (STOPS, TIMES.replace("stop_sequence", "order")),
        "{times} must have a column 'stop_sequence', as GTFS requires; got 'trip_id', "
        "'arrival_time', 'stop_id', 'order'.",
    ),
    "no place": (
        (STOPS, TIMES.replace("8:04:00,B", "8:04:00,hall")),
        "{stops}, line 5: column 'stop_lat' must have no empty cells; got one. Drop "
        "such rows.",
    ),
    "latitude": (
        (STOPS.replace("52.6", "152.6"), TIMES),
        "{stops}, line 3: stop_lat must be from -90 to 90 degrees; got 152.6.",
    ),
    "text for a coordinate": (
        (STOPS.replace("52.6", "north"), TIMES),
        "{stops}, line 3: column 'stop_lat' must hold numbers; got 'north'. Correct "
        "it, or drop the row.",
    ),
    "digits of another script": (
        (STOPS.replace("52.6", "٥٢.٦"), TIMES),
        "{stops}, line 3: column 'stop_lat' must hold numbers; got '٥٢.٦'. Correct it, "
        "or drop the row.",
    ),
    "infinite": (
        (STOPS.replace("A,", "Z,,,\nA,", 1).replace("52.6", "1e999"), TIMES),
        "{stops}, line 4: column 'stop_lat' must hold finite numbers; got inf. Correct "
        "it, or drop the row.",
    ),
    "stop twice": (
        (STOPS.replace("hall", "B"), TIMES),
        "{stops}, line 5: stop ids must be distinct; got 'B' again.",
    ),
    "no trip": (
        (STOPS, TIMES[: TIMES.index("T1")] + "T1,8:00:00,A,1\n"),
        "{folder} must have a trip with at least 2 stops; got none. Lower min_stops.",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name, feed):
    """Whole messages, with the file and the line."""
    contents, message = REFUSED[name]
    folder = feed(*contents)
    names = {"stops": "stops.txt", "times": "stop_times.txt"}
    places = {key: f"{folder}, {file}" for key, file in names.items()}
    message = message.format(folder=folder, **places)
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        load_gtfs(folder)


def test_missing_files(tmp_path):
    """A folder without the files, and no folder at all."""
    (tmp_path / "agency.txt").write_text("agency_id\n")
    message = (
        f"{tmp_path} must have exactly one file stops.txt; got none. Its files: "
        "agency.txt."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        load_gtfs(tmp_path)
    with pytest.raises(FileNotFoundError):
        load_gtfs(tmp_path / "feed.zip")
    with pytest.raises(ValueError, match="min_stops must be a whole number >= 1"):
        load_gtfs(tmp_path, min_stops=0)
