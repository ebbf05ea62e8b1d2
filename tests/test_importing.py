"""Importing fpipe loads no extra; benchmarks/importing.py has what it costs."""

import json
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

LOADED = f"""
import json, sys
import torch, polars
before = set(sys.modules)
import fpipe
new = {{name.partition(".")[0] for name in set(sys.modules) - before}}
print(json.dumps(sorted(new & set({EXTRAS!r}))))
"""


def say(code):
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def test_no_extra_is_loaded():
    assert json.loads(say(LOADED)) == []
