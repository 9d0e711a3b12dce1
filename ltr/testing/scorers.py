"""The laws of scorers, and :func:`check_scorer`."""

from __future__ import annotations

import copy
import functools
import math
from collections.abc import Collection, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from ltr.scorers import PairScores, Scorer, get_scorer
from ltr.testing.laws import (
    LawTable,
    Strategy,
    by_name,
    check_laws,
    differ,
    expect_close,
    law,
    name_of,
    text,
)
from ltr.testing.ranked_lists import digits

LIST_SIZE = 4


class ScorerUnderTest:
    """A scorer with parameters moved away from their special start.

    Parameters
    ----------
    scorer : Scorer
        The scorer.
    n_features : int
        Columns of the drawn features.
    """

    def __init__(self, scorer: Scorer, n_features: int) -> None:
        self.scorer, self.n_features = scorer, n_features

    @functools.cached_property
    def params(self) -> Any:
        """Parameters in NumPy: a draw of ``init``, with noise."""
        rng = np.random.default_rng(0)
        with jax.enable_x64(True):
            params = self.scorer.init(jax.random.key(0), self.n_features)
        return jax.tree.map(
            lambda p: np.asarray(p, np.float64) + 0.3 * rng.normal(size=np.shape(p)),
            params,
        )

    def __call__(self, X: Any, where: Any = None, weights: Any = None) -> list[Any]:
        """Scores in NumPy: of the items, or matrix, start and end of a pair scorer."""
        return arrays(self.scorer.apply(self.params, X, where, weights))

    def traced(self, X: Any) -> list[Any]:
        """Scores in JAX, in single precision."""
        single = functools.partial(jnp.asarray, dtype=jnp.float32)
        params = jax.tree.map(single, self.params)
        return arrays(self._compiled(params, single(X)))

    def gradient(self, X: Any) -> Any:
        """Gradient of the sum of squared scores by the parameters."""
        return self._compiled_gradient(self.params, X)

    @functools.cached_property
    def _compiled(self) -> Any:
        return jax.jit(self.scorer.apply)

    @functools.cached_property
    def _compiled_gradient(self) -> Any:
        def sum_of_squares(params: Any, X: Any) -> Any:
            return sum((part**2).sum() for part in arrays(self.scorer.apply(params, X)))

        return jax.jit(jax.grad(sum_of_squares))

    def shorten(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """Inputs without the slots beyond the end of the list."""
        short = dict(inputs)
        if "order" in inputs:
            n = len(inputs["X"])
            short["order"] = [item for item in inputs["order"] if item < n]
        if "item" in inputs:
            short["item"] = inputs["item"] % len(inputs["X"])
        return short

    def describe(self, inputs: Mapping[str, Any]) -> list[str]:
        """Lines of Python for the inputs of a law."""
        return [f"{name} = {text(value)}" for name, value in inputs.items()]


def arrays(output: Any) -> list[Any]:
    """Arrays of scores: one per item, or those of pairs, starts and ends."""
    if isinstance(output, PairScores):
        return [part for part in output if part is not None]
    return [output]


def select(output: list[Any], items: Any) -> list[Any]:
    """Scores of some items of one list, and of the pairs of them."""
    return [part[items][:, items] if part.ndim == 2 else part[items] for part in output]


def expect_same(got: list[Any], expected: list[Any], what: str, **near: float) -> None:
    """Raise unless all scores agree."""
    for part, target in zip(got, expected, strict=True):
        expect_close(part, target, what, **(near or {"rtol": 1e-10, "atol": 1e-12}))


def full_lists(scorer: ScorerUnderTest) -> Strategy:
    """Features of a list of LIST_SIZE items, in steps of 1/2."""
    shape = (LIST_SIZE, scorer.n_features)
    numbers = st.integers(0, 9 ** math.prod(shape) - 1).map(
        lambda number: digits(number, 9, math.prod(shape)).reshape(shape)
    )
    # 0, −1/2, 1/2, −1, …, 2
    return numbers.map(lambda x: np.where(x % 2 == 0, x, -x - 1) / 4)


def features(scorer: ScorerUnderTest) -> Strategy:
    """Features of a list of 1 to LIST_SIZE items."""
    sized = st.tuples(full_lists(scorer), st.integers(1, LIST_SIZE))
    return sized.map(lambda drawn: drawn[0][: drawn[1]])


def two_lists(scorer: ScorerUnderTest) -> Strategy:
    """Features of two lists of one size."""
    both = st.tuples(features(scorer), features(scorer))
    return both.map(lambda pair: np.stack([X[: min(map(len, pair))] for X in pair]))


@law()
def equal_scorers_share_a_program(scorer: ScorerUnderTest) -> None:
    """A copy is equal and has the same hash, so that nothing compiles twice."""
    twin = copy.deepcopy(scorer.scorer)
    if twin != scorer.scorer or hash(twin) != hash(scorer.scorer):
        raise differ("a copy that is equal, with an equal hash", "one that is not")


@law()
def same_key_same_parameters(scorer: ScorerUnderTest) -> None:
    """The parameters depend on nothing but the key and the number of features."""
    first, second = (
        jax.tree.leaves(scorer.scorer.init(jax.random.key(1), scorer.n_features))
        for _ in range(2)
    )
    for one, other in zip(first, second, strict=True):
        expect_close(other, one, "the first draw", rtol=0, atol=0)


@law(X=features)
def one_score_per_item(scorer: ScorerUnderTest, X: NDArray[Any]) -> None:
    """Features of shape (n, n_features) give n finite scores in double precision."""
    for part in scorer(X):
        if part.dtype != np.float64 or set(part.shape) != {len(X)}:
            raise differ(
                f"float64 of shape ({len(X)},)", f"{part.dtype} of shape {part.shape}"
            )
        if not np.isfinite(part).all():
            raise differ("finite scores", part)


@law(X=features, order=st.permutations(range(LIST_SIZE)))
def permuting_items_permutes_scores(
    scorer: ScorerUnderTest, X: NDArray[Any], order: list[int]
) -> None:
    """A list is a set: its order of rows is not seen."""
    order = [item for item in order if item < len(X)]
    expect_same(scorer(X[order]), select(scorer(X), order), "the scores permuted")


@law(X=features, garbage=st.sampled_from([5.0, -100.0, 1e6]))
def padding_changes_nothing(
    scorer: ScorerUnderTest, X: NDArray[Any], garbage: float
) -> None:
    """Masked items, whatever they hold, change no score of a real item."""
    padded = np.concatenate([X, np.full((2, X.shape[1]), garbage)])
    where = np.arange(len(padded)) < len(X)
    with np.errstate(all="ignore"):
        scores = select(scorer(padded, where), slice(len(X)))
    expect_same(scores, scorer(X), f"without two masked items of {garbage}")


@law(X=features, item=st.integers(0, LIST_SIZE - 1))
def weight_2_is_the_item_twice(
    scorer: ScorerUnderTest, X: NDArray[Any], item: int
) -> None:
    """An item of weight 2 is the item twice, for its competitors as well."""
    item %= len(X)
    weights = np.ones(len(X))
    weights[item] = 2.0
    weighted = scorer(X, np.ones(len(X), bool), weights)
    repeated = scorer(np.concatenate([X, X[item : item + 1]]))
    expect_same(weighted, select(repeated, slice(len(X))), f"with item {item} twice")


@law(X=two_lists)
def lists_do_not_see_each_other(scorer: ScorerUnderTest, X: NDArray[Any]) -> None:
    """The scores of a batch are those of its lists."""
    batch = scorer(X)
    for i in range(len(X)):
        expect_same([part[i] for part in batch], scorer(X[i]), f"list {i} alone")


@law(
    exempt=lambda scorer: "uses_list is True" if scorer.scorer.uses_list else "",
    declare="uses_list = True",
    X=features,
)
def items_do_not_see_each_other(scorer: ScorerUnderTest, X: NDArray[Any]) -> None:
    """The score of an item does not depend on the other items of its list."""
    alone = np.concatenate([scorer(X[i : i + 1])[0] for i in range(len(X))])
    expect_same(scorer(X), [alone], "each item alone")


@law(X=full_lists)  # of one size, so that JAX compiles once
def numpy_equals_jax(scorer: ScorerUnderTest, X: NDArray[Any]) -> None:
    """The scores are the same in NumPy and under jax.jit."""
    expect_same(scorer.traced(X), scorer(X), "in NumPy", rtol=1e-3, atol=1e-4)


@law(X=full_lists)  # of one size, so that JAX compiles once
def gradients_are_finite(scorer: ScorerUnderTest, X: NDArray[Any]) -> None:
    """The gradient of the sum of the squared scores is finite in every parameter."""
    for leaf in jax.tree.leaves(scorer.gradient(X)):
        if not np.isfinite(leaf).all():
            raise differ("finite gradients", leaf)


SCORER_LAWS = by_name(
    one_score_per_item,
    same_key_same_parameters,
    equal_scorers_share_a_program,
    permuting_items_permutes_scores,
    padding_changes_nothing,
    weight_2_is_the_item_twice,
    lists_do_not_see_each_other,
    items_do_not_see_each_other,
    numpy_equals_jax,
    gradients_are_finite,
)


def check_scorer(
    scorer: str | Scorer,
    *,
    n_features: int = 6,
    skip: Collection[str] = (),
    max_examples: int = 25,
) -> LawTable:
    """Check a scorer against the laws of scorers.

    The laws are those of :class:`ltr.scorers.Scorer`: a list is a set, padding does not
    matter, NumPy and JAX agree, equal scorers share a compiled program, and so on;
    :data:`SCORER_LAWS` has them all. It takes a few seconds.

    Parameters
    ----------
    scorer : str or Scorer
        A scorer of items or of pairs, or a name of :data:`ltr.scorers.SCORERS`.
    n_features : int, default=6
        Columns of the features that it is initialized for.
    skip : collection of str, default=()
        Names of laws that the scorer breaks on purpose.
    max_examples : int, default=25
        Lists that each law is tried on.

    Returns
    -------
    table : LawTable
        Law → number of inputs, or ``"skipped: "`` and why.

    Raises
    ------
    LawBroken
        If a law does not hold, with the smallest list that shows it.
    ValueError
        If the scorer or a law of ``skip`` is unknown.

    Examples
    --------
    >>> from ltr.testing import LawBroken, check_scorer
    >>> table = check_scorer("linear", max_examples=5)
    >>> table["permuting_items_permutes_scores"]
    5

    A scorer that numbers the rows of a list:

    >>> from ltr.scorers import LinearScorer
    >>> class Numbered(LinearScorer):
    ...     def apply(self, params, X, where=None, weights=None):
    ...         scores = super().apply(params, X)
    ...         return scores + scores.__array_namespace__().arange(X.shape[-2])
    >>> try:
    ...     check_scorer(Numbered(), n_features=1)
    ... except LawBroken as broken:
    ...     print(broken)
    Numbered() breaks the law permuting_items_permutes_scores.
    Law: A list is a set: its order of rows is not seen.
    Smallest input found:
        X = [[0.0], [0.0]]
        order = [1, 0]
    Expected: [0.9603685410126095, -0.039631458987390566] (the scores permuted)
    Got: [-0.039631458987390566, 0.9603685410126095]
    If that is intended, pass skip=("permuting_items_permutes_scores",).
    """
    subject = ScorerUnderTest(get_scorer(scorer), n_features)
    return check_laws(
        name_of(scorer),
        subject,
        SCORER_LAWS,
        skip=skip,
        max_examples=max_examples,
        describe=subject.describe,
        shorten=subject.shorten,
    )
