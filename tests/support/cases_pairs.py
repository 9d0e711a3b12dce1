"""Pointwise, pairwise and λ losses: slow references and their laws."""

import math

import numpy as np

from support.loss_case import (
    LossCase,
    discount_change,
    mean_discounts,
    pairs,
    softplus,
)


def mse(s, y, w):
    return sum(w[i] * (s[i] - y[i]) ** 2 for i in range(len(s)))


def bce(s, y, w):
    y = np.clip(y, 0, 1)
    return sum(w[i] * (softplus(s[i]) - y[i] * s[i]) for i in range(len(s)))


def ranknet(sigma=1.0):
    return lambda s, y, w: sum(
        w[i] * w[j] * softplus(-sigma * (s[i] - s[j])) for i, j in pairs(y)
    )


def hinge(margin=1.0):
    return lambda s, y, w: sum(
        w[i] * w[j] * max(0.0, margin - (s[i] - s[j])) for i, j in pairs(y)
    )


def gap_margin(margin=1e-3):
    def value(s, y, w):
        r = mean_ranks(y)
        return sum(
            w[i] * w[j] * max(0.0, margin * (r[j] - r[i]) - (s[i] - s[j]))
            / (len(y) - (r[j] - r[i]))
            for i, j in pairs(y)
        )  # fmt: skip

    return value


def lambdarank(k=None, metric="ndcg"):
    def value(s, y, w):
        gain = 2.0**y - 1
        change = discount_change(s, k)
        ideal = float((w * gain) @ mean_discounts(w * gain, k)) if len(y) else 0.0
        if metric == "dcg":
            ideal = 1.0
        if ideal == 0:
            return 0.0
        return sum(
            w[i] * w[j] * abs(gain[i] - gain[j]) * change[i, j] / ideal
            * softplus(-(s[i] - s[j]))
            for i, j in pairs(y)
        )  # fmt: skip

    return value


def logistic(margin):
    return softplus(-margin)


def mean_ranks(values):
    """1-based ranks by descending value; equal values share their mean rank."""
    return np.array(
        [(values > v).sum() + ((values == v).sum() + 1) / 2 for v in values]
    )


def weighted_ranknet(pair_weight):
    return lambda s, y, w: sum(
        w[i] * w[j] * pair_weight(y, i, j) * softplus(s[j] - s[i]) for i, j in pairs(y)
    )


def rank_sum(y, i, j):
    ranks = mean_ranks(y)
    return 1 / (ranks[i] + ranks[j])


def ranknet_all_pairs(target):
    """Every unordered pair with a target probability."""

    def value(s, y, w, **extras):
        total = 0.0
        for i in range(len(s)):
            for j in range(i):
                p = target(y, i, j, **extras)
                margin = s[i] - s[j]
                loss = p * softplus(-margin) + (1 - p) * softplus(margin)
                total += w[i] * w[j] * loss
        return total

    return value


def from_teacher(y, i, j, teacher_scores):
    return 1 / (1 + math.exp(teacher_scores[j] - teacher_scores[i]))


def ranklist(skips=None, margin=0.0, approx="none", local=1.0, nonlocal_=1.0):
    def value(s, y, w):
        group = [len(set(y[y > v])) for v in y]
        kept = {}
        for i, j in pairs(y):
            skip = group[j] - group[i]
            if (skips is None or skip in skips) and y[i] - y[j] >= margin:
                kept[i, j] = (local if skip == 1 else nonlocal_) * w[j]
        if approx == "none":
            return sum(w[i] * c * softplus(s[j] - s[i]) for (i, j), c in kept.items())
        if approx == "global":
            terms = [w[i] * c * math.exp(s[j] - s[i]) for (i, j), c in kept.items()]
            return math.log1p(sum(terms))
        return sum(
            w[i]
            * math.log1p(
                sum(c * math.exp(s[j] - s[i]) for (a, j), c in kept.items() if a == i)
            )
            for i in range(len(s))
        )

    return value


def of_margin(function):
    """Sum of a function of the margin and the label difference."""
    return lambda s, y, w: sum(
        w[i] * w[j] * function(s[i] - s[j], y[i] - y[j]) for i, j in pairs(y)
    )


def pair_mse(s, y, w):
    n = range(len(s))
    error = s - y
    return sum(w[i] * w[j] * (error[i] - error[j]) ** 2 for i in n for j in n)


def quantile(tau, power=1):
    return of_margin(
        lambda d, dy: (
            tau * max(0, dy - d) ** power + (1 - tau) * max(0, d - dy) ** power
        )
    )


def circle(s, y, w, gamma=64.0, m=0.25):
    s = np.clip(s, 0, 1)
    total = 1.0
    for i, j in pairs(y):
        worse = max(0, s[j] + m) * (s[j] - m)
        better = max(0, 1 + m - s[i]) * (s[i] - 1 + m)
        total += w[i] * w[j] * math.exp(gamma * (worse - better))
    return math.log(total)


def discount(rank):
    return 1 / math.log2(1 + rank)


def ideal_dcg(y, w, k=None):
    gain = 2.0**y - 1
    return float((w * gain) @ mean_discounts(w * gain, k)) if len(y) else 0.0


def lambda_mrr(s, y, w):
    change = discount_change(s, by_rank=lambda rank: 1 / rank)
    return sum(w[i] * w[j] * change[i, j] * softplus(s[j] - s[i]) for i, j in pairs(y))


