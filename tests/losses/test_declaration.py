"""What losses declare, and that a user's own loss has the same rights."""

import functools
import inspect
import math
import pickle
import re

import jax.numpy as jnp
import numpy as np
import pytest

import ltr.losses
from ltr import NeuralRanker
from ltr.losses import LOSSES, LossInfo, combine, loss_info, ranking_loss
from ltr.losses.pointwise import mse_loss
from ltr.training import plan_loss


def own_mse(scores, labels, *, where=None, weights=None, normalize=False):
    """The formula of "mse", by a user."""
    real = jnp.ones(labels.shape, bool) if where is None else where
    mass = jnp.where(real, 1.0 if weights is None else weights, 0.0)
    total = jnp.sum(mass * jnp.where(real, scores - labels, 0.0) ** 2, axis=-1)
    return total / jnp.maximum(mass.sum(-1), 1e-9) if normalize else total


@functools.wraps(own_mse)
def declared_mse(*args, **kwargs):
    """Another function object, for the decorator."""
    return own_mse(*args, **kwargs)


declared_mse = ranking_loss(convex=True, bounds=(0.0, math.inf))(declared_mse)


def wrapped_mse(scores, labels, **inputs):
    """A wrapper that passes on whatever it gets."""
    return mse_loss(scores, labels, normalize=True, **inputs)


def test_the_decorator_changes_nothing():
    """Function, signature, docstring and pickling stay; the facts are beside it."""

    def loss(scores, labels, *, where=None, sigma=1.0, n=3):
        """Document."""

    declared = ranking_loss(labels="from_0", curvature="pairs")(loss)
    assert declared is loss
    assert declared.__doc__ == "Document."
    assert list(inspect.signature(loss).parameters) == [
        "scores", "labels", "where", "sigma", "n",
    ]  # fmt: skip
    assert loss.info == LossInfo(
        labels="from_0",
        curvature="pairs",
        parameters=("where", "sigma", "n"),
        numbers=("sigma",),
    )
    assert pickle.loads(pickle.dumps(mse_loss)) is mse_loss


@pytest.mark.parametrize("name", sorted(LOSSES))
def test_every_loss_declares_itself(name):
    """Each has an info of its own, and no argument that it does not use."""
    loss = LOSSES[name]
    source = inspect.getsource(loss)
    body = source[source.index('"""', source.index('"""') + 3) :]
    assert isinstance(loss.info, LossInfo)
    assert loss_info(functools.partial(loss)).labels == loss.info.labels
    for parameter in loss.info.parameters:
        assert re.search(rf"\b{parameter}\b", body), parameter


def test_facts_about_a_partial():
    """An extra that is set need not be passed; claims and numbers stay."""
    loss = functools.partial(ltr.losses.pld_loss, teacher_scores=jnp.zeros(3))
    info = loss_info(loss)
    assert info.extras == info.required_extras == ()
    assert info.numbers == ("temperature",)
    assert info.learns_from == "two_items"


def test_facts_about_a_combination():
    """It needs what any part needs, and claims what all parts claim."""
    info = combine((0.5, "softmax"), (2.0, "approx_ndcg"), (0.0, "pld")).info
    assert (info.labels, info.learns_from) == ("from_0", "two_items")
    assert (info.convex, info.shift_invariant, info.repeats) == (False, True, False)
    assert info.bounds == (-2.0, math.inf)
    assert info.required_extras == ("teacher_scores",)
    assert info.numbers == ("weight_0", "weight_1", "weight_2")
    assert not combine((-1.0, "softmax")).info.convex
    assert combine((-1.0, "softmax")).info.bounds == (-math.inf, 0.0)


def test_a_combination_refuses_what_no_part_takes():
    """A misspelt option is no longer dropped."""
    s, y = jnp.array([1.0, 0.0]), jnp.array([1.0, 0.0])
    with pytest.raises(TypeError, match="no loss of the combination takes 'sigmaa'"):
        combine((1.0, "ranknet"))(s, y, sigmaa=2.0)


