"""Losses have the bits of torch.nn's, weights mean what they say, shapes are checked."""

from __future__ import annotations

import pytest
import torch
from pyrsistent import pmap
from sklearn import metrics
from torch import nn

from fpipe.core.errors import DataError, ParameterError, ShapeError
from fpipe.core.key import key
from fpipe.measure.loss import (
    LOSSES,
    AbsoluteError,
    BinaryCrossEntropy,
    CrossEntropy,
    Huber,
    MeanSquaredError,
    Quantile,
    loss,
)

REDUCTIONS = ["mean", "sum"]
ROWS = 37
NAMES = ["mse", "l1", "huber", "quantile", "cross_entropy", "bce"]
COLOURS = ("blue", "green", "red", "teal")


def normal(*shape, at=0):
    return torch.randn(*shape, generator=key(at).generator())


def uniform(*shape, at=9):
    return torch.rand(*shape, generator=key(at).generator())


def codes(classes):
    return torch.randint(classes, (ROWS,), generator=key(3).generator())


def binary():
    return codes(2).reshape(-1, 1).float()


class Pinball(nn.Module):
    """The pinball loss as a table of two cases; gradients too."""

    def __init__(self, q, reduction):
        super().__init__()
        self.q, self.reduction = q, reduction

    def forward(self, outputs, target):
        error = target - outputs
        rows = torch.where(error > 0, self.q * error, (self.q - 1) * error)
        return getattr(rows, self.reduction)()


def cases(reduction):
    """Each loss, torch's, and a target."""
    numbers = normal(ROWS, 1, at=1)
    yield MeanSquaredError(reduction), nn.MSELoss(reduction=reduction), numbers
    yield AbsoluteError(reduction), nn.L1Loss(reduction=reduction), numbers
    yield Huber(reduction), nn.HuberLoss(reduction=reduction), numbers
    yield Huber(reduction, delta=0.3), nn.HuberLoss(reduction=reduction, delta=0.3), numbers
    yield Quantile(reduction, q=0.25), Pinball(0.25, reduction), numbers
    yield CrossEntropy(reduction), nn.BCEWithLogitsLoss(reduction=reduction), binary()
    yield BinaryCrossEntropy(reduction), nn.BCEWithLogitsLoss(reduction=reduction), binary()
    yield CrossEntropy(reduction), nn.CrossEntropyLoss(reduction=reduction), codes(4)
    smooth = {"reduction": reduction, "label_smoothing": 0.2}
    yield CrossEntropy(**smooth), nn.CrossEntropyLoss(**smooth), codes(4)


CASES = [
    pytest.param(*case, id=f"{case[0]}".replace(" ", ""))
    for reduction in REDUCTIONS
    for case in cases(reduction)
]


def outputs_for(target):
    return normal(ROWS, 1) if target.ndim == 2 else normal(ROWS, 4)


@pytest.mark.parametrize("name", NAMES)
def test_every_loss_is_compared(name):
    """No loss is left out of the comparison with torch."""
    assert name in {case.values[0].name for case in CASES}
    assert [each.name for each in LOSSES] == NAMES


@pytest.mark.parametrize(("mine", "theirs", "target"), CASES)
def test_same_bits_as_torch(mine, theirs, target):
    """Value and gradient are torch.nn's, to the bit."""
    left = outputs_for(target).requires_grad_()
    right = outputs_for(target).requires_grad_()
    ours, expected = mine.value(left, target), theirs(right, target)
    assert ours.shape == ()
    assert torch.equal(ours, expected)
    ours.backward()
    expected.backward()
    assert torch.equal(left.grad, right.grad)


@pytest.mark.parametrize(("mine", "theirs", "target"), CASES)
def test_per_row_reduces_to_value(mine, theirs, target):
    """One loss per row, whose reduction is the value; weights of 1 change nothing."""
    outputs = outputs_for(target)
    rows = mine.per_row(outputs, target)
    assert rows.shape == (ROWS,)
    whole = mine.value(outputs, target)
    torch.testing.assert_close(getattr(rows, mine.reduction)(), whole)
    torch.testing.assert_close(mine.value(outputs, target, torch.ones(ROWS)), whole)


