"""The law of shapes: what a layer operator says of its output holds for the output it gives.

Every layer operator has one entry in ``TABLE``: its name and a strategy of examples. An example
is a graph, the shapes that enter it, and their dtypes (all float32 where none are given). Codes
(int64) are drawn below ``Example.codes``. Add an operator by adding a line.
"""

from __future__ import annotations

from typing import NamedTuple

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyrsistent import pmap

import fpipe as fp
from fpipe import nn
from fpipe.core.key import key
from fpipe.data.schema import TaskType
from fpipe.graph.context import Context
from fpipe.graph.interpret import fit_graph
from fpipe.net.network import Input, Wire, make_draws, planned_draws
from fpipe.net.shape import UnknownSizeError, product
from fpipe.nn.descriptor import Ingress, ModelDescriptor, Pointer, join

TASK: TaskType = fp.classification({"x": [1.0, 2.0, 3.0], "y": ["a", "b", "c"]}, "y").outline()


class Example(NamedTuple):
    """A graph with the inputs that it takes."""

    graph: fp.Graph
    shapes: tuple[tuple[int, ...], ...]
    dtypes: tuple[torch.dtype, ...] = ()
    codes: int = 5

    @property
    def takes(self) -> tuple[torch.dtype, ...]:
        return self.dtypes or (torch.float32,) * len(self.shapes)


SIZES = st.integers(1, 5)
BATCH = st.integers(2, 5)


def shapes(low: int = 1, high: int = 3, sizes: st.SearchStrategy[int] = SIZES):
    """Shapes of a batch with so many further dimensions."""
    inner = st.lists(sizes, min_size=low, max_size=high)
    return st.builds(lambda n, rest: (n, *rest), BATCH, inner)


def of(make, shape=None):
    """Examples of a graph that takes one input of any shape."""
    return st.builds(lambda s: Example(make(), (s,)), shapes() if shape is None else shape)


def build(graph, shapes, dtypes):
    """Return the descriptor behind a graph for inputs of these shapes."""
    entering = tuple(
        ModelDescriptor(
            ingress=pmap({f"x{i}": Ingress(Input(shape, dtype))}),
            pointers=(Pointer(Wire(f"x{i}", is_input=True), shape, dtype),),
            subject=TASK,
        )
        for i, (shape, dtype) in enumerate(zip(shapes, dtypes, strict=True))
    )
    _, leaving = fit_graph(graph, entering, key=key(0), context=Context(), wanted=True)
    return join(*leaving)


def data(example):
    """Return a batch of numbers, codes and truth values."""
    generator = torch.Generator().manual_seed(0)

    def one(shape, dtype):
        if dtype.is_floating_point:
            return torch.randn(shape, generator=generator, dtype=dtype)
        high = 2 if dtype == torch.bool else example.codes
        return torch.randint(high, shape, generator=generator).to(dtype)

    pairs = zip(example.shapes, example.takes, strict=True)
    return {f"x{i}": one(shape, dtype) for i, (shape, dtype) in enumerate(pairs)}


def run(network, inputs, *, training):
    """Return the outputs of a network with fresh weights."""
    params, buffers = network.init(key(1))
    sizes = {name: tuple(x.shape) for name, x in inputs.items()}
    draws = None
    if training:
        keys = {path: key(2).fold_in(path) for path in network.layers}
        draws = make_draws(planned_draws(network, sizes), keys, 0)
    return network.apply(params, buffers, inputs, draws, training)[0]


def masked(shapes, hide):
    """Return shapes with some sizes unknown."""
    bits = iter(hide)
    return tuple(tuple(None if next(bits) else n for n in shape) for shape in shapes)


def agree(inferred, real):
    """Tell whether a shape that may have unknown sizes is true of a real one."""
    return len(inferred) == len(real) and all(
        n is None or n == m for n, m in zip(inferred, real, strict=True)
    )


# Examples


def both(make, first, second=None):
    """Examples of a graph of one input, from a drawn parameter and a drawn shape."""
    return st.builds(
        lambda x, s: Example(make(x), (s,)), first, shapes() if second is None else second
    )


def merged(make):
    """Examples of a merge: sizes of 1 in places, for what broadcasts."""

    @st.composite
    def drawn(draw):
        whole = draw(shapes(1, 3))
        count = draw(st.integers(1, 3))
        parts = [
            (whole[0], *(1 if draw(st.booleans()) else n for n in whole[1:])) for _ in range(count)
        ]
        dtypes = draw(st.sampled_from([torch.float32, torch.int64]))
        return Example(make(), tuple(parts), (dtypes,) * count)

    return drawn()


