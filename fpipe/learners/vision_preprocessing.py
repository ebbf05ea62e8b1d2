"""What published weights want to be done to images before they enter the network."""

from __future__ import annotations

from fpipe.core.errors import ParameterError
from fpipe.graph.graph import Graph
from fpipe.net.layers.architecture import check_name
from fpipe.net.layers.pretrained import is_file_name, weights_entry
from fpipe.ops import trafo_center_crop, trafo_normalize, trafo_resize, trafo_to_float


def preprocessing(architecture: str, weights: str = "DEFAULT") -> Graph:
    """Return the operators that prepare images as they were for published weights.

    The shorter side is resized, the middle cut out, numbers brought to [0, 1] and normalized per
    channel: the figures are those that torchvision keeps with the weights. All columns of images
    are prepared, in training and prediction alike.

    Args:
        architecture: its name in ``torchvision.models``.
        weights: the name of its weights there, such as ``"IMAGENET1K_V1"``.

    Raises:
        ParameterError: torchvision has no such architecture or weights, or a file is given, which
            does not tell.

    Example:
        >>> from fpipe import learners
        >>> learners.preprocessing("resnet18", "IMAGENET1K_V1").ids
        ('trafo_resize', 'trafo_center_crop', 'trafo_to_float', 'trafo_normalize')

    Source:
        ``torchvision.transforms._presets.ImageClassification``.
    """
    check_name(architecture)
    if is_file_name(weights):
        raise ParameterError(
            "a file of weights does not tell how images were prepared.",
            expected="weights that torchvision names",
            got=weights,
            fix=f"learners.preprocessing('{architecture}') where the file was trained in that way",
        )
    preset = weights_entry(architecture, weights).transforms()
    sampling = {"interpolation": preset.interpolation.value, "antialias": preset.antialias}
    return (
        trafo_resize(preset.resize_size[0], **sampling)
        >> trafo_center_crop(preset.crop_size[0])
        >> trafo_to_float()
        >> trafo_normalize(mean=tuple(preset.mean), std=tuple(preset.std))
    )
