"""Choose committees from biased rankings, with a quota and without.

Noisy voters rank items, biased against half of them. The best committee on these
rankings is evaluated on the rankings that the same voters would give without the bias,
relative to the best committee there. The quota gives the half under bias at least half
of the seats; the baseline is a random committee. Prints means over seeds with 95 %
bootstrap intervals, and the paired effect of the quota.

    python examples/fair_committee.py
    python examples/fair_committee.py --plot fair_committee.png
"""

import argparse

import numpy as np

from ltr.datasets import make_biased_rankings
from ltr.metrics import bootstrap_interval
from ltr.solvers import select_committee

RULES = ("sntv", "borda", "cc")
BIASES = (0.0, 0.2, 0.4, 0.6, 0.8)
CHOICES = ("as ranked", "with a quota", "random")


def value(committee: np.ndarray, rankings: np.ndarray, rule: str) -> float:
    """Value of a committee, from a quota that makes it the only feasible one."""
    k = len(committee)
    quota = {"groups": {"committee": committee}, "lower": {"committee": k}}
    return select_committee(rankings, k, rule=rule, **quota).objective


def shares(
    seed: int, bias: float, model: str, n_voters: int, n_items: int, k: int
) -> dict[tuple[str, str], float]:
    """Quality of each rule's committees on one draw of items and voters."""
    rng = np.random.default_rng(seed)
    utilities = np.exp(0.5 * rng.normal(size=n_items))
    group = np.arange(n_items) % 2 == 0
    rankings, unbiased = make_biased_rankings(
        utilities, group, bias, n_voters, seed, model=model
    )
    quota = {"groups": group, "lower": {True: k // 2}}
    quality = {}
    for rule in RULES:
        best = select_committee(unbiased, k, rule=rule).objective
        committees = {
            "as ranked": select_committee(rankings, k, rule=rule).order,
            "with a quota": select_committee(rankings, k, rule=rule, **quota).order,
            "random": rng.permutation(n_items)[:k],
        }
        for name, committee in committees.items():
            quality[rule, name] = value(committee, unbiased, rule) / best
    return quality


def show(result: dict, n_seeds: int, model: str) -> None:
    """Print the table, and whether the quota helps."""
    print(f"quality on unbiased rankings / best, {n_seeds} seeds, bias by {model}")
    for rule in RULES:
        for bias in BIASES:
            rows = {name: np.array(result[rule, name, bias]) for name in CHOICES}
            line = f"{rule:6} bias {bias:.1f}"
            for name, values in rows.items():
                low, high = bootstrap_interval(values)
                line += f"  {name} {values.mean():.3f} [{low:.3f}, {high:.3f}]"
            change = rows["with a quota"] - rows["as ranked"]
            low, high = bootstrap_interval(change)
            verdict = "helps" if low > 0 else "harms" if high < 0 else "unclear"
            line += f"  quota {change.mean():+.3f} [{low:+.3f}, {high:+.3f}] {verdict}"
            print(line)


def plot(result: dict, path: str, model: str) -> None:
    """One panel per rule: quality against bias, with intervals."""
    import matplotlib.pyplot as plt

    figure, panels = plt.subplots(
        1, len(RULES), figsize=(10, 3.2), sharey=True, layout="constrained"
    )
    for rule, panel in zip(RULES, panels, strict=True):
        for name, color in zip(CHOICES, ("C3", "C0", "0.6"), strict=True):
            runs = [np.array(result[rule, name, bias]) for bias in BIASES]
            means = np.array([run.mean() for run in runs])
            low, high = np.array([bootstrap_interval(run) for run in runs]).T
            panel.fill_between(BIASES, low, high, color=color, alpha=0.2, lw=0)
            panel.plot(BIASES, means, "o-", color=color, ms=3, label=name)
        panel.set(title=rule, xlabel=f"bias ({model})", xticks=BIASES)
        panel.grid(alpha=0.3)
    panels[0].set_ylabel("quality / best without bias")
    panels[-1].legend(loc="lower left")
    figure.savefig(path, dpi=150)
    plt.close(figure)
    print(f"picture: {path}")


def main(
    n_seeds: int = 20,
    n_voters: int = 50,
    n_items: int = 30,
    k: int = 6,
    model: str = "utility",
    picture: str | None = None,
) -> dict[tuple[str, str, float], list[float]]:
    """Print the table; return rule, choice and bias → quality in each seed."""
    result: dict[tuple[str, str, float], list[float]] = {}
    for bias in BIASES:
        for seed in range(n_seeds):
            qualities = shares(seed, bias, model, n_voters, n_items, k)
            for (rule, name), quality in qualities.items():
                result.setdefault((rule, name, bias), []).append(quality)
    show(result, n_seeds, model)
    if picture:
        plot(result, picture, model)
    return result


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="utility", choices=["utility", "swap"])
    parser.add_argument("--voters", type=int, default=50)
    parser.add_argument("--plot", help="file for the picture; needs matplotlib")
    options = parser.parse_args()
    print(__doc__.split("\n")[0], flush=True)
    main(n_voters=options.voters, model=options.model, picture=options.plot)
