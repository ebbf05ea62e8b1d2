"""Every python block of the pages runs, in order, and prints what the page says it prints.

``<!-- needs: FPIPE_DATA -->`` before a block leaves it out where that folder is absent.
``<!-- prints -->`` before a text block compares it with what the last python block has printed.
"""

import contextlib
import io
import os
import re
from pathlib import Path
from typing import NamedTuple

import pytest
import torch

ROOT = Path(__file__).parents[2]
PAGES = ["README.md", *sorted(str(p.relative_to(ROOT)) for p in (ROOT / "docs").glob("*.md"))]
MARK = re.compile(r"<!-- (needs: FPIPE_DATA|prints) -->\s*")
HAS_DATA = bool(os.environ.get("FPIPE_DATA")) and Path(os.environ["FPIPE_DATA"]).is_dir()


class Block(NamedTuple):
    line: int  # of the first line inside
    language: str
    text: str
    mark: str  # "", "needs: FPIPE_DATA" or "prints"


def blocks_of(page):
    """Return the fenced blocks of a page; a mark belongs to the block right after it."""
    found, inside, mark = [], None, ""
    for number, line in enumerate(page.splitlines(), 1):
        if inside is None and line.startswith("```"):
            inside = Block(number + 1, line[3:].strip(), "", mark)
        elif inside is not None and line.rstrip() == "```":
            found.append(inside)
            inside, mark = None, ""
        elif inside is not None:
            inside = inside._replace(text=inside.text + line + "\n")
        elif line.strip():
            seen = MARK.fullmatch(line.strip())
            mark = seen[1] if seen else ""
    assert inside is None, f"the block of line {inside.line} is not closed"
    return found


def lines_of(text):
    return [line.rstrip() for line in text.rstrip().splitlines()]


def run_page(name, blocks):
    """Run the blocks in one namespace; return how many were left out."""
    names, printed, left_out = {"__name__": "__page__"}, None, 0
    for block in blocks:
        if block.language == "python":
            printed = None
            if block.mark and not HAS_DATA:
                left_out += 1
                continue
            code = compile("\n" * (block.line - 1) + block.text, str(ROOT / name), "exec")
            with contextlib.redirect_stdout(io.StringIO()) as said:
                exec(code, names)
            printed = said.getvalue()
        elif block.mark == "prints" and printed is not None:
            assert lines_of(printed) == lines_of(block.text), f"{name}, line {block.line}"
    return left_out


@pytest.mark.parametrize("name", PAGES)
def test_page(name, monkeypatch, tmp_path):
    pytest.importorskip("sklearn")
    pytest.importorskip("matplotlib")
    blocks = blocks_of((ROOT / name).read_text("utf-8"))
    monkeypatch.chdir(tmp_path)
    with torch.random.fork_rng():
        left_out = run_page(name, blocks)
    if left_out:
        pytest.skip(f"FPIPE_DATA is not set: {left_out} blocks of {name} were left out")


@pytest.mark.parametrize("name", PAGES)
def test_links_lead_somewhere(name):
    page = ROOT / name
    for link in re.findall(r"\]\(([^)#]+)\)", page.read_text("utf-8")):
        assert link.startswith("https://") or (page.parent / link).exists(), link


def test_blocks_are_found():
    page = "a\n\n```python\nx = 1\n```\n\n<!-- prints -->\n```text\n1\n```\nb\n```text\n2\n```\n"
    assert [(b.line, b.language, b.text, b.mark) for b in blocks_of(page)] == [
        (4, "python", "x = 1\n", ""),
        (9, "text", "1\n", "prints"),
        (13, "text", "2\n", ""),
    ]


def test_a_wrong_print_is_found():
    page = "```python\nprint(1)\n```\n\n<!-- prints -->\n```text\n2\n```\n"
    with pytest.raises(AssertionError, match="line 7"):
        run_page("page", blocks_of(page))