@st.composite
def concatenated(draw):
    whole = draw(shapes(1, 3))
    at = draw(st.integers(1, len(whole) - 1))
    sizes = draw(st.lists(SIZES, min_size=1, max_size=3))
    dim = draw(st.sampled_from([at, at - len(whole)]))
    parts = tuple((*whole[:at], n, *whole[at + 1 :]) for n in sizes)
    return Example(nn.merge_cat(dim), parts)


@st.composite
def halved(draw, make):
    whole = draw(shapes(1, 3))
    at = draw(st.integers(1, len(whole) - 1)) if make is nn.glu else len(whole) - 1
    shape = (*whole[:at], 2 * whole[at], *whole[at + 1 :])
    return Example(make(dim=at) if make is nn.glu else make(), (shape,))


@st.composite
def flattened(draw):
    shape = draw(shapes(1, 4))
    start = draw(st.integers(1, len(shape) - 1))
    end = draw(st.integers(start, len(shape) - 1))
    dtype = draw(st.sampled_from([torch.float32, torch.int64, torch.bool]))
    return Example(
        nn.flatten(start, end - draw(st.sampled_from([0, len(shape)]))), (shape,), (dtype,)
    )


def swapped(shape):
    return (shape[0], *reversed(shape[1:]))


@st.composite
def reshaped(draw):
    shape = draw(shapes(1, 3))
    row = 1
    for n in shape[1:]:
        row *= n
    divisors = [n for n in range(1, row + 1) if row % n == 0]
    first = draw(st.sampled_from(divisors))
    inner = [first, row // first]
    if draw(st.booleans()):
        inner[draw(st.integers(0, 1))] = -1
    target = draw(
        st.sampled_from([(-1, first, row // first), (-1, row), lambda s: (s[0], *inner), swapped])
    )
    return Example(nn.reshape(target), (shape,))


@st.composite
def squeezed(draw):
    shape = draw(shapes(1, 4, st.integers(1, 2)))
    dims = draw(st.lists(st.integers(1, len(shape) - 1), min_size=1, max_size=3))
    signed = [dim - draw(st.sampled_from([0, len(shape)])) for dim in dims]
    return Example(nn.squeeze(tuple(signed) if len(signed) > 1 else signed[0]), (shape,))


@st.composite
def unsqueezed(draw):
    shape = draw(shapes(1, 3))
    at = draw(st.integers(1, len(shape)))
    return Example(nn.unsqueeze(at - draw(st.sampled_from([0, len(shape) + 1]))), (shape,))


@st.composite
def layer_normed(draw):
    shape = draw(shapes(1, 3))
    dims = draw(st.integers(1, len(shape) - 1))
    return Example(nn.layer_norm(dims, draw(st.booleans())), (shape,))


@st.composite
def preluted(draw):
    shape = draw(shapes(1, 3))
    return Example(nn.prelu(draw(st.sampled_from([1, shape[1]]))), (shape,))


@st.composite
def strided(draw):
    """Convolutions and pools of random kernel, stride, padding and dilation."""
    kind = draw(st.sampled_from(["Conv1d", "Conv2d", "ConvTranspose1d", "MaxPool1d", "AvgPool2d"]))
    axes = 2 if kind.endswith("2d") else 1
    kernel = draw(st.integers(1, 5) | st.integers(1, 70))
    stride = draw(st.integers(1, 3) | st.integers(20, 60))
    padding = draw(st.integers(0, kernel // 2))
    dilation = draw(st.integers(1, 3)) if "Pool2d" not in kind else 1
    sizes = st.integers(dilation * (kernel - 1) + 1, dilation * (kernel - 1) + 80)
    shape = (2, draw(SIZES), *(draw(sizes) for _ in range(axes)))
    named = {"stride": stride, "padding": padding}
    if kind != "AvgPool2d":
        named["dilation"] = dilation
    lead = (shape[1], draw(SIZES)) if "Conv" in kind else ()
    return Example(nn.module(getattr(torch.nn, kind), *lead, kernel, **named), (shape,))


@st.composite
def tabular_modules(draw):
    """Modules that keep or split dimensions, and embeddings of codes."""
    shape = draw(shapes(1, 2))
    made = draw(
        st.sampled_from(
            [
                (torch.nn.Linear, shape[-1], 3),
                (torch.nn.Embedding, 5, 4),
                (torch.nn.AdaptiveAvgPool1d, 3),
                (torch.nn.Flatten,),
                (torch.nn.Dropout, 0.5),
                (torch.nn.Sequential, torch.nn.Linear(shape[-1], 2), torch.nn.Tanh()),
                (torch.nn.Linear(shape[-1], 6),),
            ]
        )
    )
    dtype = torch.int64 if made[0] is torch.nn.Embedding else torch.float32
    if made[0] is torch.nn.AdaptiveAvgPool1d:
        shape = (shape[0], 2, shape[-1])
    return Example(nn.module(*made), (shape,), (dtype,))


def pairwise(x, y, *, scale=2.0):
    return x[..., :, None] * y[..., None, :] * scale


def halves(x, *, at=0):
    return x.flatten(1)[:, at::2]


def halved_shape(shape, at):
    row = product(shape[1:])
    return (shape[0], None if row is None else (row - at + 1) // 2)


def summed(*xs, keep=False):
    return sum(x.sum(-1, keepdim=keep) for x in xs)


FUNCTIONS = st.one_of(
    st.builds(
        lambda n, a, b: Example(nn.fn(pairwise, scale=0.5), ((n, a), (n, b))), BATCH, SIZES, SIZES
    ),
    both(lambda at: nn.fn(halves, at=at), st.integers(0, 1), shapes(1, 3, st.integers(2, 5))),
    st.builds(
        lambda s, k, n: Example(nn.fn(summed, keep=k), (s,) * n),
        shapes(2, 3),
        st.booleans(),
        st.integers(1, 3),
    ),
    of(lambda: nn.fn(lambda x: x.argmax(-1)), shapes(2, 3)),
    of(lambda: nn.fn(torch.nn.functional.dropout, p=0.3)),
    of(lambda: nn.fn(halves, shapes=halved_shape)),
)


def scaled(params, x):
    return x * params["weight"]


def weight(key, shape):
    return {"weight": torch.rand(shape[-1], generator=key.generator())}


def noisy(x, *, draws, std=1.0):
    return x if draws is None else x + std * draws["noise"]


def noise(shape):
    return {"noise": nn.Normal(shape)}


def split(x, *, at):
    return x[..., :at], x[..., at:]


scale = nn.operator(scaled, init=weight, name="scale")
jitter = nn.operator(noisy, draws=noise, name="jitter")
cut = nn.operator(split, outputs=2, name="cut")

OPERATORS = st.one_of(
    of(scale),
    both(jitter, st.floats(0.0, 1.0)),
    st.builds(lambda s, a: Example(cut(min(a, s[-1])), (s,)), shapes(), st.integers(0, 5)),
)


@st.composite
def residuals(draw):
    shape = draw(shapes())
    width = draw(SIZES)
    kept = nn.residual(nn.relu() >> nn.linear(shape[-1]))
    return Example(
        draw(st.sampled_from([kept, nn.residual(nn.linear(width), shortcut=nn.linear(width))])),
        (shape,),
    )


def blocks():
    """A block, whose copies keep or change the size."""
    return st.builds(
        lambda s, k, n: Example(nn.block(nn.linear(n) >> nn.relu(), k), (s,)),
        shapes(),
        st.integers(0, 3),
        SIZES,
    )


CODES = (torch.int64,)
LEVELS = st.integers(5, 8)


def tokenized(make):
    """Examples of a tokenizer of numbers, or of codes whose levels are given."""

    @st.composite
    def drawn(draw):
        shape = draw(shapes(1, 1))
        named = {"bias": draw(st.booleans())}
        named["initialization"] = draw(st.sampled_from(["uniform", "normal"]))
        if make is nn.tokenizer_numeric:
            return Example(make(draw(SIZES), **named), (shape,))
        named["cardinalities"] = tuple(draw(LEVELS) for _ in range(shape[1]))
        return Example(make(draw(SIZES), **named), (shape,), CODES)

    return drawn()


@st.composite
def looked_up(draw):
    shape = draw(shapes(1, 1))
    sizes = tuple(draw(SIZES) for _ in range(shape[1]))
    size = draw(st.sampled_from([None, draw(SIZES), sizes]))
    levels = tuple(draw(LEVELS) for _ in range(shape[1]))
    return Example(nn.embedding(size, cardinalities=levels), (shape,), CODES)


@st.composite
def taken(draw):
    shape = draw(shapes(1, 3))
    at = draw(st.integers(1, len(shape) - 1))
    position = st.integers(-shape[at], shape[at] - 1)
    indices = draw(st.one_of(position, st.lists(position, min_size=1, max_size=3)))
    dim = at - draw(st.sampled_from([0, len(shape)]))
    return Example(nn.take(indices, dim), (shape,), draw(st.sampled_from([(), CODES])))


@st.composite
def attended(draw):
    batch, heads, width = draw(BATCH), draw(st.integers(1, 2)), 2 * draw(st.integers(1, 3))
    keys = draw(SIZES)
    mode = draw(st.sampled_from(["self", "cross", "general"]))
    query = (batch, draw(SIZES), width)
    others = [
        (batch, keys, draw(SIZES)) for _ in range({"self": 0, "cross": 1, "general": 2}[mode])
    ]
    flags = ("bias", "add_bias_kv", "add_zero_attn", "avg_weights", "need_weights")
    named = {name: draw(st.booleans()) for name in flags}
    graph = nn.multihead_attention(
        heads, dropout=draw(st.sampled_from([0.0, 0.5])), mode=mode, **named
    )
    return Example(graph, (query, *others))


@st.composite
def encoded(draw):
    batch, tokens, width = draw(BATCH), draw(SIZES), 2 * draw(st.integers(1, 3))
    kind = draw(st.sampled_from(["none", "causal", "flat", "stacked"]))
    padded = draw(st.booleans())
    masks = {"flat": [(tokens, tokens)], "stacked": [(batch * 2, tokens, tokens)]}.get(kind, [])
    masks += [(batch, tokens)] if padded else []
    graph = nn.transformer_encoder_layer(
        2,
        dim_feedforward=draw(SIZES),
        norm_first=draw(st.booleans()),
        bias=draw(st.booleans()),
        is_causal=kind == "causal",
        src_mask=kind in ("flat", "stacked"),
        src_key_padding_mask=padded,
    )
    dtypes = (torch.float32, *(torch.bool for _ in masks))
    return Example(graph, ((batch, tokens, width), *masks), dtypes)


@st.composite
def ft_blocks(draw):
    shape = (draw(BATCH), draw(SIZES), 2 * draw(st.integers(1, 3)))
    position = st.integers(-shape[1], shape[1] - 1)
    query = draw(st.one_of(st.none(), position, st.lists(position, min_size=1, max_size=3)))
    return Example(
        nn.ft_transformer_block(
            2,
            query_idx=query,
            ffn_activation=draw(st.sampled_from(["reglu", "gelu"])),
            prenormalization=draw(st.booleans()),
            is_first_layer=draw(st.booleans()),
        ),
        (shape,),
    )


@st.composite
def convolved(draw, dims):
    """Convolutions in which something is left, also where windows stride over the end."""
    each = range(dims)
    kernel = tuple(draw(st.integers(1, 4)) for _ in each)
    dilation = tuple(draw(st.integers(1, 2)) for _ in each)
    padding = tuple(draw(st.integers(0, 2)) for _ in each)
    groups = draw(st.integers(1, 2))
    named = draw(st.sampled_from([None, None, "same", "valid"]))
    stride = 1 if named == "same" else tuple(draw(st.integers(1, 4)) for _ in each)
    mode = draw(st.sampled_from(["zeros", "reflect", "replicate", "circular"]))
    low = 5 if named == "same" else 3
    spans = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
    sizes = tuple(draw(st.integers(max(low, span), span + 6)) for span in spans)
    graph = getattr(nn, f"conv{dims}d")(
        groups * draw(st.integers(1, 2)),
        kernel,
        stride=stride,
        padding=named or padding,
        dilation=dilation,
        groups=groups,
        bias=draw(st.booleans()),
        padding_mode=mode,
    )
    if named == "same" and mode != "zeros":
        sizes = tuple(n + 4 for n in sizes)  # enough to be mirrored
    return Example(graph, ((draw(BATCH), groups * draw(st.integers(1, 2)), *sizes),))


@st.composite
def transposed(draw, dims):
    each = range(dims)
    stride = tuple(draw(st.integers(1, 3)) for _ in each)
    groups = draw(st.integers(1, 2))
    kernel = tuple(draw(st.integers(2, 4)) for _ in each)
    graph = getattr(nn, f"conv_transpose{dims}d")(
        groups * draw(st.integers(1, 2)),
        kernel,
        stride=stride,
        padding=draw(st.integers(0, 1)),
        output_padding=tuple(draw(st.integers(0, s - 1)) for s in stride),
        groups=groups,
        dilation=draw(st.integers(1, 2)),
    )
    sizes = tuple(draw(st.integers(2, 5)) for _ in each)
    return Example(graph, ((draw(BATCH), groups * draw(st.integers(1, 2)), *sizes),))


@st.composite
def pooled(draw, name, dims):
    each = range(dims)
    kernel = tuple(draw(st.integers(1, 4)) for _ in each)
    settings = {
        "stride": draw(st.one_of(st.none(), st.integers(1, 4))),
        "padding": tuple(draw(st.integers(0, k // 2)) for k in kernel),
        "ceil_mode": draw(st.booleans()),
    }
    spans = kernel
    if name == "max_pool":
        dilation = draw(st.integers(1, 2))
        settings |= {"dilation": dilation, "return_indices": draw(st.booleans())}
        spans = tuple(dilation * (k - 1) + 1 for k in kernel)
    elif draw(st.booleans()):
        settings |= {"count_include_pad": False}
    sizes = tuple(draw(st.integers(span, span + 6)) for span in spans)
    graph = getattr(nn, f"{name}{dims}d")(kernel, **settings)
    return Example(graph, ((draw(BATCH), draw(SIZES), *sizes),))


@st.composite
def adapted(draw, name, dims):
    wanted = draw(st.one_of(SIZES, st.tuples(*(SIZES for _ in range(dims)))))
    sizes = tuple(draw(SIZES) for _ in range(dims))
    graph = getattr(nn, f"adaptive_{name}_pool{dims}d")(wanted)
    return Example(graph, ((draw(BATCH), draw(SIZES), *sizes),))


@st.composite
def grouped(draw):
    groups = draw(st.integers(1, 3))
    sizes = draw(st.lists(SIZES, max_size=3))
    shape = (draw(BATCH), groups * draw(st.integers(1, 2)), *sizes)
    return Example(nn.group_norm(groups, affine=draw(st.booleans())), (shape,))


@st.composite
def upsampled(draw):
    dims = draw(st.integers(1, 3))
    mode = draw(st.sampled_from(["nearest", "nearest-exact", "area", "smooth"]))
    smooth = {1: "linear", 2: draw(st.sampled_from(["bilinear", "bicubic"])), 3: "trilinear"}
    if draw(st.booleans()):
        settings = {"size": draw(st.one_of(SIZES, st.tuples(*(SIZES for _ in range(dims)))))}
    else:
        settings = {"scale_factor": draw(st.sampled_from([0.7, 1.0, 1.3, 2, 2.9, 10 / 3]))}
    sizes = tuple(draw(st.integers(2, 9)) for _ in range(dims))
    graph = nn.upsample(**settings, mode=smooth[dims] if mode == "smooth" else mode)
    return Example(graph, ((draw(BATCH), draw(SIZES), *sizes),))


WINDOWS = {
    **{f"conv{d}d": convolved(d) for d in (1, 2, 3)},
    **{f"conv_transpose{d}d": transposed(d) for d in (1, 2, 3)},
    **{f"{n}{d}d": pooled(n, d) for n in ("avg_pool", "max_pool") for d in (1, 2, 3)},
    **{f"adaptive_{n}_pool{d}d": adapted(n, d) for n in ("avg", "max") for d in (1, 2, 3)},
}

UNIT = st.floats(0.1, 2.0)
ANY = shapes(0, 3)

TABLE: dict[str, st.SearchStrategy[Example]] = {
    **{
        name: of(getattr(nn, name), ANY)
        for name in [
            "celu",
            "elu",
            "hardshrink",
            "hardsigmoid",
            "hardswish",
            "hardtanh",
            "identity",
            "leaky_relu",
            "log_sigmoid",
            "mish",
            "relu",
            "relu6",
            "rrelu",
            "selu",
            "sigmoid",
            "silu",
            "softplus",
            "softshrink",
            "softsign",
            "tanh",
            "tanhshrink",
        ]
    },
    "batch_norm1d": of(nn.batch_norm1d, shapes(1, 2)),
    "batch_norm2d": of(nn.batch_norm2d, shapes(3, 3)),
    "batch_norm3d": of(nn.batch_norm3d, shapes(4, 4)),
    "block": blocks(),
    "cls_token": of(nn.cls_token, shapes(2, 2)),
    "dropout": both(nn.dropout, st.sampled_from([0.0, 0.5, 1.0]), ANY),
    "embedding": looked_up(),
    "flatten": flattened(),
    "fn": FUNCTIONS,
    "ft_transformer_block": ft_blocks(),
    "geglu": halved(nn.geglu),
    "gelu": both(nn.gelu, st.sampled_from(["none", "tanh"]), ANY),
    "glu": halved(nn.glu),
    "group_norm": grouped(),
    "head": of(nn.head, shapes(1, 1)),
    "layer_norm": layer_normed(),
    "linear": st.builds(
        lambda s, n, b: Example(nn.linear(n, bias=b), (s,)), shapes(), SIZES, st.booleans()
    ),
    "merge_cat": concatenated(),
    "merge_prod": merged(nn.merge_prod),
    "merge_sum": merged(nn.merge_sum),
    "module": st.one_of(strided(), tabular_modules()),
    "multihead_attention": attended(),
    "operator": OPERATORS,
    "prelu": preluted(),
    "reglu": halved(nn.reglu),
    "reshape": reshaped(),
    "residual": residuals(),
    "softmax": both(nn.softmax, st.sampled_from([1, -1])),
    "squeeze": squeezed(),
    "take": taken(),
    "threshold": st.builds(lambda a, b, s: Example(nn.threshold(a, b), (s,)), UNIT, UNIT, ANY),
    "tokenizer_categorical": tokenized(nn.tokenizer_categorical),
    "tokenizer_numeric": tokenized(nn.tokenizer_numeric),
    "transformer_encoder_layer": encoded(),
    "unsqueeze": unsqueezed(),
    "upsample": upsampled(),
    **WINDOWS,
}

NO_LAYERS = frozenset(
    [
        "Input",
        "Keep",
        "Normal",
        "Uniform",
        "branch",
        "callbacks",
        "cutmix",
        "ingress_categorical",
        "ingress_numeric",
        "ingress_tensor",
        "loss",
        "mixup",
        "model",
        "network",
        "no_decay",
        "optimizer",
        "vision",  # takes images of one size or more; tests/net/test_vision.py
    ]
)
"""Names of ``fpipe.nn`` that append no layer of their own, or none that any shape enters."""


def test_every_layer_is_in_the_table():
    """An operator without an example would have a shape rule that nobody checks."""
    assert set(nn.__all__) - NO_LAYERS == set(TABLE)


THOROUGH = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)


@pytest.mark.parametrize("name", sorted(TABLE))
@THOROUGH
@given(drawn=st.data())
def test_inferred_shape_is_the_real_one(name, drawn):
    """With all sizes known, shape and dtype of every output are known, and right in both phases."""
    example = drawn.draw(TABLE[name])
    md = build(example.graph, example.shapes, example.takes)
    for training in (False, True):
        outputs = run(md.network(), data(example), training=training)
        assert md.shapes == tuple(tuple(x.shape) for x in outputs)
        assert md.dtypes == tuple(x.dtype for x in outputs)


@pytest.mark.parametrize("name", sorted(TABLE))
@THOROUGH
@given(drawn=st.data())
def test_unknown_sizes_are_never_guessed(name, drawn):
    """What is inferred from shapes with unknown sizes is true of any real output.

    A layer may refuse unknown sizes that it needs, but never for an unknown batch alone. This
    holds for a network built without those sizes, and for one built with them and asked later.
    """
    example = drawn.draw(TABLE[name])
    count = sum(map(len, example.shapes))
    hide = drawn.draw(st.lists(st.booleans(), min_size=count, max_size=count))
    shapes = masked(example.shapes, hide)
    inputs = data(example)
    whole = build(example.graph, example.shapes, example.takes)
    real = [tuple(x.shape) for x in run(whole.network(), inputs, training=False)]
    try:
        later = whole.network().shapes({f"x{i}": shape for i, shape in enumerate(shapes)})
        assert all(map(agree, later, real))
        md = build(example.graph, shapes, example.takes)
    except UnknownSizeError:
        assert any(n is None for shape in shapes for n in shape[1:])
        return
    outputs = run(md.network(), inputs, training=False)
    assert len(md.shapes) == len(outputs)
    assert all(map(agree, md.shapes, (tuple(x.shape) for x in outputs)))
    assert md.dtypes == tuple(x.dtype for x in outputs)
