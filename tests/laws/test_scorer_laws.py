"""The laws of scorers, for every row of the registry."""

from registry import rows_of
from support.law_tests import check, check_broken, every

from ltr.scorers import SCORERS


def test_every_name_has_a_row():
    """No scorer with a name is left out of the laws."""
    assert set(SCORERS.values()) <= {
        type(row.subject.scorer) for row in rows_of("scorer")
    }


@every("scorer")
def test_law(row, law):
    """The scorer keeps the law."""
    check(row, law)


@every("scorer", broken=True)
def test_exception(row, law):
    """A law that the registry excuses the scorer from is broken indeed."""
    check_broken(row, law)
