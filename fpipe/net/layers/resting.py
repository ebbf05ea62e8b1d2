"""Which parts of a module behave as outside of training, because nothing in them is learned."""

from __future__ import annotations

from collections.abc import Iterable

import torch

from fpipe.net.layer import Tensors


def set_phases(module: torch.nn.Module, params: Tensors, training: bool) -> None:
    """Put a module and what it is made of into the phase of training, or out of it.

    A part of the module all of whose parameters are frozen behaves as outside of training, as a
    layer of that kind does: its batch normalisations keep their running statistics, and nothing in
    it is dropped. A part without parameters of its own, such as a dropout before the last
    layer, behaves as the part that it stands in.

    Training hands in frozen parameters as tensors that take no gradient. Where none takes
    one, nothing is known of what is frozen, and all parts are in the same phase.

    Args:
        module: private to the caller; its phases are set.
        params: the parameters that it is about to be called with, by name.
        training: whether it is called for training.
    """
    module.train(training)
    if not training:
        return
    for part in resting({n: p.requires_grad for n, p in params.items()}):
        module.get_submodule(part).eval()


def resting(learned: dict[str, bool]) -> list[str]:
    """Return the paths of the parts of a module in which there are parameters, all frozen.

    Of a part that rests as a whole the parts inside it are left out.

    Args:
        learned: full name of a parameter → whether it is learned.

    Example:
        >>> resting({"conv.weight": False, "block.0.weight": False, "block.1.weight": True})
        ['block.0', 'conv']
        >>> resting({"conv.weight": False, "fc.weight": False})
        []
    """
    if not any(learned.values()):
        return []
    awake = _holders(name for name, active in learned.items() if active)
    asleep = _holders(name for name, active in learned.items() if not active) - awake
    return sorted(part for part in asleep if part.rpartition(".")[0] not in asleep)


def _holders(names: Iterable[str]) -> set[str]:
    """Return the paths of all parts that hold these parameters, directly or deeper down."""
    found: set[str] = set()
    for name in names:
        part = name.rpartition(".")[0]
        while part not in found:
            found.add(part)
            part = part.rpartition(".")[0]
    return found
