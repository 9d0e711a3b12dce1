"""Files of JSON, written whole."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ltr.files import PathLike, whole_file


def write_json(path: PathLike, document: Any, indent: int | None = None) -> None:
    """Write a document of finite numbers as a file of JSON.

    Parameters
    ----------
    path : path-like
        File to write.
    document : object
        For :func:`json.dumps`.
    indent : int, default=None
        Spaces of a level. None: all in one line.

    Raises
    ------
    ValueError
        If a number is not finite.
    """
    text = json.dumps(document, indent=indent, allow_nan=False)
    with whole_file(Path(path)) as scratch:
        scratch.write_text(text + "\n", "utf-8")