def against_all(strength):
    def value(s, y, w):
        if len(set(y)) < 2:
            return 0.0
        n, own = range(len(s)), strength(s, y, w)
        return sum(w[i] * w[j] * own[i] * softplus(s[j] - s[i]) for i in n for j in n)

    return value


def ndcg_loss1(s, y, w):
    ideal = ideal_dcg(y, w)
    gain = (2.0**y - 1) * np.array(mean_discounts(s, None))
    return gain / ideal if ideal > 0 else 0 * gain


def ndcg_loss2(k=None, mu=None, metric="ndcg"):
    def value(s, y, w):
        ranks, change = mean_ranks(s), discount_change(s)
        ideal = ideal_dcg(y, w, k) if metric == "ndcg" else 1.0
        if ideal == 0:
            return 0.0
        total = 0.0
        for i, j in pairs(y):
            apart = max(abs(ranks[i] - ranks[j]), 1.0)
            weight = discount(apart) - discount(apart + 1)
            worse = max(ranks[i], ranks[j])
            if k is not None and worse > k:
                weight /= 1 - discount(worse)
            if mu is not None:
                weight = mu * weight + change[i, j]
            weight *= abs(2.0 ** y[i] - 2.0 ** y[j])
            total += w[i] * w[j] * weight * softplus(s[j] - s[i])
        return total / ideal

    return value


CASES = [
    LossCase("mse", mse, zero_on_one_item=False),
    LossCase("bce", bce, zero_on_one_item=False),
    LossCase("ranknet", ranknet(), pair=logistic),
    LossCase(
        "ranknet",
        ranknet(2.5),
        (("sigma", 2.5),),
        pair=lambda margin: softplus(-2.5 * margin),
    ),
    LossCase("hinge", hinge(), pair=lambda margin: max(0.0, 1.0 - margin)),
    LossCase("hinge", hinge(0.5), (("margin", 0.5),)),
    LossCase("gap_margin", gap_margin()),
    LossCase("gap_margin", gap_margin(0.5), (("margin", 0.5),)),
    LossCase(
        "lambdarank",
        lambdarank(),
        pair=lambda margin: (1 - 1 / math.log2(3)) * logistic(margin),
    ),
    LossCase(
        "lambdarank",
        lambdarank(2, "dcg"),
        (("k", 2), ("metric", "dcg")),
    ),
    LossCase(
        "ranknet",
        weighted_ranknet(lambda y, i, j: y[i] - y[j]),
        (("pair_weight", "label_difference"),),
    ),
    LossCase(
        "ranknet",
        weighted_ranknet(lambda y, i, j: y[i] ** 2 - y[j] ** 2),
        (("pair_weight", "squared_label_difference"),),
    ),
    LossCase(
        "ranknet",
        weighted_ranknet(rank_sum),
        (("pair_weight", "rank_sum"),),
        repeats=False,
        pair=lambda margin: logistic(margin) / 3,
    ),
    LossCase(
        "ranknet",
        ranknet_all_pairs(lambda y, i, j: (1 + np.sign(y[i] - y[j])) / 2),
        (("ties", "half"),),
        repeats=False,  # copies of an item are a pair with target ½
        zero_on_equal_labels=False,
        pair=logistic,
    ),
    LossCase(
        "ranknet",
        ranknet_all_pairs(from_teacher),
        repeats=False,
        zero_on_equal_labels=False,
        extras=("teacher_scores",),
    ),
    LossCase("ranklist", ranklist(), pair=logistic),
    LossCase("ranklist", ranklist((1,)), (("skips", (1,)),), pair=logistic),
    LossCase(
        "ranklist",
        ranklist((1, 3), local=2.0, nonlocal_=0.5),
        (("skips", (1, 3)), ("local_weight", 2.0), ("nonlocal_weight", 0.5)),
    ),
    LossCase("ranklist", ranklist(margin=2.0), (("margin", 2.0),)),
    LossCase(
        "ranklist", ranklist(approx="anchor"), (("approx", "anchor"),), pair=logistic
    ),
    LossCase(
        "ranklist",
        ranklist((2,), approx="anchor"),
        (("skips", (2,)), ("approx", "anchor")),
    ),
    LossCase(
        "ranklist", ranklist(approx="global"), (("approx", "global"),), pair=logistic
    ),
    LossCase(
        "soft_zero_one",
        of_margin(lambda d, dy: 1 / (1 + math.exp(d))),
        pair=lambda margin: 1 / (1 + math.exp(margin)),
    ),
    LossCase(
        "exponential",
        of_margin(lambda d, dy: math.exp(-d)),
        pair=lambda margin: math.exp(-margin),
    ),
    LossCase("pair_mse", pair_mse),
    LossCase("quantile", quantile(0.7), (("tau", 0.7),)),
    LossCase("quantile", quantile(0.5, 2), (("squared", True),)),
    LossCase("circle", circle),
    LossCase("lambdarank", lambda_mrr, (("metric", "mrr"),)),
    LossCase("ndcg_loss1", against_all(ndcg_loss1)),
    LossCase(
        "ndcg_loss2",
        ndcg_loss2(),
        pair=lambda margin: (1 - discount(2)) * logistic(margin),
    ),
    LossCase(
        "ndcg_loss2",
        ndcg_loss2(2, metric="dcg"),
        (("k", 2), ("metric", "dcg")),
    ),
    LossCase("ndcg_loss2pp", ndcg_loss2(mu=10.0)),
    LossCase("arp", weighted_ranknet(lambda y, i, j: y[i] - y[j]), pair=logistic),
    LossCase("arp", against_all(lambda s, y, w: y), (("variant", 1),)),
]