def test_facts_about_an_undeclared_loss():
    """Its signature is read; it claims nothing, and two items suffice."""

    def loss(scores, labels, *, position, where=None, tau=0.5, epoch=None):
        """Do nothing."""

    info = loss_info(loss)
    assert info == LossInfo(
        parameters=("position", "where", "tau", "epoch"),
        required=("position",),
        numbers=("tau",),
    )
    assert info.bounds == (-math.inf, math.inf)
    assert info.extras == info.required_extras == ("position",)


def test_kwargs_take_the_inputs_of_a_list():
    """**kwargs get where, and weights and extras if there are any; not a key."""
    info = loss_info(wrapped_mse)
    passed = info.arguments(
        where=1, weights=None, teacher_scores=2, key=3, epoch=4, normalize=True
    )
    assert passed == {"where": 1, "teacher_scores": 2}
    plan, numbers = plan_loss(wrapped_mse)
    assert (plan.function, plan.options, numbers) == (wrapped_mse, (), {})


def test_wrong_declarations():
    """The message lists what may be declared."""
    with pytest.raises(ValueError, match="labels must be one of 'real', 'from_0'; go"):
        ranking_loss(labels="positive")
    with pytest.raises(ValueError, match=r"bounds must be \(low, high\) with low <= h"):
        ranking_loss(bounds=(1.0, 0.0))


@pytest.mark.parametrize("loss", [own_mse, declared_mse, wrapped_mse])
def test_a_copy_of_mse_trains_as_mse(loss):
    """Also on lists whose labels are all equal: a name has no rights of its own."""
    rng = np.random.default_rng(0)
    X, qid = rng.normal(size=(60, 3)), np.repeat(np.arange(12), 5)
    y, weights = (qid % 4).astype(float), rng.uniform(0.5, 2.0, 60)
    y[:5] = range(5)
    settings = {"scorer": "linear", "max_epochs": 3, "random_state": 0}
    settings |= {"early_stopping": False}
    expected = NeuralRanker("mse", **settings).fit(X, y, qid, weights)
    ranker = NeuralRanker(loss, **settings).fit(X, y, qid, weights)
    assert len(ranker.history_["loss"]) == 3
    np.testing.assert_allclose(
        ranker.history_["loss"], expected.history_["loss"], rtol=1e-6
    )
    np.testing.assert_allclose(ranker.predict(X), expected.predict(X), rtol=1e-5)


def test_options_of_a_users_loss_are_traced():
    """A float default makes a number; changing it leaves the plan as it is."""

    def loss(scores, labels, *, where=None, learning_rate=1.0, gain=3.0, n=2):
        """Do nothing."""

    one, numbers = plan_loss(functools.partial(loss, learning_rate=7.0, n=3))
    other, _ = plan_loss(functools.partial(loss, learning_rate=8.0, n=3))
    assert numbers == {"learning_rate": 7.0}
    assert (one, hash(one)) == (other, hash(other))
    assert one.options == (("n", 3),)


def test_a_combination_reads_as_the_call_that_makes_it():
    mine = lambda scores, labels, *, where=None: scores.sum(-1)
    sigma = functools.partial(LOSSES["ranknet"], sigma=2.0)
    loss = combine((0.5, "ranknet"), (1.0, sigma), (3.0, mine))
    assert repr(loss) == (
        "combine((0.5, 'ranknet'), (1, partial(ranknet_loss, sigma=2.0)), "
        "(3, <lambda>))"
    )


def test_a_sum_that_was_asked_is_the_same_parameter():
    """What it caches is not saved: scikit-learn compares the bytes after a fit."""
    loss = combine((1.0, "ranknet"), (0.1, "mse"))
    before = pickle.dumps(loss)
    assert loss.info.takes("weights")
    assert pickle.dumps(loss) == before
    assert pickle.loads(before) == loss
