"""The best known of torchvision's networks as learners of their own name."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from fpipe.graph.graph import Graph
from fpipe.learners.image_network import ImageNetwork, vision


def _named(architecture: str) -> Callable[..., Graph]:
    """Return ``vision`` for one architecture: ``resnet18(...)`` is ``vision("resnet18", ...)``."""

    def make(**parameters: Any) -> Graph:
        return vision(architecture, **parameters)

    known = inspect.signature(ImageNetwork).parameters.values()
    taken = [p for p in known if p.name not in ("architecture", "overrides")]
    make.__name__ = make.__qualname__ = architecture
    make.__doc__ = f"``learners.vision({architecture!r}, ...)``.\n\n{ImageNetwork.__doc__}"
    make.__signature__ = inspect.Signature(taken)  # type: ignore[attr-defined]
    return make


alexnet = _named("alexnet")
vgg11 = _named("vgg11")
vgg11_bn = _named("vgg11_bn")
vgg13 = _named("vgg13")
vgg13_bn = _named("vgg13_bn")
vgg16 = _named("vgg16")
vgg16_bn = _named("vgg16_bn")
vgg19 = _named("vgg19")
vgg19_bn = _named("vgg19_bn")
resnet18 = _named("resnet18")
resnet34 = _named("resnet34")
resnet50 = _named("resnet50")
resnet101 = _named("resnet101")
resnet152 = _named("resnet152")
convnext_tiny = _named("convnext_tiny")
convnext_small = _named("convnext_small")
convnext_base = _named("convnext_base")
efficientnet_b0 = _named("efficientnet_b0")
efficientnet_b1 = _named("efficientnet_b1")
efficientnet_b2 = _named("efficientnet_b2")
efficientnet_b3 = _named("efficientnet_b3")
efficientnet_b4 = _named("efficientnet_b4")
efficientnet_b5 = _named("efficientnet_b5")
efficientnet_b6 = _named("efficientnet_b6")
efficientnet_b7 = _named("efficientnet_b7")
efficientnet_v2_s = _named("efficientnet_v2_s")
efficientnet_v2_m = _named("efficientnet_v2_m")
efficientnet_v2_l = _named("efficientnet_v2_l")
mobilenet_v2 = _named("mobilenet_v2")
mobilenet_v3_small = _named("mobilenet_v3_small")
mobilenet_v3_large = _named("mobilenet_v3_large")
vit_b_16 = _named("vit_b_16")
maxvit_t = _named("maxvit_t")
inception_v3 = _named("inception_v3")
densenet121 = _named("densenet121")
swin_t = _named("swin_t")
