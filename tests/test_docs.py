"""The documentation site: its code runs, its pages are complete, its links lead on."""

import doctest
import re
import shlex
from importlib.util import find_spec
from pathlib import Path

import pytest

from ltr.cli import build_parser
from ltr.losses import LOSSES

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = {path.stem: path.read_text() for path in sorted(DOCS.glob("*.md"))}
PAGES.pop("laws", None)  # printed by the registry at build time


def blocks(text, language):
    """Code blocks of a page in one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


IMPORT = re.compile(r"^ *(?:import|from) (\w+)", re.MULTILINE)
OPTIONAL = {"dask", "mlflow", "onnxruntime", "optuna", "polars", "pyarrow"}
OPTIONAL |= {"starlette", "tensorboardX", "xgboost"}


@pytest.mark.parametrize("page", [p for p in PAGES if blocks(PAGES[p], "python")])
def test_python_blocks_run(page, tmp_path, monkeypatch, capsys):
    """The blocks of a page run one after the other, and each prints something."""
    monkeypatch.chdir(tmp_path)
    namespace = {}
    for number, block in enumerate(blocks(PAGES[page], "python")):
        if not all(map(find_spec, OPTIONAL & set(IMPORT.findall(block)))):
            continue  # it shows a library that is not installed
        exec(compile(block, f"{page}.md, block {number}", "exec"), namespace)
        assert "print(" not in block or capsys.readouterr().out.strip()


@pytest.mark.parametrize("page", [p for p in PAGES if blocks(PAGES[p], "pycon")])
def test_sessions_print_what_they_show(page):
    """Interpreter sessions give exactly the values on the page."""
    session = "\n".join(blocks(PAGES[page], "pycon"))
    test = doctest.DocTestParser().get_doctest(session, {}, page, f"{page}.md", 0)
    assert len(test.examples) >= 3
    assert doctest.DocTestRunner().run(test).failed == 0


COMMANDS = [
    line
    for text in PAGES.values()
    for line in "\n".join(blocks(text, "sh")).splitlines()
    if line.startswith("ltr ")
]


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_parse(command):
    """Every command line has options that exist."""
    build_parser().parse_args(shlex.split(command)[1:])


def test_names_of_losses():
    """Every loss in the table of rooms, and in that of aims, exists."""
    (row,) = [
        line for line in PAGES["rooms"].splitlines() if "| `ltr.losses` |" in line
    ]
    rooms = set(re.findall(r"`(\w+)`", row))
    aims = set(re.findall(r"`(\w+)`", PAGES["which_loss"].split("## What we")[0]))
    assert len(rooms) > 30
    assert len(aims) > 30
    assert rooms <= set(LOSSES)
    assert aims <= set(LOSSES)
