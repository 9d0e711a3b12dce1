"""The command that shows the papers: its protocol, and a few cheap rows."""

import importlib
import runpy
import sys
from pathlib import Path

import pytest

PAPERS = Path(__file__).parent.parent / "examples" / "papers"


@pytest.fixture
def command(monkeypatch):
    """Run ``python examples/papers`` with arguments; the exit code."""
    monkeypatch.syspath_prepend(str(PAPERS))

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["papers", *arguments])
        with pytest.raises(SystemExit) as end:
            runpy.run_path(str(PAPERS), run_name="__main__")
        return end.value.code

    return run


def test_files_are_short(monkeypatch):
    """A family a file; no row is in two families."""
    monkeypatch.syspath_prepend(str(PAPERS))
    numbers = []
    for path in PAPERS.glob("*.py"):
        text = path.read_text()
        assert len(text.splitlines()) < 500, path.name
        if "\nPAPERS = {" in text:
            numbers += importlib.import_module(path.stem).PAPERS
    assert len(numbers) == len(set(numbers))
    assert set(numbers) <= set(range(1, 48))


def test_help_runs_nothing(command, capsys):
    assert command("--help") == 0
    text = capsys.readouterr().out
    assert text.startswith("usage: papers")
    assert "\n    python examples/papers --list\n" in text


def test_list_names_all_rows(command, capsys):
    assert command("--list") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [int(line.split()[0]) for line in lines] == list(range(1, 48))
    assert lines[30].startswith("31 PRP: pairs by all, heap, bubble, verified")


def test_unknown_row(command):
    assert "got [99]" in command("99")


CHEAP = [2, 3, 6, 10, 13, 19, 20, 21, 25, 26, 27, 28, 32, 35, 40, 41, 43]


def test_cheap_rows_hold(command, capsys):
    """Their criteria hold, and the command says so by its exit code."""
    assert command(*map(str, CHEAP), "--small") == 0
    assert capsys.readouterr().out.count(": holds\n") == len(CHEAP)


def test_a_row_that_does_not_hold(command, capsys, monkeypatch):
    """The exit code is 1, and the criterion is printed with it."""
    import fusion
    from row import PaperRow

    failed = lambda setting: PaperRow(40, ["line"], "more", False)
    monkeypatch.setitem(fusion.PAPERS, 40, failed)
    assert command("40") == 1
    assert capsys.readouterr().out == (
        "40 <lambda>\nline\ncriterion: more: DOES NOT HOLD\n"
    )
