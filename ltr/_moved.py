"""Import paths of ltr 0.1 that still work, with a deprecation warning.

A table, and the import hook that reads it: ``import`` asks :class:`MovedFinder` only
for modules that no other finder knows, so it costs nothing where nothing has moved.
"""

from __future__ import annotations

import importlib
import sys
import warnings
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

MOVED = {
    "ltr.cli_fuse": "ltr.cli.fuse",
    "ltr.cli_runs": "ltr.cli.evaluate",
    "ltr.datasets._clicks": "ltr.datasets.clicks",
    "ltr.datasets._describe": "ltr.datasets.description",
    "ltr.datasets._preflib": "ltr.datasets.preflib",
    "ltr.datasets._sources": "ltr.datasets.benchmarks.sources",
    "ltr.datasets._stocks": "ltr.datasets.stocks.lists",
    "ltr.datasets._tsplib": "ltr.datasets.tsplib",
    "ltr.datasets._types": "ltr.datasets.ranking_data",
    "ltr.leaderboard": "ltr.compare.leaderboard",
    "ltr.losses.published_paths": "ltr.losses.paths.published",
    "ltr.losses.softmax_variants": "ltr.losses.listwise",
    "ltr.metrics.blocks": "ltr.metrics.ranked",
    "ltr.rankers.boosting": "ltr.rankers.trees.boosting",
    "ltr.rankers.checks": "ltr.rankers.inputs",
    "ltr.rankers.decoding": "ltr.rankers.pairs.decoding",
    "ltr.rankers.gradient": "ltr.rankers.neural.gradient",
    "ltr.rankers.labels": "ltr.rankers.trees.label_gains",
    "ltr.rankers.lambdamart": "ltr.rankers.trees.lambdamart",
    "ltr.rankers.neural_training": "ltr.rankers.neural.training",
    "ltr.rankers.objectives": "ltr.rankers.trees.objectives",
    "ltr.rankers.pair_outputs": "ltr.rankers.pairs.outputs",
    "ltr.rankers.preprocess": "ltr.rankers.neural.scaling",
    "ltr.rankers.tables": "ltr.rankers.trees.feature_tables",
    "ltr.rankers.tsprank": "ltr.rankers.pairs.tsprank",
    "ltr.report": "ltr.compare.report",
    "ltr.report_page": "ltr.compare.page",
    "ltr.solvers._solution": "ltr.solvers.core.solution",
    "ltr.solvers.constraints": "ltr.solvers.core.constraints",
    "ltr.solvers.exposure": "ltr.solvers.assignment.exposure",
    "ltr.solvers.fair_prefixes": "ltr.solvers.assignment.fair_prefixes",
}


class MovedFinder:
    """Import the module at the new path, under the old name too.

    A finder and a loader in one. It does not derive from those of ``importlib.abc``,
    whose import takes as long as a twentieth of that of NumPy.
    """

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        """Find modules that are in :data:`MOVED`."""
        loader: Any = self
        return ModuleSpec(fullname, loader) if fullname in MOVED else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Load the module from where it is now."""
        now = MOVED[spec.name]
        warnings.warn(
            f"{spec.name} has moved to {now}; the old path goes away in ltr 0.3. "
            f"Import from {now}.",
            DeprecationWarning,
            stacklevel=2,
        )
        module = importlib.import_module(now)
        spec.loader_state = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Give the module its own spec back; it was executed under its own name."""
        if module.__spec__ is not None:
            module.__spec__ = module.__spec__.loader_state


def install() -> None:
    """Let ``import`` read the table, after all other finders."""
    if not any(isinstance(finder, MovedFinder) for finder in sys.meta_path):
        sys.meta_path.append(MovedFinder())
