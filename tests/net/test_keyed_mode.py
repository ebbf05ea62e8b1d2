"""Draws of foreign code under a key: torch's own bits, and no global generator moves."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn as torch_nn
from torch.nn import functional

import fpipe as fp
from fpipe import nn
from fpipe.core.errors import StateError
from fpipe.core.key import Key
from fpipe.net.attention_mode import PlainAttention
from fpipe.net.keyed_mode import KeyedMode, _idle
from fpipe.net.recurrent import check_recurrent

X = torch.randn(4, 6, generator=torch.Generator().manual_seed(1))
POSITIVE = X.exp()
SHARES = X.softmax(1)

DRAWS = {
    "native_dropout": lambda: torch.native_dropout(X, 0.3, True),
    "native_dropout, training not told": lambda: torch.native_dropout(X, 0.3, None),
    "native_dropout of everything": lambda: torch.native_dropout(X, 1.0, True),
    "dropout": lambda: functional.dropout(X, 0.3),
    "alpha_dropout": lambda: functional.alpha_dropout(X, 0.3, True),
    "dropout1d": lambda: functional.dropout1d(X[None], 0.3, True),
    "feature_alpha_dropout": lambda: functional.feature_alpha_dropout(X, 0.3, True),
    "rand": lambda: torch.rand(5),
    "rand, out": lambda: torch.rand(5, out=torch.empty(5)),
    "randn": lambda: torch.randn(5),
    "randn, out": lambda: torch.randn(5, out=torch.empty(5)),
    "randint": lambda: torch.randint(7, (5,)),
    "randint from": lambda: torch.randint(2, 7, (5,)),
    "randint, out": lambda: torch.randint(2, 7, (5,), out=torch.empty(5, dtype=torch.int64)),
    "randperm": lambda: torch.randperm(9),
    "randperm, out": lambda: torch.randperm(9, out=torch.empty(9, dtype=torch.int64)),
    "rand_like": lambda: torch.rand_like(X),
    "rand_like of another dtype": lambda: torch.rand_like(X, dtype=torch.float64),
    "rand_like, transposed": lambda: torch.rand_like(X.T),
    "rand_like in bfloat16": lambda: torch.rand_like(X.bfloat16()),
    "randn_like": lambda: torch.randn_like(X),
    "randint_like": lambda: torch.randint_like(X, 9),
    "randint_like from": lambda: torch.randint_like(X, 3, 9),
    "randint_like by name": lambda: torch.randint_like(X, low=3, high=9),
    "randint_like to a tensor": lambda: torch.randint_like(X, torch.tensor(9)),
    "normal around": lambda: torch.normal(X, 1.0),
    "normal": lambda: torch.normal(X, X.abs()),
    "normal of a size": lambda: torch.normal(0.0, 1.0, (3,)),
    "normal_": lambda: torch.empty(4).normal_(),
    "uniform_": lambda: torch.empty(4).uniform_(),
    "bernoulli": lambda: torch.bernoulli(SHARES),
    "bernoulli of p": lambda: torch.bernoulli(X, 0.3),
    "bernoulli, out": lambda: torch.bernoulli(SHARES, out=torch.empty_like(X)),
    "bernoulli_": lambda: X.clone().bernoulli_(0.2),
    "bernoulli_ of a tensor": lambda: X.clone().bernoulli_(SHARES),
    "poisson": lambda: torch.poisson(POSITIVE),
    "binomial": lambda: torch.binomial(torch.full((4,), 9.0), torch.full((4,), 0.4)),
    "multinomial": lambda: torch.multinomial(SHARES, 2),
    "gamma": lambda: torch.distributions.Gamma(POSITIVE, 1.0).sample(),
    "dirichlet": lambda: torch.distributions.Dirichlet(POSITIVE).sample(),
    "gumbel_softmax": lambda: functional.gumbel_softmax(X),
    "rrelu": lambda: functional.rrelu(X, training=True),
    "rrelu_": lambda: functional.rrelu_(X.clone(), training=True),
    "exponential_": lambda: torch.empty(4).exponential_(),
    "cauchy_": lambda: torch.empty(4).cauchy_(),
    "geometric_": lambda: torch.empty(4).geometric_(0.4),
    "log_normal_": lambda: torch.empty(4).log_normal_(),
    "random_": lambda: torch.empty(4).random_(),
    "attention": lambda: functional.scaled_dot_product_attention(X, X, X, dropout_p=0.4),
    "fractional_max_pool2d": lambda: functional.fractional_max_pool2d(
        X[None, None], 2, output_size=3
    ),
    "trunc_normal_": lambda: torch_nn.init.trunc_normal_(torch.empty(4)),
}


def tensors(found) -> tuple[torch.Tensor, ...]:
    return found if isinstance(found, tuple) else (found,)


def alike(a, b) -> bool:
    return all(map(torch.equal, tensors(a), tensors(b)))


@pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS)
def test_draws_are_torchs(draw):
    """Bits and use of the generator are those of the global one in the same state."""
    keyed = Key(3).generator()
    start, before = keyed.get_state(), torch.get_rng_state()
    with KeyedMode(keyed):
        found, later = draw(), draw()
    assert torch.equal(torch.get_rng_state(), before)
    try:
        torch.set_rng_state(start)
        expected, expected_later = draw(), draw()
        after = torch.get_rng_state()
    finally:
        torch.set_rng_state(before)
    assert alike(found, expected)
    assert alike(later, expected_later)
    assert torch.equal(keyed.get_state(), after)
    assert not torch.equal(start, after)


@pytest.mark.parametrize("name", ["native_dropout", "attention"])
def test_draws_have_gradients(name):
    """What is dropped in the forward pass is dropped from the gradient, as torch does."""
    draw = {
        "native_dropout": lambda x: torch.native_dropout(x, 0.5, True)[0],
        "attention": lambda x: functional.scaled_dot_product_attention(x, x, x, dropout_p=0.4),
    }[name]
    keyed, before = Key(3).generator(), torch.get_rng_state()
    start, grads = keyed.get_state(), []
    for mode in (KeyedMode(keyed), None):
        x = X.clone().requires_grad_()
        if mode is None:
            torch.set_rng_state(start)
            out = draw(x)
            torch.set_rng_state(before)
        else:
            with mode:
                out = draw(x)
        grads.append(torch.autograd.grad(out.square().sum(), x)[0])
    assert torch.equal(*grads)


def test_what_has_no_keyed_form():
    """It is refused, and named."""
    into = {"out0": torch.empty(0), "out1": torch.empty(0, dtype=torch.bool)}
    with (
        KeyedMode(Key(0).generator()),
        pytest.raises(
            StateError, match="native_dropout.out draws and takes no generator"
        ) as caught,
    ):
        torch.ops.aten.native_dropout.out(X, 0.3, True, **into)
    assert caught.value.fix


class NoForm(torch_nn.Module):
    """A module that draws by an operation without a keyed form."""

    def __init__(self):
        super().__init__()
        self.linear = torch_nn.Linear(3, 4)

    def forward(self, x):
        hidden = self.linear(x)
        if not self.training:
            return hidden
        into = {"out0": torch.empty(0), "out1": torch.empty(0, dtype=torch.bool)}
        mask = torch.ops.aten.native_dropout.out(hidden.detach(), 0.3, True, **into)[1]
        return hidden * mask


def test_the_node_is_named(refused):
    """In a graph the error says which node it was."""
    chain = (
        nn.ingress_numeric() >> nn.module(NoForm, id="odd") >> nn.head() >> nn.loss("mse")
    ) >> nn.optimizer("sgd", lr=0.1)
    chain = chain >> nn.model(epochs=1)
    refused(
        lambda: fp.fit(chain, TASK, key=KEY),
        StateError,
        "draws and takes no generator",
        "odd",
        "a built-in fpipe layer",
    )


ROWS = np.linspace(-1.0, 1.0, 24)
TASK = fp.regression({"a": ROWS, "b": ROWS**2, "c": -ROWS, "y": ROWS * 3.0 + 1.0}, "y")
KEY = fp.key(3)


class Recurrent(torch_nn.Module):
    """A recurrent network with dropout between two layers."""

    def __init__(self, kind="LSTM"):
        super().__init__()
        self.net = getattr(torch_nn, kind)(1, 4, num_layers=2, dropout=0.4, batch_first=True)

    def forward(self, x):
        return self.net(x[:, :, None])[0][:, -1]


class Encoder(torch_nn.Module):
    """A transformer layer over the features as tokens."""

    def __init__(self):
        super().__init__()
        self.layer = torch_nn.TransformerEncoderLayer(4, 2, 8, dropout=0.3, batch_first=True)

    def forward(self, x):
        return self.layer(x[:, :, None].expand(-1, -1, 4)).flatten(1)


class Noisy(torch_nn.Module):
    """A layer whose output is changed at random while training."""

    def __init__(self, how):
        super().__init__()
        self.linear = torch_nn.Linear(3, 4)
        self.how = how

    def forward(self, x):
        hidden = self.linear(x)
        return HOWS[self.how](hidden) if self.training else hidden


HOWS = {
    "native": lambda x: torch.native_dropout(x, 0.3, True)[0],
    "like": lambda x: x + torch.randn_like(x) * torch.rand_like(x),
    "attention": lambda x: functional.scaled_dot_product_attention(x, x, x, dropout_p=0.4),
    "rrelu": lambda x: functional.rrelu(x, training=True),
    "gumbel": functional.gumbel_softmax,
    "multinomial": lambda x: x.gather(1, torch.multinomial(x.detach().softmax(1), 4)),
    "permutation": lambda x: x[:, torch.randperm(4)],
}
MODULES = {
    **{how: (Noisy, how) for how in HOWS},
    **{kind: (Recurrent, kind) for kind in ("LSTM", "GRU", "RNN")},
    "encoder": (Encoder,),
}


def chain_of(module, lr=0.05):
    body = nn.ingress_numeric() >> nn.module(*module) >> nn.head() >> nn.loss("mse")
    return body >> nn.optimizer("sgd", lr=lr) >> nn.model(epochs=2, batch_size=8)


@pytest.mark.parametrize("module", MODULES.values(), ids=MODULES)
def test_modules_are_reproducible(module):
    """Same key, same bits, with either interpreter; other keys and steps draw otherwise."""
    before = torch.get_rng_state()
    runs = [
        fp.fit(chain_of(module), TASK, key=KEY, interpreter=one).state("model").state
        for one in ("fast", "fast", "reference")
    ]
    assert torch.equal(torch.get_rng_state(), before)
    assert fp.same(runs[0], runs[1])
    assert fp.same(runs[0].weights, runs[2].weights)
    run, start = fp.prepare(chain_of(module, lr=0.0), TASK, key=KEY)
    whole = fp.fold(run, start, fp.events(run.plan))
    assert fp.same(whole.weights.params, start.weights.params)
    losses = [row["train.loss"] for row in whole.history]
    assert losses[0] != pytest.approx(losses[1], rel=1e-5)  # each step draws anew
    fitted = fp.fit(chain_of(module), TASK, key=KEY)
    assert fp.predict(fitted, TASK) == fp.predict(fitted, TASK)


@pytest.mark.parametrize("need_weights", [True, False])
@pytest.mark.parametrize("dropout", [0.0, 0.4])
@pytest.mark.parametrize("training", [True, False])
def test_plain_attention_is_attention(need_weights, dropout, training):
    """The mode for GPUs computes what torch does on the CPU from the same draws."""
    key = Key(1)
    with KeyedMode(key.generator()):
        module = torch_nn.MultiheadAttention(6, 2, dropout=dropout, batch_first=True)
    module.train(training)
    tokens = torch.randn(3, 5, 6, generator=key.fold_in("x").generator())
    with KeyedMode(key.generator()):
        expected, weights = module(tokens, tokens, tokens, need_weights=need_weights)
    with KeyedMode(key.generator()), PlainAttention():
        found, own_weights = module(tokens, tokens, tokens, need_weights=need_weights)
    assert torch.allclose(found, expected, atol=1e-6)
    assert (weights is None) == (own_weights is None) == (not need_weights)


@pytest.mark.parametrize("options", [{}, {"is_causal": True}, {"scale": 0.3}])
@pytest.mark.parametrize("dropout", [0.0, 0.4])
def test_plain_attention_without_heads(dropout, options):
    """To the bit torch's attention on the CPU, which is plain where something is dropped."""
    call = functional.scaled_dot_product_attention
    with KeyedMode(Key(2).generator()):
        expected = call(X, X, X, dropout_p=dropout, **options)
    with KeyedMode(Key(2).generator()), PlainAttention():
        found = call(X, X, X, dropout_p=dropout, **options)
    assert torch.equal(found, expected)


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
def test_cudnn_dropout_is_refused(kind):
    """Where cuDNN would draw by itself, a recurrent module is refused; the part of it is named."""
    made = Recurrent(kind).train()
    for device in ("cuda", "cuda:1"):
        with pytest.raises(StateError) as caught:
            check_recurrent(made, device, "Recurrent")
        error = caught.value
        assert f"the dropout of net ({kind}) in Recurrent draws and takes no" in error.rule
        assert error.expected.endswith(f"on {device}")
        assert "dropout=0.4" in error.got
        assert 'dropout=0 and add nn.dropout() behind it, or train with device="cpu"' in error.fix
    with pytest.raises(StateError, match=f"the dropout of {kind} draws"):
        check_recurrent(made.net, "cuda", kind)


