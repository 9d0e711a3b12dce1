"""Checks of what users pass to the solvers."""

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ltr.solvers.core.constraints import FixedPosition, Precedence, Together
from ltr.solvers.core.solution import BoolArray, FloatArray, IntArray

# Numbers beyond this could not be added.
GREATEST = 1e290


def to_array(values: Any, expected: str, dtype: Any = np.float64) -> Any:
    """Return a new array; ``expected`` begins the message if there can be none.

    Examples
    --------
    >>> to_array([1, 2], "start must be numbers")
    array([1., 2.])
    """
    try:
        return np.array(values, dtype=dtype)
    except (TypeError, ValueError, OverflowError) as error:
        if type(error).__module__.startswith("jax"):
            raise TypeError(
                f"{expected}; got an array that JAX traces, which has no values yet. "
                "Inside of jit, grad and vmap use ltr.solvers.dynamic (up to 15 items) "
                "or ltr.solvers.differentiable (any solver)."
            ) from None
        raise ValueError(f"{expected}; {error}.") from error


def check_matrix(matrix: ArrayLike, name: str = "matrix") -> FloatArray:
    """Return a square matrix of float64, a copy, with zeros on its diagonal.

    Parameters
    ----------
    matrix : array-like of shape (n, n)
        -inf forbids an entry; the diagonal is not read.
    name : str
        What messages call it.

    Raises
    ------
    ValueError
        If it is not square, not numeric, or has NaN or +inf off the diagonal.

    Examples
    --------
    >>> check_matrix([[9, 1], [2, 9]]).tolist()
    [[0.0, 1.0], [2.0, 0.0]]
    """
    array = to_array(matrix, f"{name} must be a square array of numbers")
    array = _square(array, name)
    np.fill_diagonal(array, 0.0)
    return check_entries(array, name)


def check_padded(matrix: ArrayLike, where: ArrayLike, i: int) -> tuple[Any, BoolArray]:
    """Return a square array, whose padding may hold anything, and its mask.

    Parameters
    ----------
    matrix : array-like of shape (n, n)
        Its entries are not looked at.
    where : array-like of bool, shape (n,)
        True for real items.
    i : int
        Number of the list, for messages.

    Examples
    --------
    >>> check_padded([[0, 1], [2, 0]], [True, False], 0)[1].tolist()
    [True, False]
    """
    name = f"matrices[{i}]"
    array = to_array(matrix, f"{name} must be a square array", None)
    array = _square(array, name)
    mask = to_array(where, f"where[{i}] must be a mask", None)
    if not mask.size:
        mask = mask.astype(bool)
    if mask.dtype != np.bool_ or mask.shape != array.shape[:1]:
        raise ValueError(
            f"where[{i}] must be a mask with one bool per item of {name}, which has "
            f"shape {array.shape}; got {mask.dtype} of shape {mask.shape}."
        )
    return array, mask


def _square(array: Any, name: str) -> Any:
    if array.ndim == 1 and array.size == 0:
        array = array.reshape(0, 0)
    if array.ndim != 2 or array.shape[0] != array.shape[1]:
        raise ValueError(
            f"{name} must be square, one row and one column per item; got shape "
            f"{array.shape}."
        )
    return array


def check_counts(counts: ArrayLike) -> FloatArray:
    """Return counts of pairs as :func:`check_matrix`; raise if they are rankings.

    Examples
    --------
    >>> check_counts([[0, 2], [1, 0]]).tolist()
    [[0.0, 2.0], [1.0, 0.0]]
    """
    expected = "counts must be a square array of numbers, [i, j] how often i beat j"
    array = to_array(counts, expected)
    if array.ndim == 2 and array.size:
        n_rows, n = array.shape
        each_once = (np.sort(array, axis=1) == np.arange(n)).all()
        if each_once and (n_rows != n or array.diagonal().any()):
            raise ValueError(
                f"{expected}; got rows that have each of 0, …, {n - 1} once, which are "
                "rankings. Pass pairwise_counts(rankings)."
            )
    return check_matrix(array, "counts")


