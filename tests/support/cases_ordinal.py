"""Slow references of the pointwise losses with several numbers per item."""

import math

from support.loss_case import LossCase, softplus


def ordinal(logits, y, w):
    """One binary cross-entropy per item and grade."""
    return sum(
        w[i] * (softplus(x) - (x if y[i] >= grade else 0.0))
        for i in range(len(y))
        for grade, x in enumerate(logits[i], start=1)
    )


def gaussian_nll(s, y, w, log_variance=None):
    """−log of the normal density of each label."""
    value = 0.0
    for i in range(len(s)):
        variance = 1.0 if log_variance is None else math.exp(log_variance[i])
        density = math.exp(-((y[i] - s[i]) ** 2) / (2 * variance))
        value -= w[i] * math.log(density / math.sqrt(2 * math.pi * variance))
    return value


# `ordinal` has another signature. `gaussian_nll` fits LOSSES, if it is to be there.
CASES = []
GAUSSIAN = LossCase(
    "gaussian_nll",
    gaussian_nll,
    bounds=(0.0, math.inf),  # without log_variance: at least log(2π) / 2 per item
)
