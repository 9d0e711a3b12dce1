"""Rows about fusion: several runs, several criteria, several answers alike."""

from __future__ import annotations

import numpy as np
from row import PaperRow, Setting, interval

from ltr.datasets import make_biased_rankings
from ltr.fusion import interleave_classes, multi_criteria, pool_union
from ltr.solvers import select_committee


def words_to_code(setting: Setting) -> PaperRow:
    """Words to Code: programs with equal outputs are one class; ill-formed ones go."""
    golden = interleave_classes([0.9, 0.8, 0.7, 0.6, 0.5], [*"xxyxz"]).tolist()
    rng = np.random.default_rng(0)
    hits: dict[str, list[bool]] = {"by score": [], "interleaved": []}
    for _ in range(200 if setting.small else 1000):
        output = rng.integers(0, 5, size=10)  # 0 is right, 4 is an error
        scores = rng.normal(size=5)[output] + 0.3 * rng.normal(size=10)
        plain = np.argsort(-scores)[:3]
        order = interleave_classes(scores, output.tolist(), keep=output != 4)[:3]
        hits["by score"].append((output[plain] == 0).any())
        hits["interleaved"].append((output[order] == 0).any())
    share = {name: np.array(values, dtype=float) for name, values in hits.items()}
    gain = interval(share["interleaved"] - share["by score"])
    return PaperRow(
        20,
        [
            f"Words to Code: top-3 accuracy by score {share['by score'].mean():.3f}, "
            f"interleaved minus it {gain}"
        ],
        "golden order [0, 2, 4, 1, 3], and interval above 0",
        golden == [0, 2, 4, 1, 3] and gain.low > 0,
    )


def decomposition(setting: Setting) -> PaperRow:
    """Question decomposition: the parts search, the whole question ranks the pool."""
    rng = np.random.default_rng(0)
    n_queries, n_items, width = 300, 3000, 24
    items = rng.normal(size=(n_items, width))
    parts = rng.normal(size=(n_queries, 2, width))
    # the answer to a part lies at it, far from the mean of both
    answers = rng.permutation(n_items)[: 2 * n_queries].reshape(n_queries, 2)
    items[answers] += 0.5 * parts
    by_part = np.einsum("qpd,nd->pqn", parts, items)
    runs = [_run(by_part[part], 30) for part in (0, 1)]
    pooled = pool_union(runs, 15)
    whole = _run(by_part.mean(axis=0), 30)
    judged = by_part.max(axis=0)  # the judge reads the whole question
    values: dict[str, list[float]] = {"one search": [], "pool": []}
    for q in range(n_queries):
        pool = pooled["docid"][pooled["qid"] == str(q)].astype(int).tolist()
        for name, ids in zip(values, (map(int, whole[str(q)]), pool), strict=True):
            order = sorted(ids, key=lambda i, q=q: -judged[q, i])[:10]
            ranks = [order.index(i) + 1 for i in answers[q] if i in order]
            values[name].append(1.0 / min(ranks) if ranks else 0.0)
    gain = interval(np.subtract(values["pool"], values["one search"]))
    return PaperRow(
        39,
        [
            f"Question decomposition: MRR@10 of one search "
            f"{np.mean(values['one search']):.3f}, pool minus it {gain}"
        ],
        "interval above 0 on generated two-part questions",
        gain.low > 0,
    )


def _run(scores: np.ndarray, k: int) -> dict[str, list[str]]:
    top = np.argsort(-scores, axis=1)[:, :k]
    return {str(q): [str(i) for i in row] for q, row in enumerate(top)}


def rebel(setting: Setting) -> PaperRow:
    """REBEL: secondary criteria count, for what is relevant enough."""
    criteria = np.array([[3, 4, 2], [5, 5, 5], [0, 1, 0], [3, 3, 3]])
    scores = multi_criteria([7, 2, 9, 7], criteria)
    order = np.argsort(-scores, kind="stable").tolist()
    return PaperRow(
        40,
        [f"REBEL: scores {scores.tolist()}, order {order}, ties by input order"],
        "[11.5, −inf, 9.5, 11.5], and the item below the gate is last",
        scores.tolist() == [11.5, -np.inf, 9.5, 11.5] and order == [0, 3, 2, 1],
    )


def subset_selection(setting: Setting) -> PaperRow:
    """Subset selection: a quota helps against bias, and costs little without."""
    change = {}
    for bias in (0.0, 0.6):
        values = []
        for seed in range(6 if setting.small else 20):
            rng = np.random.default_rng(seed)
            group = np.arange(20) % 2 == 0
            rankings, unbiased = make_biased_rankings(
                np.exp(0.5 * rng.normal(size=20)), group, bias, 30, seed
            )
            best = select_committee(unbiased, 6, rule="borda").objective
            quality = []
            for quota in ({}, {"groups": group, "lower": {True: 3}}):
                order = select_committee(rankings, 6, rule="borda", **quota).order
                own = {"groups": {"committee": order}, "lower": {"committee": 6}}
                value = select_committee(unbiased, 6, rule="borda", **own).objective
                quality.append(value / best)
            values.append(quality[1] - quality[0])
        change[bias] = interval(np.array(values))
    return PaperRow(
        41,
        [
            f"without bias {change[0.0]}",
            f"Subset selection: Borda, bias .6, quota minus none {change[0.6]}",
        ],
        "the quota's interval is above 0 under bias, and its mean above −.05 without",
        change[0.6].low > 0 and change[0.0].mean > -0.05,
    )


PAPERS = {20: words_to_code, 39: decomposition, 40: rebel, 41: subset_selection}
