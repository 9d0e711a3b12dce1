"""Where a process of the command line begins and how it ends.

This module imports nothing of weight, so that an interrupt is answered alike while
libraries load and while a command runs.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Sequence

_SIGPIPE, _SIGINT = 141, 130  # 128 and the number of the signal, as shells report them


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    arguments : sequence of str, optional
        Default: those of the process.

    Returns
    -------
    status : int
        Exit status: 0; 2 after an error in the input, which is printed as one line; 130
        after an interrupt; 141 if the reader of the output has closed it, as ``| head``
        does.
    """
    words = sys.argv[1:] if arguments is None else list(arguments)
    try:
        status = _run(words)
        sys.stdout.flush()
    except BrokenPipeError:
        _drop_output()
        return _SIGPIPE
    except KeyboardInterrupt:
        print(f"ltr {' '.join(words[:1])}: interrupted", file=sys.stderr)
        return _SIGINT
    return status


def _run(words: Sequence[str]) -> int:
    if words[:1] != ["serve"]:
        from ltr.cli.commands import run

        return run(words)
    from ltr.cli import serve  # the other commands load JAX

    options = serve.build_parser().parse_args(words)
    try:
        status: int = options.run(options)
    except (ValueError, OSError, ImportError) as error:
        print(f"ltr serve: {error}", file=sys.stderr)
        return 2
    return status


def build_parser() -> argparse.ArgumentParser:
    """Make the parser of all commands and their options."""
    from ltr.cli import commands

    return commands.build_parser()


def _drop_output() -> None:
    """Send what is still buffered nowhere, so that Python's exit does not complain."""
    with contextlib.suppress(OSError, ValueError):  # a stream without a descriptor
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