@pytest.mark.parametrize(("mine", "theirs", "target"), CASES)
def test_row_weights_repeat_rows(mine, theirs, target):
    """A weight of 2 is the row twice and one of 0 is no row, by torch's loss of such a batch."""
    times = torch.arange(ROWS) % 3
    again = torch.repeat_interleave(torch.arange(ROWS), times)
    outputs = outputs_for(target)
    weighted = mine.value(outputs, target, times.float())
    torch.testing.assert_close(weighted, theirs(outputs[again], target[again]))


def test_quantile_is_sklearns():
    """Value and row weights of the pinball loss against scikit-learn."""
    outputs, target, weights = normal(ROWS, 1), normal(ROWS, 1, at=1), uniform(ROWS)
    for q in (0.1, 0.5, 0.9):
        mine = Quantile(q=q)
        pair = target[:, 0], outputs[:, 0]
        expected = metrics.mean_pinball_loss(*pair, alpha=q)
        assert mine.value(outputs, target).item() == pytest.approx(expected, rel=1e-5)
        expected = metrics.mean_pinball_loss(*pair, alpha=q, sample_weight=weights)
        assert mine.value(outputs, target, weights).item() == pytest.approx(expected, rel=1e-5)


def test_quantile_is_fitted_by_the_quantile():
    """The constant with the smallest loss is the quantile of the target."""
    target = normal(401, 1, at=1)
    grid = torch.linspace(-2.0, 2.0, 801)
    losses = [Quantile(q=0.9).value(c.expand(401, 1), target).item() for c in grid]
    best = grid[int(torch.tensor(losses).argmin())].item()
    assert best == pytest.approx(target.quantile(0.9).item(), abs=0.02)


# Class weights and label smoothing

WEIGHTS = {"green": 3.0, "teal": 0.25}
BY_CODE = torch.tensor([1.0, 3.0, 1.0, 0.25])
TWO_WEIGHTS = [{"no": 2.0}, {"yes": 5.0}, {"no": 0.3, "yes": 4.0}, {"no": 0.0}]


def weights_of(names):
    return {name: weight for name, weight in WEIGHTS.items() if name in names}


def pair_of(logit):
    return torch.cat([torch.zeros_like(logit), logit], 1)


def compared(mine, theirs, outputs, read=lambda outputs: outputs):
    """Assert that value and gradient of two functions of the outputs are close."""
    left, right = outputs.clone().requires_grad_(), outputs.clone().requires_grad_()
    ours, expected = mine(left), theirs(read(right))
    torch.testing.assert_close(ours, expected)
    ours.backward()
    expected.backward()
    torch.testing.assert_close(left.grad, right.grad)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.7])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_class_weights_are_torchs(reduction, smoothing, dtype):
    """K classes: value and gradient of torch.nn.CrossEntropyLoss(weight, label_smoothing)."""
    settings = {"reduction": reduction, "label_smoothing": smoothing}
    mine = CrossEntropy(class_weight=WEIGHTS, **settings).bound(COLOURS)
    theirs = nn.CrossEntropyLoss(weight=BY_CODE.to(dtype), **settings)
    target = codes(4)
    compared(
        lambda out: mine.value(out, target),
        lambda out: theirs(out, target),
        normal(ROWS, 4).to(dtype),
    )


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("weights", [None, *TWO_WEIGHTS], ids=str)
@pytest.mark.parametrize("cls", [CrossEntropy, BinaryCrossEntropy])
def test_one_logit_is_a_pair_of_logits(cls, weights, smoothing, reduction):
    """Two classes: torch.nn.CrossEntropyLoss of [0, z], which is not pos_weight."""
    settings = {"reduction": reduction, "label_smoothing": smoothing}
    mine = cls(class_weight=weights, **settings).bound(("no", "yes"))
    by_code = torch.tensor([(weights or {}).get(name, 1.0) for name in ("no", "yes")])
    theirs = nn.CrossEntropyLoss(weight=by_code, **settings)
    target = binary()
    compared(
        lambda out: mine.value(out, target),
        lambda out: theirs(out, target[:, 0].long()),
        normal(ROWS, 1),
        pair_of,
    )


