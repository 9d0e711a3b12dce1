"""Daily lists of stocks, from prices or from a simulated market."""
