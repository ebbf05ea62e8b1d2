"""Attention and transformer layers, against torch and a restatement of the FT-Transformer."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from torch.nn import functional as F

import fpipe as fp
from fpipe import nn, ops
from fpipe.core.errors import ParameterError, ShapeError
from fpipe.net.layer import Given
from fpipe.net.layers.attention import MultiheadAttention
from fpipe.net.layers.transformer import TransformerEncoderLayer
from fpipe.net.network import make_draws, planned_draws

KEY = fp.key(5)
SEED = torch.Generator().manual_seed(0)
QUERY = torch.randn(3, 4, 8, generator=SEED)
TOKENS = torch.randn(3, 5, 8, generator=SEED)
BOTH = (True, False)


def of_torch(kind, *args, **kwargs):
    """A module of torch with random weights, biases and gains, without moving global generators."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        module = kind(*args, **kwargs)
        for p in module.parameters():
            p.data = torch.randn(p.shape) * 0.4
    return module


def gradients(out, leaves):
    return torch.autograd.grad((out**2).sum(), leaves)


@pytest.mark.parametrize("widths", [(8, 8), (8, 6), (5, 7)], ids=str)
@pytest.mark.parametrize(("bias_kv", "zero"), list(itertools.product(BOTH, BOTH)), ids=str)
@pytest.mark.parametrize(("bias", "avg"), list(itertools.product(BOTH, BOTH)), ids=str)
def test_multihead_attention_is_torchs(widths, bias_kv, zero, bias, avg):
    """Values, weights and all gradients in every combination; parameters named and sized alike."""
    kdim, vdim = widths
    draws = torch.Generator().manual_seed(2)
    key = torch.randn(3, 6, kdim, generator=draws)
    value = torch.randn(3, 6, vdim, generator=draws)
    module = of_torch(
        torch.nn.MultiheadAttention,
        8,
        2,
        bias=bias,
        add_bias_kv=bias_kv,
        add_zero_attn=zero,
        kdim=kdim,
        vdim=vdim,
        batch_first=True,
    )
    graph = nn.multihead_attention(
        2,
        bias=bias,
        add_bias_kv=bias_kv,
        add_zero_attn=zero,
        avg_weights=avg,
        mode="general",
        need_weights=True,
    )
    network = nn.network(graph, q=(None, 4, 8), k=(None, 6, kdim), v=(None, 6, vdim))
    params = {f"multihead_attention.{n}": p for n, p in module.named_parameters()}
    drawn, _ = network.init(KEY)
    assert {n: p.shape for n, p in drawn.items()} == {n: p.shape for n, p in params.items()}
    inputs = {"q": QUERY, "k": key, "v": value}
    (out, weights), _ = network.apply(params, {}, inputs)
    wanted, wanted_weights = module(QUERY, key, value, average_attn_weights=avg)
    torch.testing.assert_close(out, wanted, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(weights, wanted_weights, rtol=1e-6, atol=1e-6)
    leaves = list(params.values())
    for found, expected in zip(gradients(out, leaves), gradients(wanted, leaves), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    shapes = network.shapes({name: tuple(x.shape) for name, x in inputs.items()})
    assert shapes == (tuple(wanted.shape), tuple(wanted_weights.shape))


@pytest.mark.parametrize("mode", ["self", "cross", "general"])
def test_multihead_attention_modes(mode):
    """Self, cross and general attention are one formula with one, two or three inputs."""
    module = of_torch(torch.nn.MultiheadAttention, 8, 4, batch_first=True).double()
    params = {f"multihead_attention.{n}": p for n, p in module.named_parameters()}
    key, value = TOKENS.double(), TOKENS.flip(1).double()
    roles = {
        "self": ((key, key, key), {"x": key}),
        "cross": ((QUERY.double(), key, key), {"x": QUERY.double(), "kv": key}),
        "general": ((QUERY.double(), key, value), {"x": QUERY.double(), "k": key, "v": value}),
    }
    taken, inputs = roles[mode]
    shapes = {name: (None, None, 8) for name in inputs}
    network = nn.network(nn.multihead_attention(4, mode=mode), **shapes)
    (out,), _ = network.apply(params, {}, inputs)
    torch.testing.assert_close(out, module(*taken)[0], rtol=1e-12, atol=1e-12)


def test_multihead_attention_begins_as_torchs():
    """Packed projections are xavier uniform, the last one uniform in ±1/sqrt(E), biases 0."""
    stats = pytest.importorskip("scipy.stats")
    params, _ = MultiheadAttention(64, 4, 64, 64, add_bias_kv=True).init(KEY)
    bounds = {"in_proj_weight": math.sqrt(6 / (64 + 192)), "out_proj.weight": 1 / 8}
    for name, bound in bounds.items():
        law = stats.uniform(-bound, 2 * bound)
        assert stats.kstest(params[name].numpy().ravel(), law.cdf).pvalue > 1e-3
        assert params[name].abs().max() <= bound
    assert not params["in_proj_bias"].any()
    assert not params["out_proj.bias"].any()
    wide, _ = MultiheadAttention(4096, 4, 4096, 8, add_bias_kv=True).init(KEY)
    law = stats.norm(0, 1 / 64)
    for name in ("bias_k", "bias_v"):
        assert stats.kstest(wide[name].numpy().ravel(), law.cdf).pvalue > 1e-3
    bound = math.sqrt(6 / (4096 + 8))
    assert 0.99 * bound < wide["v_proj_weight"].abs().max() <= bound


@pytest.mark.parametrize("how", ["kaiming", "xavier"])
def test_multihead_attention_initialized_by_slices(how):
    """Each projection is drawn as torch.nn.init would draw it by itself."""
    params, _ = MultiheadAttention(64, 4, 64, 64, initialization=how).init(KEY)
    with torch.random.fork_rng():
        own = torch.empty(64, 64)
        if how == "kaiming":
            torch.nn.init.kaiming_uniform_(own, a=math.sqrt(5))
        else:
            torch.nn.init.xavier_uniform_(own, gain=1 / math.sqrt(2))
    for part in params["in_proj_weight"].chunk(3):
        assert part.abs().max().item() == pytest.approx(own.abs().max().item(), rel=0.01)
        assert part.std().item() == pytest.approx(own.std().item(), rel=0.05)


def test_multihead_attention_drops_weights():
    """The declared mask multiplies the weights; scaled by 1/(1-p) their mean is kept."""
    graph = nn.multihead_attention(2, dropout=0.25, avg_weights=False, need_weights=True)
    network = nn.network(graph, x=(None, 5, 8))
    params, _ = network.init(KEY)
    (_, whole), _ = network.apply(params, {}, {"x": TOKENS})
    plan = planned_draws(network, {"x": TOKENS.shape})
    draws = make_draws(plan, {"multihead_attention": KEY}, 3)
    mask = draws["multihead_attention"]["attention"]
    assert mask.shape == (3, 2, 5, 5)
    (out, weights), _ = network.apply(params, {}, {"x": TOKENS}, draws, training=True)
    expected = whole * mask / 0.75
    torch.testing.assert_close(weights, expected)
    w = {n.removeprefix("multihead_attention."): p for n, p in params.items()}
    value = F.linear(TOKENS, w["in_proj_weight"][16:]).unflatten(-1, (2, 4)).transpose(1, 2)
    heads = (expected @ value).transpose(1, 2).flatten(2)
    torch.testing.assert_close(out, F.linear(heads, w["out_proj.weight"]), rtol=1e-5, atol=1e-6)
    (again, _), _ = network.apply(params, {}, {"x": TOKENS}, draws, training=True)
    assert torch.equal(out, again)


def test_multihead_attention_mask_at_the_ends():
    """With p=0 nothing is drawn; with p=1 only the last bias is left."""
    assert not MultiheadAttention(8, 2, 8, 8).draws(((3, 5, 8),))
    layer = MultiheadAttention(8, 2, 8, 8, dropout=1.0)
    params = {n: p + 1.0 for n, p in layer.init(KEY)[0].items()}
    draws = {n: d.draw(KEY) for n, d in layer.draws(((3, 5, 8),)).items()}
    out = layer.forward(Given(params, draws, True), TOKENS)
    assert torch.equal(out, torch.ones(3, 5, 8))


OPTIONS = list(itertools.product(["relu", "gelu"], BOTH, BOTH, ["none", "causal", "mask", "stack"]))


@pytest.mark.parametrize("padded", BOTH, ids=["padded", "whole"])
@pytest.mark.parametrize(("activation", "norm_first", "bias", "mask"), OPTIONS, ids=str)
def test_transformer_encoder_layer_is_torchs(activation, norm_first, bias, mask, padded):
    """Numbers and gradients in evaluation mode, with every kind of mask; parameters alike."""
    module = of_torch(
        torch.nn.TransformerEncoderLayer,
        8,
        2,
        16,
        activation=activation,
        layer_norm_eps=1e-3,
        norm_first=norm_first,
        bias=bias,
        batch_first=True,
    ).eval()
    graph = nn.transformer_encoder_layer(
        2,
        dim_feedforward=16,
        activation=activation,
        layer_norm_eps=1e-3,
        norm_first=norm_first,
        bias=bias,
        is_causal=mask == "causal",
        src_mask=mask in ("mask", "stack"),
        src_key_padding_mask=padded,
    )
    draws = torch.Generator().manual_seed(4)
    masks = {
        "none": None,
        "causal": torch.ones(5, 5, dtype=torch.bool).triu(1),
        "mask": torch.randn(5, 5, generator=draws),
        "stack": torch.rand(6, 5, 5, generator=draws) > 0.7,
    }
    given = masks[mask]
    padding = torch.tensor([[False] * 5, [False] * 3 + [True] * 2, [False] + [True] * 4])
    if mask == "stack":
        given[..., 0] = False
    enters = {"x": nn.Input((None, None, 8))}
    inputs = {"x": TOKENS}
    if mask in ("mask", "stack"):
        enters["m"], inputs["m"] = nn.Input((None,) * given.ndim, given.dtype), given
    if padded:
        enters["p"], inputs["p"] = nn.Input((None, None), torch.bool), padding
    network = nn.network(graph, **enters)
    params = {f"transformer_encoder_layer.{n}": p for n, p in module.named_parameters()}
    drawn, _ = network.init(KEY)
    assert {n: p.shape for n, p in drawn.items()} == {n: p.shape for n, p in params.items()}
    (out,), _ = network.apply(params, {}, inputs)
    scores = torch.zeros(3, 5).masked_fill(padding, -math.inf) if mask == "mask" else padding
    wanted = module(TOKENS, given, scores if padded else None, is_causal=mask == "causal")
    torch.testing.assert_close(out, wanted, rtol=1e-5, atol=1e-5)
    leaves = list(params.values())
    for found, expected in zip(gradients(out, leaves), gradients(wanted, leaves), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4)
    assert network.shapes({n: tuple(x.shape) for n, x in inputs.items()}) == ((3, 5, 8),)


@pytest.mark.parametrize("norm_first", BOTH)
def test_transformer_encoder_layer_drops_in_four_places(norm_first):
    """Training with given masks is the formula of torch's layer with these masks put in."""
    layer = TransformerEncoderLayer(8, 2, 16, 0.5, norm_first=norm_first)
    params, _ = layer.init(KEY)
    plan = layer.draws(((3, 5, 8),))
    draws = {name: draw.draw(KEY.fold_in(name)) for name, draw in plan.items()}
    assert {n: tuple(d.shape) for n, d in draws.items()} == {
        "attention": (3, 2, 5, 5),
        "hidden": (3, 5, 16),
        "dropout1": (3, 5, 8),
        "dropout2": (3, 5, 8),
    }

    def norm(x, name):
        return F.layer_norm(x, (8,), params[f"{name}.weight"], params[f"{name}.bias"])

    def attention(x):
        parts = (x @ params["self_attn.in_proj_weight"].T).chunk(3, -1)
        q, k, v = (p.reshape(3, 5, 2, 4).permute(0, 2, 1, 3) for p in parts)
        weights = torch.softmax(q @ k.mT / 2.0, -1) * draws["attention"] * 2.0
        heads = (weights @ v).permute(0, 2, 1, 3).reshape(3, 5, 8)
        return heads @ params["self_attn.out_proj.weight"].T * draws["dropout1"] * 2.0

    def feedforward(x):
        hidden = torch.relu(F.linear(x, params["linear1.weight"], params["linear1.bias"]))
        hidden = hidden * draws["hidden"] * 2.0
        out = F.linear(hidden, params["linear2.weight"], params["linear2.bias"])
        return out * draws["dropout2"] * 2.0

    x = TOKENS
    if norm_first:
        x = x + attention(norm(x, "norm1"))
        expected = x + feedforward(norm(x, "norm2"))
    else:
        x = norm(x + attention(x), "norm1")
        expected = norm(x + feedforward(x), "norm2")
    out = layer.forward(Given(params, draws, True), TOKENS)
    torch.testing.assert_close(out, expected, rtol=1e-5, atol=1e-5)


def ft_block(x, weights, heads, *, pre, first, query, act, reglu_halves):
    """The block of section 1.3 in plain torch: an independent statement of the formula."""

    def norm(t, name):
        gain, shift = weights.get(f"{name}.weight"), weights.get(f"{name}.bias")
        return t if gain is None else F.layer_norm(t, (t.shape[-1],), gain, shift)

    def attend(q, kv):
        out = F.multi_head_attention_forward(
            q.transpose(0, 1),
            kv.transpose(0, 1),
            kv.transpose(0, 1),
            x.shape[-1],
            heads,
            weights["attention.in_proj_weight"],
            weights.get("attention.in_proj_bias"),
            None,
            None,
            False,
            0.0,
            weights["attention.out_proj.weight"],
            weights.get("attention.out_proj.bias"),
            training=False,
            need_weights=False,
        )[0]
        return out.transpose(0, 1)

    def pick(t):
        return t if query is None else t[:, query]

    r = x if not pre or first else norm(x, "attention_normalization")
    y = pick(x) + attend(pick(r), r)
    y = y if pre else norm(y, "attention_normalization")
    r = norm(y, "ffn_normalization") if pre else y
    hidden = F.linear(r, weights["linear_first.weight"], weights.get("linear_first.bias"))
    if reglu_halves:
        a, b = hidden.chunk(2, -1)
        hidden = a * act(b)
    else:
        hidden = act(hidden)
    out = F.linear(hidden, weights["linear_second.weight"], weights.get("linear_second.bias"))
    y = y + out
    return y if pre else norm(y, "ffn_normalization")


FT_CASES = {
    "default": {},
    "first layer": {"is_first_layer": True},
    "post-norm": {"prenormalization": False},
    "last token": {"query_idx": -1},
    "some tokens": {"query_idx": (0, 3), "prenormalization": False},
    "first and last": {"is_first_layer": True, "query_idx": (-1,)},
    "geglu": {"ffn_activation": "geglu", "ffn_d_hidden": 5},
    "gelu": {"ffn_activation": "gelu", "ffn_d_hidden_multiplier": 2.5},
    "no biases": {"attention_bias": False, "ffn_bias_first": False, "ffn_bias_second": False},
    "no norm": {"attention_normalization": "identity", "ffn_normalization": "identity"},
}


@pytest.mark.parametrize("case", FT_CASES, ids=str)
def test_ft_transformer_block_is_the_formula(case):
    """Numbers and gradients of every variant, in float64."""
    options = FT_CASES[case]
    network = nn.network(nn.ft_transformer_block(2, **options), x=(None, 5, 8))
    drawn, _ = network.init(KEY)
    drawn = {n: (p + 0.1 * torch.ones_like(p)).double() for n, p in drawn.items()}
    params = {n: p.requires_grad_() for n, p in drawn.items()}
    query = options.get("query_idx")
    act = options.get("ffn_activation", "reglu")
    expected = ft_block(
        TOKENS.double(),
        {n.removeprefix("ft_transformer_block."): p for n, p in params.items()},
        2,
        pre=options.get("prenormalization", True),
        first=options.get("is_first_layer", False),
        query=[query] if isinstance(query, int) else None if query is None else list(query),
        act={"reglu": torch.relu, "geglu": F.gelu, "gelu": F.gelu}[act],
        reglu_halves=act != "gelu",
    )
    (out,), _ = network.apply(params, {}, {"x": TOKENS.double()})
    torch.testing.assert_close(out, expected, rtol=1e-10, atol=1e-10)
    leaves = list(params.values())
    for found, wanted in zip(gradients(out, leaves), gradients(expected, leaves), strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-8, atol=1e-8)
    assert network.shapes({"x": (None, 5, 8)}) == ((None, *expected.shape[1:]),)


@pytest.mark.parametrize(
    ("options", "hidden"),
    [
        ({}, 11),
        ({"ffn_d_hidden_multiplier": 0.5}, 4),
        ({"ffn_d_hidden": 7}, 7),
        ({"ffn_d_hidden": 7, "ffn_activation": "relu"}, 7),
    ],
)
def test_ft_transformer_block_hidden_width(options, hidden):
    """The width behind the activation; gates have a first map twice as wide."""
    layers = nn.network(nn.ft_transformer_block(2, **options), x=(None, 5, 8)).layers
    twice = 1 if options.get("ffn_activation") == "relu" else 2
    assert layers["ft_transformer_block.linear_first"].out_features == twice * hidden
    assert layers["ft_transformer_block.linear_second"].in_features == hidden


def test_ft_transformer_block_is_addressable():
    """Its layers can be set below its id, and one copy of a block by itself."""
    block = nn.block(nn.ft_transformer_block(2), 2)
    graph = block.set({"block[1].ft_transformer_block.query_idx": -1, "block.*.ffn_dropout": 0.5})
    graph = graph.set({"block.ft_transformer_block.attention_normalization.eps": 0.5})
    layers = nn.network(graph, x=(None, 5, 8)).layers
    assert layers["block[0].ft_transformer_block.attention_normalization"].eps == 0.5
    assert layers["block[1].ft_transformer_block.attention_normalization"].eps == 0.5
    assert layers["block[1].ft_transformer_block.ffn_normalization"].eps == 1e-5
    assert layers["block[1].ft_transformer_block.attention"].mode == "cross"
    assert layers["block[0].ft_transformer_block.ffn_dropout"].p == 0.5


@pytest.mark.parametrize(
    "layer",
    [
        nn.multihead_attention(2, dropout=0.3),
        nn.transformer_encoder_layer(2, dim_feedforward=8),
        nn.ft_transformer_block(2, residual_dropout=0.1),
    ],
    ids=["multihead_attention", "transformer_encoder_layer", "ft_transformer_block"],
)
def test_attention_layers_train_and_stay_pure(layer):
    """Trained with dropout: two fits under one key are the same, and both interpreters agree."""
    rng = np.random.default_rng(0)
    task = fp.regression({"a": rng.normal(size=24), "b": rng.normal(size=24), "y": range(24)}, "y")
    graph = (
        ops.scale()
        >> nn.ingress_numeric()
        >> nn.tokenizer_numeric(4)
        >> nn.cls_token()
        >> layer
        >> nn.take(-1)
        >> nn.head()
        >> nn.loss("mse")
        >> nn.optimizer("adam", lr=0.05)
        >> nn.model(epochs=8, batch_size=8)
    )
    state = torch.get_rng_state()
    first = fp.fit(graph, task, key=KEY)
    second = fp.fit(graph, task, key=KEY, interpreter="reference")
    assert torch.equal(torch.get_rng_state(), state)
    weights = [f.state("model").state.weights for f in (first, second)]
    assert fp.same(*weights)
    losses = [row["train.loss"] for row in first.state("model").history]
    assert losses[-1] < losses[0]
    assert fp.predict(first, task) == fp.predict(first, task)


def test_attention_with_unknown_sizes():
    """Unknown numbers of tokens stay unknown; what is missing leaves pending outputs, one each."""
    whole = nn.multihead_attention(2, need_weights=True, avg_weights=False)
    network = nn.network(whole, x=(None, None, 8))
    assert network.shapes({"x": (None, None, 8)}) == ((None, None, 8), (None, 2, None, None))
    task = fp.regression({"a": [1.0, 2.0, 3.0], "y": [1.0, 2.0, 3.0]}, "y")
    graph = nn.ingress_numeric() >> nn.tokenizer_numeric() >> nn.multihead_attention(2)
    assert fp.check(graph, task).missing == ("tokenizer_numeric.d_token",)
    both = nn.ingress_numeric() >> nn.tokenizer_numeric(8)
    both = both >> nn.multihead_attention(need_weights=True)["weights"] >> nn.flatten()
    assert fp.check(both, task).missing == ("multihead_attention.num_heads",)
    block = nn.ingress_numeric() >> nn.tokenizer_numeric() >> nn.ft_transformer_block()
    assert fp.check(block, task).missing == ("tokenizer_numeric.d_token",)


BOOL = nn.Input((None, 5), torch.bool)
CODES = nn.Input((None, 5, 8), torch.int64)
SRC = (None, 5, 8)
REFUSED = {
    "multihead_attention: heads": (nn.multihead_attention(3), (SRC,), ParameterError, "3 heads"),
    "multihead_attention: dims": (nn.multihead_attention(2), ((None, 8),), ShapeError, "3 dim"),
    "multihead_attention: width": (
        nn.multihead_attention(2),
        ((None, 5, None),),
        ShapeError,
        "dimension 2",
    ),
    "multihead_attention: keys": (
        nn.multihead_attention(2, mode="general"),
        (SRC, (None, 4, 8), (None, 3, 8)),
        ShapeError,
        "numbers of keys and values",
    ),
    "multihead_attention: batch": (
        nn.multihead_attention(2, mode="cross"),
        ((2, 5, 8), (3, 5, 8)),
        ShapeError,
        "batch sizes",
    ),
    "multihead_attention: codes": (nn.multihead_attention(2), (CODES,), ShapeError, "floating"),
    "transformer_encoder_layer: heads": (
        nn.transformer_encoder_layer(3),
        (SRC,),
        ParameterError,
        "3 heads",
    ),
    "transformer_encoder_layer: dims": (
        nn.transformer_encoder_layer(2),
        ((None, 8),),
        ShapeError,
        "3 dimensions",
    ),
    "transformer_encoder_layer: codes": (
        nn.transformer_encoder_layer(2),
        (CODES,),
        ShapeError,
        "int64 cannot enter as input",
    ),
    "transformer_encoder_layer: mask dims": (
        nn.transformer_encoder_layer(2, src_mask=True),
        (SRC, nn.Input((5,), torch.bool)),
        ShapeError,
        "2 or 3 dimensions",
    ),
    "transformer_encoder_layer: mask size": (
        nn.transformer_encoder_layer(2, src_mask=True),
        (SRC, nn.Input((5, 4), torch.bool)),
        ShapeError,
        "tokens and mask",
    ),
    "transformer_encoder_layer: mask stack": (
        nn.transformer_encoder_layer(2, src_mask=True),
        ((3, 5, 8), nn.Input((3, 5, 5), torch.bool)),
        ShapeError,
        "every row and head",
    ),
    "transformer_encoder_layer: mask dtype": (
        nn.transformer_encoder_layer(2, src_key_padding_mask=True),
        (SRC, nn.Input((None, 5), torch.int64)),
        ShapeError,
        "cannot enter as src_key_padding_mask",
    ),
    "ft_transformer_block: heads": (
        nn.ft_transformer_block(3),
        (SRC,),
        ParameterError,
        "3 heads",
    ),
    "ft_transformer_block.skip: query": (
        nn.ft_transformer_block(2, query_idx=5),
        (SRC,),
        ShapeError,
        "position 5",
    ),
}


@pytest.mark.parametrize("case", REFUSED, ids=str)
def test_attention_refuses(case):
    """Inputs that do not fit are refused when the network is built, naming the node."""
    graph, enters, kind, words = REFUSED[case]
    with pytest.raises(kind) as caught:
        nn.network(graph, **{f"x{i}": one for i, one in enumerate(enters)})
    error = caught.value
    assert words in error.rule
    assert error.expected is not None
    assert error.got is not None
    assert error.at == case.split(":")[0]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: nn.multihead_attention(0), "num_heads cannot be 0"),
        (lambda: nn.multihead_attention(2, mode="both"), "mode cannot be 'both'"),
        (lambda: nn.multihead_attention(2, dropout=1.5), "dropout cannot be 1.5"),
        (lambda: nn.multihead_attention(2).set({"multihead_attention.mode": "cross"}), "'mode'"),
        (
            lambda: nn.transformer_encoder_layer(2, activation="tanh"),
            "activation cannot be 'tanh'",
        ),
        (
            lambda: nn.transformer_encoder_layer(2, is_causal=True, src_mask=True),
            "makes the causal mask by itself",
        ),
        (
            lambda: nn.transformer_encoder_layer(2, src_mask=True).set(
                {"transformer_encoder_layer.is_causal": True}
            ),
            "makes the causal mask by itself",
        ),
        (
            lambda: nn.ft_transformer_block(ffn_d_hidden=3, ffn_d_hidden_multiplier=1.0),
            "hidden width is given twice",
        ),
        (lambda: nn.ft_transformer_block(ffn_activation="rleu"), "ffn_activation cannot be"),
        (lambda: nn.ft_transformer_block(query_idx=()), "query_idx cannot be ()"),
    ],
)
def test_attention_parameters_are_checked(make, words):
    """A wrong parameter is refused at once, with what is accepted."""
    with pytest.raises(ParameterError) as caught:
        make()
    assert words in caught.value.rule
    assert caught.value.expected
    assert caught.value.fix


def test_the_fix_names_the_parameter_of_the_block():
    """The number of heads of a block is its own parameter."""
    with pytest.raises(ParameterError) as caught:
        nn.network(nn.ft_transformer_block(attention_n_heads=3), x=(None, 4, 8))
    assert caught.value.fix == "attention_n_heads=2"
    assert caught.value.at == "ft_transformer_block"
