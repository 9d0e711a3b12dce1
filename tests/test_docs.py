"""The documentation site: its code runs, its pages are complete, its links lead on."""

import doctest
import importlib
import re
import shlex
import tomllib
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
        libraries = OPTIONAL & set(IMPORT.findall(block))
        libraries |= {"pyarrow"} if "to_parquet" in block else set()
        if not all(map(find_spec, libraries)):
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


def test_the_page_of_the_command_line_has_every_command():
    """Its table, in whatever order."""
    listed = re.findall(r"^\| `ltr (\w+)` \|", PAGES["command_line"], re.MULTILINE)
    (choices,) = [a.choices for a in build_parser()._actions if a.dest == "command"]
    assert sorted(listed) == sorted(choices)


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


def test_every_page_is_in_a_toctree():
    """No page that a reader would not find."""
    listed = re.findall(r"```\{toctree\}\n(.*?)```", PAGES["index"], re.DOTALL)
    listed += re.findall(r"```\{toctree\}\n(.*?)```", PAGES["guide"], re.DOTALL)
    names = set(
        re.findall(r"^(?:\w[\w ]* <)?([\w/]+)>?$", "".join(listed), re.MULTILINE)
    )
    assert set(PAGES) - {"index"} <= names


def test_links_between_pages_lead_to_pages():
    """Relative links, with or without a text."""
    generated = {"laws.md", "benchmarks.rst", "gallery/index"}
    for page, text in PAGES.items():
        links = re.findall(r"\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)", text)
        missing = {n for n in links if not (DOCS / n).exists()} - generated
        assert missing == set(), page


def test_every_program_has_a_picture_in_the_gallery():
    """The table of runs has each program of examples/ that is no benchmark."""
    text = (DOCS / "extensions/gallery.py").read_text()
    programs = {path.stem for path in (ROOT / "examples").glob("*.py")}
    runs = set(re.findall(r'^    "(\w+)": Run\(', text, re.MULTILINE))
    assert runs == {name for name in programs if not name.startswith("benchmark_")}


def test_pictures_have_names_of_their_own(monkeypatch):
    """Two programs run side by side in one folder."""
    pytest.importorskip("matplotlib")
    monkeypatch.syspath_prepend(str(DOCS / "extensions"))
    gallery = importlib.import_module("gallery")
    for name, run in gallery.RUNS.items():
        pictures = re.findall(r"\w+\.png", run.call)
        page = gallery.page(ROOT / f"examples/{name}.py")
        assert page.count(f'"{name}.png"') == len(pictures), name


def test_every_public_name_has_a_page(tmp_path, monkeypatch):
    """The tables of the reference have each name of each ``__all__``."""
    pytest.importorskip("dask")
    monkeypatch.syspath_prepend(str(DOCS / "extensions"))
    reference = importlib.import_module("reference")
    text = "\n".join(Path(page).read_text() for page in reference.write(tmp_path))
    rows = set(re.findall(r"^   (\w+)$", text, re.MULTILINE))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    names = set()
    for package in {*project["tool"]["setuptools"]["packages"]} - reference.INTERNAL:
        names |= {*getattr(importlib.import_module(package), "__all__", [])}
    assert len(names) > 350
    assert names <= rows