def check_scores(
    scores: ArrayLike | None, n_items: int, name: str, items: IntArray | None = None
) -> FloatArray:
    """Return one float64 per item, zeros for None; -inf forbids.

    Parameters
    ----------
    scores : array-like of shape (n_items,), or None
        What the user passed.
    n_items : int
        How many numbers there must be.
    name : str
        What messages call them.
    items : int array, default=None
        Which of them are looked at and returned; None: all.

    Examples
    --------
    >>> check_scores(None, 2, "start").tolist()
    [0.0, 0.0]
    """
    if scores is None:
        return np.zeros(n_items if items is None else len(items))
    array = to_array(scores, f"{name} must be one number per item")
    if array.shape != (n_items,):
        raise ValueError(
            f"{name} must have shape ({n_items},), one number per item; got shape "
            f"{array.shape}."
        )
    return check_entries(array if items is None else array[items], name)


def check_entries(array: FloatArray, name: str) -> FloatArray:
    """Raise at the first NaN or +inf, and name it.

    Examples
    --------
    >>> check_entries(np.array([0.0, -np.inf]), "start")
    array([  0., -inf])
    """
    wrong = np.isnan(array) | (array == np.inf)
    if wrong.any():
        where = tuple(int(i) for i in np.argwhere(wrong)[0])
        place = ", ".join(str(i) for i in where)
        raise ValueError(
            f"{name} must be finite (-inf forbids); got {array[where]} at [{place}]. "
            "Replace it by a number, or by -inf to forbid it."
        )
    return array


def value_range(*arrays: FloatArray) -> float:
    """Greatest minus least finite entry; the diagonal of a matrix is left out.

    Examples
    --------
    >>> value_range(np.array([[9.0, 1.0], [-np.inf, 9.0]]), np.array([4.0]))
    3.0
    """
    found = [
        array[~np.eye(len(array), dtype=bool)] if array.ndim == 2 else array
        for array in arrays
    ]
    entries = np.concatenate([array.ravel() for array in found])
    entries = entries[np.isfinite(entries)]
    return float(np.ptp(entries)) if entries.size else 0.0


def check_limit(value: float | None, name: str) -> float | None:
    """Return a limit >= 0, or None.

    Examples
    --------
    >>> check_limit(2, "time_limit_s")
    2.0
    """
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float, np.number)):
        raise TypeError(f"{name} must be a number >= 0, or None; got {value!r}.")
    if not value >= 0:
        raise ValueError(f"{name} must be a number >= 0, or None; got {value!r}.")
    return float(value)


def check_n_jobs(n_jobs: int | None) -> int | None:
    """Return a number of threads >= 1, or None.

    Examples
    --------
    >>> check_n_jobs(2)
    2
    """
    return None if n_jobs is None else _at_least(n_jobs, 1, "n_jobs")


def check_random_state(random_state: int | None) -> int:
    """Return a seed >= 0; None: 0.

    Examples
    --------
    >>> check_random_state(None)
    0
    """
    return 0 if random_state is None else _at_least(random_state, 0, "random_state")


def _at_least(value: Any, least: int, name: str) -> int:
    message = f"{name} must be None or a whole number >= {least}; got {value!r}."
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise TypeError(message)
    if value < least:
        raise ValueError(message)
    return int(value)


def check_method(method: str, methods: Sequence[str]) -> str:
    """Return the name if it is one of ``methods``.

    Examples
    --------
    >>> check_method("auto", ("auto", "dp"))
    'auto'
    """
    if method not in methods:
        names = ", ".join(repr(name) for name in methods)
        raise ValueError(f"method must be one of {names}; got {method!r}.")
    return method


