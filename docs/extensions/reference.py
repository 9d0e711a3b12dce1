"""Pages of the API reference: one per public package, one per public name."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

import ltr

if TYPE_CHECKING:
    from sphinx.application import Sphinx

# Packages whose names are for ourselves, or of which a reader sees the package above.
INTERNAL = {"ltr.cli", "ltr.solvers.core"}
# Where a name is documented that several packages export; then by alphabet.
FIRST = ("ltr", "ltr.datasets", "ltr.losses", "ltr.metrics", "ltr.solvers")
# Packages worth a page although the package above exports all of their names.
GUIDES = {"ltr.losses.paths"}
FEW = 20

# Names in docstrings that are documented on other sites.
ELSEWHERE = [
    (
        r"py:.*",
        r"(sklearn|numpy|np|jax|jnp|pandas|scipy|optax|lightgbm|matplotlib)\..*",
    ),
]


class Page(NamedTuple):
    """The names that a package documents, and those documented in another one."""

    names: list[str]
    elsewhere: dict[str, str]


def packages() -> dict[str, Page]:
    """Every public package, by name."""
    names = {"ltr"} | {
        module.name
        for module in pkgutil.walk_packages(ltr.__path__, "ltr.")
        if not any(part.startswith("_") for part in module.name.split("."))
    }
    pages: dict[str, Page] = {}
    home: dict[int, str] = {}
    for name in sorted(names, key=lambda name: (name not in FIRST, name)):
        is_room = name.count(".") <= 1
        module = importlib.import_module(name)
        if not (is_room or hasattr(module, "__path__")) or name in INTERNAL:
            continue
        public = {n: id(getattr(module, n)) for n in getattr(module, "__all__", [])}
        own = [n for n, key in public.items() if key not in home]
        elsewhere = {n: home[key] for n, key in public.items() if key in home}
        home |= {public[n]: f"{name}.{n}" for n in own}
        if own or name in GUIDES:
            pages[name] = Page(own, elsewhere)
    return dict(sorted(pages.items()))


def sections(module: ModuleType, names: list[str]) -> dict[str, list[str]]:
    """Names by kind, or by the file that defines them if they are many."""
    by_kind: dict[str, list[str]] = {"Classes": [], "Functions": [], "Data": []}
    by_file: dict[str, list[str]] = {}
    for name in names:
        value = getattr(module, name)
        kind = "Classes" if inspect.isclass(value) else "Functions"
        if not (inspect.isclass(value) or callable(value)):
            kind = "Data"
        by_kind[kind].append(name)
        title = kind
        if kind != "Data":
            home = importlib.import_module(value.__module__)
            title = (
                (home.__doc__ or "").strip().split("\n")[0].rstrip(".").split(": ")[0]
            )
            title = "By name" if home is module else title
        by_file.setdefault(title, []).append(name)
    if len(names) > FEW:
        data = {"Data": by_file.pop("Data", [])}
        by_size = sorted(by_file, key=lambda title: (-len(by_file[title]), title))
        by_kind = {title: by_file[title] for title in by_size} | data
    return {title: group for title, group in by_kind.items() if group}


def write_if_new(path: Path, text: str) -> None:
    """Leave a page alone that is as it should be, so that a rebuild is quick."""
    if not path.exists() or path.read_text() != text:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def write(folder: Path) -> list[str]:
    """Write ``index.rst`` and a page per package into ``folder``; return the latter."""
    pages = packages()
    public = {f"{name}.{n}" for name, page in pages.items() for n in page.names}
    for path in folder.glob("generated/*.rst"):
        if path.stem not in public:  # of an earlier build
            path.unlink()
    for name, page in pages.items():
        module = importlib.import_module(name)
        lines = [name, "=" * len(name), "", f".. automodule:: {name}", ""]
        lines += [f".. currentmodule:: {name}", ""]
        for title, group in sections(module, page.names).items():
            lines += [title, "-" * len(title), "", ".. autosummary::"]
            lines += ["   :toctree: generated", "   :nosignatures:", ""]
            lines += [*(f"   {n}" for n in group), ""]
        if page.elsewhere:
            lines += ["Documented elsewhere", "--------------------", ""]
            links = (f":obj:`{n} <{path}>`" for n, path in page.elsewhere.items())
            lines += [", ".join(links), ""]
        write_if_new(folder / f"{name}.rst", "\n".join(lines))
    lines = ["Reference", "=========", "", INTRODUCTION, ".. toctree::"]
    lines += ["   :maxdepth: 1", "   :hidden:", "", *(f"   {name}" for name in pages)]
    lines += ["", ".. list-table::", "   :widths: 25 75", ""]
    for name in pages:
        first = (inspect.getdoc(importlib.import_module(name)) or "").split("\n")[0]
        lines += [f"   * - :doc:`{name}`", f"     - {first}"]
    write_if_new(folder / "index.rst", "\n".join([*lines, ""]))
    return [str(folder / f"{name}.rst") for name in pages]


def skip(app: Sphinx, what: str, name: str, value: Any, skipped: bool, _: Any) -> bool:
    """Leave out methods that a class inherits from another library."""
    home = getattr(inspect.unwrap(value), "__module__", None) if callable(value) else ""
    foreign = callable(value) and not (home or "").startswith("ltr")
    return skipped or (what in {"class", "method"} and foreign)


def resolve(app: Sphinx, env: Any, node: Any, text: Any) -> Any:
    """Find a short name in another package; leave text for what is internal."""
    from sphinx.util.nodes import make_refnode

    target = node.get("reftarget", "")
    if node.get("refdomain") != "py" or not target:
        return None
    domain = env.get_domain("py")
    homes = [name for name in domain.objects if name.endswith(f".{target}")]
    if homes:
        entry = domain.objects[min(homes, key=len)]
        return make_refnode(
            app.builder, node["refdoc"], entry.docname, entry.node_id, text
        )
    package, _, name = target.rpartition(".")
    if target.startswith("ltr.") and hasattr(import_or_none(package), name):
        return text
    return None


def import_or_none(name: str) -> ModuleType | None:
    """The module of that name, if there is one."""
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect the choice of members and the search for short names."""
    app.connect("autodoc-skip-member", skip)
    app.connect("missing-reference", resolve)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


INTRODUCTION = """Every public name, with its shapes, defaults, errors, sources and an
example that runs in the tests.
"""
