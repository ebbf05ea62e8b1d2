"""Losses have the bits of torch.nn's, weights mean what they say, shapes are checked."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from fpipe.core.errors import DataError, ParameterError, ShapeError
from fpipe.core.key import key
from fpipe.measure.loss import LOSSES, CrossEntropy, MeanSquaredError, loss

REDUCTIONS = ["mean", "sum"]
ROWS = 37


def normal(*shape, at=0):
    return torch.randn(*shape, generator=key(at).generator())


def codes(classes):
    return torch.randint(classes, (ROWS,), generator=key(3).generator())


def cases(reduction):
    yield MeanSquaredError(reduction), nn.MSELoss(reduction=reduction), normal(ROWS, 1, at=1)
    binary = codes(2).reshape(-1, 1).float()
    yield CrossEntropy(reduction), nn.BCEWithLogitsLoss(reduction=reduction), binary
    yield CrossEntropy(reduction), nn.CrossEntropyLoss(reduction=reduction), codes(4)


def outputs_for(target):
    return normal(ROWS, 1) if target.ndim == 2 else normal(ROWS, 4)


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_same_bits_as_torch(reduction):
    """Value and gradient are torch.nn's, to the bit."""
    for mine, theirs, target in cases(reduction):
        left = outputs_for(target).requires_grad_()
        right = outputs_for(target).requires_grad_()
        ours, expected = mine.value(left, target), theirs(right, target)
        assert ours.shape == ()
        assert torch.equal(ours, expected)
        ours.backward()
        expected.backward()
        assert torch.equal(left.grad, right.grad)


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_per_row_reduces_to_value(reduction):
    """One loss per row, whose reduction is the value; weights of 1 change nothing."""
    for mine, _, target in cases(reduction):
        outputs = outputs_for(target)
        rows = mine.per_row(outputs, target)
        assert rows.shape == (ROWS,)
        whole = mine.value(outputs, target)
        torch.testing.assert_close(getattr(rows, reduction)(), whole)
        torch.testing.assert_close(mine.value(outputs, target, torch.ones(ROWS)), whole)


def test_weighted_by_hand():
    """Squared errors 0, 4 and 9 with weights 1, 2 and 1."""
    outputs, target = torch.tensor([[1.0], [2.0], [3.0]]), torch.tensor([[1.0], [4.0], [0.0]])
    weights = torch.tensor([1.0, 2.0, 1.0])
    assert MeanSquaredError().value(outputs, target, weights).item() == 17 / 4
    assert MeanSquaredError("sum").value(outputs, target, weights).item() == 17


def test_integer_weights_repeat_rows():
    """A weight of 2 is the row twice, a weight of 0 is no row."""
    outputs, target = normal(3, 4), torch.tensor([0, 1, 3])
    weighted = CrossEntropy().value(outputs, target, torch.tensor([2.0, 0.0, 1.0]))
    again = torch.tensor([0, 0, 2])
    torch.testing.assert_close(weighted, CrossEntropy().value(outputs[again], target[again]))


def test_weights_of_zero_give_no_gradient():
    """A batch without weight has a loss of 0 and leaves the parameters alone."""
    outputs = normal(3, 1).requires_grad_()
    value = MeanSquaredError().value(outputs, torch.zeros(3, 1), torch.zeros(3))
    value.backward()
    assert value.item() == 0.0
    assert torch.equal(outputs.grad, torch.zeros(3, 1))


def test_one_column_is_two_columns():
    """One logit z says what the logits (0, z) say."""
    logit, target = normal(ROWS, 1), codes(2)
    two = torch.cat([torch.zeros(ROWS, 1), logit], dim=1)
    one = CrossEntropy().per_row(logit, target.reshape(-1, 1).float())
    torch.testing.assert_close(one, CrossEntropy().per_row(two, target))


def test_soft_targets():
    """Probabilities of classes are taken as targets, and codes are their corner case."""
    outputs, target = normal(ROWS, 4), codes(4)
    soft = nn.functional.one_hot(target, 4).float()
    torch.testing.assert_close(
        CrossEntropy().value(outputs, soft), CrossEntropy().value(outputs, target)
    )


