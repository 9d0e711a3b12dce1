"""Packages whose names are loaded when they are first used (PEP 562).

Part of the ground floor that every room may import. A process that serves a linear
ranker reads a file of ``ltr.rankers``, and must not import JAX for the others.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from typing import Any


def lazy_names(package: str, modules: Mapping[str, str]) -> Callable[[str], Any]:
    """Make the ``__getattr__`` of a package.

    Parameters
    ----------
    package : str
        Its ``__name__``.
    modules : mapping of str to str
        The module that defines each public name.

    Returns
    -------
    getattr : callable
        Name → value, which becomes an attribute of the package.

    Examples
    --------
    >>> lazy_names("ltr.lazy", {"TSPRanker": "ltr.rankers.pairs.tsprank"})("TSPRanker")
    <class 'ltr.rankers.pairs.tsprank.TSPRanker'>
    """

    def load(name: str) -> Any:
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(importlib.import_module(modules[name]), name)
        setattr(sys.modules[package], name, value)
        return value

    return load
