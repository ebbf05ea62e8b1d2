"""What does importing fpipe add to importing torch and polars? A ratio within one process.

``python benchmarks/importing.py [--times 7]``
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile

PROGRAM = """
import time
start = time.process_time()
import torch, polars
between = time.process_time()
import fpipe
print(between - start, time.process_time() - between)
"""


def measured(surroundings: dict[str, str]) -> tuple[float, float]:
    """Return the seconds of processor that torch with polars took, and fpipe after them."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={**os.environ, **surroundings},
        capture_output=True,
        text=True,
        check=True,
    )
    others, own = map(float, done.stdout.split())
    return others, own


def main() -> None:
    """Print medians of several processes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=7)
    times = parser.parse_args().times
    with tempfile.TemporaryDirectory() as folder:
        # Compiled once, as an installed package is; the first process does that, uncounted.
        surroundings = {"PYTHONPYCACHEPREFIX": folder, "PYTHONDONTWRITEBYTECODE": ""}
        measured(surroundings)
        pairs = [measured(surroundings) for _ in range(times)]
    others = statistics.median(pair[0] for pair in pairs)
    own = statistics.median(pair[1] for pair in pairs)
    print(f"torch and polars {others:.2f} s, fpipe after them {own:.2f} s")
    figures = {"others_seconds": others, "fpipe_seconds": own, "ratio": own / others}
    print(json.dumps({name: round(value, 3) for name, value in figures.items()}))


if __name__ == "__main__":
    main()
