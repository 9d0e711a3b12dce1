"""Rows of the Wasserstein loss."""

import numpy as np

from support.loss_case import LossCase, log_sum


def wasserstein(temperature=1.0):
    def value(s, y, w):
        levels = sorted(set(y), reverse=True)
        if len(levels) < 2:
            return 0.0
        p = w * np.exp(s / temperature - log_sum(s / temperature, w))
        q = w * np.exp(y - log_sum(y, w))
        return float(sum(abs((p - q)[y >= level].sum()) for level in levels[:-1]))

    return value


CASES = [
    LossCase("wasserstein", wasserstein()),
    LossCase("wasserstein", wasserstein(0.5), (("temperature", 0.5),)),
]
