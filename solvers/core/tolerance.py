"""When a gap counts as a proof: the one rule of all solvers."""

import numpy as np
from numpy.typing import ArrayLike

from ltr.queries import BoolArray, FloatArray

# Accuracy of the bounds of relaxations, which are solved in floating point, as a share
# of the scale of what they add up.
RELATIVE = 1e-9
EPSILON = float(np.finfo(np.float64).eps)
# Sums of integers up to this are exact in double precision.
EXACT = 2.0**53


def tolerance(
    terms: ArrayLike, spread: float = float("inf"), *, is_whole: bool = False
) -> float:
    r"""Return the greatest gap between bound and objective that proves a solution.

    Let the value of a solution be a sum of m terms, :math:`v = \sum_k t_k`, and let
    u be the rounding unit of double precision.

    1. If all gains are integers, so are all values; a better solution would be better
       by 1 at least. Any gap below 1 is a proof; 1/2 leaves room for the rounding of
       the bound. The solution is then *equal* to the best.
    2. Otherwise, a sum of m floating-point numbers is known up to
       :math:`m u \sum_k |t_k|` (Higham, 2002, "Accuracy and Stability of Numerical
       Algorithms", eq. 4.4), for the objective as well as for any value that it is
       compared with.
    3. A relaxation that is solved in floating point gives bounds with a relative
       accuracy: ``RELATIVE`` times the size of what it adds up. Where the solution is
       best, these are the terms of the solution, so the size is
       :math:`\sum_k |t_k|`. A constant that is added to all gains increases this sum
       but changes no difference between solutions; so the size is also at most
       ``spread``, the most by which solutions can differ that may still be best.

    In no case does a gain count that no best solution can have: a penalty of -1e12 in
    place of -inf leaves the tolerance as it is.

    Parameters
    ----------
    terms : array-like of shape (m,)
        Terms of the objective.
    spread : float, default=inf
        Most by which the values of candidates differ.
    is_whole : bool, default=False
        Whether all gains are integers.

    Returns
    -------
    gap : float
        A bound that exceeds the objective by at most this is a proof.

    Examples
    --------
    >>> tolerance([3.0, 2.0], is_whole=True)
    0.5
    >>> f"{tolerance([3.25, 2.5]):.2g}", f"{tolerance([3.25, 2.5], 0.1):.2g}"
    ('5.8e-09', '1e-10')
    """
    sizes = np.abs(np.asarray(terms, dtype=np.float64))
    total = float(sizes.sum())
    if is_whole and total < EXACT:
        return 0.5
    return 2 * EPSILON * sizes.size * total + RELATIVE * min(total, spread)


def tolerances(
    terms: FloatArray, spread: FloatArray, is_whole: BoolArray
) -> FloatArray:
    """Return the :func:`tolerance` of many solutions of m terms each.

    Parameters
    ----------
    terms : float array of shape (b, m)
        Terms of the objectives.
    spread : float array of shape (b,)
        Most by which the values of a problem's candidates differ.
    is_whole : bool array of shape (b,)
        Whether all gains of a problem are integers.

    Examples
    --------
    >>> terms, spread = np.array([[3.0, 2.0], [3.25, 2.5]]), np.array([np.inf, 0.1])
    >>> gaps = tolerances(terms, spread, np.array([True, False])).tolist()
    >>> gaps == [tolerance(terms[0], is_whole=True), tolerance(terms[1], 0.1)]
    True
    """
    total = np.abs(terms).sum(axis=1)
    gaps = 2 * EPSILON * terms.shape[1] * total + RELATIVE * np.minimum(total, spread)
    return np.where(is_whole & (total < EXACT), 0.5, gaps)


def are_whole(*arrays: FloatArray) -> bool:
    """Return whether all entries that are not -inf are integers.

    Examples
    --------
    >>> are_whole(np.array([1.0, -np.inf])), are_whole(np.array([0.5]))
    (True, False)
    """
    for array in arrays:
        # the first entry nearly always decides, and is cheap to check
        if array.size and not _is_integer(array.flat[-1]):
            return False
    return all(bool((array == np.rint(array)).all()) for array in arrays)


def _is_integer(number: float) -> bool:
    return number == -np.inf or float(number).is_integer()
