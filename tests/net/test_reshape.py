"""Reshaping against torch: every number stays in its row and its order."""

from __future__ import annotations

import pytest
import torch

from fpipe import nn
from fpipe.core.errors import ShapeError
from fpipe.core.key import key
from fpipe.net.layers.reshape import resolved


def turned(shape):
    return (shape[0], *reversed(shape[1:]))


CASES = [
    (nn.flatten(), (4, 2, 3, 5), lambda x: torch.nn.Flatten()(x)),
    (nn.flatten(2), (4, 2, 3, 5), lambda x: torch.nn.Flatten(2)(x)),
    (nn.flatten(1, -2), (4, 2, 3, 5), lambda x: torch.nn.Flatten(1, -2)(x)),
    (nn.flatten(), (4, 2), lambda x: x),
    (nn.flatten(), (0, 2, 3), lambda x: torch.nn.Flatten()(x)),
    (nn.reshape((-1, 6)), (4, 2, 3), lambda x: x.reshape(4, 6)),
    (nn.reshape([-1, 3, 1, 2]), (4, 6), lambda x: x.reshape(4, 3, 1, 2)),
    (nn.reshape((-1, 3, 1, 2)), (0, 6), lambda x: x.reshape(0, 3, 1, 2)),
    (nn.reshape(turned), (4, 2, 3), lambda x: x.reshape(4, 3, 2)),
    (nn.reshape(lambda s: (None, 3, -1)), (4, 2, 3), lambda x: x.reshape(4, 3, 2)),
    (nn.reshape(lambda s: (s[0], None)), (4, 2, 3), lambda x: x.reshape(4, 6)),
    (nn.squeeze(1), (4, 1, 3), lambda x: x.squeeze(1)),
    (nn.squeeze(-1), (4, 1, 3), lambda x: x),
    (nn.squeeze((1, -1)), (4, 1, 3, 1), lambda x: x.squeeze((1, 3))),
    (nn.squeeze([2, 3]), (4, 1, 1, 3), lambda x: x.squeeze(2)),
    (nn.unsqueeze(1), (4, 3), lambda x: x.unsqueeze(1)),
    (nn.unsqueeze(-1), (4, 3), lambda x: x.unsqueeze(-1)),
    (nn.unsqueeze(2), (4, 3), lambda x: x.unsqueeze(2)),
    (nn.unsqueeze(-2), (4, 3), lambda x: x.unsqueeze(-2)),
]


@pytest.mark.parametrize("dtype", [torch.float32, torch.int64, torch.bool], ids=str)
@pytest.mark.parametrize(
    ("graph", "shape", "torch_does"),
    CASES,
    ids=[f"{g.nodes[0].op.name}{i}" for i, (g, *_) in enumerate(CASES)],
)
def test_reshaping(graph, shape, torch_does, dtype):
    """Numbers, codes and truth values pass as they are, with their dtype and their gradient."""
    x = torch.arange(torch.Size(shape).numel()).reshape(shape).to(dtype)
    network = nn.network(graph, x=nn.Input((None, *shape[1:]), dtype))
    if dtype.is_floating_point:
        x.requires_grad_()
    out = network.bind(key(0))(x)
    assert torch.equal(out, torch_does(x))
    assert out.dtype == dtype
    assert network.shapes({"x": (None, *shape[1:])}) == ((None, *out.shape[1:]),)
    if dtype.is_floating_point:
        (slope,) = torch.autograd.grad((out * 2.0).sum(), x)
        assert torch.equal(slope, torch.full(shape, 2.0))


def test_unknown_sizes_are_never_squeezed():
    """A size of 1 that was not known when the network was built stays, inferred and real."""
    network = nn.network(nn.squeeze((1, 2)), x=(None, None, 1, 3))
    assert network.shapes({"x": (None, None, 1, 3)}) == ((None, None, 3),)
    assert network.bind(key(0))(torch.ones(4, 1, 1, 3)).shape == (4, 1, 3)


@pytest.mark.parametrize(
    ("shape", "target", "expected"),
    [
        ((None, 3, 4), (-1, 12), (None, 12)),
        ((None, 3, 4), (None, 2, -1), (None, 2, 6)),
        ((5, 3, 4), (5, -1, 2), (5, 6, 2)),
        ((None, None, 4), (-1, 8), (None, 8)),
        ((None, None, 4), (None, -1, 2), (None, None, 2)),
        ((None, 6), (-1, 2, None), (None, 2, 3)),
        ((None,), (-1, 1), (None, 1)),
        ((None, 0), (-1, 3, None), (None, 3, 0)),
    ],
)
def test_resolved(shape, target, expected):
    """-1 and the batch are worked out where the other sizes allow."""
    assert resolved(shape, target) == expected


@pytest.mark.parametrize(
    ("shape", "target"),
    [
        ((None, 3, 4), (-1, 5)),
        ((None, 3, 4), (-1, 24)),
        ((None, 3, 4), (-1, 6)),
        ((None, 3, 4), (2, -1)),
        ((5, 3, 4), (10, 6)),
        ((5, 3, 4), (60,)),
        ((None, None, 4), (-1, 6)),
        ((None, 3), (None, 2, -1)),
        ((None, 0), (-1, 2)),
    ],
)
def test_rows_do_not_mix(shape, target):
    """A target that would need numbers of another row is refused."""
    with pytest.raises(ShapeError, match="from one row to another"):
        resolved(shape, target)


def test_rows_do_not_mix_on_real_data():
    """What unknown sizes left open is refused when the real ones come."""
    network = nn.network(nn.reshape((-1, 6)), x=(None, None))
    params, buffers = network.init(key(0))
    assert network.apply(params, buffers, {"x": torch.ones(4, 6)})[0][0].shape == (4, 6)
    with pytest.raises(ShapeError, match="from one row to another"):
        network.apply(params, buffers, {"x": torch.ones(4, 3)})
