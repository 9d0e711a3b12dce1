"""What is installed, and under which name."""

import importlib.metadata
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def test_one_top_level_name():
    """The distribution owns `ltr` and nothing else, least of all `datasets`."""
    owners = importlib.metadata.packages_distributions()
    ours = {name for name, packages in owners.items() if "ltr" in packages}
    assert {name for name in ours if not name.startswith("__editable__")} == {"ltr"}


@pytest.mark.parametrize("room", ["solvers", "datasets"])
def test_rooms_under_a_wrong_name(room):
    """From the repository root `import datasets` finds our folder; it says what to do."""
    run = subprocess.run(
        [sys.executable, "-c", f"import {room}"],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert run.returncode == 1
    assert run.stderr.splitlines()[-1] == (
        f"ImportError: this folder is the package 'ltr.{room}'; it was imported as "
        f"'{room}' because the repository root is on sys.path. Use 'import ltr.{room}'."
    )


def test_every_package_is_listed():
    """A new folder of ltr needs its line in pyproject.toml."""
    import tomllib

    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"][
        "setuptools"
    ]
    rooms = ("solvers", "datasets")
    packages = {
        ".".join(("ltr",) * (top != "ltr") + path.parent.relative_to(ROOT).parts)
        for top in ("ltr", *rooms)
        for path in ROOT.glob(f"{top}/**/__init__.py")
    }
    assert packages == set(settings["packages"])
    for room in rooms:
        assert settings["package-dir"][f"ltr.{room}"] == room
        link = ROOT / "ltr" / room
        assert not link.is_symlink() or str(link.readlink()) == f"../{room}"


def test_typed():
    """The marker that tells type checkers to read our annotations."""
    assert (ROOT / "ltr" / "py.typed").exists()


def test_version():
    """One version, that of the distribution."""
    import ltr

    assert ltr.__version__ == importlib.metadata.version("ltr")
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {ltr.__version__}\n" in citation