def test_other_recurrent_modules_run_on_a_gpu():
    """Without dropout, outside of training, on the CPU and without cuDNN nothing is refused."""
    check_recurrent(Recurrent().train(), "cpu", "Recurrent")
    check_recurrent(Recurrent().eval(), "cuda", "Recurrent")
    check_recurrent(torch_nn.LSTM(2, 3, num_layers=2), "cuda", "LSTM")
    check_recurrent(Encoder(), "cuda", "Encoder")
    with torch.backends.cudnn.flags(enabled=False):
        check_recurrent(Recurrent().train(), "cuda", "Recurrent")


@pytest.mark.parametrize("training", [True, False])
def test_recurrent_kernels_of_cudnn(training):
    """Of cuDNN's own operation, training with dropout is refused; predicting draws nothing."""
    func = torch.ops.aten._cudnn_rnn.default
    x, no = torch.zeros(1, 1, 1), None
    given = (x, [x], 4, no, x, x, 2, 1, 0, 2, True, 0.4, training, False, [], no)
    assert _idle(func, given, {}) is (not training)
    assert _idle(func, (*given[:11], 0.0, *given[12:]), {})


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
def test_recurrent_modules_predict_on_a_gpu(kind):
    """What was trained on the CPU with dropout predicts on a GPU, as on the CPU."""
    fitted = fp.fit(chain_of((Recurrent, kind)), TASK, key=KEY)
    found = fp.predict(fitted, TASK, device="cuda").response.to_numpy()
    assert np.allclose(found, fp.predict(fitted, TASK).response.to_numpy(), atol=1e-4)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
