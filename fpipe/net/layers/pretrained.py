"""Weights from a file, known by their content."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pyrsistent import PMap, pmap
from torch import Tensor

from fpipe.core.errors import DataError, ParameterError, did_you_mean, nearest
from fpipe.core.parameter import Check, label
from fpipe.core.value import descriptor
from fpipe.io.torchvision import torchvision
from fpipe.io.weights import (
    ENDINGS,
    beginning,
    content,
    fetch_weights,
    read_weights,
    weights_file,
)
from fpipe.net.layers.architecture import WITH_AUXILIARY

_AUXILIARY = ("AuxLogits.", "aux1.", "aux2.")
_COUNTS = "num_batches_tracked"
_OLD_DENSENET = (
    r"^(.*denselayer\d+\.(?:norm|relu|conv))\.([12]\.(?:weight|bias|running_mean|running_var))$",
    r"\1\2",
)
"""How torchvision renames its own older files."""

_SHOWN = 4

Renames = tuple[tuple[str, str], ...]


def as_renames(given: Any) -> Any:
    """Return a mapping from patterns to replacements as pairs (a converter).

    Example:
        >>> as_renames({"^trunk": "features"})
        (('^trunk', 'features'),)
    """
    pairs = given.items() if isinstance(given, Mapping) else given
    return tuple(tuple(pair) if isinstance(pair, list | tuple) else pair for pair in pairs)


def _is_rename(x: Any) -> bool:
    if not (isinstance(x, tuple) and len(x) == 2 and all(isinstance(part, str) for part in x)):
        return False
    try:
        re.compile(x[0])
    except re.error:
        return False
    return True


RENAMES = Check(
    'pairs of a regular expression and what replaces it, such as {r"^trunk": "features"}',
    lambda x: isinstance(x, tuple) and all(map(_is_rename, x)),
)
"""Accepts what changes names."""


@descriptor
class Pretrained:
    """Where weights come from. Two of these are equal where the weights are.

    Args:
        digest: the SHA-256 of the file; only its beginning for weights that are published.
        published: how torchvision calls them; None for a local file.
        rename: pairs of a regular expression and what replaces it. A name in the file is changed
            by the first one that is found in it.
        keep_head: whether the head is taken from the file as well.
        path: the local file; where it lies is no part of what the weights are.
    """

    digest: str
    published: str | None = None
    rename: Renames = ()
    keep_head: bool = False
    path: str | None = label(default=None)

    def tensors(self, architecture: str) -> tuple[dict[str, Tensor], str]:
        """Return the tensors by their new names, and the path of the file.

        Args:
            architecture: the network that published weights are for.

        Raises:
            DataError: the file is not there, is another one by now, or cannot be read, or two of
                its names become one.
        """
        path = self._file(architecture)
        found: dict[str, Tensor] = {}
        for old, tensor in read_weights(path).items():
            name = _renamed(old, self.rename)
            if name in found:
                raise DataError(
                    f"two names in the file become '{name}'.",
                    expected="different names",
                    got=f"{old} and one before it",
                    at=str(path),
                    fix="make the patterns in rename narrower",
                )
            found[name] = tensor
        return found, str(path)

    def _file(self, architecture: str) -> Path:
        if self.published is not None:
            return fetch_weights(weights_entry(architecture, self.published).url)
        if self.path is None:
            raise DataError(
                "where the file of weights lies is not known any more.",
                expected=f"a file with the sha256 {self.digest}",
                got="a layer that was read from a file, which does not tell",
                fix="build the graph anew, with weights=...",
            )
        path = Path(self.path)
        found = content(path) if path.is_file() else "no file"
        if found != self.digest:
            raise DataError(
                "the file of weights has changed since the graph met the task.",
                expected=f"sha256 {self.digest}",
                got=found,
                at=self.path,
                fix="restore the file, or fit again",
            )
        return path


def local_weights(given: str, rename: Renames, keep_head: bool) -> Pretrained:
    """Return the weights in a local file.

    Raises:
        DataError: there is no such file.
    """
    path = weights_file(given)
    return Pretrained(content(path), None, rename, keep_head, path=str(path))


def published_weights(
    architecture: str, given: str, keep_head: bool
) -> tuple[Pretrained, PMap[str, Any]]:
    """Return weights that torchvision names, and the settings that an architecture has with them.

    Nothing is downloaded here.

    Args:
        architecture: the network.
        given: as torchvision calls them, such as ``"IMAGENET1K_V1"`` or ``"DEFAULT"``.
        keep_head: as in `Pretrained`.

    Raises:
        ParameterError: torchvision has no such weights for the network.
    """
    one = weights_entry(architecture, given)
    rename = (_OLD_DENSENET,) if architecture.startswith("densenet") else ()
    found = Pretrained(beginning(one.url), one.name, rename, keep_head)
    return found, _settings(architecture, one)


def weights_entry(architecture: str, given: str) -> Any:
    """Return what torchvision knows of weights that it names.

    Raises:
        ParameterError: it has no such weights for the network.
    """
    known = torchvision("models").get_model_weights(architecture).__members__
    if given not in known:
        raise ParameterError(
            f"torchvision has no weights '{given}' for {architecture}.",
            expected=f"{', '.join(known)}, or a file that ends in {', '.join(ENDINGS)}",
            got=given,
            fix=did_you_mean(given, known),
        )
    return known[given]


def is_file_name(given: str) -> bool:
    """Tell whether weights are given as a file, and not as torchvision calls them.

    Example:
        >>> is_file_name("IMAGENET1K_V1"), is_file_name("trunk.pt"), is_file_name("~/trunk")
        (False, True, True)
    """
    return given.endswith(ENDINGS) or "/" in given or "\\" in given


def filled(
    architecture: str, own: Mapping[str, Tensor], head: tuple[str, ...], weights: Pretrained
) -> dict[str, Tensor]:
    """Return the tensors of a network as a file says; those that it leaves open are left out.

    Open are the head, unless it is kept, and counts of batches, which older files do not have.

    Args:
        architecture: the name of the network.
        own: parameters and buffers of the network by name.
        head: the names of those in the head.
        weights: the file.

    Raises:
        DataError: names are missing or unexpected, or tensors have other shapes.
    """
    found, path = weights.tensors(architecture)
    free = () if weights.keep_head else head
    given = {n: x for n, x in found.items() if n not in free and not n.startswith(_AUXILIARY)}
    known = {*given, *free}
    missing = [n for n in own if n not in known and not n.endswith(_COUNTS)]
    unexpected = [n for n in given if n not in own]
    if missing or unexpected:
        raise _other_names(missing, unexpected, set(missing) <= set(head), path)
    for name, tensor in given.items():
        if tensor.shape != own[name].shape:
            raise DataError(
                f"'{name}' has another shape in the file than in the network.",
                expected=str(tuple(own[name].shape)),
                got=str(tuple(tensor.shape)),
                at=path,
                fix="leave out keep_head=True; the head is drawn then"
                if name in head
                else "use the architecture that the file is for, or its settings",
            )
    return {name: tensor.to(own[name].dtype) for name, tensor in given.items()}


def _settings(architecture: str, one: Any) -> PMap[str, Any]:
    """Return what torchvision sets besides when it builds an architecture with weights."""
    if architecture.startswith("vit_"):
        return pmap({"image_size": one.meta["min_size"][0]})
    return pmap({"transform_input": True} if architecture in WITH_AUXILIARY else {})


def _renamed(name: str, rename: Renames) -> str:
    for pattern, replacement in rename:
        changed, times = re.subn(pattern, replacement, name)
        if times:
            return changed
    return name


def _other_names(
    missing: list[str], unexpected: list[str], only_head: bool, path: str
) -> DataError:
    return DataError(
        f"the file lacks {len(missing)} tensors of the network and has {len(unexpected)} others.",
        expected=_some(missing, unexpected) or "the tensors of the network alone",
        got=_some(unexpected, missing) or "no tensors of other names",
        at=path,
        fix="leave out keep_head=True; the head is drawn then"
        if only_head and not unexpected
        else "use the architecture that the file is for, or give rename={pattern: replacement}",
        missing=tuple(missing),
        unexpected=tuple(unexpected),
    )


def _some(names: Iterable[str], others: Iterable[str]) -> str:
    """Return the first of some names, each with the nearest among others."""
    known, listed = list(others), list(names)
    shown = [_beside(name, nearest(name, known)) for name in listed[:_SHOWN]]
    return ", ".join(shown) + (", …" if len(listed) > _SHOWN else "")


def _beside(name: str, other: str | None) -> str:
    return name if other is None else f"{name} (near {other})"
