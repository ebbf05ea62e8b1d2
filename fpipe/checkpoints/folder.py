"""The folder of a run: which files it has, how they are written, and which of them counts.

``run.fpipe`` tells what the run was asked to do; ``nodes/`` holds what operators have learned, one
file each; ``states/`` has a folder for each model, with states of its training. Every file is
written whole or not at all, so that a folder can be read after a crash at any moment.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from fpipe.codec.archive import check_digest
from fpipe.codec.fingerprint import fingerprint
from fpipe.core.errors import CodecError, StateError
from fpipe.evaluate.record import RunRecord
from fpipe.files import load, save
from fpipe.io.files import UNFINISHED

_STATE = re.compile(r"epoch(\d{4,})-step(\d{8,})-(batch|epoch)\.fpipe")
_LONGEST = 120


class StateFile(NamedTuple):
    """A file with a state of training; later ones are greater.

    Args:
        step: batches done in all.
        kind: ``"batch"`` for a state within an epoch, ``"epoch"`` for one at its end.
        epoch: the epoch.
        path: the file.
    """

    step: int
    kind: str
    epoch: int
    path: Path


def run_file(folder: Path) -> Path:
    """Return the file that tells what the run was asked to do."""
    return folder / "run.fpipe"


def node_file(folder: Path, place: str) -> Path:
    """Return the file with what the operator at a place has learned.

    Example:
        >>> node_file(Path("run"), "block[0].linear").as_posix()
        'run/nodes/block[0].linear.fpipe'
    """
    return folder / "nodes" / f"{_file_name(place)}.fpipe"


def state_file(folder: Path, place: str, epoch: int, step: int, kind: str) -> Path:
    """Return the file of a state of the training at a place.

    Example:
        >>> state_file(Path("run"), "model", 3, 120, "epoch").as_posix()
        'run/states/model/epoch0003-step00000120-epoch.fpipe'
    """
    return folder / "states" / _file_name(place) / f"epoch{epoch:04d}-step{step:08d}-{kind}.fpipe"


def name_of_run(record: RunRecord) -> str:
    """Return what tells a run from others: its key and its data."""
    return fingerprint((record.key, record.task, record.validation))


def write(path: Path, run: str, place: str, state: Any) -> None:
    """Write what stands at a place of the graph.

    Args:
        path: the file.
        run: the name of the run.
        place: the place.
        state: what an operator has learned, or where a training stands.
    """
    save({"run": run, "place": place, "state": state}, path)


def finished_states(folder: Path, run: str, allow: Iterable[str]) -> dict[str, Any]:
    """Return what operators have learned, by place; damaged files are left out.

    Args:
        folder: the folder.
        run: the name of the run.
        allow: packages whose code files may refer to.

    Raises:
        CodecError: a file that is whole refers to code that is not allowed, or is of a newer
            version.
        StateError: a file is of another run.
    """
    files = sorted((folder / "nodes").glob("*.fpipe"))
    found = (_whole(path, run, allow) for path in files)
    return {one["place"]: one["state"] for one in found if one is not None}


def newest_states(folder: Path, run: str, allow: Iterable[str]) -> dict[str, Any]:
    """Return the newest whole state of each training, by place; else as `finished_states`."""
    newest: dict[str, Any] = {}
    for below in sorted((folder / "states").glob("*")):
        whole = (_whole(file.path, run, allow) for file in reversed(state_files(below)))
        found = next((one for one in whole if one is not None), None)
        if found is not None:
            newest[found["place"]] = found["state"]
    return newest


def state_files(below: Path) -> list[StateFile]:
    """Return the states in the folder of one training, from the oldest to the newest."""
    return sorted(_state_files(below))


def remove_unfinished(folder: Path) -> None:
    """Remove what a process has left that was killed while it wrote."""
    for path in folder.rglob(f".*{UNFINISHED}"):
        path.unlink(missing_ok=True)


def _state_files(below: Path) -> Iterator[StateFile]:
    for path in below.glob("*.fpipe"):
        match = _STATE.fullmatch(path.name)
        if match is not None:
            yield StateFile(int(match[2]), match[3], int(match[1]), path)


def _whole(path: Path, run: str, allow: Iterable[str]) -> Any:
    """Return the content of a file, or None where it is damaged: an older one will do then."""
    try:
        check_digest(path.read_bytes())
    except (CodecError, OSError):
        return None
    content = load(path, allow)
    if not isinstance(content, dict) or content.get("run") != run:
        raise StateError(
            "a file in the folder is of another run.",
            expected="what this run has written",
            got="a file that was put there",
            at=str(path),
            fix="remove the file",
        )
    return content


def _file_name(place: str) -> str:
    """Return a place as the name of a file; long ones end in a hash."""
    name = quote(place, safe="[]")
    if len(name) <= _LONGEST:
        return name
    return f"{name[:_LONGEST]}-{sha256(place.encode()).hexdigest()[:16]}"
