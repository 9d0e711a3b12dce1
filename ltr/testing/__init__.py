"""Laws of ranking losses, metrics, scorers, rankers and solvers, to check your own.

As :func:`sklearn.utils.estimator_checks.check_estimator` does for estimators, each
function runs the laws of a kind of object on one of yours, with inputs drawn and shrunk
by hypothesis, and raises :class:`LawBroken` with the law and the smallest input that
breaks it::

    from ltr.testing import check_loss

    check_loss(my_loss)

Needs hypothesis: ``pip install "ltr[testing]"``.
"""

try:
    import hypothesis  # noqa: F401
except ImportError as error:
    raise ImportError(
        "ltr.testing draws its inputs with hypothesis, which is not installed. "
        'Install it with: pip install "ltr[testing]".'
    ) from error

from ltr.testing.laws import Law, LawBroken, LawTable
from ltr.testing.losses import LOSS_LAWS, check_loss
from ltr.testing.metrics import METRIC_LAWS, check_metric
from ltr.testing.rankers import RANKER_LAWS, check_ranker
from ltr.testing.scorers import SCORER_LAWS, check_scorer
from ltr.testing.solvers import SOLVER_LAWS, check_solver

__all__ = [
    "LOSS_LAWS",
    "METRIC_LAWS",
    "RANKER_LAWS",
    "SCORER_LAWS",
    "SOLVER_LAWS",
    "Law",
    "LawBroken",
    "LawTable",
    "check_loss",
    "check_metric",
    "check_ranker",
    "check_scorer",
    "check_solver",
]
