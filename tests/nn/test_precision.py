"""Precision and device: parameters, inputs and results to the bit against plain torch."""

from __future__ import annotations

import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

import fpipe as fp
from fpipe import nn
from fpipe.core.errors import ParameterError
from fpipe.core.value import evolve
from fpipe.train.numerics import resolve_numerics
from fpipe.train.plan import batch_rows, epoch_order

RNG = np.random.default_rng(2)
X = RNG.normal(size=(40, 5))
Y = X @ np.array([1.0, -2.0, 0.5, 0.0, 3.0]) + 0.1 * RNG.normal(size=40)
COLUMNS = {f"x{i}": X[:, i] for i in range(5)}
TASK = fp.regression(COLUMNS | {"y": Y}, "y")
WEIGHTED = fp.regression(COLUMNS | {"y": Y, "w": 1.0 + np.arange(40) % 3}, "y", weight="w")
MULTI = fp.classification(COLUMNS | {"y": np.array(list("abc"))[np.digitize(Y, [-1, 1])]}, "y")
KEY = fp.key(5)
BODY = nn.ingress_numeric() >> nn.linear(8) >> nn.gelu() >> nn.layer_norm() >> nn.head()


def graph(loss="mse", body=BODY, **model):
    settings = {"epochs": 3, "batch_size": 8} | model
    return body >> nn.loss(loss) >> nn.optimizer("adam", lr=0.02) >> nn.model(**settings)


def plain_network(params) -> torch.nn.Sequential:
    """The network of BODY as torch's own modules, with these parameters."""
    out = params["head.weight"].shape[0]
    net = torch.nn.Sequential(
        torch.nn.Linear(5, 8), torch.nn.GELU(), torch.nn.LayerNorm(8), torch.nn.Linear(8, out)
    ).to(params["head.weight"].dtype)
    names = ("linear", None, "layer_norm", "head")
    for name, layer in zip(names, net, strict=True):
        for part, tensor in layer.named_parameters():
            tensor.data.copy_(params[f"{name}.{part}"])
    return net


