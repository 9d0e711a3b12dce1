"""The loop, the plan that keys compiled steps, the optimizers."""

import functools
import re

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from support.programs import n_compiled_steps

from ltr import NeuralRanker
from ltr.lists import pack, with_padding_rows
from ltr.losses import listnet_loss, ranknet_loss
from ltr.queries import group_queries
from ltr.scorers import LinearScorer
from ltr.training import (
    OPTIMIZERS,
    Data,
    StepNumbers,
    TrainingPlan,
    get_optimizer,
    plan_loss,
    train,
)
from ltr.training.batches import ResidentLists
from ltr.training.convergence import EpochLimits
from ltr.training.optimizers import build_optimizer
from ltr.training.steps import init_optimizer

QID = np.repeat(np.arange(6), [3, 5, 2, 4, 3, 6])
RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(len(QID), 4)), RNG.integers(0, 3, len(QID))


def run(
    loss=listnet_loss, epochs=3, optimizer="sgd", validate=None, patience=10, **options
):
    """Train a linear scorer from 0 on six small lists."""
    loss_plan, numbers = plan_loss(loss)
    plan = TrainingPlan(LinearScorer(), loss_plan, get_optimizer(optimizer))
    put = lambda values: jnp.asarray(with_padding_rows(values.astype(np.float64)))
    params = jax.tree.map(jnp.zeros_like, plan.scorer.init(jax.random.key(0), 4))
    data = Data(len(QID), put(X), put(Y), None, put(np.ones(len(QID))), {})
    packing = {k: options.pop(k) for k in ("max_list_sizes",) if k in options}
    return train(
        plan,
        params,
        init_optimizer(plan, params),
        ResidentLists(data, pack(group_queries(QID, len(QID)), **packing)),
        numbers=StepNumbers(learning_rate=0.1, weight_decay=0.0, loss=numbers),
        rng=np.random.default_rng(0),
        limits=EpochLimits(epochs, None, patience),
        validate=None if validate is None else lambda p: {"metric": validate(p)},
        **options,
    )


@pytest.mark.usefixtures("x64")
def test_gradient_descent_by_hand():
    """One epoch over one batch is one step along the mean gradient."""
    result = run(epochs=1, max_list_sizes=1)
    groups = [np.flatnonzero(QID == q) for q in range(6)]

    def mean_loss(w):
        return sum(listnet_loss(X[g] @ w, jnp.asarray(Y[g], float)) for g in groups) / 6

    loss, gradient = jax.jit(jax.value_and_grad(mean_loss))(jnp.zeros(4))
    step = -0.1 * gradient
    np.testing.assert_allclose(result.params.weight[:, 0], step, rtol=1e-10)
    np.testing.assert_allclose(result.losses, [loss], rtol=1e-12)


@pytest.mark.usefixtures("x64")
def test_splitting_into_batches_and_padding_change_no_gradient():
    """The gradients of all batches of an epoch add up to that of the whole.

    With plain gradient descent and a tiny step the batches do not see one another.
    """
    loss_plan, _ = plan_loss(listnet_loss)
    features = jnp.asarray(with_padding_rows(X))
    targets = jnp.asarray(with_padding_rows(Y.astype(float)))

    @jax.jit
    @jax.grad
    def gradient_of(w, rows):
        where = rows < len(QID)
        scores = features[rows] @ w
        return loss_plan.function(scores, targets[rows], where=where).sum()

    total = {}
    for batch_size, sizes in ((6, 1), (2, 3), (1, 6)):
        packed = pack(
            group_queries(QID, len(QID)), batch_size=batch_size, max_list_sizes=sizes
        )
        gradient = 0.0
        for rows in packed.epoch(np.random.default_rng(0)):
            gradient += np.asarray(gradient_of(jnp.ones(4), rows))
        total[batch_size] = gradient
    np.testing.assert_allclose(total[2], total[6], rtol=1e-10)
    np.testing.assert_allclose(total[1], total[6], rtol=1e-10)


def test_early_stopping_keeps_the_best():
    """Training stops after some epochs without a better score, and returns the best weights."""
    scores = iter([0.1, 0.3, 0.2, 0.5, 0.4, 0.45, 0.5, 0.9])
    seen = []

    def validate(params):
        seen.append(params.weight.copy())
        return next(scores)

    result = run(epochs=100, validate=validate, patience=3)
    assert result.scores == [0.3, 0.2, 0.5, 0.4, 0.45, 0.5]
    assert (result.best_epoch, result.best_score) == (3, 0.5)
    np.testing.assert_array_equal(result.params.weight, seen[3])
    np.testing.assert_array_equal(result.last_params.weight, seen[6])


