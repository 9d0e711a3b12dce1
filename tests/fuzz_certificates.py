"""Certificates of rerankings against every order of short lists.

    python tests/fuzz_certificates.py --sets 2000

draws answers of judges about up to 7 items, consistent and contradictory ones, of pairs
and of windows, and compares ``n_against_min``, ``is_implied``, ``margin`` and the
probabilities of pairs with all orders. ``--seed 7`` draws others. The exit code is 1
if anything was wrong.
"""

import argparse
import sys

import numpy as np
from support.answer_sets import certificate_by_all_orders, draw_answers

from ltr.rerank.certificates import certificate_of


def fault(answers: np.ndarray, k: int) -> str | None:
    """What is wrong about the certificate of a set of answers."""
    certificate = certificate_of(answers, k, int(answers.sum()))
    own, fewest, is_implied, margin = certificate_by_all_orders(answers, k)
    expected = {
        "n_against": own,
        "n_against_min": fewest,
        "status": "OPTIMAL" if own == fewest else "FEASIBLE",
        "is_implied": is_implied,
        "margin": int(answers.sum()) if margin is None else margin,
    }
    for name, value in expected.items():
        if getattr(certificate, name) != value:
            return f"{name} {getattr(certificate, name)}, by all orders {value}"
    return None


def main(n_sets: int, seed: int) -> int:
    """Check sets of answers; return how many were wrong."""
    n_wrong = 0
    for number in range(n_sets):
        answers, k = draw_answers(np.random.default_rng([seed, number]))
        wrong = fault(answers, k)
        if wrong is not None:
            n_wrong += 1
            print(f"set {number}, k={k}: {wrong}\n{answers.tolist()}")
    print(f"{n_sets} sets of answers, {n_wrong} wrong")
    return n_wrong


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    sys.exit(main(options.sets, options.seed) > 0)
