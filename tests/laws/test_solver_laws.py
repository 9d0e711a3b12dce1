"""The laws of solvers, for every row of the registry."""

from support.law_tests import check, check_broken, every


@every("solver")
def test_law(row, law):
    """The solver keeps the law."""
    check(row, law)


@every("solver", broken=True)
def test_exception(row, law):
    """A law that the registry excuses the solver from is broken indeed."""
    check_broken(row, law)
