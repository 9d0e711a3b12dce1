"""Fixtures of the tests of exports."""

from support.exported_rankers import trees

__all__ = ["trees"]
