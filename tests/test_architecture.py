"""The house: who may import whom, and how large a room may be."""

import ast
import functools
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FILES = sorted(
    path
    for room in ("ltr", "solvers", "datasets")
    for path in ROOT.glob(f"{room}/**/*.py")
)

# Which rooms and libraries each room may import, besides itself and the standard library.
# Arrows go down only: cli → compare → rankers → training, losses, model_selection →
# scorers, metrics, lists, datasets, solvers → the ground floor, open to every room.
ARRAYS = {"numpy", "scipy"}
GROUND_FLOOR = {
    "arguments",
    "atomic",
    "callbacks",
    "compilation",
    "deadline",
    "files",
    "formatting",
    "lazy",
    "list_sizes",
    "locks",
    "memory",
    "progress",
    "queries",
    "row_values",
    "text",
    "within_lists",
}
MAY_IMPORT = {
    "arguments": {"numpy"},
    "atomic": set(),
    "callbacks": {"numpy"},
    "compilation": set(),
    "deadline": set(),
    "files": set(),
    "formatting": {"numpy"},
    "lazy": set(),
    "list_sizes": {"numpy"},
    "locks": set(),
    "memory": set(),
    "progress": set(),
    "queries": {"numpy"},
    "row_values": {"numpy"},
    "text": {"numpy"},
    "within_lists": {"numpy"},
    "lists": {"numpy"},
    "metrics": {"numpy"},
    "datasets": {"numpy"},
    "fusion": {"numpy", "pandas", "datasets", "metrics"},
    "dask": {"numpy", "sklearn", "datasets", "metrics", "rankers"},
    "finance": {"numpy", "metrics"},
    "rewards": {"numpy"},
    "mining": {"numpy", "datasets", "rewards"},
    "refine": {"numpy", "pandas", "datasets", "fusion"},
    "solvers": ARRAYS,
    "solvers.dynamic": {"jax", "numpy", "solvers"},
    "solvers.differentiable": {"jax", "numpy", "solvers", "solvers.dynamic"},
    "scorers": {"numpy"},
    "losses": {"jax", "numpy"},
    "training": {"jax", "optax", "numpy", "losses", "scorers", "lists"},
    "model_selection": {"numpy", "sklearn", "metrics"},
    "rankers": {"numpy"}
    | {"jax", "sklearn"}
    | {"lists", "metrics", "model_selection", "losses", "scorers", "training"},
    "serving": {"numpy", "starlette", "rankers", "scorers", "training"},
    "export": {"numpy", "sklearn", "rankers", "scorers"},
    "inspection": {"numpy", "sklearn", "metrics", "model_selection", "rankers"},
    "plotting": ARRAYS | {"metrics", "model_selection"},
    "rerank": {"numpy", "pandas", "datasets"},
    "testing": {"hypothesis", "jax", "numpy", "sklearn"}
    | {"losses", "metrics", "scorers", "solvers"},
    "compare": {"numpy", "pandas", "sklearn", "datasets", "losses", "metrics"}
    | {"plotting", "rankers", "scorers"},
    "cli": {"numpy", "pandas", "threadpoolctl", "compare", "datasets", "fusion"}
    | {"export"}
    | {"metrics", "plotting", "rankers", "rerank"},
    "__init__": {"_moved"},
    "__main__": {"cli"},
    "_moved": set(),
}
# Imports inside a function: what is only needed by some, or not always installed.
MAY_IMPORT_LATE = {
    "compilation": {"jax"},
    "dask": {"distributed", "lightgbm", "scipy"},
    "metrics": {"pandas", "scipy", "datasets"},
    "datasets": {"pandas", "scipy"},
    "fusion": {"solvers"},
    "mining": {"pandas"},
    "model_selection": {"rankers"},  # join_query_features, before rows are split
    "losses": {"solvers.differentiable", "solvers.dynamic"},
    "export": {"onnx"},
    "plotting": {"matplotlib"},
    "compare": {"matplotlib"},
    "rankers": {"lightgbm", "pandas", "refine", "scipy", "solvers", "solvers.dynamic"}
    | {"threadpoolctl"},
    "refine": {"jax", "losses"},
    "cli": {"serving", "uvicorn"},
    "rerank": {"scipy", "solvers", "solvers.dynamic"},
    "scorers": {"jax", "scipy"},
    "serving": {"lightgbm"},
    "solvers": {"joblib", "ortools"},
}
# Libraries whose import costs time or may fail, and what they load themselves.
HEAVY = {
    "jax",
    "lightgbm",
    "matplotlib",
    "optax",
    "ortools",
    "pandas",
    "scipy",
    "sklearn",
}
LOADS = {"optax": {"jax"}, "sklearn": {"pandas", "scipy"}}
MAX_FILE, MAX_FUNCTION, MAX_PUBLIC_NAMES = 500, 100, 30


def room(module: str) -> str:
    """The row of the table that ``ltr.<module>`` belongs to: the longest that fits."""
    parts = module.split(".")
    names = (".".join(parts[:n]) for n in range(len(parts), 0, -1))
    return next((name for name in names if name in MAY_IMPORT), parts[0])


