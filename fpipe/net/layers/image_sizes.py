"""Which images an architecture of torchvision takes."""

from __future__ import annotations

from functools import lru_cache

import torch

from fpipe.core.errors import ShapeError
from fpipe.net.layers.architecture import Architecture, bench, skeleton
from fpipe.net.probe import probe
from fpipe.net.shape import Shape, shown

_LEAST = {"alexnet": 63, "vgg": 32, "convnext": 32, "inception_v3": 75}
"""Beginning of a name → smallest height and width."""

_USUAL = 224
_CHANNELS = 3


def check_images(architecture: Architecture, shape: Shape) -> None:
    """Raise ShapeError where a batch of images is known to be of a shape that is not taken.

    Args:
        architecture: the network.
        shape: what enters, ``[batch, channels, height, width]``, None for unknown.
    """
    name = architecture.name
    if len(shape) != 4:
        raise _refused(
            f"{name} takes images.",
            "(?, 3, height, width)",
            shape,
            "give the column the shape [3, height, width], e.g. with ops.trafo_reshape",
        )
    if shape[1] not in (None, _CHANNELS):
        raise _refused(
            f"{name} takes images of 3 channels.",
            "(?, 3, height, width)",
            shape,
            "bring the images to 3 channels first, e.g. with ops.trafo_grayscale(3)"
            if shape[1] == 1
            else "put the channels first: [3, height, width]",
        )
    _check_size(architecture, shape)


@lru_cache(maxsize=256)
def check_runs(architecture: Architecture, height: int, width: int) -> None:
    """Raise ShapeError where an architecture fails on images of a size; it is run without numbers.

    Args:
        architecture: the network.
        height: pixels.
        width: pixels.
    """
    sizes = (2, _CHANNELS, height, width)
    module = bench(architecture).eval()
    try:
        found = probe(module, (sizes,), (torch.float32,), what=architecture.name)
    except ShapeError as error:
        raise ShapeError(
            f"{architecture.name} cannot take images of {height} × {width} pixels.",
            expected="larger images",
            got=error.got,
            fix=_resize(_USUAL, _USUAL),
        ) from error
    if found.shapes != ((2, architecture.out_features),):
        raise ShapeError(
            f"{architecture.name} gives something else than one row of outputs per image.",
            expected=shown((None, architecture.out_features)),
            got=", ".join(map(shown, found.shapes)),
            fix="use another architecture",
        )


def _check_size(architecture: Architecture, shape: Shape) -> None:
    name, wanted = architecture.name, _exact(architecture)
    pairs = list(zip(shape[2:], wanted or (), strict=False))
    if any(n is not None and n != size for n, size in pairs):
        raise _refused(
            f"{name} takes images of one size.",
            shown((None, _CHANNELS, *(size for _, size in pairs))),
            shape,
            _resize(*(size for _, size in pairs)),
        )
    least = next((n for start, n in _LEAST.items() if name.startswith(start)), 1)
    if any(n is not None and n < least for n in shape[2:]):
        raise _refused(
            f"{name} takes images of at least {least} × {least} pixels.",
            f"height and width of at least {least}",
            shape,
            _resize(_USUAL, _USUAL),
        )


def _exact(architecture: Architecture) -> tuple[int, int] | None:
    """Return the one size that an architecture takes, where there is one."""
    if architecture.name.startswith("vit_"):
        size = int(skeleton(architecture).image_size)  # type: ignore[arg-type]
        return size, size
    if architecture.name.startswith("maxvit"):
        height, width = architecture.settings.get("input_size", (_USUAL, _USUAL))
        return height, width
    return None


def _resize(height: int, width: int) -> str:
    return f"resize the images first, e.g. with ops.trafo_resize(({height}, {width}))"


def _refused(rule: str, expected: str, shape: Shape, fix: str) -> ShapeError:
    return ShapeError(rule, expected=expected, got=shown(shape), fix=fix)
