"""Checks of what users pass to the solvers."""

import math
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ltr.arguments import ArgumentError, check_choice, check_whole
from ltr.queries import BoolArray, FloatArray, check_axes
from ltr.solvers.core.constraints import Constraint
from ltr.solvers.core.rule import Rule

# Sums of larger numbers could overflow.
GREATEST = 1e290
# What a solver makes of the objective: the greatest gain, or the least cost.
SENSES = ("max", "min")


def to_array(values: Any, expected: str, dtype: Any = np.float64) -> Any:
    """Return a new array; ``expected`` begins the message if it cannot be made.

    Examples
    --------
    >>> to_array([1, 2], "start must be numbers")
    array([1., 2.])
    """
    if isinstance(values, np.ma.MaskedArray) and np.ma.is_masked(values):
        raise ValueError(
            f"{expected}; got a masked array. Fill it, with -inf where an entry is "
            "forbidden."
        )
    if hasattr(values, "toarray"):
        raise ValueError(f"{expected}; got a sparse array. Pass its toarray().")
    if _is_complex(values):
        raise ValueError(f"{expected}; got complex numbers. Pass their real part.")
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


def _is_complex(values: Any) -> bool:
    """Whether values are complex numbers, whose imaginary part NumPy would drop."""
    kind = getattr(getattr(values, "dtype", None), "kind", None)
    if kind is None and not isinstance(values, (int, float)):
        try:
            kind = np.asarray(values).dtype.kind
        except (TypeError, ValueError, OverflowError):
            return False
    return bool(kind == "c")


def check_sense(sense: str) -> str:
    """Return "max" or "min", or raise.

    Examples
    --------
    >>> check_sense("min")
    'min'
    """
    return check_choice("sense", sense, SENSES)


def check_matrix(
    matrix: ArrayLike,
    name: str = "matrix",
    limit: float = GREATEST,
    sense: str = "max",
) -> FloatArray:
    """Return gains as a square matrix of float64, a copy, with zeros on its diagonal.

    Parameters
    ----------
    matrix : array-like of shape (n, n)
        -inf forbids an entry; the diagonal is not read.
    name : str
        Its name in messages.
    limit : float
        Greatest absolute value of an entry.
    sense : {"max", "min"}
        "min": entries are costs, +inf forbids one, and their negatives are returned.

    Raises
    ------
    ValueError
        If it is not square, not numeric, or has NaN, +inf or too large a number off the
        diagonal; or if it is a DataFrame whose rows and columns are the same items in
        two orders.

    Examples
    --------
    >>> check_matrix([[9, 1], [2, 9]]).tolist()
    [[0.0, 1.0], [2.0, 0.0]]
    """
    array = to_array(matrix, f"{name} must be a square array of numbers")
    array = check_square(array, name)
    check_axes(matrix, name)
    np.fill_diagonal(array, 0.0)
    return check_entries(array, name, limit, sense)


def check_mask(where: ArrayLike, name: str, shape: tuple[int, ...]) -> BoolArray:
    """Return which items of a list are real, given the shape of its matrix.

    Examples
    --------
    >>> check_mask([True, False], "[0]", (2, 2)).tolist()
    [True, False]
    """
    mask = to_array(where, f"where{name} must be a mask", None)
    if not mask.size:
        mask = mask.astype(bool)
    if mask.dtype != np.bool_ or mask.shape != shape[:1]:
        raise ValueError(
            f"where{name} must be a mask with one bool per item of matrices{name}, "
            f"which has shape {shape}; got {mask.dtype} of shape {mask.shape}."
        )
    return mask


def check_square(array: Any, name: str) -> Any:
    """Return an array if it is a square matrix; an empty list counts as one.

    Examples
    --------
    >>> check_square(np.array([]), "matrix").shape
    (0, 0)
    """
    if array.ndim == 1 and array.size == 0:
        array = array.reshape(0, 0)
    if array.ndim != 2 or array.shape[0] != array.shape[1]:
        raise ValueError(
            f"{name} must be square, one row and one column per item; got shape "
            f"{array.shape}."
        )
    return array