def test_vmap_of_the_gradient():
    """The mean of the gradients of each row is the gradient of the mean."""
    outputs, target = normal(ROWS, 4), codes(4)

    def of_row(row, code):
        return CrossEntropy().value(row[None], code[None])

    by_row = torch.func.vmap(torch.func.grad(of_row))(outputs, target)
    whole = torch.func.grad(CrossEntropy().value)(outputs, target)
    torch.testing.assert_close(by_row / ROWS, whole)


def test_kind():
    """Each loss is for one kind of task."""
    assert [each.accepts("regression") for each in LOSSES] == [True, False]
    assert [each.accepts("classification") for each in LOSSES] == [False, True]


def test_shares_of_batches():
    """A mean weighs batches by rows or row weights; a sum adds them up."""
    weights = torch.tensor([0.5, 1.5, 2.0])
    assert MeanSquaredError().share(3, None) == 3.0
    assert MeanSquaredError().share(3, weights) == 4.0
    assert MeanSquaredError("sum").share(3, weights) == 1.0
    assert MeanSquaredError().over_batches(10.0, 4.0) == 2.5
    assert MeanSquaredError("sum").over_batches(10.0, 4.0) == 10.0


def test_losses_are_values():
    """Equality, hash, names and what reduction accepts."""
    assert loss("mse") == MeanSquaredError()
    assert loss("cross_entropy") == CrossEntropy()
    assert MeanSquaredError() != MeanSquaredError("sum")
    assert MeanSquaredError() != CrossEntropy()
    assert len({MeanSquaredError(), loss("mse")}) == 1
    with pytest.raises(ParameterError, match="mse: reduction cannot be 'none'"):
        MeanSquaredError("none")


def test_unknown_name_gets_the_nearest():
    """A misspelt name is answered with the right one."""
    with pytest.raises(ParameterError) as error:
        loss("crossentropy")
    assert str(error.value) == (
        "ParameterError: there is no loss 'crossentropy'.\n"
        "  expected  mse, cross_entropy\n"
        "  got       'crossentropy'\n"
        "  fix       did you mean 'cross_entropy'?"
    )


def test_shape_mismatch_names_both():
    """[n] against [n, 1], which torch would broadcast to [n, n]."""
    with pytest.raises(ShapeError) as error:
        MeanSquaredError().value(torch.zeros(3, 1), torch.zeros(3))
    assert str(error.value) == (
        "ShapeError: mse: target [3] does not go with outputs [3, 1].\n"
        "  expected  both [row, 1]\n"
        "  got       target [3], outputs [3, 1]\n"
        "  fix       give the target one column, as the outputs have"
    )


@pytest.mark.parametrize(
    ("made", "outputs", "target"),
    [
        (MeanSquaredError(), torch.zeros(3), torch.zeros(3)),
        (MeanSquaredError(), torch.zeros(3, 2), torch.zeros(3, 2)),
        (MeanSquaredError(), torch.zeros(3, 1), torch.zeros(2, 1)),
        (CrossEntropy(), torch.zeros(3, 1), torch.zeros(3)),
        (CrossEntropy(), torch.zeros(3, 2), torch.zeros(3, 1, dtype=torch.int64)),
        (CrossEntropy(), torch.zeros(3, 2), torch.zeros(4, dtype=torch.int64)),
        (CrossEntropy(), torch.zeros(3, 2), torch.zeros(3, 1)),
        (CrossEntropy(), torch.zeros(3, 2, 2), torch.zeros(3, dtype=torch.int64)),
    ],
)
def test_other_shape_mismatches(made, outputs, target):
    """Every form that torch might broadcast or read otherwise is refused."""
    for call in (made.value, made.per_row):
        with pytest.raises(ShapeError):
            call(outputs, target)


def test_weights_need_one_per_row():
    """Weights [n, 1] would broadcast to [n, n]."""
    with pytest.raises(ShapeError, match=r"weights \[3, 1\] does not go with outputs \[3, 1\]"):
        MeanSquaredError().value(torch.zeros(3, 1), torch.zeros(3, 1), torch.ones(3, 1))


def test_dtypes():
    """Integers for numbers and int32 for codes are refused, with the cast to make."""
    with pytest.raises(DataError) as error:
        CrossEntropy().value(torch.zeros(3, 1), torch.zeros(3, 1, dtype=torch.int64))
    assert error.value.fix == "target.to(torch.float32)"
    with pytest.raises(DataError) as error:
        CrossEntropy().value(torch.zeros(3, 2), torch.zeros(3, dtype=torch.int32))
    assert error.value.fix == "target.to(torch.int64)"
