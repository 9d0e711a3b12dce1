"""Listwise, distillation and preference losses: slow references and their laws."""

import itertools
import math

import numpy as np

from support.loss_case import (
    LossCase,
    discount_change,
    log_sum,
    mean_discounts,
    pairs,
    softplus,
)


def softmax(s, y, w):
    if len(set(y)) < 2:
        return 0.0
    return -sum(w[i] * y[i] * (s[i] - log_sum(s, w)) for i in range(len(s)))


def listnet(temperature=1.0):
    def value(s, y, w):
        if len(s) == 0:
            return 0.0
        q = np.exp(y / temperature - log_sum(y / temperature, w))
        return -sum(w[i] * q[i] * (s[i] - log_sum(s, w)) for i in range(len(s)))

    return value


def plackett_luce(ties="efron", k=None):
    """Group by group; the last group says nothing."""

    def value(s, y, w):
        total, drawn = 0.0, 0
        for label in sorted(set(y), reverse=True)[:-1]:
            group, rest = y == label, y <= label
            m = int(group.sum())
            all_, mine = np.sum((w * np.exp(s))[rest]), np.sum((w * np.exp(s))[group])
            stages = [1.0 if k is None or drawn + i < k else 0.0 for i in range(m)]
            for i in range(m):
                left = all_ - (i / m) * mine if ties == "efron" else all_
                total += stages[i] * np.mean(w[group]) * math.log(left)
            total -= np.mean(stages) * np.sum((w * s)[group])
            drawn += m
        return float(total)

    return value


def approx_ndcg(temperature=0.1):
    def value(s, y, w):
        if len(set(y)) < 2:
            return 0.0
        n, gain = len(s), 2.0**y - 1
        sigmoid = lambda x: 1 / (1 + math.exp(min(-x, 700.0)))
        ranks = [
            1 + sum(sigmoid((s[j] - s[i]) / temperature) for j in range(n) if j != i)
            for i in range(n)
        ]
        ideal = float((w * gain) @ mean_discounts(w * gain, None))
        if ideal == 0:
            return 0.0
        dcg = sum(w[i] * gain[i] / math.log2(1 + r) for i, r in enumerate(ranks))
        return -dcg / ideal

    return value


def logistic(margin):
    return softplus(-margin)


def softmax_of(values, w):
    return np.exp(values - log_sum(values, w)) if len(values) else values


def top_2(s, target, w):
    """Cross-entropy over ordered pairs of two different items."""
    n, total = len(s), 0.0
    if n < 2:
        return 0.0

    def log_probability(x, a, b):
        rest = np.arange(n) != a
        return x[a] - log_sum(x, w) + x[b] - log_sum(x[rest], w[rest])

    for a, b in itertools.permutations(range(n), 2):
        p = w[a] * w[b] * math.exp(log_probability(target, a, b))
        total -= p * log_probability(s, a, b)
    return total


def unique_softmax(s, y, w):
    total = 0.0
    for i in range(len(s)):
        below = (w * np.exp(s))[y < y[i]].sum()
        total += w[i] * (2 ** y[i] - 1) * (math.log(math.exp(s[i]) + below) - s[i])
    return total


def cross_entropy(s, q, w):
    return -sum(w[i] * q[i] * (s[i] - log_sum(s, w)) for i in range(len(s)))


def xe_ndcg(s, y, w, u=0.5):
    if len(set(y)) < 2:
        return 0.0
    gain = 2.0**y - u
    return cross_entropy(s, gain / (w @ gain), w)


def poly1(epsilon):
    def value(s, y, w):
        if len(set(y)) < 2:
            return 0.0
        q = y / (w @ y)
        return cross_entropy(s, q, w) + epsilon * (1 - (w * q) @ softmax_of(s, w))

    return value


def infonce(temperature=1.0, kept=False):
    def value(s, y, w):
        positive = y > 0
        if positive.all() or not positive.any():
            return 0.0
        total = 0.0
        for i in np.flatnonzero(positive):
            rest = (w * np.exp(s / temperature))[
                np.full(len(s), True) if kept else ~positive
            ].sum()
            own = math.exp(s[i] / temperature)
            total += w[i] * math.log((rest if kept else rest + own) / own)
        return total / w[positive].sum()

    return value


def calibrated_softmax(s, y, w, y0=1.0):
    if len(s) == 0:
        return 0.0
    log_total = math.log(1 + (w * np.exp(s)).sum())
    return (w @ y + y0) * log_total - (w * y) @ s


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def clid(s, y, w, teacher_scores):
    if len(s) == 0:
        return 0.0
    log_p, log_q = np.log(sigmoid(s)), np.log(sigmoid(teacher_scores))
    return cross_entropy(log_p, softmax_of(log_q, w), w)


