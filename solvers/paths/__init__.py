"""Maximum-weight paths: the best order where only neighbours count."""

from ltr.solvers.paths.solve import (
    solve_path,
    solve_paths,
)

__all__ = [
    "solve_path",
    "solve_paths",
]
