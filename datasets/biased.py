"""Rankings by voters who look down on a group."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

MODELS = ("utility", "swap")


def make_biased_rankings(
    utilities: ArrayLike,
    group: ArrayLike,
    bias: float,
    n: int,
    random_state: int | None = None,
    *,
    model: str = "utility",
    noise: float = 0.5,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Draw rankings by noisy voters, and what they would be without the bias.

    Voter v finds in item i the value u_i · exp(noise · ε_vi), ε standard normal, and
    ranks by it: these are the unbiased rankings. The bias then works in one of two
    ways, both with the same ε:

    - ``"utility"``: the values of the group's items are multiplied by 1 - bias;
    - ``"swap"``: each item of the group is moved below the next item outside it with
      probability ``bias``, and on, until a draw fails or none is left below.

    The questions are those of Boehmer, Celis, Huang, Mehrotra and Vishnoi [1]_, who
    have a model of utilities and one of swaps; the two definitions here are ours, and
    were not compared with theirs.

    Parameters
    ----------
    utilities : array-like of shape (n_items,)
        u_i > 0.
    group : bool array-like of shape (n_items,)
        True for the items that are looked down on.
    bias : float
        In [0, 1]; 0 is none. With 1 the whole group comes last.
    n : int
        Number of voters, >= 1.
    random_state : int or None, default=None
        Seed.
    model : str, default="utility"
        "utility" or "swap".
    noise : float, default=0.5
        Standard deviation of the logarithm of what a voter finds, >= 0.

    Returns
    -------
    rankings : int array of shape (n, n_items)
        Items best first, as the voters rank them.
    unbiased : int array of shape (n, n_items)
        As they would without the bias.

    Raises
    ------
    ValueError
        If a parameter is outside its range.

    References
    ----------
    .. [1] N. Boehmer, L. E. Celis, L. Huang, A. Mehrotra and N. K. Vishnoi. Subset
       selection based on multiple rankings in the presence of bias. ICML 2023, arXiv
       2306.09835.

    Examples
    --------
    >>> rankings, unbiased = make_biased_rankings(
    ...     [3, 2, 1], [True, False, False], 0.5, 2, random_state=0, noise=0.0
    ... )
    >>> rankings.tolist(), unbiased.tolist()
    ([[1, 0, 2], [1, 0, 2]], [[0, 1, 2], [0, 1, 2]])
    """
    values = np.asarray(utilities, dtype=np.float64)
    members = np.asarray(group)
    if values.ndim != 1 or not (np.isfinite(values) & (values > 0)).all():
        raise ValueError(
            "utilities must be one finite number > 0 per item; got "
            f"{utilities!r}. Shift or exponentiate them."
        )
    if members.shape != values.shape or members.dtype != bool:
        raise ValueError(
            f"group must be one bool per item, shape {values.shape}; got shape "
            f"{members.shape} and dtype {members.dtype}."
        )
    if not 0 <= bias <= 1:
        raise ValueError(f"bias must be in [0, 1]; got {bias!r}.")
    if not n >= 1:
        raise ValueError(f"n must be >= 1; got {n!r}.")
    if not noise >= 0:
        raise ValueError(f"noise must be >= 0; got {noise!r}.")
    if model not in MODELS:
        raise ValueError(f"model must be 'utility' or 'swap'; got {model!r}.")
    rng = np.random.default_rng(random_state)
    found = values * np.exp(noise * rng.normal(size=(n, len(values))))
    unbiased = np.argsort(-found, axis=1, kind="stable")
    if model == "swap":
        return _moved_down(unbiased, members, bias, rng), unbiased
    seen = np.where(members, (1 - bias) * found, found)
    return np.lexsort((-found, -seen)), unbiased


def _moved_down(
    rankings: NDArray[np.int64],
    members: NDArray[np.bool_],
    bias: float,
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    """Each member below as many others more as draws succeed before one fails."""
    is_member = members[rankings]
    if bias == 1:
        order = np.argsort(is_member, axis=1, kind="stable")
        return np.take_along_axis(rankings, order, axis=1)
    passed = rng.geometric(1 - bias, size=rankings.shape) - 1
    others_above = np.cumsum(~is_member, axis=1)  # of an other: itself too
    fallen = np.minimum(others_above + passed, (~members).sum()) + 0.5
    place = np.where(is_member, fallen, others_above)
    order = np.argsort(place, axis=1, kind="stable")
    return np.take_along_axis(rankings, order, axis=1)
