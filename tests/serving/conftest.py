"""Fixtures of the tests of serving."""

from support.saved_rankers import loaded, saved, served

__all__ = ["loaded", "saved", "served"]
