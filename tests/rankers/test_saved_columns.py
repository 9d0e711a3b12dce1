"""Saved imputers and selected columns: bit for bit, with scikit-learn and without."""

from ltr.serving import loading  # noqa: F401  (replaced below)
