"""The command ``serve``: a saved ranker as a web service.

It imports neither the other commands nor an estimator, so that its process is small.
"""

from __future__ import annotations

import argparse
import importlib.util
import warnings
from typing import Any

SUMMARY = "serve a saved ranker over HTTP"
_MIB = 2**20


def add_serve_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``serve``, and the function that runs it."""
    parser.add_argument("--model", required=True, help="folder of a saved ranker")
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to listen at; 0.0.0.0: all (default: 127.0.0.1)",
    )
    parser.add_argument(
        "--port", type=int, default=8000, help="port; 0: a free one (default: 8000)"
    )
    parser.add_argument(
        "--max-body-mib",
        type=_above_zero,
        default=4.0,
        help="MiB of the body of a request (default: 4)",
    )
    parser.add_argument(
        "--max-items",
        type=_at_least_1,
        default=1000,
        help="items of a list (default: 1000)",
    )
    parser.add_argument(
        "--max-lists",
        type=_at_least_1,
        default=100,
        help="lists of a request (default: 100)",
    )
    parser.add_argument(
        "--max-waiting",
        type=_at_least_1,
        default=1000,
        help="requests that may wait; further ones get the status 503 (default: 1000)",
    )
    parser.add_argument(
        "--access-log", action="store_true", help="a line for each request"
    )
    parser.set_defaults(run=_serve)


def build_parser() -> argparse.ArgumentParser:
    """Make a parser of this command alone."""
    parser = argparse.ArgumentParser(prog="ltr")
    commands = parser.add_subparsers(dest="command", required=True)
    add_serve_options(commands.add_parser("serve", help=SUMMARY, description=SUMMARY))
    return parser


def _serve(options: argparse.Namespace) -> int:
    for library in ("starlette", "uvicorn"):
        if importlib.util.find_spec(library) is None:
            raise ImportError(
                f"serve needs {library}, which is not installed. Install it: pip "
                "install 'ltr[serve]'."
            )
    import uvicorn

    from ltr.serving import create_app, load_ranker
    from ltr.serving.payload import Limits

    ranker = load_ranker(options.model)
    if not hasattr(ranker, "n_features_in_") or not hasattr(ranker, "predict"):
        raise ValueError(
            f"model must be a ranker that scores rows; got {type(ranker).__name__} in "
            f"{options.model!r}."
        )
    # requests have names of features of their own, which the server has compared
    warnings.filterwarnings("ignore", "X does not have valid feature names")
    warnings.filterwarnings("ignore", "X has no column names")
    limits = Limits(
        body_bytes=int(options.max_body_mib * _MIB),
        n_items=options.max_items,
        n_lists=options.max_lists,
        n_waiting=options.max_waiting,
    )
    settings: dict[str, Any] = {
        "host": options.host,
        "port": options.port,
        "access_log": options.access_log,
        "lifespan": "on",
    }
    # on SIGTERM it stops listening, and answers what it has accepted
    uvicorn.run(create_app(ranker, limits), **settings)
    return 0


def _at_least_1(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1; got {text}")
    return value


def _above_zero(text: str) -> float:
    value = float(text)
    if not 0 < value < 2**20:
        raise argparse.ArgumentTypeError(f"must be a number above 0; got {text}")
    return value
