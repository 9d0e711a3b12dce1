"""Maximum-weight paths: the best order where only neighbors count."""

from ltr.solvers.paths.solve import (
    solve_path,
    solve_paths,
)

__all__ = [
    "solve_path",
    "solve_paths",
]
