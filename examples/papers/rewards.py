"""Rows about rewards: what reinforcement learning of rankers maximizes."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from row import PaperRow, Setting

from ltr.losses import (
    causal_dcg_rewards,
    order_log_probs,
    rank_grpo_loss,
    sample_orders,
)


def rank_grpo(setting: Setting) -> PaperRow:
    """Rank-GRPO: a Plackett-Luce policy is trained by the DCG from each rank on."""
    hits = jnp.array([0.0, 1.0, 0.0, 1.0, 0.0, 0.0])
    dcg = lambda order: float(causal_dcg_rewards(hits[order])[0])
    best = dcg(jnp.argsort(-hits))

    def loss(scores, old, orders, rewards):
        return rank_grpo_loss(order_log_probs(scores, orders), old, rewards)

    gradient = jax.jit(jax.grad(loss))
    scores, start = jnp.zeros(len(hits)), dcg(jnp.arange(len(hits)))
    for step in range(60):
        orders = sample_orders(scores, jax.random.key(step), n_samples=8)
        rewards = causal_dcg_rewards(hits[orders])
        old = order_log_probs(scores, orders)
        scores -= 2.0 * gradient(scores, old, orders, rewards)
    reached = dcg(jnp.argsort(-scores))
    line = f"Rank-GRPO: DCG from {start:.4f} to {reached:.4f} in 60 steps"
    return PaperRow(
        25,
        [f"{line}, the best possible is {best:.4f}"],
        "the policy's best order has the best possible DCG",
        bool(np.isclose(reached, best)),
    )


PAPERS = {25: rank_grpo}
