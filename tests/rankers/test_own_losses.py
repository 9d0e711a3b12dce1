"""Losses and scorers of a user's own: what training checks before it starts."""

import functools
import pickle
import re
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ltr import NeuralRanker, TSPRanker
from ltr.losses import LOSSES, PATH_LOSSES, combine, loss_info, mse_loss
from ltr.scorers import ModuleScorer, Scorer
from ltr.training.masks import is_ours

RNG = np.random.default_rng(0)
QID = np.repeat(np.arange(3), [6, 4, 3])
X, Y = RNG.normal(size=(len(QID), 3)), RNG.integers(0, 3, len(QID)).astype(float)
EQUAL = np.repeat(np.arange(3), 4)


def fit(loss, ranker=NeuralRanker, qid=QID, **rows):
    """Train for an epoch; the three lists share one padded size."""
    options = {"encoder": "identity"} if ranker is TSPRanker else {"scorer": "linear"}
    ranker = ranker(loss, max_epochs=1, random_state=0, **options)
    n = len(qid)
    return ranker.fit(X[:n], Y[:n], qid, **{k: v[:n] for k, v in rows.items()})


def squared(scores, labels, *, where):
    """One that is right."""
    return jnp.where(where, (scores - labels) ** 2, 0.0).sum(axis=-1)


def careless(scores, labels, *, where=None):
    """One that forgets the mask."""
    return ((scores - labels) ** 2).sum(axis=-1)


def mean_of_all(scores, labels, *, where):
    """One that divides by the padded size."""
    return jnp.where(where, (scores - labels) ** 2, 0.0).mean(axis=-1)


@jax.custom_vjp
def _leaky(scores, where):
    return jnp.where(where, scores, 0.0).sum(axis=-1)


_leaky.defvjp(
    lambda scores, where: (_leaky(scores, where), scores.shape),
    lambda shape, g: (jnp.broadcast_to(g[:, None], shape), None),
)


def leaky_gradient(scores, labels, *, where):
    """One whose value is right."""
    return _leaky(scores, where)


def of_pairs(matrix, labels, *, where, start, end):
    """One on pairs that counts those with padding."""
    return jnp.where(where, start * matrix.sum(axis=-1) - end * labels, 0.0).sum(-1)


@pytest.mark.parametrize(
    ("loss", "ranker", "fault"),
    [
        (careless, NeuralRanker, r"the loss of a list is \S+ with zeros there"),
        (mean_of_all, NeuralRanker, r"\S+ without such positions\. Put"),
        (leaky_gradient, NeuralRanker, "its gradient there is 1 instead of 0"),
        (of_pairs, TSPRanker, r"zeros there, and \S+ with threes"),
        (combine((1.0, careless), (1.0, "mse")), NeuralRanker, "with threes"),
    ],
)
def test_a_loss_that_counts_padding_is_refused(loss, ranker, fault):
    """Before the first step, with the name of the law."""
    with pytest.raises(ValueError, match=fault) as info:
        fit(loss, ranker)
    message = str(info.value)
    assert message.startswith(
        "a loss must leave masked items out (the law padding_changes_nothing of "
        "ltr.testing.check_loss); "
    )
    assert message.endswith(
        "Put 0 there before you sum, for example by jnp.where(where, terms, 0.0)."
    )


def without_return(scores, labels, *, where):
    """One that forgets it."""


def one_number(scores, labels, *, where):
    """One that forgets that there are several lists."""
    return 0.5


def with_numpy(scores, labels, *, where):
    """One that JAX cannot trace."""
    return np.asarray(scores).sum(axis=-1)


@pytest.mark.parametrize("qid", [QID, EQUAL], ids=["padded", "equal sizes"])
@pytest.mark.parametrize(
    ("loss", "outcome", "cure"),
    [
        (without_return, "None", "Add the missing return."),
        (one_number, "float", "Sum over the last axis only."),
    ],
)
def test_a_loss_must_return_one_number_per_list(loss, outcome, cure, qid):
    """Whether or not the mask is tried first."""
    with pytest.raises(ValueError, match=r"^a loss must return one number") as info:
        fit(loss, qid=qid)
    message = str(info.value)
    assert message.endswith(f"; got {outcome} from {loss!r}. {cure}")


@pytest.mark.parametrize("qid", [QID, EQUAL], ids=["padded", "equal sizes"])
def test_a_loss_must_not_call_numpy(qid):
    """The loss is named; JAX says where the call was."""
    message = (
        f"a loss must compute with jax.numpy; {with_numpy!r} calls NumPy, which JAX "
        "cannot trace. Import jax.numpy as jnp, and write jnp in place of np."
    )
    with pytest.raises(TypeError, match="must compute with") as info:
        fit(with_numpy, qid=qid)
    assert str(info.value) == message  # JAX adds a note, which match would read
    assert isinstance(info.value.__cause__, jax.errors.TracerArrayConversionError)


