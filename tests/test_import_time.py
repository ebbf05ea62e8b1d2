"""Importing fpipe costs little beside importing torch and polars, and loads no extra."""

import json
import os
import subprocess
import sys

EXTRAS = [
    "sklearn",
    "matplotlib",
    "pandas",
    "hypothesis",
    "rich",
    "torchvision",
    "pyarrow",
    "scipy",
]
MOST = 0.25
TIMES = 5

BOTH = """
import time
import torch, polars
start = time.process_time()
import fpipe
print(time.process_time() - start)
"""

LOADED = f"""
import json, sys
import torch, polars
before = set(sys.modules)
import fpipe
new = {{name.partition(".")[0] for name in set(sys.modules) - before}}
print(json.dumps(sorted(new & set({EXTRAS!r}))))
"""


def say(code, **surroundings):
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **surroundings},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def test_seconds(tmp_path):
    """The least of several: what is above it is other work on the machine.

    Python compiles modules once, as a package that is installed is compiled already; so a first
    process does that, whatever the settings of this one are, and is not counted.
    """
    compiled = {"PYTHONPYCACHEPREFIX": str(tmp_path), "PYTHONDONTWRITEBYTECODE": ""}
    say("import fpipe", **compiled)
    assert list(tmp_path.rglob("fpipe/__init__.*.pyc"))
    best = float("inf")
    for _ in range(TIMES):
        best = min(best, float(say(BOTH, **compiled)))
        if best < MOST:
            break
    assert best < MOST


def test_no_extra_is_loaded():
    assert json.loads(say(LOADED)) == []