def check_order_constraints(
    constraints: Any, n_items: int, kinds: tuple[type, ...]
) -> tuple[Any, ...]:
    """Return the constraints as a tuple, without repeats, their items checked.

    Parameters
    ----------
    constraints : iterable of constraints
        Each an instance of one of ``kinds``.
    n_items : int
        Items and positions must be below this.
    kinds : tuple of type
        What this solver takes.

    Examples
    --------
    >>> check_order_constraints([Precedence(0, 1)], 2, (Precedence,))
    (Precedence(before=0, after=1),)
    """
    names = ", ".join(kind.__name__ for kind in kinds)
    if isinstance(constraints, kinds) or not hasattr(constraints, "__iter__"):
        raise TypeError(
            f"constraints must be a list of {names}; got {constraints!r}. Put it in a "
            "list."
        )
    checked = []
    for constraint in constraints:
        if not isinstance(constraint, kinds):
            raise TypeError(f"constraints must be of {names}; got {constraint!r}.")
        if isinstance(constraint, Precedence):
            pair = [
                _index(i, n_items, "items", constraint)
                for i in (constraint.before, constraint.after)
            ]
            if pair[0] == pair[1]:
                raise ValueError(
                    f"{constraint} must name two different items; no item comes before "
                    "itself."
                )
            constraint = Precedence(*pair)
        elif isinstance(constraint, FixedPosition):
            constraint = FixedPosition(
                _index(constraint.item, n_items, "items", constraint),
                _index(constraint.position, n_items, "positions", constraint),
            )
        elif isinstance(constraint, Together):
            if not hasattr(constraint.items, "__iter__"):
                raise TypeError(
                    f"items of Together must be a tuple of items; got {constraint}."
                )
            items = [_index(i, n_items, "items", constraint) for i in constraint.items]
            if len(items) < 2 or len(set(items)) < len(items):
                raise ValueError(
                    f"{constraint} must name at least two items, each once."
                )
            constraint = Together(tuple(items))
        checked.append(constraint)
    return tuple(dict.fromkeys(checked))


def renumber(
    constraints: tuple[Any, ...], items: IntArray, n_items: int, i: int
) -> tuple[Any, ...]:
    """Return checked constraints in the numbers of the items that are left.

    Parameters
    ----------
    constraints : tuple of Precedence, FixedPosition and Together
        On items 0, …, n_items - 1.
    items : int array of shape (n_left,)
        Which of them are left, ascending.
    n_items : int
        How many there were.
    i : int
        Number of the list, for messages.

    Examples
    --------
    >>> renumber((Precedence(3, 1),), np.array([1, 3]), 4, 0)
    (Precedence(before=1, after=0),)
    """
    if not constraints:
        return ()
    new = np.full(n_items, -1)
    new[items] = np.arange(len(items))
    found: list[Any] = []
    for constraint in constraints:
        if isinstance(constraint, Precedence):
            named = [constraint.before, constraint.after]
        elif isinstance(constraint, FixedPosition):
            named = [constraint.item]
        else:
            named = list(constraint.items)
        numbers = new[named].tolist()
        if min(numbers) < 0:
            raise ValueError(
                f"constraints must name real items; {constraint} names item "
                f"{named[numbers.index(-1)]}, which is padding in list {i}."
            )
        if isinstance(constraint, Precedence):
            found.append(Precedence(*numbers))
        elif isinstance(constraint, FixedPosition):
            if constraint.position >= len(items):
                raise ValueError(
                    f"positions must be in 0, …, {len(items) - 1} in list {i}; got "
                    f"{constraint}."
                )
            found.append(FixedPosition(numbers[0], constraint.position))
        else:
            found.append(Together(tuple(numbers)))
    return tuple(found)


def _index(value: Any, n_items: int, what: str, constraint: Any) -> int:
    try:
        index = operator.index(value)
    except TypeError as error:
        raise TypeError(
            f"{what} must be integers; got {value!r} in {constraint}."
        ) from error
    if not 0 <= index < n_items:
        raise ValueError(
            f"{what} must be in 0, …, {n_items - 1}; got {index} in {constraint}."
        )
    return index
