"""Law 7: network parts join like sets."""

from __future__ import annotations

import pytest
from hypothesis import settings

from fpipe.testing import holds
from fpipe.testing.laws.joining import JOINING


@pytest.mark.parametrize("law", JOINING, ids=lambda law: law.name)
def test_law(law):
    """The law holds in every case that was tried."""
    assert holds(law) >= settings().max_examples
