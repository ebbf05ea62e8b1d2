"""Choices and orders of operators."""

import itertools

import numpy as np
import pytest
import torch

import fpipe as fp
from fpipe import ops
from fpipe.core.errors import SchemaError

ADD = [ops.trafo_map(lambda x: x + 1), ops.trafo_map(lambda x: x * 3), ops.trafo_map(torch.neg)]
NUMBER = torch.tensor([2.0])


def outcomes(graph, op_of, rows=600):
    op = op_of(graph)
    draws = fp.key(2).row_uniforms(np.arange(rows), op.draws)
    return [float(op.row(NUMBER, u)) for u in draws]


def test_all_choices_are_equally_likely(op_of):
    found = outcomes(ops.augment_random_choice(ADD), op_of)
    counts = {value: found.count(value) for value in set(found)}
    assert set(counts) == {3.0, 6.0, -2.0}
    assert min(counts.values()) > 160


def test_all_orders_are_equally_likely(op_of):
    found = outcomes(ops.augment_random_order(ADD), op_of)
    steps = [lambda x: x + 1, lambda x: x * 3, lambda x: -x]
    wanted = []
    for order in itertools.permutations(steps):
        x = 2.0
        for step in order:
            x = step(x)
        wanted.append(x)
    for value in set(wanted):
        assert abs(found.count(value) / 600 - wanted.count(value) / 6) < 0.05
    assert set(found) == set(wanted)


def test_draws_do_not_depend_on_the_order(op_of):
    """Every operator has numbers of its own, wherever it comes."""
    keep = ops.trafo_map(lambda x, u: torch.cat([x, torch.tensor(u)]), draws=1)
    op = op_of(ops.augment_random_order([keep, keep]))
    empty = torch.empty(0, dtype=torch.float64)
    for u in fp.key(0).row_uniforms(np.arange(20), op.draws):
        found = op.row(empty, u).tolist()
        assert sorted(found) == sorted(u[2:])
        assert found == (list(u[2:]) if u[0] < u[1] else list(u[:1:-1]))


def test_draws_are_enough(op_of):
    op = op_of(ops.augment_random_choice([ops.augment_hflip(), ops.augment_random_crop(2)]))
    assert op.draws == 3
    assert op_of(ops.augment_random_order([ops.augment_random_crop(2)] * 2)).draws == 6


def test_chains_stay_together(op_of):
    """A chain counts as one choice, and as one step of an order; each part has its own numbers."""
    chain = ADD[0] >> ADD[1]
    choice = outcomes(ops.augment_random_choice([chain, ADD[2]]), op_of)
    assert set(choice) == {9.0, -2.0}
    assert 240 < choice.count(9.0) < 360
    order = outcomes(ops.augment_random_order([chain, ADD[2]]), op_of)
    assert set(order) == {-9.0, -3.0}
    keep = ops.trafo_map(lambda x, u: torch.cat([x, torch.tensor(u)]), draws=1)
    two = ops.trafo_map(lambda x, u: torch.cat([x, torch.tensor(u)]), draws=2)
    op = op_of(ops.augment_random_choice([keep >> two >> keep]))
    u = fp.key(0).row_uniforms(np.arange(1), op.draws)[0]
    assert op.row(torch.empty(0, dtype=torch.float64), u).tolist() == list(u[1:])


def test_chains_foretell_shape_and_dtype(op_of):
    small = ops.trafo_resize((5, 7)) >> ops.trafo_to_float()
    op = op_of(ops.augment_random_choice([small]))
    assert op.shaped((3, 9, 9)) == (3, 5, 7)
    assert op.typed_as(torch.uint8) == torch.float32
    assert op.row(torch.zeros(3, 9, 9, dtype=torch.uint8), np.zeros(1)).shape == (3, 5, 7)


def test_forms(op_of):
    """Graphs of one operator, operators, lists and tuples; ids do not count."""
    flip, crop = ops.augment_hflip(id="flip"), ops.augment_random_crop(2)
    one = op_of(ops.augment_random_choice([flip, crop]))
    other = op_of(ops.augment_random_choice((ops.augment_hflip().nodes[0].op, crop)))
    assert one == other
    assert one.transforms[0].id is None
    assert fp.fingerprint(one) == fp.fingerprint(other)


def test_they_can_be_set():
    graph = ops.augment_random_choice([ops.augment_hflip()])
    changed = graph.set({"augment_random_choice.transforms": [ops.augment_vflip()]})
    assert changed == ops.augment_random_choice([ops.augment_vflip()])


def test_shapes(op_of):
    resize, pad, gray = ops.trafo_resize((5, 7)), ops.trafo_pad(1), ops.trafo_grayscale()
    choice = op_of(ops.augment_random_choice([resize, pad]))
    assert choice.shaped((3, 3, 5)) == (3, 5, 7)
    assert choice.shaped((3, 4, 5)) == (3, None, 7)
    assert choice.shaped(None) == (None, None, None)
    flat = op_of(ops.augment_random_choice([pad, ops.trafo_reshape((-1,))]))
    assert flat.shaped((3, 4, 5)) is None
    order = op_of(ops.augment_random_order([resize, pad, gray]))
    assert order.shaped((3, 9, 9)) == (1, None, None)
    assert op_of(ops.augment_random_order([pad, pad, gray])).shaped((3, 4, 5)) == (1, 8, 9)


def test_one_dtype(op_of):
    """What the dtype is must not depend on what is drawn."""
    floats = ops.trafo_to_float()
    mixed = op_of(ops.augment_random_choice([floats, ops.trafo_nop()]))
    assert mixed.typed_as(torch.float32) == torch.float32
    with pytest.raises(SchemaError, match="different dtypes") as caught:
        mixed.typed_as(torch.uint8)
    assert caught.value.got == "float32, uint8"
    order = op_of(ops.augment_random_order([floats, ops.augment_hflip()]))
    assert order.typed_as(torch.uint8) == torch.float32
    with pytest.raises(SchemaError, match="cannot work on uint8"):
        op_of(ops.augment_random_order([floats, ops.trafo_normalize(0, 1)])).typed_as(torch.uint8)


def test_in_a_graph(images):
    """Augmented while learning, left alone at predict."""
    x = images((3, 6, 6), rows=8)
    task = fp.regression({"image": fp.lazy(x), "y": range(8)}, "y")
    graph = ops.augment_random_choice([ops.augment_hflip(), ops.augment_vflip()])
    fitted, out = fp.run(graph, task, key=fp.key(1))
    found = fp.materialize(out.tensor("image"))
    sides = [torch.equal(f, row.flip(-1)) for f, row in zip(found, x, strict=True)]
    assert 0 < sum(sides) < 8
    assert all(
        torch.equal(f, row.flip(-1 if side else -2))
        for f, row, side in zip(found, x, sides, strict=True)
    )
    assert torch.equal(fp.materialize(fp.apply(fitted, task).tensor("image")), x)
    assert not torch.equal(fp.materialize(out.tensor("image"), epoch=1), found)
