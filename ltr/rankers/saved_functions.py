"""Functions in saved rankers: their names are saved, and only trusted ones imported."""

from __future__ import annotations

import dataclasses
import functools
import importlib
import sys
from collections.abc import Callable, Collection
from typing import Any

from ltr.arguments import ArgumentError, check_choice
from ltr.scorers.base import Scorer

Trusted = Collection[str | Callable[..., Any]]
_SCORERS = {
    "AdapterScorer": "ltr.scorers.adapter",
    "AttentionScorer": "ltr.scorers.attention",
    "LinearScorer": "ltr.scorers.linear",
    "MLPScorer": "ltr.scorers.mlp",
    "TwoTowerScorer": "ltr.scorers.two_tower",
    "WideDeepScorer": "ltr.scorers.wide_deep",
}
_LARGEST = {"n_blocks": 1000}  # of the fields of a scorer that say how often


def importable_name(name: str, function: Any) -> str:
    """Return "module:qualname" of a function at the top level of a module.

    Parameters
    ----------
    name : str
        Name of the parameter, for messages.
    function : callable
        Its value.

    Returns
    -------
    name : str

    Raises
    ------
    ValueError
        If no import leads to it.

    Examples
    --------
    >>> importable_name("metric", importable_name)
    'ltr.rankers.saved_functions:importable_name'
    """
    module = getattr(function, "__module__", None)
    qualname = getattr(function, "__qualname__", None)
    target: Any = sys.modules.get(str(module))
    for part in str(qualname).split("."):
        target = getattr(target, part, None)
    if target is not function or target is None:
        raise ValueError(
            f"{name} must be a function that can be imported to be saved; got "
            f"{function!r}. Define it by def at the top level of a module, or pickle "
            "the ranker."
        )
    return f"{module}:{qualname}"


def insert_functions(
    document: dict[str, Any],
    pair_features: Callable[..., Any] | None,
    trusted: Trusted,
    *,
    only: str | None = None,
) -> dict[str, Any]:
    """Put functions in place of their names.

    Parameters
    ----------
    document : dict
        From JSON, where a function is ``{"function": "module:qualname"}``.
    pair_features : callable or None
        The function of that parameter.
    trusted : collection of str or callable
        Functions, or names of functions that may be imported.
    only : str, default=None
        Name of the only parameter whose function is needed; others stay as they are.
        None: all are needed.

    Returns
    -------
    document : dict
        A copy.

    Raises
    ------
    ValueError
        If a function is neither passed nor trusted, or ``pair_features`` is passed for
        a ranker without one.
    """
    functions = _by_name(trusted)
    n_pair_features = 0

    def copy(value: Any) -> Any:
        if isinstance(value, list):
            return [copy(item) for item in value]
        if not isinstance(value, dict):
            return value
        return {key: insert(key, item) for key, item in value.items()}

    def insert(key: str, value: Any) -> Any:
        nonlocal n_pair_features
        if not is_function(value) or only not in (None, key):
            return copy(value)
        own_name = value["function"]
        n_pair_features += key == "pair_features"
        if key == "pair_features" and callable(pair_features):
            function = pair_features
        elif isinstance(own_name, str) and own_name in functions:
            function = functions[own_name] or _imported(key, own_name)
        elif key == "pair_features":
            raise ValueError(
                f"{key} is required: the ranker was saved with the function "
                f"{own_name!r:.100}, and loading imports no code. Import it, and pass "
                f"load_ranker(folder, {key}=function)."
            )
        else:
            raise ValueError(
                f"{key} is the function {own_name!r:.100}, and loading imports no code "
                "that is not trusted. If you trust it, pass load_ranker(folder, "
                f"trusted=[{own_name!r:.100}])."
            )
        options = copy(value.get("options", {}))
        return functools.partial(function, **options) if options else function

    inserted: dict[str, Any] = copy(document)
    if pair_features is not None and n_pair_features == 0:
        raise ValueError(
            "pair_features must be None for a ranker that was saved without such a "
            f"function; got {pair_features!r}. Leave it out."
        )
    return inserted


def is_function(value: Any) -> bool:
    """Whether a value from JSON stands for a function."""
    return isinstance(value, dict) and (
        set(value) == {"function"} or set(value) == {"function", "options"}
    )


def _by_name(trusted: Trusted) -> dict[str, Callable[..., Any] | None]:
    """Functions by their names; None for those that are still to be imported."""
    if isinstance(trusted, str) or callable(trusted):
        raise ArgumentError(
            f"trusted must be a list of functions or of their names; got {trusted!r}. "
            "Pass a list with one entry."
        )
    functions: dict[str, Callable[..., Any] | None] = {}
    for entry in trusted:
        if callable(entry):
            functions[importable_name("trusted", entry)] = entry
        elif isinstance(entry, str) and entry.count(":") == 1:
            functions[entry] = None
        else:
            raise ArgumentError(
                "trusted must hold functions, or names such as 'package.module:name'; "
                f"got {entry!r:.100}."
            )
    return functions


def _imported(key: str, name: str) -> Callable[..., Any]:
    module, _, qualname = name.partition(":")
    try:
        target: Any = importlib.import_module(module)
        for part in qualname.split("."):
            target = getattr(target, part)
    except (ImportError, AttributeError) as error:
        raise ValueError(
            f"{key} must be the function {name!r}, which cannot be imported here: "
            f"{error}."
        ) from error
    if not callable(target):
        raise ValueError(f"{key} must be a function; {name!r} is {target!r:.100}.")
    function: Callable[..., Any] = target
    return function


def encode_scorer(scorer: Scorer) -> dict[str, Any] | None:
    """A scorer of this library as JSON; None for another one.

    Examples
    --------
    >>> from ltr.scorers import MLPScorer
    >>> encode_scorer(MLPScorer((8,)))["options"]
    {'hidden_layer_sizes': [8], 'dropout': 0.0}
    """
    name, module = type(scorer).__name__, type(scorer).__module__
    if _SCORERS.get(name) != module or not dataclasses.is_dataclass(scorer):
        return None
    options = {f.name: getattr(scorer, f.name) for f in dataclasses.fields(scorer)}
    lists = {k: list(v) if isinstance(v, tuple) else v for k, v in options.items()}
    return {"scorer": name, "options": lists}


def decode_scorer(value: Any) -> Any:
    """Reverse :func:`encode_scorer`; anything else, such as a name, stays as it is.

    Raises
    ------
    ValueError
        If a field has another kind than a scorer's.
    """
    if not isinstance(value, dict) or set(value) != {"scorer", "options"}:
        return value
    name, options = value["scorer"], value["options"]
    check_choice("scorer", name, tuple(_SCORERS))
    fields = {}
    for key, option in options.items():
        for entry in option if isinstance(option, list) else [option]:
            is_plain = entry is None or isinstance(entry, (bool, int, float, str))
            is_whole = type(entry) is int
            if not is_plain or (
                is_whole and not 0 <= entry <= _LARGEST.get(key, 2**31)
            ):
                raise ValueError(
                    f"{key} of a scorer must be plain; got {option!r:.100}."
                )
        fields[key] = tuple(option) if isinstance(option, list) else option
    scorer_class = getattr(importlib.import_module(_SCORERS[name]), name)
    return scorer_class(**fields)
