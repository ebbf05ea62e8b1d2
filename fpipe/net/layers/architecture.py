"""torchvision's networks for classification, with a head for any number of outputs."""

from __future__ import annotations

import copy
import threading
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import torch
from pyrsistent import PMap, pmap
from torch import Tensor
from torch.overrides import TorchFunctionMode

from fpipe.core.errors import FpipeError, ParameterError, did_you_mean
from fpipe.core.key import Key
from fpipe.core.tree import items
from fpipe.core.value import descriptor
from fpipe.io.torchvision import torchvision
from fpipe.net.keyed_mode import KeyedMode

NAMED = (
    *("alexnet", "vgg11", "vgg11_bn", "vgg13", "vgg13_bn", "vgg16", "vgg16_bn", "vgg19"),
    *("vgg19_bn", "resnet18", "resnet34", "resnet50", "resnet101", "resnet152"),
    *("convnext_tiny", "convnext_small", "convnext_base"),
    *(f"efficientnet_b{n}" for n in range(8)),
    *("efficientnet_v2_s", "efficientnet_v2_m", "efficientnet_v2_l"),
    *("mobilenet_v2", "mobilenet_v3_small", "mobilenet_v3_large"),
    *("vit_b_16", "maxvit_t", "inception_v3", "densenet121", "swin_t"),
)
"""The architectures that can be named before torchvision is imported; it has more."""

WITH_AUXILIARY = ("inception_v3", "googlenet")
"""Those that torchvision builds with further heads for training; here they have none."""

_TAKEN = {
    "num_classes": "the task says how many outputs there are; else give out_features",
    "weights": "give weights by its own name",
    "progress": "leave it out",
    "aux_logits": "auxiliary heads are left out",
}


@descriptor
class Architecture:
    """One of torchvision's networks for classification, with a head of its own.

    The head is the last ``torch.nn.Linear`` in the order of modules. It is replaced by one with
    the wanted number of outputs, which has a bias where that had one.

    Args:
        name: its name in ``torchvision.models``.
        out_features: how many outputs it has.
        settings: further arguments of the function in torchvision that builds it.
    """

    name: str
    out_features: int
    settings: PMap[str, Any] = pmap()

    def build(self, key: Key) -> torch.nn.Module:
        """Return the network; what is drawn comes from the key, and the head from one of its own.

        Raises:
            ParameterError: torchvision has no such network or cannot build it so, or no linear
                layer is in it.
        """
        with KeyedMode(key.generator()):
            made = self._built()
        path, old = head_of(made, self.name)
        with KeyedMode(key.fold_in("head").generator()):
            new = torch.nn.Linear(old.in_features, self.out_features, old.bias is not None)
        holder, _, last = path.rpartition(".")
        setattr(made.get_submodule(holder), last, new)
        return made

    def _built(self) -> torch.nn.Module:
        builder = builder_of(self.name)
        settings = dict(items(self.settings))
        if self.name in WITH_AUXILIARY:
            settings = {"init_weights": True, **settings, "aux_logits": False}
        try:
            made: torch.nn.Module = builder(weights=None, progress=False, **settings)
        except FpipeError:
            raise
        except Exception as error:
            raise ParameterError(
                f"torchvision cannot build {self.name} with these settings.",
                expected="arguments of its class in torchvision.models",
                got=f"{type(error).__name__}: {error}"[:300],
                fix="leave out or change: " + ", ".join(sorted(settings)),
            ) from error
        return made

    def __repr__(self) -> str:
        given = (f"{name}={x!r}" for name, x in items(self.settings))
        return f"{self.name}({', '.join([*given, f'out_features={self.out_features}'])})"


@lru_cache(maxsize=32)
def skeleton(architecture: Architecture) -> torch.nn.Module:
    """Return the network without numbers: all that it holds is on the meta device.

    It is built once for all its uses; nobody changes it.
    """
    with _Weightless():
        made = architecture.build(Key(0))
    return made.to("meta").eval()


class _Benches(threading.local):
    """The networks that a thread works with, by architecture."""

    def __init__(self) -> None:
        self.made: dict[Architecture, torch.nn.Module] = {}


_BENCHES = _Benches()
_MOST = 16


def bench(architecture: Architecture) -> torch.nn.Module:
    """Return the network without numbers, which this thread alone uses, and uses again.

    A call of it with tensors passed in leaves nothing behind but phases: torchvision's networks
    keep nothing of their own. Copying one takes as long as a small batch (10 ms for ResNet-18,
    200 ms for ResNet-152).
    """
    made = _BENCHES.made
    if architecture not in made:
        if len(made) >= _MOST:
            made.clear()
        made[architecture] = copy.deepcopy(skeleton(architecture))
    return made[architecture]


def head_of(module: torch.nn.Module, name: str) -> tuple[str, torch.nn.Linear]:
    """Return the path of the last linear layer of a network, and the layer.

    Raises:
        ParameterError: there is none.
    """
    linear = [(n, m) for n, m in module.named_modules() if isinstance(m, torch.nn.Linear)]
    if not linear:
        raise ParameterError(
            f"{name} has no linear layer, so there is no head to replace.",
            expected="an architecture that ends in a torch.nn.Linear",
            got=f"{name}, which ends in other layers",
            fix=f"nn.module('torchvision.models:{name}', num_classes=...) is the whole network",
        )
    return linear[-1]


def check_name(name: str) -> None:
    """Raise ParameterError where torchvision has no such network for classification.

    torchvision is imported only for names that are not in `NAMED`.
    """
    if name not in NAMED:
        builder_of(name)


def architecture_names() -> tuple[str, ...]:
    """Return the names of all networks for classification in torchvision."""
    models = torchvision("models")
    return tuple(models.list_models(module=models))


def builder_of(name: str) -> Any:
    """Return the function in torchvision that builds a network.

    Raises:
        ParameterError: there is no network for classification of that name.
    """
    known = architecture_names()
    if name not in known:
        raise ParameterError(
            f"torchvision has no architecture '{name}' for classification.",
            expected=f"one of its {len(known)}: torchvision.models.list_models()",
            got=name,
            fix=did_you_mean(name, known),
        )
    return torchvision("models").get_model_builder(name)


def check_settings(settings: Mapping[str, Any]) -> None:
    """Raise ParameterError for what is said elsewhere."""
    for name in settings:
        if name in _TAKEN:
            raise ParameterError(
                f"'{name}' is no setting of an architecture.",
                expected="other arguments of its class in torchvision.models",
                got=f"{name}={settings[name]!r}",
                fix=_TAKEN[name],
            )


def weights_of(module: torch.nn.Module) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Return parameters and buffers of a network by name."""
    return dict(module.named_parameters()), dict(module.named_buffers())


class _Weightless(TorchFunctionMode):
    """While active in this thread, give tensors that are left empty no memory.

    Modules make the tensors of their weights empty and fill them then. What architectures
    compute their sizes with is made otherwise, and stays real.
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run one function."""
        del types
        kwargs = dict(kwargs or {})
        if func is torch.empty:
            kwargs["device"] = "meta"
        return func(*args, **kwargs)
