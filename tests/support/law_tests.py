"""Run the laws of ltr.testing on the rows of the registry."""

import hypothesis
import pytest
from registry import rows_of

from ltr.testing import LawBroken
from ltr.testing.laws import check_laws


def every(kind, broken=False):
    """Parametrize over the rows of a kind and the laws that they keep, or break."""
    pairs = [
        pytest.param(row, law, id=f"{row.id}-{law.name}")
        for row in rows_of(kind)
        for law in row.laws.values()
        if (law.name in row.breaks if broken else not row.excuse(law))
    ]
    return pytest.mark.parametrize(("row", "law"), pairs)


def check(row, law, times=1.0):
    """Raise if the object of a row breaks a law.

    The thorough profile of hypothesis multiplies the number of inputs.
    """
    times *= hypothesis.settings().max_examples / 50
    check_laws(
        row.id,
        row.subject,
        {law.name: law},
        max_examples=max(1, round(times * row.inputs_for(law))),
        describe=row.subject.describe,
        shorten=getattr(row.subject, "shorten", dict),
    )


def check_broken(row, law):
    """Raise if the object of a row keeps a law that it is said to break."""
    with pytest.raises(LawBroken):
        check(row, law, times=20)  # it ends at the first input that shows it
