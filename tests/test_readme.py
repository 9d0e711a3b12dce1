"""What the README says works: its snippets and its commands."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from ltr.cli import build_parser

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
EXAMPLES = (ROOT / "examples/README.md").read_text()
blocks = lambda text, language: re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)
PYTHON, SHELL = blocks(README, "python"), "\n".join(blocks(README, "sh"))
LINES = (SHELL + "\n".join(blocks(EXAMPLES, "sh"))).splitlines()
COMMANDS = [line for line in LINES if line.startswith("ltr ")]


@pytest.mark.parametrize("number", range(len(PYTHON)))
def test_snippet_runs(number, tmp_path, monkeypatch, capsys):
    """Every Python block runs on its own and prints numbers."""
    monkeypatch.chdir(tmp_path)
    exec(compile(PYTHON[number], f"README snippet {number}", "exec"), {})
    assert re.search(r"\d", capsys.readouterr().out)


def test_there_are_snippets():
    """The blocks are found at all."""
    assert len(PYTHON) == 3
    assert len(COMMANDS) >= 2


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_parse(command):
    """Every command line has options that exist."""
    build_parser().parse_args(shlex.split(command)[1:])


def test_ci_runs_the_test_command_of_the_readme():
    """Tests are run as a reader would."""
    (tests,) = [line for line in SHELL.splitlines() if line.endswith("pytest -n 2")]
    pattern = re.search(r"grep -x '(.*)' README.md", (ROOT / ".ci/run").read_text())[1]
    assert re.fullmatch(pattern, tests)


def test_it_is_short():
    """What it is, a picture, two commands, three snippets; the rest is in docs/."""
    assert len(README.splitlines()) <= 150


def test_its_links_lead_to_files():
    """Pages, pictures and examples that it names are there."""
    links = [link.split("#")[0] for link in re.findall(r"\]\(([^)]+)\)", README)]
    assert len(links) >= 15
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_the_picture_is_of_the_table():
    """The committed picture is what its command draws from the printed table."""
    result = subprocess.run(
        [sys.executable, ROOT / "docs/leaderboard.py"],
        input=README,
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout == (ROOT / "docs/_static/leaderboard.svg").read_text()


def test_examples_are_listed():
    """The table of programs has every program, and no other."""
    listed = set(re.findall(r"`(\w+\.py)`", EXAMPLES.split("## ")[0]))
    programs = {path.name for path in (ROOT / "examples").glob("*.py")}
    assert listed == {name for name in programs if not name.startswith("benchmark_")}