def test_class_weights_are_not_pos_weight():
    """torch's pos_weight divides by the number of rows, so the two differ."""
    mine = CrossEntropy(class_weight={"yes": 5.0}).bound(("no", "yes"))
    theirs = nn.BCEWithLogitsLoss(pos_weight=torch.tensor([5.0]))
    outputs, target = normal(ROWS, 1), binary()
    ratio = (mine.value(outputs, target) / theirs(outputs, target)).item()
    mean_weight = torch.where(target == 1, 5.0, 1.0).mean().item()
    assert ratio == pytest.approx(1 / mean_weight, rel=1e-5)
    assert mean_weight > 2


@pytest.mark.parametrize("classes", [2, 4])
def test_class_and_row_weights_multiply(classes):
    """scikit-learn's log_loss with sample weights that are the products."""
    names = COLOURS[:classes]
    mine = CrossEntropy(class_weight=weights_of(names)).bound(names)
    y, rows = codes(classes), uniform(ROWS)
    outputs = normal(ROWS, 1 if classes == 2 else 4)
    target = y if classes == 4 else y.reshape(-1, 1).float()
    prob = (outputs if classes == 4 else pair_of(outputs)).double().softmax(1)
    both = rows * BY_CODE[y]
    expected = metrics.log_loss(y, prob, sample_weight=both, labels=list(range(classes)))
    assert mine.value(outputs, target, rows).item() == pytest.approx(expected, rel=1e-5)
    expected = metrics.log_loss(y, prob, sample_weight=BY_CODE[y], labels=list(range(classes)))
    assert mine.value(outputs, target).item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("size", [1, 5, 36])
def test_batches_come_together(classes, weighted, reduction, size):
    """Losses of batches, by their shares, give torch's loss of all rows; also a batch of one."""
    names = COLOURS[:classes]
    mine = CrossEntropy(reduction, class_weight=weights_of(names)).bound(names)
    y, outputs = codes(classes), normal(ROWS, 1 if classes == 2 else 4)
    target = y if classes == 4 else y.reshape(-1, 1).float()
    rows = uniform(ROWS) if weighted else None
    total = share = 0.0
    for i in range(0, ROWS, size):
        part = slice(i, i + size)
        some = None if rows is None else rows[part]
        counts = mine.share(target[part], some)
        total += mine.value(outputs[part], target[part], some).item() * counts
        share += counts
    logits = outputs if classes == 4 else pair_of(outputs)
    single = nn.CrossEntropyLoss(weight=BY_CODE[:classes], reduction="none")(logits, y)
    each = single if rows is None else single * rows
    divisor = (BY_CODE[y] if rows is None else BY_CODE[y] * rows).sum()
    expected = each.sum() if reduction == "sum" else each.sum() / divisor
    assert mine.over_batches(total, share) == pytest.approx(expected.item(), rel=1e-5)


def test_soft_targets_count_with_the_mixture():
    """Corners of soft targets are codes; in between, value and divisor mix linearly."""
    mine = CrossEntropy(class_weight=WEIGHTS).bound(COLOURS)
    outputs, y = normal(ROWS, 4), codes(4)
    corner = nn.functional.one_hot(y, 4).float()
    torch.testing.assert_close(mine.value(outputs, corner), mine.value(outputs, y))
    soft = uniform(ROWS, 4).softmax(1)
    rows = -(soft * BY_CODE * outputs.log_softmax(1)).sum(1)
    expected = rows.sum() / (soft * BY_CODE).sum()
    torch.testing.assert_close(mine.value(outputs, soft), expected)


