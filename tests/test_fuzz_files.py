"""A short run of the fuzzer of readers, and that it sees planted faults."""

from dataclasses import replace

import pytest
from fuzz_files import FORMATS, fuzz
from support.file_text import Refused


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.name)
def test_short_run(form):
    """Valid files are read, damaged ones read alike or refused."""
    counts, faults = fuzz([form], 1, n_cases=150)
    assert faults == []
    assert counts[form.name, "equal"] >= 8  # the valid ones, one in 21
    assert counts[form.name, "refused"] > 10


class Planted:
    """A reader that fails from its second call on; the first one is no case."""

    def __init__(self, fail):
        self.fail, self.is_first = fail, True

    def __call__(self, path):
        if not self.is_first:
            self.fail()
        self.is_first = False


def crash():
    raise KeyError("label")


def refuse():
    raise ValueError("no file is named here")


def hang():
    while True:
        pass


def lenient(data):
    return [1, 2]


def strict(data):
    raise Refused


@pytest.mark.parametrize(
    ("change", "outcome"),
    [
        ({"read": Planted(crash)}, "crash"),
        ({"read": Planted(refuse)}, "unnamed"),
        ({"read": Planted(hang)}, "hang"),
        ({"reference": strict}, "accepted"),
        ({"reference": lenient}, "other"),
    ],
)
def test_faults_are_seen(monkeypatch, change, outcome):
    """Each kind of fault, planted in a reader or in a reference."""
    monkeypatch.setattr("fuzz_files.LIMIT_S", 0.1)
    _, faults = fuzz([replace(FORMATS[0], **change)], 1, n_cases=2)
    assert any(problem.startswith(outcome) for _, _, problem in faults)
