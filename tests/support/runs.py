"""Runs as dictionaries, and the mean of one metric of a run."""

from ltr.metrics import evaluate_run


def as_dict(table):
    """{qid: {docid: value}} of a table."""
    run = {}
    for q, d, value in table.itertuples(index=False):
        run.setdefault(q, {})[d] = value
    return run


def mean_of(run, qrels, name, **options):
    """Mean of one metric."""
    return evaluate_run(run, qrels, name, **options)["mean"].item()
