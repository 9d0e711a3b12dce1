"""What is installed, and under which name."""

import importlib.metadata
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_one_top_level_name():
    """The distribution owns `ltr` and nothing else, least of all `datasets`."""
    owners = importlib.metadata.packages_distributions()
    ours = {name for name, packages in owners.items() if "ltr" in packages}
    assert {name for name in ours if not name.startswith("__editable__")} == {"ltr"}


def test_datasets_under_a_wrong_name():
    """From the repository root `import datasets` finds our folder; it says what to do."""
    run = subprocess.run(
        [sys.executable, "-c", "import datasets"],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert run.returncode == 1
    assert run.stderr.splitlines()[-1] == (
        "ImportError: this folder is the package 'ltr.datasets'; it was imported as "
        "'datasets' because the repository root is on sys.path. Use 'import "
        "ltr.datasets'."
    )


def test_every_package_is_listed():
    """A new folder of ltr needs its line in pyproject.toml."""
    import tomllib

    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"][
        "setuptools"
    ]
    folders = {
        ".".join(path.parent.relative_to(ROOT).parts)
        for path in [*ROOT.glob("ltr/**/__init__.py")]
    }
    assert folders | {"ltr.datasets"} == set(settings["packages"])
    assert settings["package-dir"]["ltr.datasets"] == "datasets"
    link = ROOT / "ltr" / "datasets"
    assert not link.is_symlink() or str(link.readlink()) == "../datasets"


def test_typed():
    """The marker that tells type checkers to read our annotations."""
    assert (ROOT / "ltr" / "py.typed").exists()


def test_version():
    """One version, that of the distribution."""
    import ltr

    assert ltr.__version__ == importlib.metadata.version("ltr")
