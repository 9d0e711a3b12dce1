"""The gallery: programs of ``examples/`` as pages, quick ones with their picture."""

import os
import shutil
import sys
from pathlib import Path
from typing import Any

import matplotlib

# What the page of an example runs. The others are shown with their text alone.
RUNS = {
    "quickstart": "result = main(n_queries=80, max_epochs=30)",
    "constrained_ranking": 'result = main(figure="picture.png")',
    "rank_aggregation": 'result = main(n_items=9, picture="picture.png")',
}


def prepare(source: Path, folder: Path) -> dict[str, Any]:
    """Copy the programs, each with a title; return the settings of the gallery."""
    shutil.rmtree(folder, ignore_errors=True)
    sys.path.insert(0, str(source))
    for name, title in (("programs", "Examples"), ("benchmarks", "Benchmarks")):
        (folder / name).mkdir(parents=True)
        header = f"{title}\n{'=' * len(title)}\n\n{INTRODUCTIONS[name]}\n"
        (folder / name / "GALLERY_HEADER.rst").write_text(header)
    (folder / "GALLERY_HEADER.rst").write_text("Gallery\n=======\n")
    for path in sorted(source.glob("*.py")):
        kind = "benchmarks" if path.stem.startswith("benchmark_") else "programs"
        (folder / kind / path.name).write_text(page(path))
    return {
        "examples_dirs": str(folder),
        "gallery_dirs": "gallery",
        "filename_pattern": rf"{os.sep}({'|'.join(RUNS)})\.py$",
        "image_scrapers": ("gallery.scrape",),
        "reset_modules": (),
        "backreferences_dir": "reference/backreferences",
        "doc_module": ("ltr",),
        "show_signature": False,
        "download_all_examples": False,
        "min_reported_time": 1e9,
        "remove_config_comments": True,
        "plot_gallery": "True",
    }


def page(path: Path) -> str:
    """Give the program a title, and a cell that runs it if it is quick."""
    first, rest = path.read_text().removeprefix('"""').split("\n", 1)
    title = first.rstrip(".")
    text = f'r"""\n{title}\n{"=" * len(title)}\n{rest}'
    if path.stem in RUNS:
        program = text.split('\nif __name__ == "__main__":')[0].rstrip()
        text = f"{program}\n\n\n# %%\n# {SMALL}\n\n{RUNS[path.stem]}\n"
    return text


def scrape(block: Any, block_vars: dict[str, Any], gallery_conf: Any) -> str:
    """Take the picture that the program wrote, or draw the values it returned."""
    from sphinx_gallery.scrapers import figure_rst

    folder = Path(block_vars["src_file"]).parent
    picture = folder / "picture.png"
    values = block_vars["example_globals"].get("result")
    if not picture.exists() and isinstance(values, dict):
        draw(values, picture)
    if not picture.exists():
        return ""
    path = Path(next(block_vars["image_path_iterator"]))
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(picture, path)
    return figure_rst([str(path)], gallery_conf["src_dir"])


def draw(values: dict[str, Any], path: Path) -> None:
    """One dot per number."""
    matplotlib.use("Agg")
    from matplotlib import pyplot

    numbers = {k: v for k, v in values.items() if isinstance(v, float)}
    if not numbers:
        return
    names = sorted(numbers, key=lambda name: numbers[name])
    figure, axes = pyplot.subplots(figsize=(6.4, 0.4 * len(names) + 1))
    axes.plot([numbers[name] for name in names], names, "o", ms=8)
    axes.grid(axis="y", alpha=0.3)
    figure.savefig(path, dpi=110, bbox_inches="tight")
    pyplot.close(figure)


SMALL = "A small run, for this page."
INTRODUCTIONS = {
    "programs": "Programs to start from, on generated or bundled data.",
    "benchmarks": "Speed and quality beside other libraries.",
}
