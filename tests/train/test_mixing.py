"""Mixup and cutmix: soft targets, training only, keyed by the step."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

import fpipe as fp
from fpipe import nn
from fpipe.train.batched import Batched
from fpipe.train.mixing import Cutmix, Draws, Mixup, Placed, mixed_batch

KEY = fp.key(3)
IMAGES = torch.rand(12, 2, 8, 9, generator=torch.Generator().manual_seed(0))
CODES = torch.arange(12) % 3


def batch():
    return Batched({"x": IMAGES.clone()}, CODES.clone(), torch.arange(12.0))


def drawn(mixing, step=0):
    """What the batch is mixed with, worked out from the key by hand."""
    random = KEY.fold_in(step).numpy()
    random.random()
    kept = random.beta(mixing.alpha, mixing.alpha)
    partners = torch.from_numpy(random.permutation(12))
    return kept, partners, (random.random(), random.random())


@pytest.mark.parametrize("step", [0, 1, 17])
def test_mixup_is_the_formula_of_the_paper(step):
    kept, partners, _ = drawn(Mixup(0.4), step)
    found = mixed_batch(batch(), [Placed(Mixup(0.4), KEY, 3)], step)
    expected = kept * IMAGES + (1 - kept) * IMAGES[partners]
    assert torch.allclose(found.inputs["x"], expected, atol=1e-6)
    hot = F.one_hot(CODES, 3).float()
    assert torch.allclose(found.target, kept * hot + (1 - kept) * hot[partners], atol=1e-6)
    weights = torch.arange(12.0)
    assert torch.allclose(found.weights, kept * weights + (1 - kept) * weights[partners], atol=1e-5)


def test_the_loss_of_mixed_classes_is_the_mixture_of_losses():
    """Zhang et al. 2018, section 2: the loss is linear in the target."""
    kept, partners, _ = drawn(Mixup(1.0))
    found = mixed_batch(batch(), [Placed(Mixup(1.0), KEY, 3)], 0)
    logits = torch.randn(12, 3, generator=torch.Generator().manual_seed(1))
    both = kept * F.cross_entropy(logits, CODES) + (1 - kept) * F.cross_entropy(
        logits, CODES[partners]
    )
    assert torch.allclose(F.cross_entropy(logits, found.target), both, atol=1e-6)


@pytest.mark.parametrize("step", range(8))
def test_cutmix_takes_a_box_and_weighs_by_area(step):
    _, partners, _ = drawn(Cutmix(), step)
    found = mixed_batch(batch(), [Placed(Cutmix(), KEY, 3)], step)
    x = found.inputs["x"]
    own, other = (x == IMAGES).all(1), (x == IMAGES[partners]).all(1)
    assert bool((own | other).all())
    moved = partners != torch.arange(12)
    shares = own[moved].float().mean((1, 2))
    assert torch.allclose(shares, shares[:1].expand_as(shares))
    hot = F.one_hot(CODES, 3).float()
    expected = shares[0] * hot + (1 - shares[0]) * hot[partners]
    assert torch.allclose(found.target[moved], expected[moved], atol=1e-6)
    box = ~own[moved][0]
    if box.any():
        rows, columns = box.any(1).nonzero().ravel(), box.any(0).nonzero().ravel()
        assert box[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1].all()


def test_what_is_given_is_not_written_into():
    given = batch()
    mixed_batch(given, [Placed(Cutmix(), KEY, 3), Placed(Mixup(), KEY, 3)], 0)
    assert torch.equal(given.inputs["x"], IMAGES)
    assert torch.equal(given.target, CODES)


def test_with_probability():
    done = [
        mixed_batch(batch(), [Placed(Mixup(p=0.3), KEY, 3)], s).target.is_floating_point()
        for s in range(300)
    ]
    assert 0.2 < np.mean(done) < 0.4
    same = mixed_batch(batch(), [Placed(Mixup(p=0.0), KEY, 3)], 0)
    assert torch.equal(same.inputs["x"], IMAGES)


def test_numbers_and_two_classes_are_mixed_as_they_are():
    target = torch.rand(12, 1)
    kept, partners, _ = drawn(Mixup(1.0))
    found = mixed_batch(Batched({"x": IMAGES}, target, None), [Placed(Mixup(1.0), KEY, 0)], 0)
    assert torch.allclose(found.target, kept * target + (1 - kept) * target[partners], atol=1e-6)
    assert found.weights is None


def task():
    return fp.classification(
        {"image": fp.lazy(IMAGES.numpy()), "y": [f"c{int(c)}" for c in CODES]}, "y"
    )


def graph(mix, **more):
    return (
        nn.ingress_tensor()
        >> mix
        >> nn.flatten()
        >> nn.head()
        >> nn.loss("cross_entropy")
        >> nn.optimizer("sgd", lr=0.1)
        >> nn.model(**({"epochs": 2, "batch_size": 5} | more))
    )


@pytest.mark.parametrize("mix", [nn.mixup(0.4), nn.cutmix(), nn.mixup(0.3) >> nn.cutmix(p=0.5)])
def test_both_interpreters_and_every_cut(mix):
    run, start = fp.prepare(graph(mix), task(), key=fp.key(1))
    events = list(fp.events(run.plan))
    end = fp.fold(run, start, events)
    assert fp.fold(run, start, events) == end
    for cut in range(len(events)):
        assert fp.fold(run, fp.fold(run, start, events[:cut]), events[cut:]) == end
    slow = fp.fit(graph(mix), task(), key=fp.key(1), interpreter="reference").state("model")
    assert fp.same(slow.weights, end.result)
    plain = fp.fit(graph(fp.identity()), task(), key=fp.key(1)).state("model")
    assert not fp.same(slow.weights, plain.weights)


def test_validation_and_prediction_see_rows_as_they_are():
    mixed = fp.fit(graph(nn.mixup(), epochs=1), task(), key=fp.key(1), validate=task())
    state = mixed.state("model").state
    assert [
        path
        for path, _ in fp.transform(nn.ingress_tensor() >> nn.mixup(), task(), key=fp.key(1)).mixing
    ] == ["mixup"]
    prediction = fp.predict(mixed, task())
    assert abs(prediction.score("log_loss") - state.history[0]["valid.loss"]) < 1e-5


def test_where_it_cannot_be():
    levels = fp.classification({"k": ["u", "v"] * 6, "y": ["a", "b", "b"] * 4}, "y")
    with pytest.raises(fp.FpipeError, match="mixes numbers") as caught:
        fp.check(nn.ingress_categorical() >> nn.mixup(), levels)
    assert caught.value.at == "mixup"
    flat = fp.regression({"x": [1.0, 2.0], "y": [1.0, 2.0]}, "y")
    with pytest.raises(fp.FpipeError, match="cuts boxes out of images") as caught:
        fp.check(nn.ingress_numeric() >> nn.cutmix(), flat)
    assert "nn.mixup" in caught.value.fix


def test_draws_are_a_plain_record():
    assert Draws(0.5, torch.tensor([0]), (0.1, 0.2)).kept == 0.5