def rcr(s, y, w):
    clipped = np.clip(y, 0, 1)
    value = 0.5 * sum(
        w[i] * (softplus(s[i]) - clipped[i] * s[i]) for i in range(len(s))
    )
    if len(set(y)) > 1:
        value += 0.5 * cross_entropy(np.log(sigmoid(s)), y / (w @ y), w)
    return value


def exact_plackett_luce(s, y, w):
    """Over all ways to draw a group, with its copies, before what is below it."""
    total = 0.0
    for label in sorted(set(y), reverse=True)[:-1]:
        group, below = np.flatnonzero(y == label), (w * np.exp(s))[y < label].sum()
        worths = np.exp(s[np.repeat(group, w[group].astype(int))])
        everything = frozenset(range(len(worths)))
        probability = {
            frozenset(): 1.0
        }  # that all of a subset come before what is below
        for size in range(1, len(worths) + 1):
            for subset in map(frozenset, itertools.combinations(everything, size)):
                left = below + sum(worths[i] for i in subset)
                probability[subset] = sum(
                    worths[i] / left * probability[subset - {i}] for i in subset
                )
        total -= math.log(probability[everything])
    return total


def stages(alpha):
    """ListMLE under Efron's rule with a weight for each draw."""

    def value(s, y, w):
        total, drawn, n = 0.0, 0, len(s)
        for label in sorted(set(y), reverse=True)[:-1]:
            group, rest = y == label, y <= label
            m = int(group.sum())
            all_, mine = np.sum((w * np.exp(s))[rest]), np.sum((w * np.exp(s))[group])
            a = [alpha(drawn + i + 1, n) for i in range(m)]
            for i in range(m):
                total += a[i] * np.mean(w[group]) * math.log(all_ - i / m * mine)
            total -= np.mean(a) * np.sum((w * s)[group])
            drawn += m
        return float(total)

    return value


def pld(temperature=1.0):
    def value(s, y, w, teacher_scores):
        keys = list(zip(y, teacher_scores, strict=True))
        alpha = softmax_of(teacher_scores / temperature, w)
        total = 0.0
        for key in sorted(set(keys), reverse=True)[:-1]:
            group = np.array([k == key for k in keys])
            rest = np.array([k <= key for k in keys])
            m, a = int(group.sum()), alpha[group][0]
            all_, mine = np.sum((w * np.exp(s))[rest]), np.sum((w * np.exp(s))[group])
            for i in range(m):
                total += a * np.mean(w[group]) * math.log(all_ - i / m * mine)
            total -= a * np.sum((w * s)[group])
        return float(total)

    return value


def kl(temperature=1.0):
    def value(s, y, w, teacher_scores):
        if len(s) == 0:
            return 0.0
        q = softmax_of(teacher_scores / temperature, w)
        p = softmax_of(s / temperature, w)
        return temperature**2 * float(np.sum(w * q * np.log(q / p)))

    return value


def both_kl(s, y, w, teacher_scores):
    backward = kl()(teacher_scores, y, w, s) if len(s) else 0.0
    return 0.5 * (kl()(s, y, w, teacher_scores) + backward)


def js(s, y, w, teacher_scores):
    p, q = softmax_of(s, w), softmax_of(teacher_scores, w)
    m = (p + q) / 2
    return float(np.sum(w * (p * np.log(p / m) + q * np.log(q / m)))) / 2


def margin_mse(s, y, w, teacher_scores):
    error, total, weight = s - teacher_scores, 0.0, 0.0
    for i in np.flatnonzero(y > 0):
        for j in np.flatnonzero(y <= 0):
            total += w[i] * w[j] * (error[i] - error[j]) ** 2
            weight += w[i] * w[j]
    return total / weight if weight else 0.0


def dear(s, y, w, teacher_scores):
    n, ranknet, weight = len(s), 0.0, 0.0
    for i in range(n):
        for j in range(i):
            p, margin = sigmoid(y[i] - y[j]), s[i] - s[j]
            ranknet += w[i] * w[j] * (softplus(margin) - p * margin)
            weight += w[i] * w[j]
    main = 0.5 * ranknet / weight if weight else 0.0
    if (w @ y if n else 0) > 0:
        main += 0.5 * cross_entropy(s, y / (w @ y), w)
    return 0.9 * main + 0.1 * kl(2.0)(s, y, w, teacher_scores)


def rewarded(loss, beta=1.0):
    """A loss of β (f − f_ref)."""
    return lambda s, y, w, reference_scores=0.0: loss(
        beta * (s - reference_scores), y, w
    )


def lipo(log):
    def value(s, y, w):
        change = discount_change(s) / (math.log(2) if log == "ln" else 1)
        return sum(
            w[i] * w[j] * abs(2.0 ** y[i] - 2.0 ** y[j]) * change[i, j]
            * softplus(s[j] - s[i])
            for i, j in pairs(y)
        )  # fmt: skip

    return value


