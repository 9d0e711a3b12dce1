"""Parameters of saved rankers as JSON."""

from __future__ import annotations

import functools
import inspect
import json
import os
from typing import Any

import numpy as np

from ltr.losses import LOSSES, Combination, combine
from ltr.rankers.saved_constraints import (
    decode_constraint,
    encode_constraint,
    is_constraint,
)
from ltr.rankers.saved_functions import decode_scorer, encode_scorer, importable_name
from ltr.scorers import Scorer


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
    if isinstance(value, Scorer) and (scorer := encode_scorer(value)) is not None:
        return scorer
    if inspect.isroutine(function):
        entry: dict[str, Any] = {"function": importable_name(name, function)}
        options = {key: encode(key, v) for key, v in keywords.items()}
        return entry | {"options": options} if options else entry
    if isinstance(value, (list, tuple)) and value and all(map(is_constraint, value)):
        return {"constraints": [encode_constraint(entry) for entry in value]}
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
            f"{name} must be a plain value or a function that can be imported to be "
            f"saved; got {value!r}. Use a name instead, or pickle the ranker."
        ) from None
    return value


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
    if isinstance(value, dict) and set(value) == {"constraints"}:
        return [decode_constraint(entry) for entry in value["constraints"]]
    return tuple(value) if isinstance(value, list) else decode_scorer(value)