def test_a_batch_of_weightless_classes():
    """Rows of a class that weighs 0 have a loss of 0 and give no gradient (torch gives NaN)."""
    mine = CrossEntropy(class_weight={"no": 0.0}).bound(("no", "yes"))
    outputs = normal(3, 1).requires_grad_()
    value = mine.value(outputs, torch.zeros(3, 1))
    value.backward()
    assert value.item() == 0.0
    assert torch.equal(outputs.grad, torch.zeros(3, 1))


def test_extreme_logits_stay_finite():
    """A logit of ±200 has the loss 200 or 0, also with weights and smoothing."""
    outputs, target = torch.tensor([[200.0], [-200.0]]), torch.tensor([[0.0], [1.0]])
    for cls in (CrossEntropy, BinaryCrossEntropy):
        mine = cls(class_weight={"yes": 2.0}).bound(("no", "yes"))
        assert mine.per_row(outputs, target).tolist() == [200.0, 400.0]
        assert mine.per_row(outputs, 1 - target).tolist() == [0.0, 0.0]


def test_class_weights_are_kept_by_name():
    """A mapping becomes a persistent map of floats; none at all is None."""
    made = CrossEntropy(class_weight={"b": 2, "a": 1.5})
    assert made.class_weight == pmap({"a": 1.5, "b": 2.0})
    assert made == CrossEntropy(class_weight=pmap({"a": 1.5, "b": 2.0}))
    assert hash(made) == hash(CrossEntropy(class_weight={"a": 1.5, "b": 2}))
    assert CrossEntropy(class_weight={}) == CrossEntropy()
    assert CrossEntropy().bound(COLOURS) == CrossEntropy()
    assert made.bound(("a", "b", "c")).weights == (1.5, 2.0, 1.0)
    assert made.bound(("c", "b", "a")).weights == (1.0, 2.0, 1.5)


BAD = [
    ("unknown class", lambda: CrossEntropy(class_weight={"gren": 2.0}).bound(COLOURS),
     "class_weight names 'gren'", "blue, green, red, teal", "gren", "did you mean 'green'?"),
    ("all weights 0", lambda: CrossEntropy(class_weight=dict.fromkeys(COLOURS, 0)).bound(COLOURS),
     "0 for every class", "above 0", "blue: 0.0", "leave class_weight out"),
    ("bce of four classes", lambda: BinaryCrossEntropy().bound(COLOURS),
     "'bce' is for two classes, and the task has 4", "two classes", "blue, green", "cross_entropy"),
    ("negative weight", lambda: CrossEntropy(class_weight={"a": -1.0}),
     "class_weight cannot be", "a mapping of class names", "-1.0", "such as {'spam': 2.0}"),
    ("infinite weight", lambda: CrossEntropy(class_weight={"a": float("inf")}),
     "class_weight cannot be", "a mapping of class names", "inf", "such as {'spam': 2.0}"),
    ("NaN weight", lambda: CrossEntropy(class_weight={"a": float("nan")}),
     "class_weight cannot be", "a mapping of class names", "nan", "such as {'spam': 2.0}"),
    ("weight True", lambda: CrossEntropy(class_weight={"a": True}),
     "class_weight cannot be", "a mapping of class names", "True", "such as {'spam': 2.0}"),
    ("weights by code", lambda: CrossEntropy(class_weight={0: 2.0, 1: 1.0}),
     "names a class by 0", "as text", "0, 1", "class_weight={'0': 2.0, '1': 1.0}"),
    ("weights as a tensor", lambda: CrossEntropy(class_weight=torch.tensor([1.0, 2.0])),
     "class_weight cannot be", "a mapping of class names", "tensor", "such as {'spam': 2.0}"),
    ("weights as a list", lambda: CrossEntropy(class_weight=[1.0, 2.0]),
     "class_weight cannot be", "a mapping of class names", "[1.0, 2.0]", "such as {'spam': 2.0}"),
    ("smoothing 1", lambda: CrossEntropy(label_smoothing=1.0),
     "label_smoothing cannot be 1.0", "at least 0 and below 1", "1.0", "label_smoothing"),
    ("smoothing negative", lambda: BinaryCrossEntropy(label_smoothing=-0.1),
     "label_smoothing cannot be -0.1", "at least 0 and below 1", "-0.1", "label_smoothing"),
    ("delta 0", lambda: Huber(delta=0.0),
     "huber: delta cannot be 0.0", "above 0", "0.0", "delta"),
    ("q 1", lambda: Quantile(q=1.0),
     "quantile: q cannot be 1.0", "above 0 and below 1", "1.0", "q"),
    ("q as text", lambda: Quantile(q="half"),
     "quantile: q cannot be 'half'", "above 0 and below 1", "'half'", "q"),
    ("weight for class_weight", lambda: CrossEntropy().with_parameters({"weight": None}),
     "cross_entropy has no parameter 'weight'", "class_weight", "weight=None",
     "did you mean 'class_weight'?"),
    ("not bound", lambda: CrossEntropy(class_weight={"a": 2.0}).value(normal(2, 1), normal(2, 1)),
     "the classes are not known yet", "bound to the classes", "a", "loss.bound("),
]  # fmt: skip


