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
from ltr.mining import self_consistency_filter
from ltr.rewards import format_reward, inverse_cube_reward, multi_view_reward


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


def reason_rank(setting: Setting) -> PaperRow:
    """ReasonRank: three views of a list; judges that contradict the labels are out."""
    gold, relevant = [1, 2, 3, 4], {1, 4}
    reward = multi_view_reward([2, 1, 3, 4], gold, relevant)
    others = [
        multi_view_reward(gold, gold, {1, 2}),
        multi_view_reward("2 1 3 4", gold, relevant),
        multi_view_reward([2, 1, 3], gold, relevant),
    ]
    rng = np.random.default_rng(0)
    quality = []
    for _ in range(300):
        scores = np.r_[rng.normal(1.0, 1.0, 2), rng.normal(size=18)]
        order = np.argsort(-scores).tolist()
        quality.append((self_consistency_filter(order, {0, 1}), order.index(0) + 1))
    is_kept, rank = np.array(quality).T
    rank_kept, rank_dropped = (rank[is_kept == flag].mean() for flag in (1, 0))
    perfect, malformed, partial = others
    return PaperRow(
        6,
        [
            f"rewards: perfect {perfect:.1f}, malformed {malformed:.0f}, not all ids "
            f"{partial:.0f}; mean rank of a relevant item in lists kept "
            f"{rank_kept:.1f}, dropped {rank_dropped:.1f}",
            f"ReasonRank: reward {reward:.10f}",
        ],
        "reward .9259209298, 1.3, −1 and 0; kept lists are the better ones",
        bool(
            abs(reward - 0.9259209298) < 1e-9
            and np.allclose(others, [1.3, -1.0, 0.0])
            and rank_kept < rank_dropped
        ),
    )


def mm_r5(setting: Setting) -> PaperRow:
    """MM-R5: inverse cubes of ranks, and a format that repeats cannot fool."""
    ranks, form = inverse_cube_reward([2, 4], 2), format_reward([2, 2, 9], 4)
    return PaperRow(
        21,
        [f"MM-R5: reward of ranks 2 and 4 {ranks}, of the form {form}"],
        ".125 and .25",
        (ranks, form) == (0.125, 0.25),
    )


PAPERS = {6: reason_rank, 21: mm_r5, 25: rank_grpo}
