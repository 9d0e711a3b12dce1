"""A law, how it is run, and what is raised when it breaks.

A law is a small function of the object under test and of drawn inputs. Its docstring is
its statement. It returns nothing when it holds and raises ``Difference``, with
what was expected and what came, when it does not. Hypothesis draws the inputs and
shrinks those that break a law.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import hypothesis
import numpy as np
from hypothesis import strategies as st

from ltr.arguments import check_whole, suggest

Strategy = st.SearchStrategy[Any]
Inputs = Strategy | Callable[[Any], Strategy]


class Difference(Exception):
    """A law does not hold for an input.

    Attributes
    ----------
    expected, got : str
        What the law asks for, and what the object returned.
    """

    def __init__(self, expected: str, got: str) -> None:
        super().__init__(f"expected {expected}; got {got}")
        self.expected = expected
        self.got = got


class LawBroken(AssertionError):
    """An object breaks a law; the message has the smallest input that shows it.

    Attributes
    ----------
    law : str
        Name of the law.
    inputs : dict of str to object
        Smallest input found.
    expected, got : str
        What the law asks for, and what the object returned.

    Examples
    --------
    >>> from ltr.testing import check_metric
    >>> def hits(y_true, y_score, *, qid=None, per_query=False):
    ...     return float(sum(y_true))
    >>> try:
    ...     check_metric(hits)
    ... except LawBroken as broken:
    ...     print(broken.law)
    mean_over_queries
    """

    def __init__(
        self, message: str, law: str, inputs: dict[str, Any], difference: Difference
    ) -> None:
        super().__init__(message)
        self.law = law
        self.inputs = inputs
        self.expected = difference.expected
        self.got = difference.got


class LawTable(dict[str, "int | str"]):
    """Laws that an object was checked against.

    A dict from the name of a law to the number of inputs it was tried on, or to
    ``"skipped: …"`` with the reason. It prints as a table.

    Examples
    --------
    >>> LawTable(empty_list_is_0=1, convex_in_the_scores="skipped: not claimed")
    empty_list_is_0       1 inputs
    convex_in_the_scores  skipped: not claimed
    """

    def __repr__(self) -> str:
        width = max(map(len, self), default=0)
        return "\n".join(
            f"{name:{width}}  "
            + (f"{result} inputs" if isinstance(result, int) else result)
            for name, result in self.items()
        )


@dataclass(frozen=True)
class Law:
    """A law of a kind of object.

    Attributes
    ----------
    holds : callable
        ``holds(subject, **inputs)`` raises ``Difference`` where the law is broken.
    inputs : dict of str to strategy
        What hypothesis draws, or a function of the subject that returns it; empty for a
        law that is tried once.
    exempt : callable
        Why the law does not apply to a subject, or ``""``.
    declare : str
        How an object declares that the law does not apply to it, or ``""``.

    Examples
    --------
    >>> from ltr.testing import LOSS_LAWS
    >>> LOSS_LAWS["weight_0_removes_an_item"].statement
    'An item of weight 0 is not there.'
    """

    holds: Callable[..., None]
    inputs: Mapping[str, Inputs] = field(default_factory=dict)
    exempt: Callable[[Any], str] = field(default_factory=lambda: lambda subject: "")
    declare: str = ""

    @property
    def name(self) -> str:
        """Name of the function."""
        return self.holds.__name__

    @property
    def statement(self) -> str:
        """First sentence of its docstring."""
        return " ".join((self.holds.__doc__ or "").split("\n\n")[0].split())

    def __call__(self, subject: Any, **inputs: Any) -> None:
        """Raise ``Difference`` if the law is broken for these inputs."""
        self.holds(subject, **inputs)


def law(
    exempt: Callable[[Any], str] = lambda subject: "",
    declare: str = "",
    **inputs: Inputs,
) -> Callable[[Callable[..., None]], Law]:
    """Make a law of a function; ``inputs`` are the strategies of its arguments."""
    return lambda holds: Law(holds, inputs, exempt, declare)


def by_name(*laws: Law) -> dict[str, Law]:
    """Return the table of laws: name → law."""
    return {entry.name: entry for entry in laws}


def differ(expected: object, got: object) -> Difference:
    """Return the difference between two values, for a law to raise."""
    return Difference(text(expected), text(got))


def expect_close(
    got: Any, expected: Any, what: str, rtol: float = 1e-9, atol: float = 1e-11
) -> None:
    """Raise unless numbers agree up to rounding; NaN equals NaN.

    Parameters
    ----------
    got, expected : array-like
        Numbers.
    what : str
        What ``expected`` is, for the message.
    rtol, atol : float
        As in :func:`numpy.allclose`; 0 and 0 for equality.
    """
    a, b = np.asarray(got, np.float64), np.asarray(expected, np.float64)
    if a.shape != b.shape:
        raise Difference(f"shape {b.shape} ({what})", f"shape {a.shape}")
    if not np.allclose(a, b, rtol=rtol, atol=atol, equal_nan=True):
        raise Difference(f"{text(expected)} ({what})", text(got))


def text(value: object) -> str:
    """Return a value as it is pasted into Python: plain numbers and lists."""
    if isinstance(value, str):
        return value
    if hasattr(value, "tolist"):
        value = value.tolist()
    return repr(value)


def run_law(
    entry: Law, subject: Any, max_examples: int = 50
) -> tuple[int, dict[str, Any] | None, Exception | None]:
    """Try a law on drawn inputs.

    Parameters
    ----------
    entry : Law
        The law.
    subject : object
        What it is about.
    max_examples : int, default=50
        Inputs to try.

    Returns
    -------
    n_inputs : int
        How many inputs were tried until the law broke, or in all.
    inputs : dict or None
        Smallest input for which it is broken. None: it holds.
    error : Exception or None
        What the law, or the object under test, raised for it.
    """
    if not entry.inputs:
        try:
            entry.holds(subject)
        except Exception as error:  # noqa: BLE001 - of the user's object
            return 1, {}, error
        return 1, None, None
    n_inputs, failure = 0, None
    strategies = {
        name: drawn if isinstance(drawn, st.SearchStrategy) else drawn(subject)
        for name, drawn in entry.inputs.items()
    }

    @hypothesis.settings(
        max_examples=max_examples,
        derandomize=True,
        database=None,
        deadline=None,
        report_multiple_bugs=False,
        phases=(hypothesis.Phase.generate, hypothesis.Phase.shrink),
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(**strategies)
    def try_inputs(**inputs: Any) -> None:
        nonlocal n_inputs, failure
        n_inputs += failure is None
        try:
            entry.holds(subject, **inputs)
        except hypothesis.errors.UnsatisfiedAssumption:
            raise
        except Exception as error:
            failure = inputs, error
            raise

    try:
        try_inputs()
    except hypothesis.errors.Flaky:
        assert failure is not None
        nothing = Difference("the same result each time", "different results")
        return n_inputs, failure[0], nothing
    except Exception:
        if failure is None:  # not of the law: a fault of the checker itself
            raise
        return n_inputs, *failure
    return n_inputs, None, None


def check_laws(
    name: str,
    subject: Any,
    laws: Mapping[str, Law],
    *,
    skip: Collection[str] = (),
    max_examples: int = 50,
    describe: Callable[[Mapping[str, Any]], Sequence[str]],
    shorten: Callable[[Mapping[str, Any]], dict[str, Any]] = dict,
) -> LawTable:
    """Try laws one after the other; raise at the first that is broken.

    Parameters
    ----------
    name : str
        What the message calls the object.
    subject : object
        What the laws are about.
    laws : dict of str to Law
        The laws.
    skip : collection of str, default=()
        Names of laws to leave out.
    max_examples : int, default=50
        Inputs to try for each law.
    describe : callable
        Drawn inputs → lines of Python.
    shorten : callable, default=dict
        Drawn inputs → the same without padding; reported if they break the law, too.

    Returns
    -------
    table : LawTable

    Raises
    ------
    LawBroken
        For the first law that is broken.
    ValueError
        If ``skip`` has a name that is not the name of a law.
    """
    check_whole("max_examples", max_examples, low=1)
    skip = (skip,) if isinstance(skip, str) else tuple(skip)
    for unknown in set(skip) - set(laws):
        raise ValueError(
            f"skip must have names of laws; got {unknown!r}. The laws: "
            f"{', '.join(laws)}.{suggest(unknown, laws)}"
        )
    table = LawTable()
    for entry in laws.values():
        reason = "you asked for it" if entry.name in skip else entry.exempt(subject)
        if reason:
            table[entry.name] = f"skipped: {reason}"
            continue
        n_inputs, inputs, error = run_law(entry, subject, max_examples)
        if error is not None and inputs is not None:
            inputs, error = shortest(entry, subject, inputs, error, shorten)
            raise broken(name, entry, inputs, error, describe) from (
                None if isinstance(error, Difference) else error
            )
        table[entry.name] = n_inputs
    return table


def shortest(
    entry: Law,
    subject: Any,
    inputs: dict[str, Any],
    error: Exception,
    shorten: Callable[[Mapping[str, Any]], dict[str, Any]],
) -> tuple[dict[str, Any], Exception]:
    """Return the shortened inputs if they break the law, else those that do."""
    short = shorten(inputs)
    try:
        entry.holds(subject, **short)
    except Exception as short_error:  # noqa: BLE001 - of the user's object
        if type(short_error) is type(error):
            return short, short_error
    return inputs, error


def broken(
    name: str,
    entry: Law,
    inputs: Mapping[str, Any],
    error: Exception,
    describe: Callable[[Mapping[str, Any]], Sequence[str]],
) -> LawBroken:
    """Return the exception that reports a broken law."""
    if isinstance(error, Difference):
        difference = error
    else:
        difference = Difference("a result", f"{type(error).__name__}: {error}")
    lines = [f"{name} breaks the law {entry.name}.", f"Law: {entry.statement}"]
    if inputs:
        lines += ["Smallest input found:"]
        lines += [f"    {line}" for line in describe(inputs)]
    lines += [f"Expected: {difference.expected}", f"Got: {difference.got}"]
    exception = f'pass skip=("{entry.name}",)'
    if entry.declare:
        exception = f"declare {entry.declare}, or {exception}"
    lines += [f"If that is intended, {exception}."]
    return LawBroken("\n".join(lines), entry.name, dict(inputs), difference)


def name_of(value: Any) -> str:
    """What a message calls an object: its name, or its repr."""
    if isinstance(value, functools.partial):
        options = ", ".join(
            f"{name}={option!r}" for name, option in value.keywords.items()
        )
        return f"{name_of(value.func)}({options})"
    return str(getattr(value, "__name__", None) or value)
