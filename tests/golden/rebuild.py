"""Recompute tests/golden/losses.json and print how far ltr is from it.

The numbers come from an independent program, so a difference is a bug in one of the
two: this script changes nothing.

    python tests/golden/rebuild.py
"""

import json
from pathlib import Path

import jax
import numpy as np

import ltr.losses

GOLDEN = Path(__file__).with_name("losses.json")


def load() -> list[dict]:
    """Cases of the golden file."""
    return json.loads(GOLDEN.read_text(encoding="utf-8"))["cases"]


def compute(case: dict) -> np.ndarray:
    """Value or gradient of one case, in double precision."""
    scores, labels = np.array(case["scores"], float), np.array(case["labels"], float)
    function = getattr(ltr.losses, f"{case['loss']}_loss")
    options = case["options"] | {k: np.array(v) for k, v in case["extras"].items()}
    if "skips" in options:
        options["skips"] = tuple(options["skips"])
    with jax.enable_x64(True):
        loss = lambda s: function(s, labels, **options)
        if case["what"] == "grad":
            loss = jax.jit(jax.grad(loss))
        return np.asarray(loss(scores))


if __name__ == "__main__":
    for case in load():
        distance = np.abs(compute(case) - np.array(case["expected"])).max()
        print(f"{case['case']:36} {distance:.1e}")