@pytest.mark.parametrize("module", MODULES.values(), ids=MODULES)
def test_on_a_gpu(module):
    """The same key gives the same bits on a GPU; what cannot be keyed there is an error."""
    cpu, gpu = torch.get_rng_state(), torch.cuda.get_rng_state()
    if module[0] is Recurrent:  # cuDNN draws its dropout by itself
        with pytest.raises(StateError, match="draws and takes no generator"):
            fp.fit(chain_of(module), TASK, key=KEY, device="cuda")
    else:
        runs = [fp.fit(chain_of(module), TASK, key=KEY, device="cuda") for _ in range(2)]
        assert fp.same(runs[0].state("model").weights, runs[1].state("model").weights)
    assert torch.equal(torch.get_rng_state(), cpu)
    assert torch.equal(torch.cuda.get_rng_state(), gpu)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
@pytest.mark.parametrize("name", ["rand", "randn", "randperm", "rand_like", "native_dropout"])
def test_draws_on_a_gpu(name):
    """Draws on a GPU come from a generator there, made of the key."""
    x = X.cuda()
    draw = {
        "rand": lambda: torch.rand(5, device="cuda"),
        "randn": lambda: torch.randn(5, device="cuda"),
        "randperm": lambda: torch.randperm(9, device="cuda"),
        "rand_like": lambda: torch.rand_like(x),
        "native_dropout": lambda: torch.native_dropout(x, 0.3, True),
    }[name]
    gpu, found = torch.cuda.get_rng_state(), []
    for key in (Key(1), Key(1), Key(2)):
        with KeyedMode(key.generator()):
            found.append((*tensors(draw()), *tensors(draw())))
    assert alike(found[0], found[1])
    assert not alike(found[0], found[2])
    assert torch.equal(torch.cuda.get_rng_state(), gpu)
