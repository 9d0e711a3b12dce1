"""Slow references of the losses on clicks."""

import itertools

import numpy as np

from support.loss_case import log_sum, softplus


def ips_softmax(s, c, w, theta):
    """Each click divided by its propensity."""
    return -sum(w[i] * c[i] / theta[i] * (s[i] - log_sum(s, w)) for i in range(len(s)))


def ips_pairwise(s, c, w, theta, against="all"):
    """Clicked items over all others, or over those with fewer clicks."""
    n = len(s)
    return sum(
        w[i] * w[j] * c[i] / theta[i] * softplus(s[j] - s[i])
        for i in range(n)
        for j in range(n)
        if i != j and (against == "all" or c[i] > c[j])
    )


def examinations(relevance, theta):
    """Clicks of every set of examined items, with its probability."""
    for seen in itertools.product([0.0, 1.0], repeat=len(theta)):
        seen = np.array(seen)
        yield seen * relevance, np.prod(np.where(seen > 0, theta, 1 - theta))


# The losses are beside LOSSES (they take positions of clicks), so there are no rows.
CASES = []
