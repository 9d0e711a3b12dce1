"""The laws of rankers, for every row of the registry."""

from support.law_tests import check, check_broken, every


@every("ranker")
def test_law(row, law):
    """The ranker keeps the law."""
    check(row, law)


@every("ranker", broken=True)
def test_exception(row, law):
    """A law that the registry excuses the ranker from is broken indeed."""
    check_broken(row, law)
