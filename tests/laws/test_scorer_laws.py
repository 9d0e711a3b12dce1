"""The laws of scorers, for every row of the registry."""

from support.law_tests import check, check_broken, every


@every("scorer")
def test_law(row, law):
    """The scorer keeps the law."""
    check(row, law)


@every("scorer", broken=True)
def test_exception(row, law):
    """A law that the registry excuses the scorer from is broken indeed."""
    check_broken(row, law)
