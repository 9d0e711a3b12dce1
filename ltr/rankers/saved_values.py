"""Parameters of saved rankers as JSON."""

from __future__ import annotations

import functools
import json
import os
import sys
from typing import Any

import numpy as np

from ltr.losses import LOSSES, Combination, combine

# Parameters whose function is saved as its name only: nothing is imported on loading.
NAMED_FUNCTIONS = ("pair_features",)


def encode(name: str, value: Any) -> Any:
    """A parameter as JSON; losses with options as {"loss": name, option: value}.

    Parameters
    ----------
    name : str
        Name of the parameter, for messages.
    value : object
        Its value.

    Returns
    -------
    value : object
        For :func:`json.dumps`.

    Raises
    ------
    ValueError
        If it cannot be written without code.
    """
    if isinstance(value, Combination):
        return {"combine": [[w, encode(name, part)] for w, part in value.terms()]}
    function, keywords = value, {}
    if isinstance(value, functools.partial) and not value.args:
        function, keywords = value.func, value.keywords
    names = [key for key, loss in LOSSES.items() if loss is function]
    if names:
        options = {key: encode(key, v) for key, v in keywords.items()}
        return {"loss": names[0], "options": options}
    if name in NAMED_FUNCTIONS and callable(value):
        return {"function": _importable_name(name, value)}
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    if isinstance(value, tuple):
        value = list(value)
    try:
        json.dumps(value)
    except TypeError:
        raise ValueError(
            f"{name} must be a plain value to be saved; got {value!r}. Use a name "
            "instead of a function, or pickle the ranker."
        ) from None
    return value


def _importable_name(name: str, function: Any) -> str:
    """Return "module:qualname" of a function at the top level of a module."""
    module = getattr(function, "__module__", None)
    qualname = getattr(function, "__qualname__", None)
    target: Any = sys.modules.get(str(module))
    for part in str(qualname).split("."):
        target = getattr(target, part, None)
    if target is not function:
        raise ValueError(
            f"{name} must be a function that can be imported to be saved; got "
            f"{function!r}. Define it by def at the top level of a module, or pickle "
            "the ranker."
        )
    return f"{module}:{qualname}"


def decode(name: str, value: Any) -> Any:
    """Reverse :func:`encode`.

    Parameters
    ----------
    name : str
        Name of the parameter, for messages.
    value : object
        From JSON.

    Returns
    -------
    value : object

    Raises
    ------
    ValueError
        If it is not what :func:`encode` makes.
    """
    try:
        return _decode(value)
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise ValueError(
            f"{name} must be a value that save_ranker writes; got {value!r:.100} "
            f"({type(error).__name__}: {error})."
        ) from error


def _decode(value: Any) -> Any:
    if isinstance(value, dict) and set(value) == {"combine"}:
        return combine(*((weight, _decode(part)) for weight, part in value["combine"]))
    if isinstance(value, dict) and set(value) == {"loss", "options"}:
        options = {key: _decode(option) for key, option in value["options"].items()}
        loss = LOSSES[value["loss"]]
        return functools.partial(loss, **options) if options else loss
    return tuple(value) if isinstance(value, list) else value
