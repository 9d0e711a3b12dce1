"""Losses on pairs leave out the padding of long lists, and give what items alone do."""

from functools import partial

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ltr.losses import LOSSES, derivatives, ranknet_loss

pytestmark = pytest.mark.usefixtures("x64")

# Lists of up to 32 items are not divided. 41 is no multiple of the items of a block,
# and 13 of the longer lists are no multiple of those that are computed together.
ALONE, PADDED, N_LISTS = 32, 41, 13
# With φ = −log σ and another one; terms that are arrays, numbers, nested; own weights.
ON_PAIRS = "ranknet", "exponential", "ranklist", "lambdarank", "ndcg_loss1"


def draw_lists(seed):
    """Scores, labels and weights with their mask: padded, and the items alone."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(0, ALONE + 1, N_LISTS)
    padded = np.argsort(rng.random((N_LISTS, PADDED))) < sizes[:, None]
    alone = np.arange(ALONE) < sizes[:, None]
    shape = padded.shape
    scores = rng.normal(size=shape) * 10.0 ** rng.integers(-1, 4, (N_LISTS, 1))
    values = scores, rng.integers(0, 4, shape) * 1.0, rng.uniform(0.5, 2.0, shape)

    def take(array):
        short = np.zeros(alone.shape)
        short[alone] = array[padded]
        return short

    return (*values, padded), (*map(take, values), alone)


@partial(jax.jit, static_argnums=0)
def derive(loss, scores, labels, weights, where):
    inputs = {"where": where, "weights": weights}
    return derivatives(loss, scores, labels, curvature="auto", **inputs)


@pytest.mark.parametrize("name", ON_PAIRS)
@settings(max_examples=10)
@given(seed=st.integers(0, 2**32))
def test_padding_changes_nothing(name, seed):
    padded, alone = draw_lists(seed)
    both = (derive(LOSSES[name], *lists) for lists in (padded, alone))
    found, expected = jax.tree.map(np.asarray, tuple(both))
    tolerance = {"rtol": 1e-10, "atol": 1e-10}
    np.testing.assert_allclose(found.value, expected.value, **tolerance)
    for of_padded, of_alone in zip(found[1:], expected[1:], strict=True):
        np.testing.assert_allclose(
            of_padded[padded[-1]], of_alone[alone[-1]], **tolerance
        )
        np.testing.assert_array_equal(of_padded[~padded[-1]], 0.0)


def test_other_transformations():
    """One list at a time, several axes of lists, and a Hessian in reverse mode."""
    scores, labels, weights, where = draw_lists(0)[0]
    values = ranknet_loss(scores, labels, where=where, weights=weights)

    def of_list(scores, labels, weights, where):
        return ranknet_loss(scores, labels, where=where, weights=weights)

    one_by_one = jax.vmap(of_list)(scores, labels, weights, where)
    np.testing.assert_allclose(one_by_one, values, atol=1e-12)
    lists = [x[:12].reshape(3, 4, PADDED) for x in (scores, labels, weights, where)]
    np.testing.assert_allclose(of_list(*lists).ravel(), values[:12], atol=1e-12)
    nothing = [x[:0] for x in (scores, labels, weights, where)]
    assert of_list(*nothing).shape == (0,)

    def of_scores(scores):
        return of_list(scores, *(x[1] for x in (labels, weights, where)))

    hessian = np.asarray(jax.jacrev(jax.jacrev(of_scores))(scores[1]))
    curvature = derive(ranknet_loss, scores, labels, weights, where).curvature[1]
    np.testing.assert_allclose(np.diag(hessian), curvature, rtol=1e-10, atol=1e-12)
    assert np.abs(hessian).max() > 0
