"""Law 2: running a composite is running its parts, to the bit."""

from __future__ import annotations

import pytest
from hypothesis import settings

from fpipe.testing import holds
from fpipe.testing.laws.running import RUNNING


@pytest.mark.parametrize("law", RUNNING, ids=lambda law: law.name)
def test_law(law):
    """The law holds in every case that was tried."""
    assert holds(law) >= settings().max_examples
