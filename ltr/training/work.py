"""Work of a training step: what a padded list costs beside a compilation."""

from __future__ import annotations

import functools
import math

import jax
import numpy as np

from ltr.list_sizes import NO_SKIPPING, ListCost, Skipping
from ltr.queries import FloatArray, IntArray
from ltr.scorers import Scorer
from ltr.scorers.draws import seed_key

# Multiplications per row: of the default network on 50 features, and what reading and
# scattering the row costs at least. A logit of two items costs several per width, most
# of them for its exponential. A term of a loss on pairs costs some ten.
_DEFAULT_WORK, _LEAST_WORK, _LOGIT_WORK, _PAIR_WORK = 14_785, 1_000, 5, 10
# A step that skips padding scores its items again in the backward pass.
_SCORED_AGAIN = 0.25
# Compiling a step takes about as long as training the default network on these rows; by
# measurement, three times as long where items are compared, whatever number of blocks.
COMPILATION_ROWS, _COMPARING = 2_000_000, 3
# Rows of the default network in a step of about 10 ms, beside which a call costs
# nothing; shorter ones are called together.
SHORT_STEP, STEPS_PER_CALL = 8_000, 8


@functools.lru_cache(maxsize=64)
def parameter_shapes(scorer: Scorer, n_features: int) -> list[tuple[int, ...]]:
    """Shapes of the parameters that ``init`` would draw, without drawing them.

    Parameters
    ----------
    scorer : Scorer
        Not initialized.
    n_features : int
        Number of input features.

    Returns
    -------
    shapes : list of tuple of int
        Empty for a scorer of the user's own whose ``init`` JAX cannot trace.

    Examples
    --------
    >>> from ltr.scorers import LinearScorer
    >>> parameter_shapes(LinearScorer(), 4)
    [(4, 1), (1,)]
    """
    try:
        params = jax.eval_shape(lambda key: scorer.init(key, n_features), seed_key(0))
    except TypeError:
        return []
    return [leaf.shape for leaf in jax.tree.leaves(params)]


def list_cost(scorer: Scorer, n_features: int, *, has_pairs: bool = False) -> ListCost:
    """Work of a step per list, where compiling the step is 2,000,000.

    The unit is a row of the default network on 50 features, or three of them where
    items of a list are compared, whose compilation takes three times as long. A row
    costs a multiplication per parameter, and at least the reading of its features;
    where items are compared, another width of them per item, and where the loss is a
    sum over pairs, its term.

    Parameters
    ----------
    scorer : Scorer
        Not initialized.
    n_features : int
        Number of input features.
    has_pairs : bool, default=False
        Whether the loss is a sum over pairs.

    Returns
    -------
    cost : callable
        List sizes → costs.

    Examples
    --------
    >>> import numpy as np
    >>> from ltr.scorers import AttentionScorer, LinearScorer, MLPScorer
    >>> sizes = np.array([20, 1000])
    >>> for scorer in LinearScorer(), MLPScorer(), AttentionScorer():
    ...     print(list_cost(scorer, 50)(sizes).round().tolist())
    [1.0, 68.0]
    [20.0, 1004.0]
    [30.0, 22733.0]
    >>> list_cost(LinearScorer(), 50, has_pairs=True)(sizes).round().tolist()
    [2.0, 744.0]
    """
    shapes = parameter_shapes(scorer, n_features)
    per_row = _row_work(scorer, n_features)
    width = max((size for shape in shapes for size in shape), default=1)
    per_pair = _LOGIT_WORK * width * scorer.uses_list + _PAIR_WORK * has_pairs
    unit = _DEFAULT_WORK * (_COMPARING if scorer.uses_list else 1)

    def cost(sizes: IntArray) -> FloatArray:
        return np.asarray(sizes * ((per_row + per_pair * sizes) / unit))

    return cost


def scores_rows_alone(scorer: Scorer) -> bool:
    """Whether a network's step may compute items without the padding between them.

    Parameters
    ----------
    scorer : Scorer
        Any.

    Returns
    -------
    is_alone : bool
        False for a scorer that compares the items of a list, that is linear (reading a
        row costs as much as scoring it), drops activations (drawn for a whole
        mini-batch), or has a penalty, which reads the features, too.

    Examples
    --------
    >>> from ltr.scorers import AttentionScorer, LinearScorer, MLPScorer
    >>> [scores_rows_alone(s) for s in (LinearScorer(), MLPScorer(), AttentionScorer())]
    [False, True, False]
    """
    return not (
        scorer.uses_list
        or scorer.is_linear
        or getattr(scorer, "dropout", 0.0) > 0.0
        or hasattr(scorer, "penalty")
    )


def skipped_work(scorer: Scorer, n_features: int) -> Skipping:
    """What a step gains that does not score padding, in the unit of :func:`list_cost`.

    Parameters
    ----------
    scorer : Scorer
        Not initialized.
    n_features : int
        Number of input features.

    Returns
    -------
    skipping : Skipping
        A padded row costs its reading only, and an item a quarter more, for the
        backward pass scores it again. Nothing for a scorer that needs the padding, or
        whose rows cost no more than their reading.

    Examples
    --------
    >>> from ltr.scorers import LinearScorer, MLPScorer
    >>> [round(number, 2) for number in skipped_work(MLPScorer(), 50)]
    [0.94, 0.25]
    >>> skipped_work(LinearScorer(), 50)
    Skipping(saved_per_padding=0.0, paid_per_item=0.0)
    """
    if not scores_rows_alone(scorer):
        return NO_SKIPPING
    per_row = _row_work(scorer, n_features)
    saved, paid = per_row - _LEAST_WORK, _SCORED_AGAIN * per_row
    return Skipping(saved / _DEFAULT_WORK, paid / _DEFAULT_WORK)


def _row_work(scorer: Scorer, n_features: int) -> int:
    """Multiplications per row, and at least what its reading costs."""
    shapes = parameter_shapes(scorer, n_features)
    return max(_LEAST_WORK, sum(math.prod(shape) for shape in shapes))
