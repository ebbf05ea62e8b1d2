"""What tests of several rooms share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from fpipe.core.errors import FpipeError


@pytest.fixture
def refused() -> Callable[..., None]:
    """Return a check that a call raises an error with all its parts, as they are wanted."""

    def check(
        act: Callable[[], Any], error: type[FpipeError], rule: str, at: str | None, fix: str
    ) -> None:
        with pytest.raises(FpipeError) as caught:
            act()
        found = caught.value
        assert type(found) is error, found
        assert rule in found.rule
        assert found.at == at
        assert found.expected
        assert found.got
        assert fix in (found.fix or "")

    return check