@pytest.mark.parametrize(("act", "rule", "expected", "got", "fix"), [
    pytest.param(*case[1:], id=case[0]) for case in BAD
])  # fmt: skip
def test_bad_parameters(act, rule, expected, got, fix):
    """Each is refused with what was expected, what came and what to do."""
    with pytest.raises(ParameterError) as caught:
        act()
    assert rule in caught.value.rule
    assert expected in str(caught.value.expected)
    assert got in str(caught.value.got)
    assert fix in str(caught.value.fix)


# Weights and shapes


def test_weighted_by_hand():
    """Squared errors 0, 4 and 9 with weights 1, 2 and 1."""
    outputs, target = torch.tensor([[1.0], [2.0], [3.0]]), torch.tensor([[1.0], [4.0], [0.0]])
    weights = torch.tensor([1.0, 2.0, 1.0])
    assert MeanSquaredError().value(outputs, target, weights).item() == 17 / 4
    assert MeanSquaredError("sum").value(outputs, target, weights).item() == 17


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
    numbers = ["mse", "l1", "huber", "quantile"]
    assert [each.name for each in LOSSES if each.accepts("regression")] == numbers
    assert [each.name for each in LOSSES if each.accepts("classification")] == NAMES[4:]


def test_shares_of_batches():
    """A mean weighs batches by rows or row weights; a sum adds them up."""
    target, weights = torch.zeros(3, 1), torch.tensor([0.5, 1.5, 2.0])
    assert MeanSquaredError().share(target, None) == 3.0
    assert MeanSquaredError().share(target, weights) == 4.0
    assert MeanSquaredError("sum").share(target, weights) == 1.0
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
        "there is no loss 'crossentropy'.\n"
        "  expected  mse, l1, huber, quantile, cross_entropy, bce\n"
        "  got       'crossentropy'\n"
        "  fix       did you mean 'cross_entropy'?"
    )


def test_shape_mismatch_names_both():
    """[n] against [n, 1], which torch would broadcast to [n, n]."""
    with pytest.raises(ShapeError) as error:
        MeanSquaredError().value(torch.zeros(3, 1), torch.zeros(3))
    assert str(error.value) == (
        "mse: target [3] does not go with outputs [3, 1].\n"
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
        (AbsoluteError(), torch.zeros(3, 1), torch.zeros(3)),
        (Huber(), torch.zeros(3, 1), torch.zeros(3)),
        (Quantile(), torch.zeros(3, 1), torch.zeros(3)),
        (BinaryCrossEntropy(), torch.zeros(3, 1), torch.zeros(3)),
        (BinaryCrossEntropy(), torch.zeros(3, 2), torch.zeros(3, dtype=torch.int64)),
        (
            CrossEntropy(class_weight={"a": 2.0}).bound(("a", "b")),
            torch.zeros(3, 1),
            torch.zeros(3),
        ),
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
