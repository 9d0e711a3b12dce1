"""The table of a comparison: means, intervals over queries, significance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from ltr.metrics import RunComparison
from ltr.metrics.averages import summary
from ltr.queries import FloatArray, Queries

ALPHA = 0.05
_SECONDS = "fit s: seconds of a fit, without compile s: those of JAX's compiler."
_LATEX = {character: "\\" + character for character in "&%$#_{}"}
_LATEX |= {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}"}
_LATEX |= {"^": r"\textasciicircum{}", "\n": " "}


@dataclass
class Results:
    """Metrics of single fits, collected into a leaderboard.

    Attributes
    ----------
    metrics : tuple of str
        Names; the first one sorts the table.
    seeds : tuple of int
        Seeds of the comparison.
    failures : dict of str to str
        Rankers whose fit failed, with the reason.
    rankers : dict of str to estimator
        The rankers as they were fitted, but for the seed.
    """

    metrics: tuple[str, ...]
    seeds: tuple[int, ...]
    failures: dict[str, str] = field(default_factory=dict)
    _lists: list[pd.DataFrame] = field(default_factory=list)
    _random_order: list[FloatArray] = field(default_factory=list)
    _valid: dict[str, dict[tuple[int, int], float]] = field(default_factory=dict)
    _test: dict[str, dict[tuple[int, int], FloatArray]] = field(default_factory=dict)
    _seconds: dict[str, list[float]] = field(default_factory=dict)
    _compile_seconds: dict[str, list[float]] = field(default_factory=dict)
    rankers: dict[str, Any] = field(default_factory=dict)

    def add_lists(self, queries: Queries, random_order: FloatArray) -> None:
        """Add the test queries of a fold, with the expected metrics of random order."""
        columns = {"qid": list(queries.ids), "size": queries.sizes}
        fold = pd.DataFrame(columns, dtype=object).astype({"size": np.intp})
        self._lists.append(fold.assign(fold=len(self._lists) + 1))
        self._random_order.append(random_order)

    def add(
        self,
        name: str,
        fold: int,
        seed: int,
        valid: float,
        test: FloatArray,
        seconds: float,
        compile_seconds: float,
    ) -> None:
        """Add a fit: validation metric, and test metrics (n_queries, n_metrics)."""
        self._valid.setdefault(name, {})[fold, seed] = valid
        self._test.setdefault(name, {})[fold, seed] = test
        self._seconds.setdefault(name, []).append(seconds)
        self._compile_seconds.setdefault(name, []).append(compile_seconds)

    def pick(self, name: str, candidates: Sequence[str]) -> None:
        """Add a row that takes the candidate best on validation, by fold and seed."""
        fitted = [c for c in candidates if c in self._valid and c not in self.failures]
        if not fitted:
            self.failures[name] = "the fits of all candidates failed"
            return
        seeded = max(fitted, key=lambda c: len(self._valid[c]))
        first_seed = next(iter(self._valid[seeded]))[1]

        def fit_of(candidate: str, fold: int, seed: int) -> tuple[int, int]:
            """Key of the fit for a seed; a deterministic ranker has a single key."""
            has_fit = (fold, seed) in self._valid[candidate]
            return (fold, seed if has_fit else first_seed)

        for fold, seed in self._valid[seeded]:
            best = max(fitted, key=lambda c: self._valid[c][fit_of(c, fold, seed)])
            key = fit_of(best, fold, seed)
            valid, test = self._valid[best][key], self._test[best][key]
            self.add(name, fold, seed, valid, test, float("nan"), float("nan"))

    def leaderboard(self) -> Leaderboard:
        """Average over seeds and concatenate the folds."""
        per_query, seed_means, seconds, compile_seconds = {}, {}, {}, {}
        for name, fits in self._test.items():
            if name in self.failures:
                continue
            folds = sorted({fold for fold, _ in fits})
            seeds = sorted({seed for _, seed in fits})
            by_seed = np.stack(
                [np.concatenate([fits[fold, seed] for fold in folds]) for seed in seeds]
            )
            per_query[name] = by_seed.mean(axis=0)
            seed_means[name] = np.array([_mean(values) for values in by_seed[:, :, 0]])
            seconds[name] = float(np.mean(self._seconds[name]))
            compile_seconds[name] = float(np.mean(self._compile_seconds[name]))
        order = sorted(
            per_query, key=lambda name: _descending(_mean(per_query[name][:, 0]))
        )
        return Leaderboard(
            self.metrics,
            {name: per_query[name] for name in order},
            {name: seed_means[name] for name in order},
            seconds,
            self.failures,
            self.seeds,
            pd.concat(self._lists, ignore_index=True),
            np.concatenate(self._random_order),
            self.rankers,
            compile_seconds,
        )


@dataclass(frozen=True, repr=False)
class Leaderboard:
    """A comparison of rankers on the same queries; it prints as its table.

    Attributes
    ----------
    metrics : tuple of str
        Names; the first one sorts the table.
    per_query : dict of str to array of shape (n_queries, n_metrics)
        By ranker, best first by the first metric: mean over seeds for every test query;
        NaN for skipped queries.
    seed_means : dict of str to array of shape (n_seeds,)
        Mean of the first metric for every seed.
    seconds : dict of str to float
        Mean time of a fit without that of compilation; NaN for picks.
    failures : dict of str to str
        Rankers whose fit failed, with the reason.
    seeds : tuple of int
        Seeds of the comparison; deterministic rankers are fitted once.
    lists : DataFrame
        The test queries: ``qid``, ``size`` (rows) and ``fold`` (from 1).
    random_order : array of shape (n_queries, n_metrics)
        Expected metrics of a random order of each list.
    rankers : dict of str to estimator
        The rankers by name, unfitted: their hyperparameters.
    compile_seconds : dict of str to float
        Mean time in which JAX compiles the steps of a fit: 0 if an earlier fit needed
        the same ones, or a cache on disk has them; NaN for picks, and for rankers that
        compile nothing.
    """

    metrics: tuple[str, ...]
    per_query: dict[str, FloatArray]
    seed_means: dict[str, FloatArray]
    seconds: dict[str, float]
    failures: dict[str, str]
    seeds: tuple[int, ...]
    lists: pd.DataFrame
    random_order: FloatArray
    rankers: dict[str, Any] = field(default_factory=dict)
    compile_seconds: dict[str, float] = field(default_factory=dict)

    def __repr__(self) -> str:
        return self.to_text().rstrip("\n")

    def select(
        self,
        metrics: Sequence[str] | None = None,
        rankers: Sequence[str] | None = None,
    ) -> Leaderboard:
        """Restrict the comparison to some metrics or rankers.

        Parameters
        ----------
        metrics : sequence of str, default=None
            Metrics to keep, the first one included. None: all.
        rankers : sequence of str, default=None
            Rankers to keep. None: all.

        Returns
        -------
        leaderboard : Leaderboard

        Raises
        ------
        ValueError
            If the first metric is not that of the leaderboard, which sorts the table,
            or a metric or ranker is unknown.
        """
        metrics = self.metrics if metrics is None else tuple(metrics)
        rankers = tuple(self.per_query) if rankers is None else tuple(rankers)
        if metrics[:1] != self.metrics[:1]:
            raise ValueError(
                f"metrics must start with {self.metrics[0]!r}; got {metrics!r}."
            )
        if not (
            set(metrics) <= set(self.metrics) and set(rankers) <= set(self.per_query)
        ):
            raise ValueError(
                f"the leaderboard has the metrics {list(self.metrics)} and the rankers "
                f"{list(self.per_query)}; got {list(metrics)} and {list(rankers)}."
            )
        columns = [self.metrics.index(metric) for metric in metrics]
        names = [name for name in self.per_query if name in rankers]
        return replace(
            self,
            metrics=metrics,
            per_query={name: self.per_query[name][:, columns] for name in names},
            seed_means={name: self.seed_means[name] for name in names},
            random_order=self.random_order[:, columns],
        )

    def comparison(self, baseline: str | None = None) -> RunComparison:
        """Metrics query by query, for paired tests and :mod:`ltr.plotting`.

        Parameters
        ----------
        baseline : str, default=None
            Ranker that the others are tested against. None: the best one.

        Returns
        -------
        comparison : RunComparison
            Rankers are its runs; queries are named by ``qid``, or by ``(fold, qid)`` if
            folds share ids.

        Raises
        ------
        ValueError
            If the baseline is unknown.
        """
        index = pd.Index(self.lists["qid"], name="qid", tupleize_cols=False)
        if index.has_duplicates:
            pairs = list(zip(self.lists["fold"], self.lists["qid"], strict=True))
            index = pd.Index(pairs, name="(fold, qid)", tupleize_cols=False)
        tables = {
            name: pd.DataFrame(values, index=index, columns=list(self.metrics))
            for name, values in self.per_query.items()
        }
        if baseline is None:
            baseline = next(iter(tables), "")
        return RunComparison(tables, list(self.metrics), baseline)

    def random_values(self) -> pd.DataFrame:
        """Expected metrics of a random order: a row per query, a column per metric."""
        return pd.DataFrame(self.random_order, columns=list(self.metrics))

    @property
    def n_counted(self) -> int:
        """Number of queries for which the first metric is defined."""
        values = next(iter(self.per_query.values()), self.random_order)[:, 0]
        return int((~np.isnan(values)).sum())

    def table(self) -> pd.DataFrame:
        """One row per ranker, best first.

        Returns
        -------
        table : DataFrame
            For each metric ``<metric>``, ``<metric> low`` and ``<metric> high`` (95 %
            bootstrap interval over queries); for the first metric ``difference`` from
            the best ranker with ``difference low`` and ``difference high``, ``p``
            (paired randomization test against the best, Holm-adjusted over the rankers)
            and ``seed sd`` (standard deviation over seeds); ``fit s`` (seconds) and
            ``compile s`` (seconds before that in which JAX compiles the steps that no
            earlier fit has needed; NaN for rankers that compile nothing).
        """
        if not self.per_query:
            return pd.DataFrame(columns=self._columns()).rename_axis("ranker")
        main = self.metrics[0]
        tested = self.select([main]).comparison().table.xs(main, level="metric")
        rows: dict[str, dict[str, float]] = {}
        for name, values in self.per_query.items():
            row: dict[str, float] = {}
            by_metric = dict(zip(self.metrics, values.T, strict=True))
            means = summary(by_metric)
            for metric in self.metrics:
                row[metric] = means["mean"][metric]
                row[f"{metric} low"] = means["low"][metric]
                row[f"{metric} high"] = means["high"][metric]
            for column in ("difference", "difference_low", "difference_high"):
                row[column.replace("_", " ")] = tested[column][name]
            seeds = self.seed_means[name]
            row["seed sd"] = seeds.std(ddof=1) if len(seeds) > 1 else np.nan
            row["fit s"] = self.seconds[name]
            row["compile s"] = self.compile_seconds.get(name, np.nan)
            row["p"] = tested["p_value"][name]
            rows[name] = row
        table = pd.DataFrame.from_dict(rows, orient="index", columns=self._columns())
        return table.rename_axis("ranker")

    def to_text(self) -> str:
        """Table for a terminal: intervals for the first metric, means of the others."""
        if not self.per_query:
            return "every fit failed\n" + self._failed("")
        table, main = self.table(), self.metrics[0]
        width = max(len(name) for name in table.index)
        widths = {metric: max(9, len(metric) + 1) for metric in self.metrics}
        others = [f"{metric:>{widths[metric]}}" for metric in self.metrics[1:]]
        lines = [
            f"{'':{width}}  {main:>{widths[main]}}  {'95 % interval':^16}  "
            + "".join(others)
            + "   p vs best  fit s  compile s"
        ]
        for name, row in table.iterrows():
            means = "".join(f"{row[m]:{widths[m]}.4f}" for m in self.metrics[1:])
            p = "best" if np.isnan(row["p"]) else f"{row['p']:8.4f}"
            mark = "*" if row["p"] < ALPHA else " "
            seconds = (
                "" if np.isnan(row[column]) else f"{row[column]:{size}.1f}"
                for column, size in (("fit s", 6), ("compile s", 11))
            )
            lines.append(
                f"{name:{width}}  {row[main]:{widths[main]}.4f}  "
                f"[{row[f'{main} low']:.4f}, {row[f'{main} high']:.4f}]  "
                f"{means}   {p:>8}{mark} {''.join(seconds)}".rstrip()
            )
        notes = [*self._notes(), _SECONDS]
        return "\n".join([*lines, *notes]) + "\n" + self._failed("")

    def to_markdown(self) -> str:
        """Markdown table with all intervals."""
        table = self.table()
        head = ["ranker", *self.metrics, "p vs best", "seed sd"]
        head += ["fit s", "compile s"]
        lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
        for name, row in table.iterrows():
            cells = [str(name)]
            cells += [
                f"{row[m]:.4f} [{row[f'{m} low']:.4f}, {row[f'{m} high']:.4f}]"
                for m in self.metrics
            ]
            mark = " \\*" if row["p"] < ALPHA else ""
            cells.append("best" if np.isnan(row["p"]) else f"{row['p']:.4f}{mark}")
            cells += [_number(row["seed sd"], 4), _number(row["fit s"], 1)]
            cells += [_number(row["compile s"], 1)]
            lines.append("| " + " | ".join(cells) + " |")
        notes = " ".join([*self._notes(), _SECONDS])
        return "\n".join([*lines, "", notes, ""]) + self._failed("- ")

    def to_latex(self) -> str:
        r"""LaTeX table for the package booktabs; the best mean of a metric is bold.

        Examples
        --------
        >>> from ltr.compare import compare_rankers, make_ranker, query_folds
        >>> from ltr.datasets import make_ranking
        >>> folds = query_folds(make_ranking(n_queries=12, random_state=0), n_folds=3)
        >>> rankers = {"best_feature": make_ranker("best_feature")}
        >>> print(compare_rankers(rankers, folds, metrics=["ndcg@10"]).to_latex())
        \begin{tabular}{lrrr}
        \toprule
        ranker & ndcg@10 & 95\,\% interval & $p$ \\
        \midrule
        best\_feature & \textbf{0.5561} & [0.4135, 0.6942] & best \\
        \bottomrule
        \end{tabular}
        % 12 test queries; means over 1 seed(s); 95 % bootstrap intervals over queries;
        % * differs from the best ranker (paired randomization test, Holm, p < 0.05).
        <BLANKLINE>
        """
        table, (main, *others) = self.table(), self.metrics
        names = [_latex(name) for name in (main, *others)]
        head = ["ranker", names[0], r"95\,\% interval", *names[1:], "$p$"]
        lines = [r"\begin{tabular}{l" + "r" * (len(head) - 1) + "}", r"\toprule"]
        lines += [" & ".join(head) + r" \\", r"\midrule"]
        best = table[list(self.metrics)].max()
        for name, row in table.iterrows():
            means = [
                rf"\textbf{{{row[m]:.4f}}}" if row[m] == best[m] else f"{row[m]:.4f}"
                for m in self.metrics
            ]
            p = "best" if np.isnan(row["p"]) else f"{row['p']:.4f}"
            p += "$^*$" if row["p"] < ALPHA else ""
            interval = f"[{row[f'{main} low']:.4f}, {row[f'{main} high']:.4f}]"
            cells = [_latex(str(name)), means[0], interval, *means[1:], p]
            lines.append(" & ".join(cells) + r" \\")
        lines += [r"\bottomrule", r"\end{tabular}"]
        notes = self._notes() if self.per_query else []
        notes += self._failed("").splitlines()
        return "\n".join([*lines, *(f"% {note}" for note in notes)]) + "\n"

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON: the table, each seed's mean, the hyperparameters.

        NaN is None.
        """
        table = self.table()
        rankers = {}
        for name, row in table.iterrows():
            numbers = {str(key): _plain(value) for key, value in row.items()}
            seeds = [_plain(value) for value in self.seed_means[str(name)]]
            parameters = parameters_of(self.rankers.get(str(name)))
            rankers[str(name)] = {**numbers, "seeds": seeds, "parameters": parameters}
        return {
            "metrics": list(self.metrics),
            "n_lists": self.n_counted,
            "rankers": rankers,
            "failures": dict(self.failures),
        }

    def _columns(self) -> list[str]:
        metrics = [f"{m}{end}" for m in self.metrics for end in ("", " low", " high")]
        paired = ["difference", "difference low", "difference high"]
        return [*metrics, *paired, "seed sd", "fit s", "compile s", "p"]

    def _notes(self) -> list[str]:
        n_seeds = max(len(means) for means in self.seed_means.values())
        return [
            f"{self.n_counted} test queries; means over {n_seeds} seed(s); 95 % "
            "bootstrap intervals over queries;",
            f"* differs from the best ranker (paired randomization test, Holm, "
            f"p < {ALPHA}).",
        ]

    def _failed(self, bullet: str) -> str:
        lines = [f"{bullet}{n}: failed: {why}" for n, why in self.failures.items()]
        return "\n".join(lines) + "\n" if lines else ""


