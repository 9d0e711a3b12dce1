"""Every public name of ltr 0.1 is still there, by its path."""

import importlib
import json
import warnings
from pathlib import Path

import pytest

from ltr import _moved

NAMES = json.loads(
    Path(__file__).parent.joinpath("golden", "names_0_1.json").read_text()
)


@pytest.mark.parametrize("path", NAMES)
def test_names_of_0_1(path):
    """A module of 0.1 can be imported, and has the names that it had."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        module = importlib.import_module(path)
    assert [name for name in NAMES[path] if not hasattr(module, name)] == []


@pytest.mark.parametrize("path", _moved.MOVED)
def test_moved_modules(path, monkeypatch):
    """The old path gives the same module, unharmed, and says where it is now."""
    monkeypatch.delitem(importlib.sys.modules, path, raising=False)
    now = importlib.import_module(_moved.MOVED[path])
    with pytest.warns(DeprecationWarning, match=f"{path} has moved to {now.__name__}"):
        assert importlib.import_module(path) is now
    assert now.__spec__.name == now.__name__ == _moved.MOVED[path]