def module_of(path: Path) -> str:
    """Dotted name of a file, without ``ltr``."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    parts = parts[1:] if parts[0] == "ltr" else parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and parts[:-1] else parts)


@functools.cache
def imports(path: Path) -> dict[str, set[str]]:
    """What a file imports, ``module.name``: at its top, in functions, for types only."""
    names: dict[str, set[str]] = {"at top": set(), "late": set(), "types": set()}

    def visit(node: ast.AST, where: str) -> None:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            where = "types" if where == "types" else "late"
        elif isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            where = "types"
        elif isinstance(node, ast.Import):
            names[where] |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            names[where] |= {f"{node.module}.{alias.name}" for alias in node.names}
        for child in ast.iter_child_nodes(node):
            if not isinstance(child, ast.expr):
                visit(child, where)

    visit(ast.parse(path.read_text()), "at top")
    return names


def imported(path: Path, where: str) -> set[str]:
    """Libraries and rooms that a file imports, at its top or inside functions."""
    rooms = set()
    for name in imports(path)[where]:
        top, _, inside = name.partition(".")
        if top == "ltr":
            rooms.add(room(inside))
        elif top not in sys.stdlib_module_names:
            rooms.add(top)
    return rooms


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports(path):
    """Every import of a file is in the table."""
    here = room(module_of(path))
    allowed = MAY_IMPORT[here] | GROUND_FLOOR | {here}
    assert imported(path, "at top") <= allowed
    assert imported(path, "late") <= allowed | MAY_IMPORT_LATE.get(here, set())


@pytest.mark.parametrize("name", MAY_IMPORT)
def test_the_table_is_tight(name):
    """No row allows what its room does not use."""
    files = [path for path in FILES if room(module_of(path)) == name]
    at_top, late = (
        set().union(*(imported(path, where) for path in files))
        for where in ("at top", "late")
    )
    assert at_top >= MAY_IMPORT[name]
    assert late >= MAY_IMPORT_LATE.get(name, set())


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_privacy(path):
    """What begins with an underscore is used in its own room only."""
    here = room(module_of(path))
    for name in set().union(*imports(path).values()):
        top, _, inside = name.partition(".")
        if top == "ltr" and room(inside) not in (here, "_moved"):
            assert not any(part.startswith("_") for part in inside.split(".")), name


def test_the_table_has_no_cycles():
    """The rooms can be put on floors so that every arrow goes down."""
    left = {name: rooms & set(MAY_IMPORT) for name, rooms in MAY_IMPORT.items()}
    while left:
        ground = [
            name for name, rooms in left.items() if not rooms & set(left) - {name}
        ]
        assert ground, f"a cycle among {sorted(left)}"
        for name in ground:
            del left[name]


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_budgets(path):
    """No file over 500 lines, no function over 100 (docstrings not counted)."""
    text = path.read_text()
    assert len(text.splitlines()) <= MAX_FILE
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            docstring = ast.get_docstring(node, clean=False) or ""
            lines = node.end_lineno - node.lineno + 1 - len(docstring.splitlines())
            assert lines <= MAX_FUNCTION, f"{node.name}: {lines} lines"


def test_names_of_files():
    """No attic: a module says in its name what it is about."""
    for path in FILES:
        assert path.stem not in ("utils", "helpers", "common", "misc")


def test_public_names():
    """At most 30, all documented."""
    import ltr

    assert len(ltr.__all__) <= MAX_PUBLIC_NAMES
    for name in ltr.__all__:
        assert getattr(ltr, name).__doc__


def python(code: str) -> str:
    run = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd="/",
    )
    return run.stdout.strip()


def may_load(name: str) -> set[str]:
    """Heavy libraries that importing a room may load: its row of the table, closed."""
    heavy, rooms, todo = set(), set(), [name]
    while todo:
        entry = todo.pop()
        if entry in MAY_IMPORT and entry not in rooms:
            rooms.add(entry)
            todo += MAY_IMPORT[entry]
        elif entry in HEAVY and entry not in heavy:
            heavy.add(entry)
            todo += LOADS.get(entry, set())
    return heavy


def test_walls_hold_at_run_time():
    """Importing a room loads no heavy library that its row of the table does not name.

    Rooms that may load the same are imported by one process.
    """
    rooms: dict[frozenset[str], list[str]] = {}
    for name in MAY_IMPORT:
        if "sklearn" not in may_load(name):
            module = "ltr" if name == "__init__" else f"ltr.{name}"
            rooms.setdefault(frozenset(may_load(name)), []).append(module)
    assert rooms
    for allowed, modules in rooms.items():
        code = f"import sys, {', '.join(modules)}; print(*{HEAVY} & set(sys.modules))"
        assert set(python(code).split()) <= allowed, modules


def test_losses_without_the_heavy_packages():
    """A bare machine with numpy, scipy, scikit-learn, jax and optax is enough."""
    code = """
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name in ("lightgbm", "pandas", "ortools", "matplotlib"):
            raise ImportError(name)
sys.meta_path.insert(0, Missing())
import numpy as np, ltr.losses
from ltr import NeuralRanker
ranker = NeuralRanker("ranknet", "linear", max_epochs=1)
ranker.fit(np.eye(4), [0, 1, 0, 1], [1, 1, 2, 2])
print(float(ltr.losses.ranknet_loss(np.zeros(2), np.array([1, 0]))) > 0.69)
"""
    assert python(code) == "True"


def test_import_changes_no_jax_setting():
    """Double precision and promotion rules stay as they were."""
    code = """
import jax
before = {name: str(value) for name, value in jax.config.values.items()}
import ltr, ltr.losses, ltr.training, ltr.cli
after = {name: str(value) for name, value in jax.config.values.items()}
print(before == after)
"""
    assert python(code) == "True"
