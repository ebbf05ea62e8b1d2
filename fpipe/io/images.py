"""Decoding image files into pixels."""

from __future__ import annotations

import importlib.util
import io

import numpy as np
from numpy.typing import NDArray

from fpipe.core.errors import ParameterError

DECODERS = ("auto", "pillow", "simplejpeg")
MODES = {"RGB": 3, "L": 1}
"""Mode → number of channels."""

Pixels = NDArray[np.uint8]
_JPEG = b"\xff\xd8\xff"
_MOST_PIXELS = 2 * 89_478_485
"""Images with more are refused, as Pillow does: their headers may be forged."""
_DEEP = ("I", "F")
"""How the modes of Pillow begin whose pixels have more than 8 bits."""


def decode(
    data: bytes, *, mode: str = "RGB", decoder: str = "auto", memory: Pixels | None = None
) -> Pixels:
    """Return the pixels of an image file, ``[channels, height, width]`` uint8.

    simplejpeg gives the pixels that Pillow gives, in half the time; it decodes JPEG files, and
    Pillow all others. ``"auto"`` takes it where it is installed.

    Args:
        data: the bytes of the file.
        mode: ``"RGB"`` (3 channels) or ``"L"`` (1, gray).
        decoder: ``"auto"``, ``"pillow"`` or ``"simplejpeg"``.
        memory: where the pixels may be put, ``[height, width, 3]`` as `jpeg_size` tells.

    Raises:
        ValueError: the bytes are no image that can be read.
        ParameterError: the decoder is not installed.
    """
    # Whoever gives memory has asked for the size.
    if memory is None and jpeg_size(data, mode=mode, decoder=decoder) is None:
        return _by_pillow(data, mode)
    import simplejpeg  # noqa: PLC0415 - an optional extra

    try:
        pixels = simplejpeg.decode_jpeg(data, colorspace="RGB", buffer=memory)
    except ValueError:
        return _by_pillow(data, mode)  # which reads some files that are not quite right
    return _channels_first(pixels)


def jpeg_size(data: bytes, *, mode: str = "RGB", decoder: str = "auto") -> tuple[int, int] | None:
    """Return height and width of an image that simplejpeg decodes; None for all others.

    Raises:
        ParameterError: the decoder is not installed.
    """
    if decoder == "pillow" or mode != "RGB" or not data.startswith(_JPEG) or not _has(decoder):
        return None
    import simplejpeg  # noqa: PLC0415 - an optional extra

    try:
        height, width, colours, _ = simplejpeg.decode_jpeg_header(data)
    except ValueError:
        return None
    known = colours == "YCbCr" and height * width <= _MOST_PIXELS
    return (height, width) if known else None  # others need more than is known here


def _has(decoder: str) -> bool:
    if importlib.util.find_spec("simplejpeg") is not None:
        return True
    if decoder == "auto":
        return False
    raise ParameterError(
        "simplejpeg is not installed.",
        expected="the package simplejpeg",
        got="no such package",
        fix="pip install simplejpeg, or decoder='auto'",
    )


def _by_pillow(data: bytes, mode: str) -> Pixels:
    try:
        from PIL import Image, UnidentifiedImageError  # noqa: PLC0415 - an optional extra
    except ImportError as error:
        raise ParameterError(
            "Pillow is not installed.",
            expected="the package pillow, which reads image files",
            got=str(error),
            fix="pip install 'fpipe[vision]'",
        ) from error

    try:
        with Image.open(io.BytesIO(data)) as image:
            if image.mode.startswith(_DEEP):
                raise ValueError(f"its pixels have more than 8 bits (mode {image.mode})")
            pixels = np.array(image.convert(mode))
    except UnidentifiedImageError as error:
        # Its text holds a place in memory, which is another one each time.
        raise ValueError("it holds no image of a known format") from error
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(str(error)) from error
    return _channels_first(pixels if pixels.ndim == 3 else pixels[..., None])


def _channels_first(pixels: NDArray[np.uint8]) -> Pixels:
    return pixels.transpose(2, 0, 1)  # a view, on which resizing is faster, with the same bits
