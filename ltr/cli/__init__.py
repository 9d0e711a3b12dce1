"""The command line: ``ltr compare``, ``describe``, ``train``, ``predict``, …."""

from ltr.cli.entry import build_parser, main

__all__ = ["build_parser", "main"]