def pair_logistic(s, y, w):
    return sum(w[i] * w[j] * softplus(s[j] - s[i]) for i, j in pairs(y))


def pair_hinge(margin):
    return lambda s, y, w: sum(
        w[i] * w[j] * max(0.0, margin - (s[i] - s[j])) for i, j in pairs(y)
    )


def irpo(aggregate):
    def value(s, y, w, position):
        n = len(s)
        if len(set(y)) < 2:
            return 0.0
        total = 0.0
        for i in range(n):
            others = sum(math.exp(s[j] - s[i]) for j in range(n) if j != i)
            others /= n - 1 if aggregate == "mean" else 1
            gain = (2 ** y[i] - 1) / math.log2(1 + position[i])
            total += w[i] * gain * math.log1p(others)
        return total / n

    return value


CASES = [
    LossCase("softmax", softmax, pair=logistic),
    LossCase("listnet", listnet()),
    LossCase(
        "listnet",
        listnet(0.5),
        (("temperature", 0.5),),
    ),
    LossCase(
        "listmle",
        plackett_luce(),
        pair=logistic,
    ),
    LossCase(
        "listmle",
        plackett_luce(k=2),
        (("k", 2),),
        pair=logistic,
    ),
    LossCase(
        "plackett_luce",
        plackett_luce(),
        pair=logistic,
    ),
    LossCase(
        "plackett_luce",
        plackett_luce("breslow"),
        (("ties", "breslow"),),
        repeats=True,
        pair=logistic,
    ),
    LossCase("approx_ndcg", approx_ndcg()),
    LossCase(
        "listnet",
        lambda s, y, w: top_2(s, y, w),
        (("k", 2),),
        repeats=False,
    ),
    LossCase("unique_softmax", unique_softmax, pair=logistic),
    LossCase("xe_ndcg", xe_ndcg),
    LossCase("poly1", poly1(1.0)),
    LossCase("poly1", poly1(0.3), (("epsilon", 0.3),)),
    LossCase("infonce", infonce(), pair=logistic),
    LossCase(
        "infonce",
        infonce(0.5, kept=True),
        (("temperature", 0.5), ("other_positives", "kept")),
    ),
    LossCase(
        "calibrated_softmax",
        calibrated_softmax,
        zero_on_one_item=False,
    ),
    LossCase("clid", clid),
    LossCase(
        "rcr",
        rcr,
        zero_on_one_item=False,
    ),
    LossCase("plackett_luce", exact_plackett_luce, (("ties", "exact"),), repeats=True),
    LossCase(
        "listmle",
        stages(lambda r, n: 2.0 ** (n - r) - 1),
        (("stage_weights", "position"),),
        pair=logistic,
    ),
    LossCase(
        "listmle",
        stages(lambda r, n: 1 + 1 / math.log2(r + 1) if r <= 3 else 0.0),
        (("stage_weights", "importance"), ("k", 3)),
        pair=lambda margin: 2 * logistic(margin),
    ),
    LossCase("pld", pld()),
    LossCase("pld", pld(2.0), (("temperature", 2.0),)),
    LossCase("kl_distillation", kl()),
    LossCase("kl_distillation", kl(2.0), (("temperature", 2.0),)),
    LossCase("kl_distillation", both_kl, (("symmetric", True),), convex=False),
    LossCase("js_distillation", js),
    LossCase("margin_mse", margin_mse),
    LossCase(
        "rankdistil",
        lambda s, y, w, teacher_scores: listnet()(s, teacher_scores, w),
        (("k", 1),),
        repeats=True,
    ),
    LossCase(
        "rankdistil",
        lambda s, y, w, teacher_scores: top_2(s, teacher_scores, w),
    ),
    LossCase("dear", dear),
    LossCase("lipo_lambda", rewarded(lipo("ln"))),
    LossCase(
        "lipo_lambda",
        rewarded(lipo("log2"), 0.5),
        (("discount", "log2"), ("beta", 0.5)),
        shift=False,  # holds, but rounding in f − f_ref can break ties
        extras=("reference_scores",),
    ),
    LossCase("dpo", rewarded(pair_logistic), pair=logistic),
    LossCase(
        "dpo",
        rewarded(pair_logistic, 0.5),
        (("beta", 0.5),),
        extras=("reference_scores",),
    ),
    LossCase("slic", rewarded(pair_hinge(1.0))),
    LossCase("rrhf", rewarded(pair_hinge(0.0))),
    LossCase("irpo", irpo("mean")),
    LossCase(
        "irpo",
        irpo("sum"),
        (("aggregate", "sum"),),
    ),
]
