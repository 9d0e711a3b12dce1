"""Run the laws of ltr.testing on the rows of the registry."""

import dataclasses
import functools
import inspect

import hypothesis
import jax
import numpy as np
import pytest
from hypothesis.strategies import SearchStrategy
from registry import rows_of

from ltr.testing import LawBroken
from ltr.testing.laws import Law, check_laws, run_law

DRAWN = {}  # law, number of inputs → inputs


def every(kind, broken=False):
    """Parametrize over the rows of a kind and the laws that they keep, or break."""
    pairs = [
        pytest.param(row, law, id=f"{row.id}-{law.name}")
        for row in rows_of(kind)
        for law in row.laws.values()
        if (law.name in row.breaks if broken else not row.excuse(law))
    ]
    return pytest.mark.parametrize(("row", "law"), pairs)


def check(row, law):
    """Raise if the object of a row breaks a law."""
    error = None
    if law.inputs and all(isinstance(x, SearchStrategy) for x in law.inputs.values()):
        hold = functools.partial(law, row.subject)
        error = first_error(hold, inputs_of(law, n_inputs(row, law)))
        if error is None:
            return
    search(row, law, n_inputs(row, law))
    if error is not None:
        raise error


def check_broken(row, law):
    """Raise if the object of a row keeps a law that it is said to break."""
    with pytest.raises(LawBroken):
        search(row, law, n_inputs(row, law, times=20))  # it ends at the first


def search(row, law, max_examples):
    """Raise with the smallest input, if there is one, for which the law is broken."""
    check_laws(
        row.id,
        row.subject,
        {law.name: law},
        max_examples=max_examples,
        describe=row.subject.describe,
        shorten=getattr(row.subject, "shorten", dict),
    )


def n_inputs(row, law, times=1.0):
    """How many; the thorough profile of hypothesis multiplies them."""
    times *= hypothesis.settings().max_examples / 50
    return max(1, round(times * row.inputs_for(law)))


def given_once(examples=(), max_examples=None, **strategies):
    """Decorate a parametrized test, as hypothesis.given does, and draw once for all.

    Hypothesis itself looks for the smallest input for which a test fails.
    """

    def decorate(test):
        search = hypothesis.given(**strategies)(test)

        @functools.wraps(test)
        def replay(**subject):
            n = max_examples or hypothesis.settings().max_examples
            drawn = inputs_of(Law(test, strategies), n)
            error = first_error(functools.partial(test, **subject), [*examples, *drawn])
            if error is not None:
                search(**subject)
                raise error

        replay.__signature__ = inspect.signature(search)
        return replay

    return decorate


def first_error(hold, drawn):
    """What is raised for the first of the drawn inputs that is not as it should be."""
    for inputs in drawn:
        try:
            hold(**inputs)
        except Exception as error:  # noqa: BLE001 - of any object under test
            return error
    return None


def inputs_of(law, max_examples):
    """What hypothesis draws whatever the subject: once, as it takes longer than a law."""
    key = law.holds, max_examples
    if key not in DRAWN:
        drawn = []
        record = dataclasses.replace(
            law, holds=lambda _, **inputs: drawn.append(inputs)
        )
        run_law(record, None, max_examples)
        for leaf in jax.tree.leaves(drawn):
            if isinstance(leaf, np.ndarray):
                leaf.flags.writeable = False  # it is for the next subject as well
        DRAWN[key] = drawn
    return DRAWN[key]
