"""Layer normalisation against torch.nn to the bit."""

from __future__ import annotations

import pytest
import torch

from fpipe import nn
from fpipe.core.errors import ShapeError
from fpipe.core.key import key
from fpipe.net.layers.layer_norm import LayerNorm

GENERATOR = torch.Generator().manual_seed(8)


@pytest.mark.parametrize("affine", [True, False], ids=["affine", "plain"])
@pytest.mark.parametrize(
    ("shape", "dims"), [((7, 5), 1), ((3, 4, 5), 1), ((3, 4, 5), 2), ((2, 3, 4, 5), 3), ((0, 5), 1)]
)
def test_layer_norm(shape, dims, affine):
    """Numbers and gradients of input, weight and bias are those of torch.nn.LayerNorm."""
    network = nn.network(nn.layer_norm(dims, affine, eps=1e-3), x=(None, *shape[1:]))
    module = torch.nn.LayerNorm(shape[-dims:], 1e-3, affine)
    params, _ = network.init(key(0))
    assert {n: tuple(p.shape) for n, p in params.items()} == {
        f"layer_norm.{n}": tuple(p.shape) for n, p in module.named_parameters()
    }
    assert all(torch.equal(params[f"layer_norm.{n}"], p) for n, p in module.named_parameters())
    for p in module.parameters():
        torch.nn.init.normal_(p, generator=GENERATOR)
    leaves = {f"layer_norm.{n}": p.detach().clone() for n, p in module.named_parameters()}
    leaves = {n: p.requires_grad_() for n, p in leaves.items()}
    x = torch.randn(shape, generator=GENERATOR) * 3 + 1
    ours, other = (x.clone().requires_grad_() for _ in range(2))
    weights = torch.randn(shape, generator=GENERATOR)
    (out,), _ = network.apply(leaves, {}, {"x": ours}, {}, True)
    expected = module(other)
    assert torch.equal(out, expected)
    own = [leaves[f"layer_norm.{n}"] for n, _ in module.named_parameters()]
    found = torch.autograd.grad((out * weights).sum(), [ours, *own])
    told = torch.autograd.grad((expected * weights).sum(), [other, *module.parameters()])
    assert all(map(torch.equal, found, told))


def test_layer_norm_is_made_for_its_sizes():
    """Other trailing sizes are refused; unknown ones become known."""
    layer = LayerNorm((4, 5))
    assert layer.shapes(((None, None, 5),)) == ((None, 4, 5),)
    for shape in [(3, 4, 6), (4, 5), (5,), (3, 5, 5)]:
        with pytest.raises(ShapeError, match="trailing sizes"):
            layer.shapes((shape,))