def check_counts(counts: ArrayLike, limit: float = GREATEST) -> FloatArray:
    """Return counts of pairs as :func:`check_matrix` does; raise if they are rankings.

    Examples
    --------
    >>> check_counts([[0, 2], [1, 0]]).tolist()
    [[0.0, 2.0], [1.0, 0.0]]
    """
    expected = "counts must be a square array of numbers, [i, j] how often i beat j"
    array = to_array(counts, expected)
    check_axes(counts, "counts")
    if array.ndim == 2 and array.size:
        n_rows, n = array.shape
        each_once = (np.sort(array, axis=1) == np.arange(n)).all()
        if each_once and (n_rows != n or array.diagonal().any()):
            raise ValueError(
                f"{expected}; got rows that have each of 0, …, {n - 1} once, which are "
                "rankings. Pass pairwise_counts(rankings)."
            )
    return check_matrix(array, "counts", limit)


def check_scores(
    scores: ArrayLike | None,
    n_items: int,
    name: str,
    mask: BoolArray | None = None,
    sense: str = "max",
) -> FloatArray:
    """Return one float64 per item, zeros for None; -inf forbids.

    Parameters
    ----------
    scores : array-like of shape (n_items,), or None
        Argument of the user.
    n_items : int
        Required length.
    name : str
        Their name in messages.
    mask : bool array of shape (n_items,), default=None
        True for real items; the entries of others are ignored and returned as 0. None:
        all are real.
    sense : {"max", "min"}
        "min": scores are costs, +inf forbids, and their negatives are returned.

    Examples
    --------
    >>> check_scores(None, 2, "start").tolist()
    [0.0, 0.0]
    """
    if scores is None:
        return np.zeros(n_items)
    array = to_array(scores, f"{name} must be one number per item")
    if array.shape != (n_items,):
        raise ValueError(
            f"{name} must have shape ({n_items},), one number per item; got shape "
            f"{array.shape}.{_end_by_constraint(name, array, n_items)}"
        )
    array = array if mask is None else np.where(mask, array, 0.0)
    return check_entries(array, name, sense=sense)


def check_entries(
    array: FloatArray, name: str, limit: float = GREATEST, sense: str = "max"
) -> FloatArray:
    """Return gains, or costs as negative gains, where -inf forbids.

    NaN, +inf (for costs -inf) and numbers that are too large are refused by name.

    Examples
    --------
    >>> check_entries(np.array([0.0, -np.inf]), "start")
    array([  0., -inf])
    >>> check_entries(np.array([2.0, np.inf]), "start", sense="min")
    array([ -2., -inf])
    """
    forbids, sign = ("-inf", 1) if sense == "max" else ("inf", -1)
    wrong = np.isnan(array) | (sign * array == np.inf)
    if wrong.any():
        where = tuple(int(i) for i in np.argwhere(wrong)[0])
        place = ", ".join(str(i) for i in where)
        raise ValueError(
            f"{name} must be finite ({forbids} forbids); got {array[where]} at "
            f"[{place}]. Replace it by a number, or by {forbids} to forbid it."
        )
    return check_size(array if sense == "max" else 0.0 - array, name, limit)


def check_size(
    array: FloatArray, name: str, limit: float = GREATEST, factor: float = 1.0
) -> FloatArray:
    """Return the array; raise if sums of its entries times a factor could overflow.

    Examples
    --------
    >>> check_size(np.array([2.0, -np.inf]), "gain")
    array([  2., -inf])
    """
    limit /= max(1.0, factor)
    if array.size and (float(array.max()) > limit or float(array.min()) < -limit):
        sizes = np.abs(array[np.isfinite(array)])
        if sizes.max(initial=0.0) > limit:
            times = f" with a discount of {factor:g}" if factor > 1 else ""
            raise ValueError(
                f"{name} must be at most {limit:g} in absolute value{times}, as larger "
                f"sums overflow; got {sizes.max():g}. Scale it down."
            )
    return array


