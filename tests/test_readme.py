"""What the README says works: its snippets, its commands, its lists of names."""

import re
import shlex
from pathlib import Path

import pytest

from ltr.cli import build_parser
from ltr.losses import LOSSES

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
    assert len(PYTHON) >= 4
    assert len(COMMANDS) >= 6


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_parse(command):
    """Every command line has options that exist."""
    build_parser().parse_args(shlex.split(command)[1:])


def test_ci_runs_the_test_command_of_the_readme():
    """Tests are run as a reader would."""
    (tests,) = [line for line in SHELL.splitlines() if line.endswith("pytest -n 2")]
    pattern = re.search(r"grep -x '(.*)' README.md", (ROOT / ".ci/run").read_text())[1]
    assert re.fullmatch(pattern, tests)


def test_names_of_losses():
    """Every loss in the table of rooms exists."""
    (row,) = [line for line in README.splitlines() if line.startswith("| `ltr.losses`")]
    names = set(re.findall(r"`(\w+)`", row))
    assert len(names) > 30
    assert names <= set(LOSSES)


def test_examples_are_listed():
    """The table of programs has every program, and no other."""
    listed = set(re.findall(r"`(\w+\.py)`", EXAMPLES.split("## ")[0]))
    programs = {path.name for path in (ROOT / "examples").glob("*.py")}
    assert listed == {name for name in programs if not name.startswith("benchmark_")}
