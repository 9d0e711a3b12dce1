"""One row per loss: a slow, obvious reference, and the laws that hold.

A new loss enters the test suite by adding its row to the file of its family,
cases_*.py; the laws in test_losses_properties.py run over all rows.
`python tests/registry.py` prints the table: loss, laws, number of tests.
"""

import re
from pathlib import Path

from support import (
    cases_lists,
    cases_pairs,
    cases_policy,
    cases_relaxations,
    cases_wasserstein,
)

FAMILIES = (
    cases_pairs,
    cases_lists,
    cases_relaxations,
    cases_wasserstein,
    cases_policy,
)
CASES = [case for family in FAMILIES for case in family.CASES]
LAWS = ("shift", "convex", "repeats", "zero_on_equal_labels", "smooth", "draws")


def main() -> None:
    """Print which laws each row claims, and how many law tests read it."""
    source = (
        Path(__file__).parent.joinpath("laws", "test_losses_properties.py").read_text()
    )
    marks = re.findall(r"^@(every_loss|every_sure_loss|one_row_a_loss)$", source, re.M)
    laws = re.findall(r'^@losses_with\("(\w+)"\)$', source, re.M)
    print(f"{'loss':58}{'tests':>6}" + "".join(f"{law:>22}" for law in LAWS))
    seen = set()
    for case in CASES:
        n_tests = marks.count("every_loss") + sum(getattr(case, law) for law in laws)
        n_tests += 0 if case.draws else marks.count("every_sure_loss")
        n_tests += 0 if case.name in seen else marks.count("one_row_a_loss")
        seen.add(case.name)
        held = "".join(f"{'yes' if getattr(case, law) else '-':>22}" for law in LAWS)
        print(f"{case.id:58}{n_tests:>6}{held}")
    print(f"{len(CASES)} rows, {len({case.name for case in CASES})} losses")


if __name__ == "__main__":
    main()
