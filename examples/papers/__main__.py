"""Show each of the 47 papers that this library grew from: one command a row.

With a number, prints the lines of that row and its criterion; the exit code is 0 only
if the criterion holds. Without one, runs every row in small mode, a line each. Data are
scikit-learn's digits, our 756 events and generated lists; with --data DIR also the
Cranfield collection, from DIR/ir-cranfield and DIR/embeddings-minilm.

    python examples/papers --list
    python examples/papers 31
    python examples/papers 31 --data DIR
    python examples/papers
"""

import argparse
import importlib
import sys
import time
import warnings
from pathlib import Path

from row import Paper, PaperRow, Setting
from sklearn.exceptions import ConvergenceWarning

HERE = Path(__file__).parent
FAMILIES = (
    *("losses", "rerank", "refine", "feedback", "outputs", "interaction"),
    *("rewards", "mining", "formats", "fusion", "scorers"),
)


def papers() -> dict[int, Paper]:
    """The functions of all families by the number of their row."""
    sys.path.append(str(HERE.parent))  # some rows run another example
    rows: dict[int, Paper] = {}
    for family in FAMILIES:
        rows |= importlib.import_module(family).PAPERS
    return dict(sorted(rows.items()))


def title(number: int, paper: Paper) -> str:
    """Number and first sentence of a row."""
    return f"{number:2} {(paper.__doc__ or paper.__name__).splitlines()[0]}"


def show(row: PaperRow) -> None:
    """Print the lines of a row, then its criterion and whether it holds."""
    print(*row.lines, sep="\n")
    print(f"criterion: {row.criterion}: {'holds' if row.holds else 'DOES NOT HOLD'}")


def run(paper: Paper, setting: Setting) -> PaperRow:
    """Run a row; its few epochs are meant, so that no warning says so."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return paper(setting)


def main(numbers: list[int], setting: Setting) -> bool:
    """Run rows, all if none is named; whether every criterion holds."""
    rows = papers()
    unknown = sorted(set(numbers) - set(rows))
    if unknown:
        raise SystemExit(f"the rows are {', '.join(map(str, rows))}; got {unknown}.")
    if numbers:
        all_hold = True
        for number in numbers:
            print(title(number, rows[number]), flush=True)
            row = run(rows[number], setting)
            show(row)
            all_hold &= row.holds
        return all_hold
    n_held, start = 0, time.perf_counter()
    for number, paper in rows.items():
        row = run(paper, setting._replace(small=True))
        n_held += row.holds
        mark = "holds" if row.holds else "DOES NOT HOLD"
        print(f"{number:2} {mark:5} {row.lines[-1]}", flush=True)
    seconds = time.perf_counter() - start
    print(f"{n_held} of {len(rows)} criteria hold, {seconds:.0f} s")
    return n_held == len(rows)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        prog="papers",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("row", type=int, nargs="*", help="1 to 47; none: all, small")
    parser.add_argument("--data", type=Path, help="folder with the Cranfield files")
    parser.add_argument("--small", action="store_true", help="fewer lists and seeds")
    parser.add_argument("--list", action="store_true", help="print what the rows show")
    options = parser.parse_args()
    if options.list:
        print(*(title(*row) for row in papers().items()), sep="\n")
        raise SystemExit(0)
    if not options.row:
        print(__doc__.split("\n")[0], flush=True)
    held = main(options.row, Setting(options.small, options.data))
    raise SystemExit(0 if held else 1)
