"""Trees and metrics on a Dask cluster.

:class:`DaskLambdaMARTRanker` is :class:`ltr.LambdaMARTRanker` for data that no machine
holds: it moves whole lists, one balanced part to each worker, and lets the LightGBM of
the workers train together. What comes out predicts on any machine. :func:`evaluate`
computes metrics where the data are, and :func:`describe` counts there. Needs
``pip install "ltr[dask]"``; arrays and futures only, no data frames.

>>> import dask.array as da                                       # doctest: +SKIP
>>> from dask.distributed import Client, LocalCluster             # doctest: +SKIP
>>> from ltr.dask import DaskLambdaMARTRanker                     # doctest: +SKIP
>>> client = Client(LocalCluster(n_workers=2))                    # doctest: +SKIP
>>> ranker = DaskLambdaMARTRanker(n_estimators=50, client=client) # doctest: +SKIP
>>> ranker.fit(X, y, qid).to_local()                              # doctest: +SKIP
"""

from ltr.dask.description import describe
from ltr.dask.evaluation import evaluate
from ltr.dask.ranker import DaskLambdaMARTRanker

__all__ = ["DaskLambdaMARTRanker", "describe", "evaluate"]
