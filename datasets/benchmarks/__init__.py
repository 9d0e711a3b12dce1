"""Public benchmark data sets: sources, downloads and archives."""
