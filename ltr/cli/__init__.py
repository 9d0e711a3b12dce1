"""The command line: ``ltr compare``, ``train``, ``predict``, ``evaluate``, ``fuse``."""

from ltr.cli.commands import build_parser, main

__all__ = ["build_parser", "main"]