def test_the_start_may_be_best():
    """Weights before training are a candidate too."""
    scores = iter([0.9, 0.3, 0.2])
    result = run(epochs=2, validate=lambda params: next(scores))
    assert result.best_epoch == 0
    np.testing.assert_array_equal(result.params.weight, 0.0)


def test_interrupt_returns_what_was_reached():
    """Ctrl-C in the third epoch leaves the weights of the second."""

    def stop(epoch, result, params):
        if epoch == 2:
            raise KeyboardInterrupt

    result = run(epochs=10, on_epoch=stop)
    assert result.interrupted
    assert len(result.losses) == 2
    np.testing.assert_array_equal(result.params.weight, run(epochs=2).params.weight)


def test_numbers_do_not_compile():
    """Changing learning rate or sigma meets the compiled step."""
    loss = functools.partial(ranknet_loss, sigma=1.0)
    run(loss, epochs=1)
    before = n_compiled_steps()
    for sigma in (0.5, 2, 3.0):
        run(functools.partial(ranknet_loss, sigma=sigma), epochs=1)
    assert n_compiled_steps() == before
    run(functools.partial(ranknet_loss, normalize=False), epochs=1)
    assert n_compiled_steps() > before


def test_plan_of_a_partial():
    """Numbers are traced, the rest is part of the program; extras are found."""

    def loss(scores, labels, *, where, teacher_scores, k=3, temperature=1.0):
        return scores

    plan, numbers = plan_loss(functools.partial(loss, k=5, temperature=2))
    assert plan.function is loss
    assert plan.options == (("k", 5),)
    assert numbers == {"temperature": 2.0}
    assert plan.info.extras == plan.info.required_extras == ("teacher_scores",)
    assert not plan.info.takes("weights")
    nested = functools.partial(functools.partial(loss, k=5), k=7)
    assert plan_loss(nested)[0].options == (("k", 7),)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_weight_decay_means_the_same_for_all(name):
    """A step without gradient shrinks the weights by learning_rate · weight_decay."""
    optimizer = build_optimizer(OPTIMIZERS[name], 0.1, 0.5)
    params = {"w": jnp.array([2.0, -4.0])}
    gradient = jax.tree.map(jnp.zeros_like, params)
    updates, _ = optimizer.update(gradient, optimizer.init(params), params)
    np.testing.assert_allclose(updates["w"], -0.05 * params["w"], rtol=1e-6)


def test_factories():
    """A function of learning_rate is an optimizer; one of weight_decay decides itself."""
    own = lambda learning_rate: optax.sgd(learning_rate, momentum=0.9)
    params = {"w": jnp.array([1.0])}
    for factory, expected in ((own, -0.1), (optax.adamw, -0.1)):
        optimizer = build_optimizer(get_optimizer(factory), 0.1, 1.0)
        gradient = {"w": jnp.array([0.0])}
        updates, _ = optimizer.update(gradient, optimizer.init(params), params)
        np.testing.assert_allclose(updates["w"], [expected], rtol=1e-6)


def test_unknown_optimizer():
    """Messages in full."""
    message = (
        "optimizer='admaw' is not a known optimizer. Known optimizers: 'adam', 'adamw', "
        "'adagrad', 'lion', 'nadam', 'rmsprop', 'sgd'. Did you mean 'adamw'?"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        get_optimizer("admaw")
    message = (
        "optimizer must be a name or a function of learning_rate that returns an optax "
        "transformation; got ChainedGradientTransformation"
    )
    with pytest.raises(TypeError, match="got .*GradientTransformation"):
        get_optimizer(optax.adam(1e-3))
    assert message


def test_options_of_a_loss_keep_their_names():
    """An option called as a number of the step reaches the loss, with its own value."""
    values = []

    def loss(
        scores, labels, *, where,
        learning_rate=0.0, weight_decay=0.0, lists_per_step=0.0, epoch=0.0,
    ):  # fmt: skip
        options = (learning_rate, weight_decay, lists_per_step, epoch)
        jax.debug.callback(
            lambda *them: values.append(tuple(map(float, them))), *options
        )
        return jnp.sum(jnp.where(where, (scores - labels) ** 2, 0.0), axis=-1)

    own = functools.partial(
        loss, learning_rate=7.0, weight_decay=8.0, lists_per_step=9.0, epoch=10.0
    )
    NeuralRanker(own, "linear", max_epochs=2, learning_rate=0.1).fit(X, Y, QID)
    jax.effects_barrier()
    assert set(values) == {(7.0, 8.0, 9.0, 10.0)}
    values.clear()
    NeuralRanker(loss, "linear", max_epochs=2, learning_rate=0.1).fit(X, Y, QID)
    jax.effects_barrier()
    assert {epoch for *_, epoch in values} == {0.0, 1.0}  # declared, and not set
