"""One language: American spelling, the field's nouns, names that say what a value is."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = sorted(
    path
    for pattern in (
        "ltr/**/*.py",
        "solvers/**/*.py",
        "datasets/**/*.py",
        "examples/**/*.py",
    )
    for path in ROOT.glob(pattern)
)
TEXTS = [*SOURCES, *ROOT.glob("*.md"), *ROOT.glob("examples/*.md")]
BRITISH = (
    r"\w*(?:neighbour|colour|behaviour|favour|labell|modell|travell|centred|centre\b"
    r"|programme\b|grey\b"
    r"|(?:maxim|minim|normal|optim|random|regular|summar|initial|penal|real|organ|recogn"
    r"|general|factor|parallel|vector|serial|stabil|standard|symmetr|quant|discret|util)"
    r"is(?:e|ed|es|ing|ation|ations|er|ers)\b)\w*"
)
IDIOLECT = (
    r"\banew\b|\bso many\b|\bso much\b|\bspeaks? of\b|\brubbish\b"
    r"|\bwith comfort\b|\bhas a turn\b|\bis worth that\b"
)
TITLES = (  # of papers, as they were printed
    'asymmetric travelling salesman problem", 1980',
    'travelling salesman model", KDD 2025',
    "treatment of the travelling salesman",
    "direct optimisation of a ranking metric",
)
STATES = {  # in what state a value is, not what it is
    *("found", "chosen", "given", "kept", "said", "theirs", "here", "what"),
    *("which", "each", "wanted", "known", "used"),
}


def lines_with(path: Path, pattern: str) -> list[str]:
    """Lines of a file that match, with their numbers."""
    text = path.read_text()
    for title in TITLES:
        text = text.replace(title, "")
    lines = enumerate(text.splitlines(), 1)
    return [f"{n}: {line.strip()}" for n, line in lines if re.search(pattern, line)]


@pytest.mark.parametrize("path", TEXTS, ids=lambda p: str(p.relative_to(ROOT)))
def test_american_spelling(path):
    """Color, neighbor, maximize."""
    assert lines_with(path, f"(?i)\\b{BRITISH}") == []


@pytest.mark.parametrize("path", TEXTS, ids=lambda p: str(p.relative_to(ROOT)))
def test_idiom(path):
    """No phrase that a native engineer of the field stumbles over."""
    assert lines_with(path, f"(?i){IDIOLECT}") == []


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_names_are_nouns(path):
    """A variable is named by what it holds."""
    bound = {
        (node.lineno, node.id)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }
    assert sorted((line, name) for line, name in bound if name in STATES) == []
