"""Does reading images keep up? fpipe's threads beside a DataLoader of two worker processes.

Photographs as JPEG files of 256 × 256 pixels; each is decoded, cut at random and resized to
224 × 224, mirrored at random, made float and normalised, in batches of 64.

1. Rows per second, in alternating pairs of passes: fpipe with two threads; torchvision's v2
   transforms on PIL images in a DataLoader with two workers. The median of the ratios must be at
   least 2.
2. Memory: over a pass of 100,000 rows that are read lazily (paths repeated), the peak after the
   first 10,000 rows must not rise by 100 MB.

``python benchmarks/images.py [--pairs 5] [--rows 1920] [--memory-rows 100000]``, with
``FPIPE_DATA`` set: the photographs of ``dogs_vs_cats/fullsize`` are written anew in a temporary
folder.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset

import fpipe as fp
from fpipe import nn, ops
from fpipe.io.torchvision import torchvision
from fpipe.train.loading import Loader
from fpipe.train.plan import epoch_order

SIZE, CROP, BATCH, WORKERS = 256, 224, 64, 2
MEAN, SCALE = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
LEAST_RATIO, MOST_MEGABYTES = 2.0, 100.0
WARM_ROWS = 10_000


def photographs(source: Path, folder: Path) -> list[str]:
    """Write photographs of one size as JPEG files, and return their paths."""
    paths = []
    for path in sorted(source.glob("*.jpg")):
        with Image.open(path) as image:
            image.convert("RGB").resize((SIZE, SIZE)).save(folder / path.name, quality=90)
        paths.append(str(folder / path.name))
    return paths


def repeated(paths: list[str], rows: int) -> list[str]:
    """Return so many paths, over and over."""
    return (paths * (rows // len(paths) + 1))[:rows]


# ------------------------------------------------------------------ fpipe


def graph() -> fp.Graph:
    """Return what is done to images, and the least network that takes them."""
    return (
        ops.augment_random_resized_crop(CROP)
        >> ops.trafo_resize((CROP, CROP), stages="predict")
        >> ops.augment_random_horizontal_flip()
        >> ops.trafo_to_float()
        >> ops.trafo_normalize(MEAN, SCALE)
        >> nn.ingress_tensor()
        >> nn.flatten()
        >> nn.head()
        >> nn.loss("cross_entropy")
        >> nn.optimizer("sgd", lr=0.1)
        >> nn.model(epochs=100, batch_size=BATCH)
    )


def by_fpipe(paths: list[str]) -> Iterator[Iterator[torch.Tensor]]:
    """Yield one epoch of batches after the other, as training reads them."""
    kinds = ["cat" if Path(path).name.startswith("cat") else "dog" for path in paths]
    task = fp.classification({"image": fp.image_files(paths), "kind": kinds}, "kind")
    run, state = fp.prepare(graph(), task, key=fp.key(0), workers=WORKERS, materialize="lazy")
    loader = Loader(run, WORKERS)
    for epoch in range(run.plan.epochs):
        order = epoch_order(run.plan, state.key, epoch)
        batches = (loader.batch(epoch, i, order) for i in range(run.plan.batches))
        yield (next(iter(one.inputs.values())) for one in batches)


# ------------------------------------------------------------------ torchvision


class Photographs(Dataset[torch.Tensor]):
    """Images as most programs read them."""

    def __init__(self, paths: list[str]) -> None:
        self.paths = paths
        v2 = torchvision("transforms.v2")
        self.transform = v2.Compose(
            [
                v2.RandomResizedCrop(CROP, antialias=True),
                v2.RandomHorizontalFlip(),
                v2.ToImage(),
                v2.ToDtype(torch.float32, scale=True),
                v2.Normalize(MEAN, SCALE),
            ]
        )

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, place: int) -> torch.Tensor:
        with Image.open(self.paths[place]) as image:
            made: torch.Tensor = self.transform(image.convert("RGB"))
        return made


def by_torchvision(paths: list[str]) -> Iterator[Iterator[torch.Tensor]]:
    """Yield one epoch of batches after the other; the workers stay alive between them."""
    loader = DataLoader(
        Photographs(paths),
        batch_size=BATCH,
        shuffle=True,
        num_workers=WORKERS,
        persistent_workers=True,
    )
    while True:
        yield iter(loader)


# ------------------------------------------------------------------ measuring


def rows_per_second(epoch: Iterable[torch.Tensor]) -> float:
    """Return how fast batches come."""
    begun, rows = time.perf_counter(), 0
    for batch in epoch:
        assert tuple(batch.shape[1:]) == (3, CROP, CROP)
        assert batch.dtype == torch.float32
        rows += len(batch)
    return rows / (time.perf_counter() - begun)


def speed(paths: list[str], rows: int, pairs: int) -> dict[str, float]:
    """Return the medians of alternating passes."""
    ours, theirs = by_fpipe(repeated(paths, rows)), by_torchvision(repeated(paths, rows))
    rows_per_second(next(ours)), rows_per_second(next(theirs))  # caches and workers are warm
    found = []
    for _ in range(pairs):
        pair = rows_per_second(next(ours)), rows_per_second(next(theirs))
        print(
            f"  fpipe {pair[0]:7.0f} rows/s   DataLoader {pair[1]:7.0f}   {pair[0] / pair[1]:.2f}"
        )
        found.append(pair)
    return {
        "fpipe_rows_per_second": statistics.median(pair[0] for pair in found),
        "dataloader_rows_per_second": statistics.median(pair[1] for pair in found),
        "ratio": statistics.median(pair[0] / pair[1] for pair in found),
    }


def peak_megabytes() -> float:
    """Return the most memory that the process has held."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def growth(paths: list[str], rows: int) -> float:
    """Return by how many MB the peak rises after the first rows of a long pass."""
    seen, early = 0, 0.0
    for batch in next(by_fpipe(repeated(paths, rows))):
        seen += len(batch)
        if not early and seen >= WARM_ROWS:
            early = peak_megabytes()
    return peak_megabytes() - early


def main() -> None:
    """Print both figures; end with a non-zero code where one of them falls short."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--rows", type=int, default=1920)
    parser.add_argument("--memory-rows", type=int, default=100_000)
    given = parser.parse_args()
    source = Path(os.environ["FPIPE_DATA"]) / "dogs_vs_cats" / "fullsize"
    torch.set_num_threads(1)  # two threads read; what they call need not start others
    with tempfile.TemporaryDirectory() as folder:
        paths = photographs(source, Path(folder))
        # Memory first: what the other half holds would hide what this one adds.
        grown = growth(paths, given.memory_rows)
        print(f"{given.memory_rows} rows: the peak rises by {grown:.1f} MB")
        found = speed(paths, given.rows, given.pairs)
    print(json.dumps({name: round(one, 3) for name, one in found.items()} | {"grown_mb": grown}))
    if found["ratio"] < LEAST_RATIO or grown >= MOST_MEGABYTES:
        sys.exit(1)


if __name__ == "__main__":
    main()
