"""Law 9 over tasks: groups and origins stay whole."""

from __future__ import annotations

import pytest
from hypothesis import settings

from fpipe.testing import holds
from fpipe.testing.laws.resampling import RESAMPLING


@pytest.mark.parametrize("law", RESAMPLING, ids=lambda law: law.name)
def test_law(law):
    """The law holds in every case that was tried."""
    assert holds(law) >= settings().max_examples