def weighted(scores, labels, *, where, weights=None, teacher_scores=None, scale=2.0):
    """One with further inputs."""
    w = jnp.where(where, 1.0 if weights is None else weights, 0.0)
    return (scale * w * (scores - labels - teacher_scores) ** 2).sum(axis=-1)


def any_keyword(scores, labels, **inputs):
    """One that takes what comes."""
    return squared(scores, labels, where=inputs["where"])


def noisy(scores, labels, *, where, key):
    """One that draws as many numbers as there are positions."""
    return squared(scores + jax.random.normal(key, scores.shape), labels, where=where)


def test_good_losses_are_taken():
    """Also with weights, extras, draws, keywords, and as partials."""
    rows = {"sample_weight": np.arange(1.0, 14.0), "teacher_scores": Y / 2}
    fit(functools.partial(weighted, scale=3.0), **rows)
    for loss in (squared, any_keyword, noisy):
        fit(loss)


def test_lists_of_one_size_have_no_padding():
    """There a loss without a mask is right, and fits."""
    fit(careless, qid=EQUAL)


def test_our_losses_are_not_tried():
    """The laws have them already."""
    ours = {**LOSSES, **PATH_LOSSES}.values()
    assert all(map(is_ours, [*ours, combine((1.0, "mse"), (0.5, mse_loss))]))
    assert not is_ours(squared)
    assert not is_ours(functools.partial(squared))
    assert loss_info(any_keyword).takes("where")


@dataclass(frozen=True)
class WithFunction(Scorer):
    """Parameters as a module of Equinox has them: one leaf is a function."""

    def init(self, key, n_features):
        return {"weight": jnp.ones(n_features), "activation": jax.nn.relu}

    def apply(self, params, X, where=None, weights=None):
        return params["activation"](X @ params["weight"])


def test_parameters_that_are_no_arrays():
    """The error names the leaf and the cure."""
    message = (
        "init of WithFunction() must return a pytree of arrays of floats; got "
        "a function at ['activation']. Keep what is not trained out of the parameters, "
        "for example as an attribute of the scorer; a module of Equinox or Flax NNX "
        "becomes a scorer by ltr.scorers.ModuleScorer."
    )
    with pytest.raises(TypeError, match=re.escape(message)):
        NeuralRanker("mse", WithFunction(), max_epochs=1).fit(X, Y, QID)


@jax.tree_util.register_pytree_node_class
class Module:
    """As modules of Equinox and Flax NNX are: a pytree with functions and whole numbers."""

    def __init__(self, weight, activation, count):
        self.weight, self.activation, self.count = weight, activation, count

    def tree_flatten(self):
        return (self.activation, self.weight, self.count), None

    @classmethod
    def tree_unflatten(cls, _, leaves):
        return cls(leaves[1], leaves[0], leaves[2])

    def __call__(self, x):
        return self.activation(x) @ self.weight / self.count


def make_module(key, n_features):
    return Module(jax.random.normal(key, (n_features, 1)), jnp.tanh, jnp.array(2))


def make_equinox(key, n_features):
    return pytest.importorskip("equinox").nn.MLP(n_features, "scalar", 8, 1, key=key)


def make_nnx(key, n_features):
    nnx = pytest.importorskip("flax.nnx")
    rngs = nnx.Rngs(key)
    return nnx.Sequential(
        nnx.Linear(n_features, 8, rngs=rngs), nnx.relu, nnx.Linear(8, 1, rngs=rngs)
    )


@pytest.mark.parametrize("make", [make_module, make_equinox, make_nnx])
def test_modules_as_scorers(make):
    """They learn, are pickled, and predict the same one by one."""
    truth = X[:, 0] - X[:, 1]
    ranker = NeuralRanker("mse", ModuleScorer(make), learning_rate=0.02)
    ranker.set_params(max_epochs=60, random_state=0, metric="spearman")
    ranker.fit(X, truth, QID)
    assert ranker.history_["loss"][-1] < 0.7 * ranker.history_["loss"][0]
    scores = ranker.predict(X, QID)
    assert scores.shape == (len(X),)
    np.testing.assert_allclose(ranker.predict(X[:1]), scores[:1], rtol=1e-5)
    again = pickle.loads(pickle.dumps(ranker)).predict(X, QID)
    np.testing.assert_array_equal(again, scores)


def test_a_module_without_parameters():
    """The error says what was expected."""
    message = r"must return a pytree with arrays of floats; got none in it\. Of Flax"
    with pytest.raises(TypeError, match=message):
        ModuleScorer(lambda key, n_features: jnp.sum).init(jax.random.key(0), 3)
