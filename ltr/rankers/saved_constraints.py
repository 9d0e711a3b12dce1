"""Constraints of saved rankers as JSON."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from ltr.arguments import check_choice
from ltr.rankers.saved_fields import check_keys

_CLASSES = (
    "AtMost",
    "ExposureShare",
    "FixedPosition",
    "Precedence",
    "Quota",
    "Together",
    "Window",
)


def is_constraint(value: Any) -> bool:
    """Whether a value is a constraint of :mod:`ltr.solvers`."""
    if not type(value).__module__.startswith("ltr.solvers"):
        return False
    return type(value).__name__ in _CLASSES


def encode_constraint(constraint: Any) -> dict[str, Any]:
    """A constraint as JSON.

    Examples
    --------
    >>> from ltr.solvers import Precedence
    >>> encode_constraint(Precedence(before=2, after=0))
    {'constraint': 'Precedence', 'fields': {'before': 2, 'after': 0}}
    """
    names = [field.name for field in dataclasses.fields(constraint)]
    fields = {name: _plain(getattr(constraint, name)) for name in names}
    return {"constraint": type(constraint).__name__, "fields": fields}


def decode_constraint(document: Any) -> Any:
    """Reverse :func:`encode_constraint`.

    Raises
    ------
    ValueError
        If it is something else.
    """
    import ltr.solvers

    check_keys("a constraint", document, {"constraint", "fields"})
    check_choice("a constraint", document["constraint"], _CLASSES)
    kind = getattr(ltr.solvers, document["constraint"])
    names = {field.name for field in dataclasses.fields(kind)}
    fields = check_keys("fields of a constraint", document["fields"], names)
    for value in fields.values():
        for entry in value if isinstance(value, list) else [value]:
            if entry is not None and not isinstance(entry, (str, bool, int, float)):
                raise ValueError(
                    "fields of a constraint must be plain values or lists of them; "
                    f"got {entry!r:.100}."
                )
    return kind(
        **{k: tuple(v) if isinstance(v, list) else v for k, v in fields.items()}
    )


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(entry) for entry in value]
    value = value.item() if isinstance(value, np.generic) else value
    if value is not None and not isinstance(value, (str, bool, int, float)):
        raise ValueError(
            "constraints must have text, numbers and tuples of them to be saved; got "
            f"{value!r:.100}. Pickle the ranker."
        )
    return value
