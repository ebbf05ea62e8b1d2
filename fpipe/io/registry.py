"""The files of published image data sets, by their paths below ``FPIPE_DATA``."""

from __future__ import annotations

from collections.abc import Mapping

from fpipe.io.published import Origin, Packed


def _mnist(folder: str, url: str, checksums: tuple[str, str, str, str]) -> dict[str, Origin]:
    """Return the four files in which MNIST, and what takes its form, is published."""
    kinds = [
        f"{part}-{what}" for part in ("train", "t10k") for what in ("images-idx3", "labels-idx1")
    ]
    names = [f"{kind}-ubyte.gz" for kind in kinds]
    return {
        f"{folder}/{name}": Origin(f"{folder}/{name}", f"{url}/{name}", checksum)
        for name, checksum in zip(names, checksums, strict=True)
    }


def _packed(archive: Origin, folder: str, checksums: Mapping[str, str]) -> dict[str, Packed]:
    return {
        f"{folder}/{name}": Packed(f"{folder}/{name}", archive, checksum)
        for name, checksum in checksums.items()
    }


_CIFAR10 = Origin(
    "cifar10/cifar-10-python.tar.gz",
    "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
    "md5:c58f30108f718f92721af3b95e74349a",
)
_CIFAR100 = Origin(
    "cifar100/cifar-100-python.tar.gz",
    "https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz",
    "md5:eb9058c3a382ffc7106e4002c42a8d85",
)
_ISIC = "https://www.kaggle.com/competitions/siim-isic-melanoma-classification/data"

FILES: dict[str, Origin | Packed] = {
    **_mnist(
        "mnist",
        "https://ossci-datasets.s3.amazonaws.com/mnist",
        (
            "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
            "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
            "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
            "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
        ),
    ),
    **_mnist(
        "fashion_mnist",
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",
        (
            "md5:8d4fb7e6c68d591d4c3dfef9ec88bf0d",
            "md5:25c81989df183df01b3e8a0aad5dffbe",
            "md5:bef4ecab320f06d8554ea6380940ec79",
            "md5:bb300cfdad3c16e7a12a480ee83cd310",
        ),
    ),
    **_packed(
        _CIFAR10,
        "cifar10/cifar-10-batches-py",
        {
            "data_batch_1": "54636561a3ce25bd3e19253c6b0d8538147b0ae398331ac4a2d86c6d987368cd",
            "data_batch_2": "md5:d4bba439e000b95fd0a9bffe97cbabec",
            "data_batch_3": "md5:54ebc095f3ab1f0389bbae665268c751",
            "data_batch_4": "md5:634d18415352ddfa80567beed471001a",
            "data_batch_5": "md5:482c414d41f54cd18b22e5b47cb7c3cb",
            "test_batch": "f53d8d457504f7cff4ea9e021afcf0e0ad8e24a91f3fc42091b8adef61157831",
            "batches.meta": "f962466ef690d46b226450fb9aadc74ba4bc64a76aa526b5827fe4bc5c7125cb",
        },
    ),
    **_packed(
        _CIFAR100,
        "cifar100/cifar-100-python",
        {
            "train": "md5:16019d7e3df5f24257cddd939b257f8d",
            "test": "md5:f0ef6b0ae62326f3e7ffdfab6717acfc",
            "meta": "md5:7973b15100ade9c7d40fb424638fde48",
        },
    ),
    "isic2020/train.csv": Origin(
        "isic2020/train.csv",
        _ISIC,
        "98c68a10eb669215e3458ad193a24a582c974a4401e539dbbf099b318584264b",
        by_hand=True,
    ),
    "isic2020/test.csv": Origin(
        "isic2020/test.csv",
        _ISIC,
        "af1c3c56b470e31f0e798ffec5f92ebb12a025dc405022b7f7ef858d278f5697",
        by_hand=True,
    ),
    "ham10000/HAM10000_metadata.csv": Origin(
        "ham10000/HAM10000_metadata.csv",
        "https://www.kaggle.com/datasets/kmader/skin-cancer-mnist-ham10000",
        "06aee5e603d313ba69de38263053c792a1dff030eb9c44a96ceb477ceefb99a5",
        by_hand=True,
    ),
}
"""Path → where the file is found."""

FOLDERS: dict[str, Origin] = {
    "tiny_imagenet/tiny-imagenet-200": Origin(
        "tiny_imagenet/tiny-imagenet-200.zip",
        "http://cs231n.stanford.edu/tiny-imagenet-200.zip",
        "md5:90528d7ca1a48142e341f4ef8d21d0de",
    ),
}
"""Path → the archive that holds the folder."""