def plain_training(run, state, cast: torch.dtype | None) -> torch.nn.Sequential:
    """Train with torch alone, in batches of the same rows."""
    net = plain_network(state.weights.params)
    optimizer = torch.optim.Adam(net.parameters(), lr=0.02, foreach=False)
    dtype = state.numerics.dtype
    x, y = torch.from_numpy(X).to(dtype), torch.from_numpy(Y).to(dtype)[:, None]
    for epoch in range(1, run.plan.epochs + 1):
        order = epoch_order(run.plan, state.key, epoch)
        for index in range(run.plan.batches):
            rows = torch.from_numpy(batch_rows(run.plan, order, index))
            with torch.autocast("cpu", dtype=cast or torch.bfloat16, enabled=cast is not None):
                loss = torch.nn.functional.mse_loss(net(x[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return net


def same_weights(net: torch.nn.Sequential, params) -> bool:
    expected = plain_network(params).state_dict()
    return all(torch.equal(tensor, expected[name]) for name, tensor in net.state_dict().items())


@pytest.mark.parametrize("interpreter", ["fast", "reference"])
@pytest.mark.parametrize(
    ("precision", "cast"), [("float32", None), ("float64", None), ("bfloat16", torch.bfloat16)]
)
def test_training_is_torchs(precision, cast, interpreter):
    """The weights are those of a plain loop, under torch.autocast where the precision is mixed."""
    chain = graph()
    run, start = fp.prepare(chain, TASK, key=KEY, precision=precision, interpreter=interpreter)
    end = fp.fold(run, start, fp.events(run.plan))
    net = plain_training(run, start, cast)
    assert same_weights(net, end.result.params)
    fitted = fp.fit(chain, TASK, key=KEY, precision=precision, interpreter=interpreter)
    assert fp.same(fitted.state("model").state, end)
    dtype = torch.float64 if precision == "float64" else torch.float32
    x = torch.from_numpy(X).to(dtype)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=cast is not None):
        expected = net(x).to(torch.float64)[:, 0]
    assert np.array_equal(fp.predict(fitted, TASK).response.to_numpy(), expected.numpy())


def test_precisions_differ():
    """Each precision gives other weights, close to those of float64.

    Those of float16 are further away: its first updates overflow, and are left out.
    """
    found = {
        p: fp.fit(graph(), TASK, key=KEY, precision=p).state("model").state.result.params
        for p in ("float32", "float64", "bfloat16", "float16")
    }
    exact = found.pop("float64")
    for precision, params in found.items():
        distance = max(float((params[n].double() - exact[n]).abs().max()) for n in exact)
        bound = {"float32": 1e-4, "bfloat16": 0.1, "float16": 1.0}[precision]
        assert 0.0 < distance < bound, (precision, distance)


@pytest.mark.parametrize("precision", ["float64", "bfloat16", "float16"])
@pytest.mark.parametrize("task", [TASK, WEIGHTED, MULTI], ids=["plain", "weighted", "classes"])
def test_dtypes_and_interpreters(precision, task):
    """Parameters, buffers and optimizer hold one dtype, and both interpreters agree to the bit."""
    body = nn.ingress_numeric() >> nn.linear(4) >> nn.batch_norm1d() >> nn.dropout() >> nn.head()
    loss = "cross_entropy" if task is MULTI else "mse"
    states = [
        fp.fit(graph(loss, body), task, key=KEY, precision=precision, interpreter=one)
        .state("model")
        .state
        for one in ("fast", "reference")
    ]
    assert fp.same(states[0], evolve(states[1], numerics=states[0].numerics))
    state, dtype = states[0], torch.float64 if precision == "float64" else torch.float32
    slots = [t for m in state.optimizer.slots.values() for n, t in m.items() if n != "step"]
    held = [*state.weights.params.values(), *state.weights.buffers.values(), *slots]
    assert {x.dtype for x in held if x.is_floating_point()} == {dtype}
    assert state.numerics.precision == precision


def test_float64_to_the_end():
    """Inputs, target and predictions keep digits that float32 has not."""
    run, _ = fp.prepare(graph(), WEIGHTED, key=KEY, precision="float64")
    assert np.array_equal(run.train.inputs["ingress_numeric"].numpy(), X)
    assert np.array_equal(run.train.target.numpy()[:, 0], Y)
    assert run.train.weights.dtype == torch.float64
    response = fp.predict(fp.fit(graph(), TASK, key=KEY, precision="float64"), TASK).response
    assert not np.array_equal(response, response.to_numpy().astype(np.float32))


class Encoder(torch.nn.Module):
    """Torch's transformer layer over the features as tokens."""

    def __init__(self):
        super().__init__()
        self.tokens = torch.nn.Linear(1, 4)
        self.layer = torch.nn.TransformerEncoderLayer(4, 2, 8, batch_first=True)

    def forward(self, x):
        return self.layer(self.tokens(x[:, :, None])).flatten(1)


@pytest.mark.parametrize("precision", ["float64", "bfloat16", "float16"])
def test_transformer_layers_of_torch(precision):
    """Torch's own layer, whose fused form does not know autocast on the CPU, predicts too."""
    chain = graph(body=nn.ingress_numeric() >> nn.module(Encoder) >> nn.head())
    fitted = fp.fit(chain, TASK, key=KEY, precision=precision, validate=0.25)
    params = fitted.state("model").weights.params
    net = torch.nn.ModuleDict({"module": Encoder(), "head": torch.nn.Linear(20, 1)}).double()
    net.load_state_dict({name: tensor.double() for name, tensor in params.items()})
    net.eval()
    with torch.no_grad():
        expected = net["head"](net["module"](torch.from_numpy(X)))[:, 0].numpy()
    found = fp.predict(fitted, TASK).response.to_numpy()
    assert np.allclose(found, expected, atol=1e-12 if precision == "float64" else 0.05)


class Failing(torch.nn.Module):
    """A module that computes in float32 alone."""

    def __init__(self):
        super().__init__()
        self.linear = torch.nn.Linear(5, 5)

    def forward(self, x):
        return _float32_only(self.linear(x))


def _float32_only(x: torch.Tensor) -> torch.Tensor:
    if x.dtype != torch.float32:
        raise RuntimeError(f"no kernel for {x.dtype}")
    return x


def test_foreign_code_that_cannot():
    """An error of foreign code says in what precision it was computed."""
    chain = graph(body=nn.ingress_numeric() >> nn.module(Failing) >> nn.head())
    with pytest.raises(RuntimeError, match="no kernel") as caught:
        fp.fit(chain, TASK, key=KEY, precision="bfloat16")
    assert "at module" in caught.value.__notes__
    assert any("bfloat16" in note for note in caught.value.__notes__)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_an_autocast_around_changes_nothing(precision):
    """An autocast of the caller neither moves bits nor is moved."""
    fitted = fp.fit(graph(), TASK, key=KEY, precision=precision)
    with torch.autocast("cpu", dtype=torch.float16):
        within = fp.fit(graph(), TASK, key=KEY, precision=precision)
        prediction = fp.predict(within, TASK)
        assert torch.is_autocast_enabled("cpu")
        assert torch.get_autocast_dtype("cpu") == torch.float16
    assert fp.same(fitted.states, within.states)
    assert prediction == fp.predict(fitted, TASK)
    assert not torch.is_autocast_enabled("cpu")


def test_threads_with_shared_weights():
    """Weights that are used twice in one pass are cast alike, whatever other threads do."""
    chain = graph(body=nn.ingress_numeric() >> nn.module(Twice) >> nn.head())
    keys = [fp.key(i) for i in range(4)]

    def trained(key):
        return fp.fit(chain, TASK, key=key, precision="bfloat16").states

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(trained, keys))
    assert all(map(fp.same, found, map(trained, keys)))


class Twice(torch.nn.Module):
    """One layer used twice."""

    def __init__(self):
        super().__init__()
        self.linear = torch.nn.Linear(5, 5)

    def forward(self, x):
        return self.linear(torch.relu(self.linear(x)))


def test_precision_reaches_every_entry():
    """fit, run, prepare and resample train alike."""
    chain, options = graph(), {"key": KEY, "precision": "bfloat16"}
    fitted = fp.fit(chain, TASK, **options)
    again, prediction = fp.run(chain, TASK, **options)
    assert fp.same(fitted.states, again.states)
    assert prediction == fp.predict(fitted, TASK)
    run, start = fp.prepare(chain, TASK, **options)
    assert fp.same(fp.fold(run, start, fp.events(run.plan)), fitted.state("model").state)
    result = fp.resample(chain, TASK, fp.cv(2), keep_fitted=True, **options)
    assert {f.state("model").state.numerics.precision for f in result.fitted} == {"bfloat16"}


def test_auto_device():
    """device="auto" is CUDA where there is one, and the CPU elsewhere."""
    found = resolve_numerics(device="auto").device
    assert found == ("cuda" if torch.cuda.is_available() else "cpu")
    fitted = fp.fit(graph(), TASK, key=KEY, device="auto")
    assert fitted.state("model").state.numerics.device == found
    if found == "cpu":
        plain = fp.fit(graph(), TASK, key=KEY)
        assert fp.same(fitted.states, plain.states)
        assert fp.predict(fitted, TASK, device="auto") == fp.predict(plain, TASK)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
@pytest.mark.parametrize("precision", ["float32", "float64", "bfloat16", "float16"])
def test_on_a_gpu(precision):
    """Training on a GPU is close to training on the CPU."""
    here = fp.predict(fp.fit(graph(), TASK, key=KEY, precision=precision), TASK)
    there = fp.predict(fp.fit(graph(), TASK, key=KEY, precision=precision, device="cuda"), TASK)
    assert np.allclose(here.response, there.response, atol=0.1)


REFUSED = [
    ({"precision": "bf16"}, "no precision 'bf16'", "did you mean 'bfloat16'?"),
    ({"precision": "half"}, "no precision 'half'", "did you mean 'float16'?"),
    ({"precision": "flaot32"}, "no precision 'flaot32'", "did you mean 'float32'?"),
    ({"precision": "double"}, "no precision 'double'", "did you mean 'float64'?"),
    ({"precision": torch.bfloat16}, "no precision torch.bfloat16", "did you mean 'bfloat16'?"),
    ({"precision": 16}, "no precision 16", "did you mean 'float16'?"),
    ({"precision": ["float32"]}, "no precision ['float32']", ""),
    ({"precision": None}, "no precision None", ""),
    ({"device": "meta"}, "the device 'meta' cannot be used", "leave device out"),
    ({"device": "gpu"}, "the device 'gpu' cannot be used", "leave device out"),
    ({"interpreter": "quick"}, "no interpreter 'quick'", "use one of"),
]
ENTRIES = {
    "fit": lambda **more: fp.fit(graph(), TASK, key=KEY, **more),
    "run": lambda **more: fp.run(graph(), TASK, key=KEY, **more),
    "prepare": lambda **more: fp.prepare(graph(), TASK, key=KEY, **more),
    "resample": lambda **more: fp.resample(graph(), TASK, fp.cv(2), key=KEY, **more),
    "no model": lambda **more: fp.fit(nn.ingress_numeric(), TASK, key=KEY, **more),
}


@pytest.mark.parametrize("entry", ENTRIES.values(), ids=ENTRIES)
@pytest.mark.parametrize(("options", "rule", "fix"), REFUSED, ids=[str(c[0]) for c in REFUSED])
def test_refused(entry, options, rule, fix, refused):
    """What is unknown is refused before anything is fitted, wherever it is given."""
    refused(lambda: entry(**options), ParameterError, rule, None, fix)


def test_refused_devices(monkeypatch, refused):
    """A device that cannot compute in a precision says so before training."""
    monkeypatch.setattr(torch.amp, "is_autocast_available", lambda kind: False)
    for precision in ("bfloat16", "float16"):
        rule = f"the device 'cpu' cannot compute in {precision}"
        refused(
            lambda: resolve_numerics(precision=precision),  # noqa: B023 - called at once
            ParameterError,
            rule,
            None,
            "leave precision out",
        )
    assert resolve_numerics().precision == "float32"


def test_no_warnings():
    """No precision warns."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for precision in ("float64", "bfloat16", "float16"):
            fp.fit(graph(epochs=1), TASK, key=KEY, precision=precision)
