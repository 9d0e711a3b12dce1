"""Public benchmark data sets: where they are, their download, their archives."""
