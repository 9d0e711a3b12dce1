"""LETOR files (svmlight with ``qid:``): parsed, read whole, or converted and mapped."""
