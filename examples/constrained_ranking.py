"""The cost of fairness: one list ranked without and under three kinds of constraints.

python examples/constrained_ranking.py [--figure constrained_ranking.png]
"""

import argparse
from typing import Any

import numpy as np

from ltr.metrics import ndcg_score
from ltr.solvers import (
    AtMost,
    FixedPosition,
    Quota,
    explain_conflict,
    fair_exposure,
    fair_minimums,
    solve_assignment,
)

COLORS = {"a": "#9ecae1", "b": "#e6550d"}


def make_list(n_items: int) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """Relevance, scores biased against group b, and the attributes of the items."""
    rng = np.random.default_rng(0)
    group = rng.choice(["a", "b"], n_items, p=[0.6, 0.4])
    seller = rng.choice(8, n_items, p=[0.4, *[0.6 / 7] * 7])
    relevance = np.clip(rng.normal(1.5, 1.2, n_items).round(), 0, 4)
    noise = rng.normal(0, 0.6, n_items)
    scores = np.maximum(relevance + noise - 0.9 * (group == "b"), 0) + 0.1
    return relevance, scores, {"group": group, "seller": seller}


def measure(
    orders: np.ndarray,
    probabilities: np.ndarray,
    relevance: np.ndarray,
    member: np.ndarray,
) -> tuple[float, float]:
    """Mean NDCG@k, and the members' mean share of the exposure."""
    k = orders.shape[1]
    discount = 1 / np.log2(2 + np.arange(k))
    ndcg, share = 0.0, 0.0
    for order, probability in zip(orders, probabilities, strict=True):
        scores = np.full(len(relevance), -float(k))
        scores[order] = -np.arange(k)
        ndcg += probability * ndcg_score(relevance, scores, k=k)
        share += probability * (discount @ member[order]) / discount.sum()
    return ndcg, share


def draw(figure: str, rows: dict[str, np.ndarray], group: np.ndarray) -> None:
    """One strip per ranking, a square per position, colored by group."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot
    from matplotlib.patches import Patch

    k = max(len(order) for order in rows.values())
    _, axes = pyplot.subplots(figsize=(0.32 * k + 3, 0.45 * len(rows) + 1.2))
    for y, order in enumerate(rows.values()):
        colors = [COLORS[name] for name in group[order]]
        axes.bar(range(1, k + 1), 0.8, 0.9, bottom=y - 0.4, color=colors)
    axes.set_yticks(range(len(rows)), list(rows))
    axes.invert_yaxis()
    axes.set_xticks([1, *range(5, k + 1, 5)])
    axes.set_xlabel("position")
    axes.set_xlim(0.4, k + 0.6)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    handles = [Patch(color=color, label=f"group {g}") for g, color in COLORS.items()]
    axes.legend(
        handles=handles,
        loc="lower right",
        bbox_to_anchor=(1, 1),
        ncols=2,
        frameon=False,
    )
    pyplot.savefig(figure, dpi=150, bbox_inches="tight")
    print(f"wrote {figure}")


def main(n_items: int = 60, k: int = 20, figure: str | None = None) -> dict[str, Any]:
    """Rank under each constraint; print and return NDCG@k and group b's exposure."""
    relevance, scores, attributes = make_list(n_items)
    member = attributes["group"] == "b"
    fair = Quota("group", "b", lower=fair_minimums(k, member.mean()))
    caps = AtMost("seller", 2, top=10)
    rules = {
        "no constraint": [],
        "FA*IR minimums": [fair],
        "2 per seller in 10": [caps],
        "both": [fair, caps],
    }
    print(f"{member.mean():.0%} of {n_items} items are in group b\n")
    print(f"{'':20} NDCG@{k}  exposure of b  method")
    result: dict[str, Any] = {}
    strips = {}
    for name, constraints in rules.items():
        solution = solve_assignment(
            scores, constraints=constraints, attributes=attributes, k=k
        )
        assert solution.is_optimal
        strips[name] = solution.order
        ndcg, share = measure(solution.order[None], np.ones(1), relevance, member)
        print(f"{name:20} {ndcg:7.3f} {share:14.1%}  {solution.method}")
        result[name] = {"ndcg": ndcg, "share": share}

    lottery = fair_exposure(scores, attributes["group"], k=k)
    ndcg, share = measure(lottery.orders, lottery.probabilities, relevance, member)
    shown = ", ".join(f"{p:.0%}" for p in lottery.probabilities)
    print(f"{'equal exposure':20} {ndcg:7.3f} {share:14.1%}  lottery: {shown}")
    result["equal exposure"] = {"ndcg": ndcg, "share": share}
    for order, p in zip(lottery.orders, lottery.probabilities, strict=True):
        strips[f"lottery, {p:.0%}"] = order

    ads = [FixedPosition(int(i), p) for p, i in enumerate(np.flatnonzero(~member)[:4])]
    clash = [*ads, Quota("group", "b", lower=2, top=5), caps]
    solution = solve_assignment(scores, constraints=clash, attributes=attributes, k=k)
    result["conflict"] = explain_conflict(solution, attributes)
    print(f"\nWith four sponsored slots:\n{result['conflict']}")
    if figure is not None:
        draw(figure, strips, attributes["group"])
    return result


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--figure", help="file for a picture (needs matplotlib)")
    options = parser.parse_args()
    print(__doc__.split("\n")[0], flush=True)
    main(figure=options.figure)
