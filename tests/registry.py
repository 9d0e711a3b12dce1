"""One row per object, and which laws it keeps: losses, metrics, scorers, rankers, solvers.

A new object enters the test suite by adding its row here (a loss: to the file of its
family, support/cases_*.py, with a slow, obvious reference). The laws are those of
ltr.testing; laws/test_*_laws.py run all of them on all rows. A law that an object
breaks on purpose stands in its row with the reason, and must break.
`python tests/registry.py` prints the table of laws × objects.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any

from support import (
    cases_lists,
    cases_pairs,
    cases_policy,
    cases_relaxations,
    cases_wasserstein,
)

from ltr import (
    AutoRanker,
    ConstrainedRanker,
    LambdaMARTRanker,
    LinearRanker,
    NeuralRanker,
    RandomRanker,
    SingleFeatureRanker,
    StackingRanker,
    TSPRanker,
    VotingRanker,
)
from ltr.losses import loss_info
from ltr.metrics import METRICS
from ltr.scorers import (
    AdapterScorer,
    AttentionScorer,
    LinearScorer,
    MLPScorer,
    PairEnsemble,
    PairScorer,
    PublishedPairScorer,
    TwoTowerScorer,
    WideDeepScorer,
)
from ltr.solvers import (
    FixedPosition,
    solve_assignment,
    solve_ordering,
    solve_orderings,
    solve_path,
    solve_paths,
)
from ltr.solvers.orderings.solve import METHODS as ORDERING_METHODS
from ltr.solvers.paths.solve import METHODS as PATH_METHODS
from ltr.testing import LOSS_LAWS, METRIC_LAWS, RANKER_LAWS, SCORER_LAWS, SOLVER_LAWS
from ltr.testing.laws import Law
from ltr.testing.loss_under_test import LossClaims, LossUnderTest
from ltr.testing.metric_under_test import metric_under_test
from ltr.testing.rankers import RankerUnderTest
from ltr.testing.scorers import ScorerUnderTest
from ltr.testing.solvers import SolverUnderTest

FAMILIES = (
    cases_pairs,
    cases_lists,
    cases_relaxations,
    cases_wasserstein,
    cases_policy,
)
CASES = [case for family in FAMILIES for case in family.CASES]
LOSSES_THAT_BREAK = {
    "ndcg_loss1": {
        "right_order_costs_no_more": "its weights are the discounts of the present "
        "ranks, so the wrong order weighs the best item less"
    }
}
# Laws that a few inputs show, broken or kept; the others take Row.n_inputs.
FEW_INPUTS = {
    "right_order_costs_no_more": 20,
    "one_item_is_0": 10,
    "extreme_scores_stay_finite": 20,
    "single_precision_is_close": 10,
}
# The laws that a cut-off may break; the others run on the metric without one.
CUT_LAWS = (
    "values_are_in_range",
    "no_scores_beat_the_labels",
    "a_good_swap_never_hurts",
    "ties_are_averaged",
)
# Compile a program of their own: once per loss, on the first of its rows.
SLOW_LAWS = ("jit_changes_nothing", "batch_is_a_loop", "one_value_per_list")


@dataclass(frozen=True)
class Row:
    """An object and the laws that it is excused from.

    Attributes
    ----------
    id : str
        Name, for pytest and for the table.
    subject : object
        What the laws take: ``LossUnderTest``, ….
    laws : dict of str to Law
        Laws of its kind.
    breaks : dict of str to str
        Law → why the object breaks it. It must.
    elsewhere : tuple of str
        Laws that another row checks.
    n_inputs : int
        Inputs of each law.
    """

    id: str
    subject: Any
    laws: Mapping[str, Law]
    breaks: Mapping[str, str] = field(default_factory=dict)
    elsewhere: tuple[str, ...] = ()
    n_inputs: int = 50

    def inputs_for(self, law: Law) -> int:
        """Inputs that the law is tried on."""
        return min(self.n_inputs, FEW_INPUTS.get(law.name, self.n_inputs))

    def excuse(self, law: Law) -> str:
        """Why the law is not checked on this row; "" if it is."""
        if law.name in self.elsewhere:
            return "another row of it"
        return self.breaks.get(law.name) or law.exempt(self.subject)


def loss_rows() -> list[Row]:
    """A row per loss and option, from the cases with their references."""
    seen, rows = set(), []
    for case in CASES:
        info = loss_info(case.function)
        claims = LossClaims(
            shift_invariant=case.shift,
            convex=case.convex,
            smooth=case.smooth,
            repeats=case.repeats,
            bounds=case.bounds,
            zero_on_equal_labels=case.zero_on_equal_labels,
            zero_on_one_item=case.zero_on_one_item,
            extras=case.extras,
            takes_weights=info.takes("weights"),
            takes_key=case.draws,
        )
        rows.append(
            Row(
                case.id + ("-" + "-".join(case.extras) if case.extras else ""),
                LossUnderTest(case.loss, claims, draws=case.draws),
                LOSS_LAWS,
                LOSSES_THAT_BREAK.get(case.name, {}),
                SLOW_LAWS if case.name in seen else (),
            )
        )
        seen.add(case.name)
    return rows


def metric_rows() -> list[Row]:
    """A row per metric, and one with a cut-off if it takes one."""
    rows = []
    for name, metric in METRICS.items():
        rows.append(Row(name, metric_under_test(name), METRIC_LAWS, n_inputs=30))
        if metric.info.takes_cutoff:
            elsewhere = tuple(law for law in METRIC_LAWS if law not in CUT_LAWS)
            subject = metric_under_test(f"{name}@2")
            rows.append(
                Row(f"{name}@2", subject, METRIC_LAWS, {}, elsewhere, n_inputs=30)
            )
    return rows


class Differences:
    """Features of pairs: what item j has more of than item i."""

    def __call__(self, X_list):
        """Of a list, shape (n, n, n_features)."""
        return X_list[None] - X_list[:, None]

    def __repr__(self):
        """A name that is the same in every process, unlike that of a function."""
        return "Differences()"


BY_ROW_NUMBER = "published so: two forms, chosen by row number"
SCORERS = {
    LinearScorer(): {},
    MLPScorer((8, 4)): {},
    MLPScorer(()): {},
    WideDeepScorer((8,)): {},
    AttentionScorer((8,), n_blocks=2, n_heads=2): {},
    TwoTowerScorer(3): {},
    TwoTowerScorer(3, "dot"): {},
    TwoTowerScorer(3, "bilinear"): {},
    AdapterScorer(3, rank=2): {},
    AdapterScorer(3, rank=2, connected=False): {},
    PairScorer("identity"): {},
    PairScorer("mlp", (8,), low_rank=2): {},
    PairScorer("mlp", (8,), skew=True): {},
    PairScorer("attention", (8,)): {},
    PairEnsemble(PairScorer("mlp", (8,)), 2): {},
    PublishedPairScorer("mlp", (8,)): {
        "permuting_items_permutes_scores": BY_ROW_NUMBER
    },
}
SMALL = {"hidden_layer_sizes": (8, 4), "max_epochs": 10}
PAIRS = {"hidden_layer_sizes": (8,), "max_epochs": 20}
TREES = LambdaMARTRanker(n_estimators=5, n_jobs=1)
MEMBERS = [("trees", TREES), ("feature", SingleFeatureRanker())]
RANKERS = {
    NeuralRanker("softmax", "linear", max_epochs=20): {},
    NeuralRanker("softmax", "mlp", **SMALL): {},
    NeuralRanker("softmax", **SMALL): {},
    NeuralRanker("ranknet", "attention", **SMALL): {},
    LambdaMARTRanker(n_estimators=10, n_jobs=1): {},
    LambdaMARTRanker("approx_ndcg", n_estimators=10, n_jobs=1): {},
    NeuralRanker("softmax", "linear", preprocess="query", max_epochs=20): {},
    LinearRanker(): {},
    LinearRanker(preprocess="query"): {},
    LinearRanker(1.0, preprocess="standard"): {},
    RandomRanker(): {"the_scores_have_learned": "its scores are drawn"},
    SingleFeatureRanker(): {},
    ConstrainedRanker(SingleFeatureRanker(), [FixedPosition(0, 0)]): {
        "order_of_rows_permutes_the_scores": "the item at slot 0 is the first row"
    },
    VotingRanker(MEMBERS, weights=[2, 1]): {},
    VotingRanker(MEMBERS, normalize="rank"): {},
    VotingRanker(MEMBERS, normalize="minmax"): {},
    StackingRanker(MEMBERS, TREES, cv=3): {},
    AutoRanker(members=MEMBERS): {},
    # one per decoder
    TSPRanker(loss="successor", decoder="path", **PAIRS): {},
    TSPRanker(loss="pairwise", decoder="ordering", **PAIRS): {},
    TSPRanker(loss="pairwise", decoder="borda", **PAIRS): {},
    TSPRanker(loss="crf", decoder="bayes", **PAIRS): {},
    TSPRanker(n_estimators=2, pair_features=Differences(), **PAIRS): {},
}
METHODS = {
    "path": PATH_METHODS,
    "ordering": ORDERING_METHODS,
    "assignment": ("auto", "matching", "highs", "cp_sat"),
    "scores": ("auto", "sort", "matching", "counting", "highs"),
}
FUNCTIONS = {
    "path": solve_path,
    "ordering": solve_ordering,
    "assignment": solve_assignment,
    "scores": solve_assignment,
}


def one_of_paths(matrix, *, start=None, end=None, constraints=()):
    """One list of a batch."""
    n_lists = 8
    start, end = (None if x is None else [x] * n_lists for x in (start, end))
    lists = [matrix] * n_lists
    return solve_paths(lists, start=start, end=end, constraints=constraints)[3]


def one_of_orderings(matrix, *, constraints=()):
    """One list of a batch."""
    return solve_orderings([matrix] * 8, constraints=constraints)[3]


def solver_rows() -> list[Row]:
    """A row per method of each problem, and for batches."""
    rows = []
    for problem, methods in METHODS.items():
        for method in methods:
            solve = partial(FUNCTIONS[problem], method=method)
            breaks = {}
            if method in ("routing", "sort"):
                breaks["constraints_are_kept"] = "it takes no constraints"
            if method in ("matching", "counting"):
                breaks["constraints_are_kept"] = "it takes no Precedence"
            rows.append(solver_row(f"{problem}: {method}", solve, problem, breaks))
    rows.append(solver_row("path: batch", one_of_paths, "path", {}))
    rows.append(solver_row("ordering: batch", one_of_orderings, "ordering", {}))
    return rows


def solver_row(name, solve, problem, breaks) -> Row:
    """A row of a method."""
    subject = SolverUnderTest(solve, problem, "tame")
    return Row(name, subject, SOLVER_LAWS, breaks, n_inputs=15)


@cache
def rows_of(kind: str) -> list[Row]:
    """The rows of a kind: "loss", "metric", "scorer", "ranker" or "solver"."""
    if kind == "scorer":
        return [
            Row(repr(scorer), ScorerUnderTest(scorer, 6), SCORER_LAWS, breaks, (), 20)
            for scorer, breaks in SCORERS.items()
        ]
    if kind == "ranker":
        return [
            Row(
                " ".join(repr(ranker).split()),
                RankerUnderTest(ranker),
                RANKER_LAWS,
                breaks,
                (),
                15,
            )
            for ranker, breaks in RANKERS.items()
        ]
    make = {"loss": loss_rows, "metric": metric_rows, "solver": solver_rows}
    return make[kind]()


KINDS = ("loss", "metric", "scorer", "ranker", "solver")


def main() -> None:
    """Print the table of laws × objects, a part for each kind."""
    for kind in KINDS:
        rows = rows_of(kind)
        laws = list(rows[0].laws.values())
        width = max(len(row.id) for row in rows)
        print(f"{kind.capitalize()}: {len(rows)} rows, {len(laws)} laws")
        for number, law in enumerate(laws, 1):
            print(f"  {number:2}  {law.name}: {law.statement}")
        heads = "".join(f"{number:>4}" for number in range(1, len(laws) + 1))
        print(f"\n{'':{width}}{heads}")
        for row in rows:
            reasons = {
                number: reason
                for number, law in enumerate(laws, 1)
                if (reason := row.excuse(law))
            }
            marks = "".join(
                f"{'-' if number in reasons else 'yes':>4}"
                for number in range(1, len(laws) + 1)
            )
            grouped: dict[str, list[str]] = {}
            for number, reason in reasons.items():
                grouped.setdefault(reason, []).append(str(number))
            notes = "; ".join(f"{','.join(n)}: {why}" for why, n in grouped.items())
            print(f"{row.id:{width}}{marks}  {notes}".rstrip())
        print()


if __name__ == "__main__":
    sys.exit(main())