def parameters_of(ranker: Any) -> dict[str, str]:
    """Class and hyperparameters of an estimator as texts; none for None.

    Parameters
    ----------
    ranker : estimator or None
        Its seed is left out, since a comparison sets it.

    Returns
    -------
    parameters : dict of str to str

    Examples
    --------
    >>> from ltr import RandomRanker
    >>> parameters_of(RandomRanker(metric="map"))
    {'class': 'RandomRanker', 'metric': "'map'"}
    """
    if ranker is None:
        return {}
    values = ranker.get_params()
    values.pop("random_state", None)
    texts = {name: repr(value) for name, value in values.items()}
    return {"class": type(ranker).__name__, **texts}


def _latex(text: str) -> str:
    """Text with the special characters of LaTeX escaped."""
    return "".join(_LATEX.get(character, character) for character in text)


def _mean(values: FloatArray) -> float:
    """Mean without NaN; NaN if there is nothing else."""
    counted = values[~np.isnan(values)]
    return float(counted.mean()) if len(counted) else float("nan")


def _descending(mean: float) -> float:
    """Sort key for the best first and NaN last."""
    return np.inf if np.isnan(mean) else -mean


def _number(value: float, digits: int) -> str:
    return "" if np.isnan(value) else f"{value:.{digits}f}"


def _plain(value: Any) -> float | None:
    return None if np.isnan(value) else float(value)
