"""Law 8: lens laws for values and graphs."""

from __future__ import annotations

import pytest
from hypothesis import settings

from fpipe.testing import holds
from fpipe.testing.laws.lenses import LENSES


@pytest.mark.parametrize("law", LENSES, ids=lambda law: law.name)
def test_law(law):
    """The law holds in every case that was tried."""
    assert holds(law) >= settings().max_examples
