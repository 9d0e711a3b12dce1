"""The house: who may import whom, and how large a room may be."""

import ast
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
GROUND_FLOOR = {"arguments", "files", "progress", "queries"}
MAY_IMPORT = {
    "arguments": {"numpy"},
    "files": set(),
    "progress": set(),
    "queries": {"numpy"},
    "lists": {"numpy"},
    "metrics": ARRAYS,
    "datasets": {"numpy", "pandas", "sklearn"},
    "fusion": {"numpy", "pandas", "datasets", "metrics"},
    "solvers": ARRAYS | {"jax"},  # but `import ltr.solvers` does not load it
    "scorers": {"jax"},
    "losses": {"jax", "numpy"},
    "training": {"jax", "optax", "numpy", "scorers", "lists"},
    "model_selection": {"numpy", "sklearn", "metrics"},
    "rankers": ARRAYS
    | {"jax", "sklearn", "lists", "metrics", "losses", "scorers", "training"},
    "plotting": ARRAYS | {"metrics", "model_selection"},
    "compare": {"numpy", "pandas", "sklearn", "datasets", "losses", "metrics"}
    | {"plotting", "rankers", "scorers"},
    "cli": {"numpy", "pandas", "compare", "datasets", "fusion", "metrics", "plotting"}
    | {"rankers", "scorers"},
    "__init__": {"_moved", "rankers"},
    "__main__": {"cli"},
    "_moved": set(),
}
# Imports inside a function: what is only needed by some, or not always installed.
MAY_IMPORT_LATE = {
    "metrics": {"pandas", "datasets"},
    "fusion": {"solvers"},
    "losses": {"solvers"},
    "plotting": {"matplotlib"},
    "compare": {"matplotlib"},
    "rankers": {"lightgbm", "solvers"},
    "solvers": {"jax", "optax", "ortools"},
}
MAX_FILE, MAX_FUNCTION, MAX_PUBLIC_NAMES = 500, 100, 30


def room(path: Path) -> str:
    """The room that a file belongs to."""
    relative = path.relative_to(ROOT)
    if relative.parts[0] in ("solvers", "datasets"):
        return relative.parts[0]
    inside = relative.parts[1:]
    return inside[0].removesuffix(".py") if len(inside) == 1 else inside[0]


def imported(tree: ast.AST, late: bool) -> set[str]:
    """Libraries and rooms that a module imports, at its top or inside functions."""
    functions = [
        node
        for node in ast.walk(tree)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    ]
    inside = {id(child) for function in functions for child in ast.walk(function)}
    names = set()
    for node in ast.walk(tree):
        if (
            isinstance(node, (ast.Import, ast.ImportFrom))
            and (id(node) in inside) == late
        ):
            if isinstance(node, ast.Import):
                modules = [alias.name for alias in node.names]
            else:
                assert node.level == 0, "imports are absolute"
                modules = [f"{node.module}.{alias.name}" for alias in node.names]
            names |= set(modules)
    rooms = set()
    for name in names:
        top, *rest = name.split(".")
        if top == "ltr":
            rooms.add(rest[0])
        elif top not in sys.stdlib_module_names:
            rooms.add(top)
    return rooms


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports(path):
    """Every import of a file is in the table."""
    tree, here = ast.parse(path.read_text()), room(path)
    if_typing = {
        id(child)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for child in ast.walk(node)
    }
    runtime = ast.Module(
        [node for node in tree.body if id(node) not in if_typing], type_ignores=[]
    )
    allowed = MAY_IMPORT[here] | GROUND_FLOOR | {here}
    assert imported(runtime, late=False) <= allowed
    assert imported(runtime, late=True) <= allowed | MAY_IMPORT_LATE.get(here, set())


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


def test_import_is_light():
    """`import ltr` loads neither LightGBM, OR-Tools nor matplotlib."""
    heavy = "('lightgbm', 'ortools', 'matplotlib', 'ltr.datasets', 'ltr.solvers')"
    code = f"import sys, ltr; print([m for m in {heavy} if m in sys.modules])"
    assert python(code) == "[]"


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
