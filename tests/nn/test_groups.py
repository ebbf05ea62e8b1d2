"""Parameter groups that match nothing: told by check, where the parameters are known."""

from __future__ import annotations

import numpy as np
import pytest

import fpipe as fp
from fpipe import nn, ops
from fpipe.core.errors import ParameterError

X = np.linspace(-1.0, 1.0, 24)
TASK = fp.regression({"a": X, "b": X**2, "y": 3.0 * X}, "y")
OPEN = fp.regression({"a": X, "c": ["x", "y", "z"] * 8, "y": 3.0 * X}, "y")
BODY = nn.ingress_numeric() >> nn.linear(4) >> nn.relu()
BLOCKS = nn.ingress_numeric() >> nn.block(nn.linear(3, id="inner"), n_blocks=2)


def trained(body, *patterns):
    groups = {pattern: {"lr": 0.1} for pattern in patterns}
    optimizer = nn.optimizer("adam", groups=groups)
    return body >> nn.head() >> nn.loss("mse") >> optimizer >> nn.model(epochs=1)


BAD = {
    "a slip": (BODY, ("*.bais",), "'*.bais' matches no parameter", "linear.bias"),
    "a name": (BODY, ("linaer.*",), "'linaer.*' matches no parameter", "linear.bias"),
    "nothing left": (
        BODY,
        ("linear.*", "linear.bias"),
        "'linear.bias' is left without",
        "no group",
    ),
    "in blocks": (BLOCKS, ("block[2].*",), "'block[2].*' matches no", "block[1].inner.bias"),
    "a module": (
        nn.ingress_numeric() >> nn.module("torch.nn:Linear", 2, 3, id="own"),
        ("own.bia",),
        "'own.bia' matches no",
        "own.weight",
    ),
}


@pytest.mark.parametrize(("body", "patterns", "rule", "expected"), BAD.values(), ids=BAD)
@pytest.mark.parametrize("found_by", ["check", "fit"])
def test_a_group_without_a_parameter(found_by, body, patterns, rule, expected):
    """Check says without data what training says with it."""
    graph = trained(body, *patterns)
    with pytest.raises(ParameterError) as caught:
        if found_by == "check":
            fp.check(graph, TASK.outline())
        else:
            fp.fit(graph, TASK, key=fp.key(0))
    error = caught.value
    assert rule in error.rule
    assert error.at == "model"
    assert expected in error.expected
    assert error.got
    assert error.fix


@pytest.mark.parametrize(
    ("body", "patterns"),
    [(BODY, ("*.bias",)), (BODY, ("head.*", "*.bias|linear.*")), (BLOCKS, ("block[?].*",))],
)
def test_good_groups(body, patterns):
    """What matches is no error, and groups have the sizes that training gives them."""
    graph = trained(body, *patterns)
    assert fp.check(graph, TASK).ok
    fp.fit(graph, TASK, key=fp.key(0))


def test_what_is_not_known_is_not_judged():
    """Where sizes are open, or not set, nothing is told before there are data."""
    unset = trained(nn.ingress_numeric() >> nn.linear(), "*.bais")
    assert fp.check(unset, TASK).missing == ("linear.out_features",)
    rare = trained(ops.collapse_levels(share=0.4) >> ops.one_hot() >> BODY, "*.bais")
    report = fp.check(rare, OPEN)
    assert report.ok
    assert report.params is None
    with pytest.raises(ParameterError, match="matches no parameter"):
        fp.fit(rare, OPEN, key=fp.key(0))
