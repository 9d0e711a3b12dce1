"""Docstrings: every example runs, every parameter is described with its default."""

import doctest
import importlib
import inspect
import pkgutil
import re
import warnings

import numpy as np
import pytest

import ltr
import ltr.datasets
import ltr.solvers
from ltr.scorers import Scorer
from ltr.solvers.core.rule import Rule

MODULES = sorted(
    {
        name
        for package in (ltr, ltr.solvers, ltr.datasets)
        for _, name, _ in pkgutil.walk_packages(
            package.__path__, f"{package.__name__}."
        )
    }
    - {"ltr.__main__"}
)
PUBLIC = [
    "ltr",
    "ltr.losses",
    "ltr.losses.paths.published",
    "ltr.metrics",
    "ltr.model_selection",
    "ltr.plotting",
    "ltr.compare.report",
    "ltr.finance",
    "ltr.export",
    "ltr.fusion",
    "ltr.inspection",
    "ltr.mining",
    "ltr.rewards",
    "ltr.datasets",
    "ltr.solvers",
    "ltr.solvers.differentiable",
    "ltr.solvers.dynamic",
    "ltr.rankers",
    "ltr.refine",
    "ltr.scorers",
    "ltr.testing",
    "ltr.training",
]


def public_objects():
    """Every class and function that a user can import from a public module."""
    seen = {}
    for module in PUBLIC:
        for name in importlib.import_module(module).__all__:
            value = getattr(importlib.import_module(module), name)
            if inspect.isclass(value) or inspect.isfunction(value):
                seen.setdefault(value, f"{module}.{name}")
    return [pytest.param(value, id=name) for value, name in seen.items()]


def public_callables():
    """Functions, and the constructors and methods of classes, with their docstrings."""
    for parameter in public_objects():
        value, name = parameter.values[0], parameter.id
        if inspect.isfunction(value):
            yield pytest.param(value, value.__doc__, id=name)
            continue
        if "Parameters\n" in (value.__doc__ or ""):
            yield pytest.param(value.__init__, value.__doc__, id=name)
        for method, function in vars(value).items():
            if method.startswith("_") or not inspect.isfunction(function):
                continue
            overrides = any(method in vars(base) for base in value.__mro__[1:])
            # methods of scorers and constraints are documented in their base class
            if not (overrides and issubclass(value, (Scorer, Rule))):
                yield pytest.param(function, function.__doc__, id=f"{name}.{method}")


# Examples of an extra that the extra ``test`` does not install.
NEEDS = {"ltr.export.onnx_model": "onnxruntime"}


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name):
    """Every >>> of every module."""
    if name in NEEDS:
        pytest.importorskip(NEEDS[name])
    with warnings.catch_warnings(), np.printoptions(legacy=False):
        result = doctest.testmod(importlib.import_module(name))
    assert result.failed == 0


@pytest.mark.parametrize("value", public_objects())
def test_public_objects_have_examples(value):
    """An example for each function and each class that a user makes."""
    made_by_user = not (inspect.isabstract(value) or issubclass_of_tuple(value))
    if made_by_user and not RESULTS & {value.__name__}:
        assert ">>>" in value.__doc__


# Classes that functions return, and interfaces: they are documented where they are made.
RESULTS = {
    "Metric",
    "Data",
    "TrainingResult",
    "LossPlan",
    "TrainingPlan",
    "RankingScorer",
    "BaseRanker",
    "load_ranker",
    "train",
}


def issubclass_of_tuple(value):
    return inspect.isclass(value) and issubclass(value, tuple)


def documented(docstring):
    """Names in the Parameters section, with what stands after the colon."""
    section = re.split(r"\n *Parameters\n *-+\n", docstring)
    if len(section) == 1:
        return {}
    body = inspect.cleandoc("\n" + re.split(r"\n\n *\w[\w ]*\n *-+\n", section[1])[0])
    found = {}
    for line in re.findall(r"^(\S[^\n]*?) : ([^\n]*(?:\\\n[^\n]*)?)", body, flags=re.M):
        for name in line[0].split(", "):
            found[name.lstrip("*")] = line[1]
    return found


@pytest.mark.parametrize(("function", "docstring"), list(public_callables()))
def test_parameters_are_documented(function, docstring):
    """The names of the signature, in its order, with the same defaults."""
    signature = inspect.signature(function).parameters
    names = [name for name in signature if name not in ("self", "cls")]
    described = documented(docstring)
    assert list(described) == names
    for name in names:
        default = signature[name].default
        if default in (inspect.Parameter.empty,):
            continue
        stated = re.search(r"default=(.+)$", described[name])
        if stated is None:
            assert default is None, f"{name}: the default {default!r} is not documented"
            assert "optional" in described[name] or name == "sample_weight"
            continue
        text = stated[1].strip()
        shown = {"numpy.float64": np.float64}.get(text, text)
        if isinstance(shown, str):
            shown = eval(shown, {}) if not re.match(r"[A-Za-z_]+\.", shown) else shown
        assert shown == default, f"{name}: documented {text}, is {default!r}"
