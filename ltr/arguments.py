"""Checks of single arguments, and the wording of their messages, in one place.

Part of the ground floor that every room may import. A message says what was expected,
what came and, where there is one, the nearest valid value.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

Choice = TypeVar("Choice")
_SHOWN = 10  # entries of an array that a message shows


class ArgumentError(ValueError, TypeError):
    """An argument of the wrong kind or out of range.

    Both a ValueError and a TypeError, as scikit-learn's ``InvalidParameterError``, so
    that a caller can catch either.
    """


def check_choice(
    name: str, value: Choice, choices: Collection[Any], *, alternative: str = ""
) -> Choice:
    """Return ``value`` if it is one of ``choices``.

    Parameters
    ----------
    name : str
        Name of the argument.
    value : object
        Its value.
    choices : collection
        Allowed values, in the order in which the message lists them.
    alternative : str, default=""
        What else is allowed, in words: ``"a function"``.

    Returns
    -------
    value : object

    Raises
    ------
    ArgumentError
        If it is none of ``choices``.

    Examples
    --------
    >>> check_choice("ties", "first", ("average", "first"))
    'first'
    """
    # an array compares elementwise, so it is never a choice
    is_scalar = isinstance(value, (str, int)) or np.ndim(value) == 0  # type: ignore[arg-type]
    if is_scalar and value in list(choices):
        return value
    listed = ", ".join(repr(choice) for choice in choices)
    other = f", or {alternative}" if alternative else ""
    raise ArgumentError(
        f"{name} must be one of {listed}{other}; got {abridged(value)}."
    )


def check_whole(
    name: str,
    value: Any,
    *,
    low: int | None = None,
    high: int | None = None,
    optional: bool = False,
) -> Any:
    """Return ``value`` as an int if it is a whole number in range.

    Parameters
    ----------
    name : str
        Name of the argument.
    value : object
        Its value; Python's and NumPy's integers pass, booleans and floats do not.
    low, high : int, default=None
        Least and greatest allowed value. None: any.
    optional : bool, default=False
        Whether None is allowed, too.

    Returns
    -------
    value : int or None

    Raises
    ------
    ArgumentError
        If it is not a whole number, or is out of range.

    Examples
    --------
    >>> check_whole("k", np.int32(3), low=1)
    3
    """
    if value is None and optional:
        return None
    is_whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    if is_whole and (low is None or value >= low) and (high is None or value <= high):
        return int(value)
    limits = [f">= {low}"] if low is not None else []
    limits += [f"<= {high}"] if high is not None else []
    raise ArgumentError(_expected(name, "a whole number", limits, optional, value))


def check_number(
    name: str,
    value: Any,
    *,
    low: float = -math.inf,
    high: float = math.inf,
    open_low: bool = False,
    open_high: bool = False,
    optional: bool = False,
) -> Any:
    """Return ``value`` if it is a finite real number in range.

    Parameters
    ----------
    name : str
        Name of the argument.
    value : object
        Its value; Python's and NumPy's integers and floats pass, booleans do not.
    low, high : float, default=-inf and inf
        Limits of the range.
    open_low, open_high : bool, default=False
        Whether the limit itself is excluded.
    optional : bool, default=False
        Whether None is allowed, too.

    Returns
    -------
    value : float, int or None
        The value, unchanged.

    Raises
    ------
    ArgumentError
        If it is not a number, not finite, or out of range.

    Examples
    --------
    >>> check_number("sigma", 0.5, low=0.0, open_low=True)
    0.5
    """
    if value is None and optional:
        return None
    numeric = (int, float, np.integer, np.floating)
    is_number = isinstance(value, numeric) and not isinstance(value, bool)
    if is_number and math.isfinite(value):
        above = value > low or (value == low and not open_low)
        below = value < high or (value == high and not open_high)
        if above and below:
            return value
    limits = [f"{'>' if open_low else '>='} {low:g}"] if low > -math.inf else []
    limits += [f"{'<' if open_high else '<='} {high:g}"] if high < math.inf else []
    raise ArgumentError(_expected(name, "a number", limits, optional, value))


def check_flag(name: str, value: Any) -> bool:
    """Return ``value`` if it is True or False.

    Parameters
    ----------
    name : str
        Name of the argument.
    value : object
        Its value; NumPy's booleans pass, 0 and 1 do not.

    Returns
    -------
    value : bool

    Raises
    ------
    ArgumentError
        If it is anything else.

    Examples
    --------
    >>> check_flag("warm_start", np.True_)
    True
    """
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    raise ArgumentError(f"{name} must be True or False; got {abridged(value)}.")


def check_seed(name: str, value: Any) -> Any:
    """Return ``value`` if scikit-learn takes it as a seed.

    Parameters
    ----------
    name : str
        Name of the argument.
    value : object
        A whole number, a ``numpy.random.RandomState``, the module ``numpy.random``, or
        None.

    Returns
    -------
    value : object
        The value, unchanged.

    Raises
    ------
    ArgumentError
        If it is anything else, or out of range.

    Examples
    --------
    >>> check_seed("random_state", 7)
    7
    """
    if value is np.random or isinstance(value, np.random.RandomState):
        return value
    is_whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    if value is None or (is_whole and 0 <= value < 2**32):
        return value
    raise ArgumentError(
        f"{name} must be a whole number from 0 to 2^32 - 1, a numpy RandomState, or "
        f"None; got {abridged(value)}."
    )


def check_verbose(value: Any) -> None:
    """Raise unless ``verbose`` is a whole number, True or False.

    Examples
    --------
    >>> check_verbose(True)
    """
    if not isinstance(value, bool):
        check_whole("verbose", value)


def check_limit(name: str, value: Any) -> None:
    """Raise unless a limit of time or work is a number ≥ 0, infinity or None.

    Examples
    --------
    >>> check_limit("time_limit_s", math.inf)
    """
    if not (isinstance(value, (float, np.floating)) and value == math.inf):
        check_number(name, value, low=0.0, optional=True)


def check_fraction(name: str, value: Any) -> Any:
    """Return ``value`` if it is a number strictly between 0 and 1.

    Parameters
    ----------
    name : str
        Name of the argument.
    value : object
        Its value.

    Returns
    -------
    value : float
        The value, unchanged.

    Raises
    ------
    ArgumentError
        If it is not a number, or is out of range.

    Examples
    --------
    >>> check_fraction("confidence", 0.95)
    0.95
    """
    return check_number(name, value, low=0.0, high=1.0, open_low=True, open_high=True)


def check_kinds(options: Mapping[str, Any], defaults: Mapping[str, Any]) -> None:
    """Raise if an option is of another kind than its default.

    Parameters
    ----------
    options : mapping of str to object
        Options by name.
    defaults : mapping of str to object
        Where a default is a bool, the option must be one; where it is a float, a
        number or ±infinity. Other options are not checked.

    Raises
    ------
    ArgumentError
        If one is not.

    Examples
    --------
    >>> check_kinds({"threshold": 1}, {"threshold": 0.0, "k": None})
    """
    for name, value in options.items():
        default = defaults.get(name)
        if isinstance(default, bool):
            check_flag(name, value)
        elif isinstance(default, float):
            is_infinite = isinstance(value, float) and math.isinf(value)
            check_number(name, 0.0 if is_infinite else value)


def check_column_names(names: Sequence[Any], expected: Sequence[Any]) -> None:
    """Raise unless a table has the columns of ``fit`` in the same order.

    Parameters
    ----------
    names : sequence of object
        Column names of ``X``: text, numbers, dates, or tuples of them.
    expected : sequence of object
        Those of ``fit``.

    Raises
    ------
    ArgumentError
        With the first column that differs.

    Examples
    --------
    >>> check_column_names([0, 1, "price"], [0, 1, "price"])
    """
    if list(names) == list(expected):
        return
    missing = [name for name in expected if name not in names]
    others = [name for name in names if name not in expected]
    if missing or others:
        parts = [f"lacks {_first(missing)}"] if missing else []
        parts += [f"has {_first(others)}, which fit had not"] if others else []
        raise ArgumentError(
            f"X must have the columns of fit; it {' and '.join(parts)}. A number and "
            "its text are different names."
        )
    i = next(i for i, name in enumerate(names) if name != expected[i])
    raise ArgumentError(
        f"X must have the columns of fit in their order; got {plain(names[i])!r} at "
        f"position {i}, where fit had {plain(expected[i])!r}. Pass X[columns], with "
        "the columns of fit."
    )


def plain(value: Any) -> Any:
    """Python's number or string in place of NumPy's, for messages.

    Examples
    --------
    >>> f"got {plain(np.float64('nan'))!r}"
    'got nan'
    """
    is_plain = isinstance(value, (np.inexact, np.integer, np.bool_, np.character))
    is_duration = isinstance(value, np.timedelta64)  # an integer to NumPy
    return value.item() if is_plain and not is_duration else value


def abridged(value: Any) -> str:
    """Text of a value in a message: its ``repr``, but of a larger array the shape.

    Examples
    --------
    >>> print(abridged(np.float64(0.5)), abridged([1, 2]), abridged(np.zeros((2, 2))))
    0.5 [1, 2] ndarray of shape (2, 2)
    """
    shape = getattr(value, "shape", None)
    if isinstance(shape, tuple) and (len(shape) > 1 or math.prod(shape) > _SHOWN):
        return f"{type(value).__name__} of shape {shape}"
    return repr(plain(value))


def suggest(name: object, known: Iterable[str]) -> str:
    """Return a sentence with the nearest known name, to end a message; "" without one.

    Examples
    --------
    >>> suggest("ranknett", ["listnet", "ranknet"])
    " Did you mean 'ranknet'?"
    """
    nearest = difflib.get_close_matches(str(name), list(known), 1)
    return f" Did you mean {nearest[0]!r}?" if nearest else ""


def _expected(
    name: str, kind: str, limits: list[str], optional: bool, value: object
) -> str:
    allowed = " ".join([kind, " and ".join(limits)]).strip()
    none = ", or None" if optional else ""
    return f"{name} must be {allowed}{none}; got {abridged(value)}."


def _first(names: Sequence[Any]) -> str:
    """The first of some names, and how many others there are."""
    n_others = len(names) - 1
    others = f" and {n_others} other{'s' * (n_others > 1)}" if n_others else ""
    return f"{plain(names[0])!r}{others}"
