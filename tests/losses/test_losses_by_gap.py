"""Symmetric KL, margins that grow with the gap, weights of items: golden values."""

import jax.numpy as jnp
import numpy as np
import pytest

from ltr.losses import (
    bce_loss,
    gap_margin_loss,
    infonce_loss,
    kl_distillation_loss,
    loss_weights,
)


def test_golden_values():
    cosines, judged = jnp.array([0.9, 0.5, 0.2]), jnp.array([0.95, 0.4, 0.1])
    value = kl_distillation_loss(
        cosines, jnp.zeros(3), teacher_scores=judged, temperature=0.1, symmetric=True
    )
    assert float(value) == pytest.approx(0.0109446640, rel=1e-5)
    scores, labels = jnp.array([-0.9, -1.0, -0.8, -1.2]), jnp.array([3, 2, 1, 0])
    assert float(gap_margin_loss(scores, labels)) == pytest.approx(0.118, rel=1e-5)
    mean = gap_margin_loss(scores, labels, normalize=True)
    assert float(mean) == pytest.approx(0.118 / 3, rel=1e-5)


def test_weights_are_what_the_paper_says():
    """|y − p| of the pointwise loss, the softmax's share of the contrastive one."""
    scores, labels = jnp.array([1.0, -0.5, 0.2]), jnp.array([1.0, 0.0, 0.0])
    weight, direction = loss_weights(bce_loss, scores, labels)
    p = 1 / (1 + np.exp(-np.asarray(scores)))
    assert weight.tolist() == pytest.approx(np.abs(labels - p), rel=1e-5)
    assert direction.tolist() == [1, -1, -1]
    weight, direction = loss_weights(infonce_loss, scores, labels, temperature=1.0)
    share = np.exp(scores) / np.exp(scores).sum()
    assert weight.tolist() == pytest.approx(np.abs(labels - share), rel=1e-5)
    assert direction.tolist() == [1, -1, -1]
    where = jnp.array([True, True, False])
    weight, direction = loss_weights(bce_loss, scores, labels, where=where)
    assert weight[2] == direction[2] == 0
