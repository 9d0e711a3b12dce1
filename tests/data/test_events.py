"""The bundled events, and readers of other ones."""

import gzip
import json
import re
import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import kendalltau

from ltr.datasets import drop_near_duplicates, load_events, read_events

EVENTS = load_events()
WORDS = EVENTS["text"].str.split().str.len()


def test_events_are_what_their_documentation_says():
    """Columns, order, years, themes, lengths."""
    assert list(EVENTS.columns) == ["year", "place", "theme", "text"]
    assert len(EVENTS) == 756
    assert EVENTS.notna().all(axis=None)
    assert EVENTS["year"].is_monotonic_increasing
    assert EVENTS["year"].agg(["min", "max"]).tolist() == [-1457, 2020]
    assert 0 not in set(EVENTS["year"])
    themes = re.search(r"one of ([a-z, \n]+);", load_events.__doc__)[1]
    assert sorted(EVENTS["theme"].unique()) == re.split(r",\s+", themes)
    assert WORDS.agg(["min", "max"]).tolist() == [8, 20]
    assert EVENTS["text"].str.endswith(".").all()


def test_events_cover_all_eras():
    """At least 60 events in each of eight stretches of time, and 70 places."""
    cuts = [-2000, 0, 1000, 1500, 1700, 1800, 1900, 1950, 2020]
    assert pd.cut(EVENTS["year"], cuts).value_counts().min() >= 60
    assert EVENTS["place"].nunique() >= 70


def test_no_text_tells_its_year():
    """No long number, in digits or words, no month, no century or decade."""
    telling = (
        r"\d{3}|\b\d+(?:st|nd|rd|th|s)\b|centur|decade\b|millenni|\bAD\b|\bBCE?\b|"
        r"(?:eigh|nine)teen (?:hundred|[a-z]+ty)|twenty (?:hundred|ten)|"
        r"(?:twent|thirt|fort|fift|sixt|sevent|eight|ninet)ies|January|February|April|"
        r"\bJune\b|\bJuly\b|\b\d+ (?:May|March|August)\b|September|October|November|"
        "December"
    )
    assert not EVENTS["text"].str.contains(telling, case=False).any()


def test_no_text_comes_twice():
    """No two sentences share half of their words."""
    words = [set(re.findall(r"\w+", text.lower())) for text in EVENTS["text"]]
    vocabulary = {word: i for i, word in enumerate(sorted(set().union(*words)))}
    counts = np.zeros((len(words), len(vocabulary)))
    for row, of_text in zip(counts, words, strict=True):
        row[[vocabulary[word] for word in of_text]] = 1
    common, sizes = counts @ counts.T, counts.sum(axis=1)
    share = common / (sizes[:, None] + sizes - common)
    assert np.triu(share, 1).max() < 0.5


def test_length_does_not_tell_the_year():
    """Ordering by length of the text is worth next to nothing."""
    lengths = EVENTS["text"].str.len()
    assert abs(kendalltau(lengths, EVENTS["year"]).statistic) < 0.1
    assert abs(kendalltau(WORDS, EVENTS["year"]).statistic) < 0.1


def test_events_are_in_the_wheel():
    """The file is named among the package's data."""
    settings = (Path(__file__).parents[2] / "pyproject.toml").read_text()
    data = tomllib.loads(settings)["tool"]["setuptools"]["package-data"]
    assert "events.csv" in data["ltr.datasets"]


LINES = [
    {"year": -44, "month": 3, "text": "Caesar is stabbed.\n"},
    {"year": 1969, "event": "Two men walk on the moon.", "context": []},
]


@pytest.mark.parametrize("name", ["events.jsonl", "events.jsonl.gz"])
def test_read_events(tmp_path, name):
    """Plain and gzipped files, both names of the sentence."""
    text = "\n".join(json.dumps(line) for line in LINES).encode()
    path = tmp_path / name
    path.write_bytes(gzip.compress(text) if name.endswith("gz") else text)
    events = read_events(path)
    assert events["year"].tolist() == [-44, 1969]
    assert events["text"].tolist() == [
        "Caesar is stabbed.",
        "Two men walk on the moon.",
    ]


@pytest.mark.parametrize(
    "bad",
    [
        '{"year": "1969", "text": "a"}',
        '{"year": true, "text": "a"}',
        '{"year": 1969, "title": "a"}',
        '{"year": 1969, "text": 3}',
        '{"text": "a"}',
        "[1969, 2]",
        "1969",
        "",
        "1969, Two men walk on the moon.",
    ],
)
def test_read_events_of_another_form(tmp_path, bad):
    """The first line that is wrong is named."""
    path = tmp_path / "events.jsonl"
    path.write_text(json.dumps(LINES[0]) + "\n" + bad + "\n")
    message = (
        f"{path}, line 2: a line must be a JSON object with an integer 'year' and a "
        f"string 'text' or 'event'; got {bad!r}."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        read_events(path)


def test_drop_near_duplicates():
    """Equal words whatever the year; similar words in the same year only."""
    test = pd.DataFrame({"year": [1815], "text": ["Napoleon is beaten, at Waterloo!"]})
    train = pd.DataFrame(
        [
            (1815, "napoleon IS beaten at Waterloo"),
            (1814, "Napoleon is beaten at -- Waterloo."),
            (1815, "Napoleon is beaten at last near Waterloo"),  # 5 of 7 words
            (1814, "Napoleon is beaten at last near Waterloo"),
            (1815, "Napoleon is beaten at Leipzig in Saxony"),  # 4 of 8 words
        ],
        columns=["year", "text"],
        index=[10, 11, 12, 13, 14],
    )
    assert drop_near_duplicates(train, test).index.tolist() == [13, 14]
    kept = drop_near_duplicates(train, test, jaccard=1.0)
    assert kept.index.tolist() == [12, 13, 14]
    assert drop_near_duplicates(train, test, jaccard=0.5).index.tolist() == [13]
    assert drop_near_duplicates(EVENTS, EVENTS).empty
    assert len(drop_near_duplicates(EVENTS, test)) == len(EVENTS)


@pytest.mark.parametrize("jaccard", [0.0, 1.1])
def test_drop_near_duplicates_by_an_impossible_share(jaccard):
    """The range is said."""
    message = f"jaccard must be a number > 0 and <= 1; got {jaccard}."
    with pytest.raises(ValueError, match=re.escape(message)):
        drop_near_duplicates(EVENTS, EVENTS, jaccard=jaccard)


def test_wikipedia_without_its_test_events(ltr_data):
    """The 1,276 equal and 48 similar rows go, 15,710 stay."""
    parts = [f"events-wotd/wotd.{part}.jsonl.gz" for part in ("validation", "test")]
    test = pd.concat([read_events(Path(ltr_data) / part) for part in parts])
    train = read_events(Path(ltr_data) / "events-wiki-otd/events.jsonl.gz")
    assert (len(train), len(test)) == (17_034, 1_362)
    assert len(drop_near_duplicates(train, test)) == 15_710
