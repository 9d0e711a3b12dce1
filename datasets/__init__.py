"""Ranking data: loaders and generators.

``load_*`` read files, ``make_*`` draw synthetic data with a seed, ``fetch_*`` download
benchmark data once. Most return a :class:`RankingData`, whose ``X``, ``y`` and ``qid``
go to ``fit``; stocks come as a :class:`StockData`, events as a DataFrame. This package
imports only the ground floor of ``ltr``.

Your own data: :func:`load_table` for a table with a row per item, :func:`load_letor`
for LETOR (svmlight with ``qid:``) files, :func:`convert_letor` and :func:`open_ranking`
for those that do not fit into memory, :func:`save_shards` and :func:`open_shards` for
pieces to train on one after the other, :func:`read_run` and :func:`read_qrels` for runs
and judgments, :func:`read_corpus` and :func:`read_queries` for the texts of collections
in the forms of BEIR, BRIGHT and R2MED, :func:`read_choices` for multiple choice.
:func:`describe` reports problems before you train.
"""

if __name__ != "ltr.datasets":
    raise ImportError(
        f"this folder is the package 'ltr.datasets'; it was imported as {__name__!r} "
        "because the repository root is on sys.path. Use 'import ltr.datasets'."
    )

from ltr.datasets.benchmarks.fetch import (
    fetch_istella,
    fetch_letor_mq2007,
    fetch_letor_mq2008,
    fetch_mslr,
    fetch_yahoo,
)
from ltr.datasets.benchmarks.sources import RankingSplits
from ltr.datasets.biased import make_biased_rankings
from ltr.datasets.choices import read_choices
from ltr.datasets.clicks import ClickLog, simulate_clicks
from ltr.datasets.description import Description, describe
from ltr.datasets.events import drop_near_duplicates, load_events, read_events
from ltr.datasets.gtfs import load_gtfs
from ltr.datasets.letor.arrays import convert_letor, open_ranking
from ltr.datasets.letor.files import load_letor, save_letor
from ltr.datasets.pair_lists import PairLists, pairs_to_lists
from ltr.datasets.plackett_luce import make_plackett_luce
from ltr.datasets.preflib import PrefLibData, load_preflib, save_preflib
from ltr.datasets.propensities import estimate_propensities
from ltr.datasets.ranking_data import RankingData
from ltr.datasets.results import load_results
from ltr.datasets.runs import (
    exclude,
    read_corpus,
    read_excluded,
    read_qrels,
    read_queries,
    read_run,
    write_run,
)
from ltr.datasets.shards import Shards, open_shards, save_shards
from ltr.datasets.stocks.lists import StockData, load_stocks, stock_lists
from ltr.datasets.stocks.simulated import make_stocks
from ltr.datasets.synthetic import make_ranking
from ltr.datasets.tables import load_table, save_table
from ltr.datasets.tsplib import TSPLIBData, load_tsplib

__all__ = [
    "ClickLog",
    "Description",
    "PairLists",
    "PrefLibData",
    "RankingData",
    "RankingSplits",
    "Shards",
    "StockData",
    "TSPLIBData",
    "convert_letor",
    "describe",
    "drop_near_duplicates",
    "estimate_propensities",
    "exclude",
    "fetch_istella",
    "fetch_letor_mq2007",
    "fetch_letor_mq2008",
    "fetch_mslr",
    "fetch_yahoo",
    "load_events",
    "load_gtfs",
    "load_letor",
    "load_preflib",
    "load_results",
    "load_stocks",
    "load_table",
    "load_tsplib",
    "make_biased_rankings",
    "make_plackett_luce",
    "make_ranking",
    "make_stocks",
    "open_ranking",
    "open_shards",
    "pairs_to_lists",
    "read_choices",
    "read_corpus",
    "read_events",
    "read_excluded",
    "read_qrels",
    "read_queries",
    "read_run",
    "save_letor",
    "save_preflib",
    "save_shards",
    "save_table",
    "simulate_clicks",
    "stock_lists",
    "write_run",
]
