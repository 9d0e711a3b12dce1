"""Masks, sums over pairs, ranks, draws: the parts that losses are made of."""
