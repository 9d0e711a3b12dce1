"""Rankings by voters who are biased against a group."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ltr.arguments import check_choice, check_number, check_whole
from ltr.queries import check_rows

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
    """Draw rankings by noisy, biased voters, and the same rankings without the bias.

    Voter v values item i at u_i · exp(noise · ε_vi), ε standard normal; sorting by
    value gives the unbiased rankings. The bias then acts in one of two ways, with the
    same ε:

    - ``"utility"``: the values of the group's items are multiplied by 1 - bias;
    - ``"swap"``: each item of the group moves below the next item outside the group
      with probability ``bias``, repeatedly, until a draw fails or none is below it.

    The setting is that of Boehmer, Celis, Huang, Mehrotra and Vishnoi [1]_, who have a
    utility and a swap model; the two definitions here are ours and were not compared
    with theirs.

    Parameters
    ----------
    utilities : array-like of shape (n_items,)
        u_i > 0.
    group : bool array-like of shape (n_items,)
        True for the items that voters are biased against.
    bias : float
        Strength of the bias, in [0, 1]. 0: none; 1: the whole group comes last.
    n : int
        Number of voters, >= 1.
    random_state : int or None, default=None
        Seed.
    model : str, default="utility"
        How the bias acts: "utility" or "swap".
    noise : float, default=0.5
        Standard deviation of the logarithm of the voters' values, >= 0.

    Returns
    -------
    rankings : int array of shape (n, n_items)
        Items best first, as the biased voters rank them.
    unbiased : int array of shape (n, n_items)
        The same without the bias.

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
    check_rows({"utilities": utilities, "group": group})
    utility = np.asarray(utilities, dtype=np.float64)
    members = np.asarray(group)
    if utility.ndim != 1 or not (np.isfinite(utility) & (utility > 0)).all():
        raise ValueError(
            "utilities must be one finite number > 0 per item; got "
            f"{utilities!r}. Shift or exponentiate them."
        )
    if members.shape != utility.shape or members.dtype != bool:
        raise ValueError(
            f"group must be one bool per item, shape {utility.shape}; got shape "
            f"{members.shape} and dtype {members.dtype}."
        )
    check_number("bias", bias, low=0, high=1)
    check_whole("n", n, low=1)
    check_number("noise", noise, low=0)
    check_choice("model", model, MODELS)
    rng = np.random.default_rng(random_state)
    values = utility * np.exp(noise * rng.normal(size=(n, len(utility))))
    unbiased = np.argsort(-values, axis=1, kind="stable")
    if model == "swap":
        return _moved_down(unbiased, members, bias, rng), unbiased
    biased_values = np.where(members, (1 - bias) * values, values)
    return np.lexsort((-values, -biased_values)), unbiased


def _moved_down(
    rankings: NDArray[np.int64],
    members: NDArray[np.bool_],
    bias: float,
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    """Move each member below one non-member per success before the first failure."""
    is_member = members[rankings]  # (n, n_items)
    if bias == 1:
        order = np.argsort(is_member, axis=1, kind="stable")
        return np.take_along_axis(rankings, order, axis=1)
    n_passed = rng.geometric(1 - bias, size=rankings.shape) - 1
    # a non-member's key is its rank r among the non-members; a member preceded by r of
    # them that moves below m more has the key r + m + ½, between two of them
    rank = np.cumsum(~is_member, axis=1)
    key = np.minimum(rank + n_passed, (~members).sum()) + 0.5
    order = np.argsort(np.where(is_member, key, rank), axis=1, kind="stable")
    return np.take_along_axis(rankings, order, axis=1)