def check_limit(value: float | None, name: str) -> float | None:
    """Return a limit >= 0 (inf is allowed), or None.

    Examples
    --------
    >>> check_limit(2, "time_limit_s")
    2.0
    """
    if value is None:
        return None
    is_number = isinstance(value, (int, float, np.number))
    if isinstance(value, bool) or not is_number or math.isnan(value) or value < 0:
        raise ArgumentError(f"{name} must be a number >= 0, or None; got {value!r}.")
    return float(value)


def check_random_state(random_state: int | None) -> int:
    """Return a seed >= 0; None: 0.

    Examples
    --------
    >>> check_random_state(None)
    0
    """
    return check_whole("random_state", random_state, low=0, optional=True) or 0


def check_method(
    method: str, methods: Sequence[str], renamed: Mapping[str, str] | None = None
) -> str:
    """Return the name of a method; an old name is replaced, with a warning.

    Parameters
    ----------
    method : str
        Name that the caller of a solver passed.
    methods : sequence of str
        Accepted names.
    renamed : mapping of str to str, default=None
        New names of methods by their old ones. None: none was renamed.

    Examples
    --------
    >>> check_method("auto", ("auto", "dp"))
    'auto'
    """
    if renamed and isinstance(method, str) and method in renamed:
        warnings.warn(
            f"method={method!r} is now called {renamed[method]!r}; the old name goes "
            "away in ltr 0.3.",
            DeprecationWarning,
            stacklevel=3,  # the caller of the solver
        )
        return renamed[method]
    return check_choice("method", method, methods)


def check_kinds(
    constraints: Any, kinds: tuple[type, ...], solver: str
) -> tuple[Constraint, ...]:
    """Return constraints as a tuple; raise unless the solver accepts their kinds.

    Examples
    --------
    >>> from ltr.solvers import Precedence
    >>> check_kinds([Precedence(0, 1)], (Precedence,), "solve_path")
    (Precedence(before=0, after=1),)
    """
    if isinstance(constraints, tuple) and not constraints:
        return ()
    names = ", ".join(kind.__name__ for kind in kinds)
    if isinstance(constraints, kinds) or not hasattr(constraints, "__iter__"):
        raise TypeError(
            f"constraints must be a list of {names}; got {constraints!r}. Put it in a "
            "list."
        )
    checked = tuple(constraints)
    for constraint in checked:
        if not isinstance(constraint, kinds):
            raise TypeError(
                f"{solver} takes the constraints {names}; got {constraint!r}"
                + (
                    ", which solve_assignment takes."
                    if isinstance(constraint, Rule)
                    else "."
                )
            )
    return checked


def check_order_constraints(
    constraints: Any, n_items: int, kinds: tuple[type, ...], solver: str
) -> tuple[Constraint, ...]:
    """Return constraints as a tuple without repeats, their items and positions checked.

    Parameters
    ----------
    constraints : iterable of constraints
        Each an instance of one of ``kinds``.
    n_items : int
        Items and positions must be below this.
    kinds : tuple of type
        Kinds that this solver accepts.
    solver : str
        Name of the public function, for messages.

    Examples
    --------
    >>> from ltr.solvers import Precedence
    >>> twice = [Precedence(0, 1)] * 2
    >>> check_order_constraints(twice, 2, (Precedence,), "solve_path")
    (Precedence(before=0, after=1),)
    """
    checked = [c.checked(n_items) for c in check_kinds(constraints, kinds, solver)]
    return tuple(dict.fromkeys(checked))


def _end_by_constraint(name: str, array: FloatArray, n_items: int) -> str:
    """How to fix the first or last item, if the scores of the ends are its number."""
    position = {"start": 0, "end": n_items - 1}.get(name)
    if position is None or array.ndim or array not in range(n_items):
        return ""
    return (
        f" To {name} with item {int(array)}, pass "
        f"constraints=[FixedPosition(item={int(array)}, position={position})]."
    )
