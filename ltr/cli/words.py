"""Messages in the words of the command line: options instead of arguments of Python."""

from __future__ import annotations

import argparse
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

# name='text' or name=number, as errors of the library suggest them
_ARGUMENT = re.compile(r"\b([a-z]\w*)=('[^']*'|[\w.-]*\w|(?=[\s,]))")
_LINEAR_GAIN = re.compile(r"\bgain='linear'")


def in_words(text: str, options: argparse.Namespace) -> str:
    """A message with the options of the command in place of arguments, as one line.

    Parameters
    ----------
    text : str
        Message of the library.
    options : Namespace
        Of the command; ``settings`` has the names that ``--set`` takes.

    Returns
    -------
    text : str

    Examples
    --------
    >>> options = argparse.Namespace(metric="ndcg@10", settings={"early_stopping"})
    >>> in_words("Pass gain='linear', or set early_stopping=False.", options)
    "Pass --metric 'ndcg(gain=linear)@10', or pass --set early_stopping=False."
    """
    if getattr(options, "sparse", False):
        text = text.replace("pass X.toarray()", "leave out --sparse")
    names, settings = set(vars(options)), getattr(options, "settings", ())
    text = _LINEAR_GAIN.sub("metric='ndcg(gain=linear)@10'", " ".join(text.split()))

    def option(match: re.Match[str]) -> str:
        name, value = match.groups()
        if name == "metric" and "metric" not in names:
            name = "metrics"
        if name in names or name == "metrics":
            value = "" if value == "True" else value  # a flag
            return f"--{name.replace('_', '-')} {value}".rstrip()
        return f"--set {match[0]}" if name in settings and value else match[0]

    return re.sub(r"\b([Ss])et --", _pass, _ARGUMENT.sub(option, text))


def _pass(match: re.Match[str]) -> str:
    return "Pass --" if match[1] == "S" else "pass --"


@contextmanager
def warnings_as_lines(options: argparse.Namespace) -> Iterator[None]:
    """Print warnings as errors are printed: a line, without the code they come from."""

    def line(message: Any, *_: Any, **__: Any) -> str:
        return f"ltr {options.command}: warning: {in_words(str(message), options)}\n"

    form = warnings.formatwarning
    warnings.formatwarning = line
    try:
        yield
    finally:
        warnings.formatwarning = form
