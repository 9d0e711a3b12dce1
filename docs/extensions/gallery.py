"""The gallery: programs of ``examples/`` as pages, each with its picture.

A page shows the program as it is, and runs a small version of it.
"""

import inspect
import os
import re
import shutil
import sys
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib
from reference import write_if_new

MODULE = Path(__file__).stem
COMMAND = re.compile(r"(^ *python examples/.*\n?)+", re.MULTILINE)


class Run(NamedTuple):
    """What the page of a program runs; the axis of its values, if it draws nothing."""

    call: str
    label: str = ""


PICTURE = '"NAME.png"'  # of the program: two of them run side by side in one folder
RUNS = {
    "quickstart": Run("main(n_queries=80, max_epochs=30)", "NDCG@10"),
    "auto_ranker": Run(f"main(60, figure={PICTURE})"),
    "train_every_loss": Run(
        'main(60, 10, ("mse", "ranknet", "lambdarank", "listnet", "approx_ndcg"))',
        "NDCG@10, relative to that of the noise-free scores",
    ),
    "rerank_embeddings": Run("main(n_queries=60)", "NDCG@10"),
    "stock_ranking": Run(
        f"main(make_stocks(60, 200, 3, random_state=0), 1, {PICTURE})"
    ),
    "event_ordering": Run(f"main(1, 200, {PICTURE})"),
    "digit_columns": Run(f'main(1, 300, ("LambdaMART", "RankNet", "TSP"), {PICTURE})'),
    "trip_stops": Run("main(1, 200)", "Kendall's τ"),
    "story_sentences": Run(
        'main(1, 300, ("RankNet", "TSP, successor"))', "Kendall's τ"
    ),
    "race_results": Run('main(1, 60, ("linear", "RankNet", "TSP"))', "Kendall's τ"),
    "rank_aggregation": Run(f"main(n_items=9, picture={PICTURE})"),
    "constrained_ranking": Run(f"main(figure={PICTURE})"),
    "fair_committee": Run(f"main(3, 15, 12, 4, picture={PICTURE})"),
    "distillation": Run("main(n_queries=60, n_seeds=1)", "NDCG@10"),
    "preference": Run("main(40, n_seeds=1, max_epochs=5)", "NDCG@10"),
}
NOT_VALUES = {"lead", "low", "high"}


def prepare(source: Path, folder: Path) -> dict[str, Any]:
    """Copy the programs, each with a title; return the settings of the gallery."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    sys.path.insert(0, str(source))
    search = [str(source), str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, search))  # of its workers
    (folder / "GALLERY_HEADER.rst").write_text(HEADER)
    for path in sorted(source.glob("*.py")):
        if not path.stem.startswith("benchmark_"):
            (folder / path.name).write_text(page(path))
    return {
        "examples_dirs": str(folder),
        "gallery_dirs": "gallery",
        "filename_pattern": rf"{os.sep}({'|'.join(RUNS)})\.py$",
        "within_subsection_order": f"{MODULE}.Order",
        "image_scrapers": (f"{MODULE}.scrape",),
        "reset_modules": (),
        "parallel": 2,
        "backreferences_dir": "reference/backreferences",
        "doc_module": ("ltr",),
        "show_signature": False,
        "download_all_examples": False,
        "min_reported_time": 1e9,
        "plot_gallery": "True",
    }


def page(path: Path) -> str:
    """Give the program a title, and a cell that runs it if it is quick."""
    first, rest = path.read_text().removeprefix('"""').split("\n", 1)
    title = first.rstrip(".")
    rest = COMMAND.sub(literal, rest)
    text = f"{title}\n{'=' * len(title)}\n"
    if path.stem not in RUNS:
        return f'r"""\n{text}{rest}'
    program = rest.split('\nif __name__ == "__main__":')[0].rstrip()
    picture = (
        f".. image:: /gallery/images/sphx_glr_{path.stem}_001.png\n   :alt: {title}"
    )
    call = RUNS[path.stem].call.replace("NAME", path.stem)
    cell = f"# %%\n# {SMALL}\n\nresult = {call}\n"
    return f'r"""\n{text}\n{picture}\n{program}\n\n\n{cell}'


def literal(command: re.Match[str]) -> str:
    """Show a usage line of a docstring as what one types."""
    lines = inspect.cleandoc(command[0]).splitlines()
    return "\n".join([".. code-block:: sh", "", *(f"   {line}" for line in lines), ""])


class Order:
    """Programs in the order of the table above, then the others."""

    def __init__(self, src_dir: str) -> None:
        self.places = {name: place for place, name in enumerate(RUNS)}

    def __call__(self, filename: str) -> tuple[int, str]:
        """Sort by place, then by name."""
        name = Path(filename).stem
        return self.places.get(name, len(self.places)), name


def scrape(block: Any, block_vars: dict[str, Any], gallery_conf: Any) -> str:
    """Take the picture that the program wrote, or draw the values it returned."""
    program = Path(block_vars["src_file"])
    picture, name = program.with_suffix(".png"), program.stem
    values = block_vars["example_globals"].get("result")
    if values is not None and not picture.exists():
        draw(values, RUNS[name].label, picture)
    if picture.exists():
        path = Path(next(block_vars["image_path_iterator"]))
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(picture, path)
    return ""  # it stands at the top of the page


def draw(values: dict[str, Any], label: str, path: Path) -> None:
    """One dot per number."""
    matplotlib.use("Agg")
    from matplotlib import pyplot

    is_value = lambda key, v: isinstance(v, float) and key not in NOT_VALUES
    numbers = {key: v for key, v in values.items() if is_value(key, v)}
    numbers = {key: v for key, v in numbers.items() if " against " not in key}
    names = sorted(numbers, key=lambda name: numbers[name])
    figure, axes = pyplot.subplots(figsize=(6.4, 0.42 * len(names) + 1.1))
    axes.hlines(names, min(numbers.values()), [numbers[n] for n in names], alpha=0.3)
    axes.plot([numbers[name] for name in names], names, "o", ms=9)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel(label)
    figure.savefig(path, dpi=110, bbox_inches="tight")
    pyplot.close(figure)


def write_benchmarks(source: Path, path: Path) -> None:
    """One page with what each benchmark measures, and its program."""
    lines = ["Benchmarks", "==========", "", BENCHMARKS]
    for program in sorted(source.glob("benchmark_*.py")):
        text = inspect.cleandoc(program.read_text().split('"""')[1])
        text = COMMAND.sub(literal, text)
        lines += [program.name, "-" * len(program.name), "", text, ""]
        lines += [".. dropdown:: The program", ""]
        lines += [f"   .. literalinclude:: ../examples/{program.name}", ""]
    write_if_new(path, "\n".join(lines))


HEADER = """Gallery
=======

Programs to start from, on generated or bundled data. Each is a file of ``examples/``;
its page shows the result of a small run. :doc:`/benchmarks` has the programs that
measure speed and quality beside other libraries, :doc:`/numbers` what they print.
"""
BENCHMARKS = """Programs that measure speed, or quality on real data, beside other
libraries; :doc:`numbers` has what they print. They are files of ``examples/``.
"""
SMALL = "A small run, for the picture of this page."
