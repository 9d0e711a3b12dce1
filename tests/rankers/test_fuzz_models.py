"""A short run of ``tests/fuzz_models.py``."""

from tests.fuzz_models import fuzz, make_models


def test_damaged_models(tmp_path):
    """No crash, no hang, no other error, and no other predictions in silence."""
    make_models(tmp_path, ("random", "feature", "trees", "categories", "auto"))
    counts, failures = fuzz(tmp_path, seed=0, n_cases=150)
    assert not failures
    assert counts["refused"] > 100
