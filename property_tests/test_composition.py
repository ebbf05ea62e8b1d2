"""Law 1: composition is associative, has units, interchanges, and refuses the rest."""

from __future__ import annotations

import pytest
from hypothesis import settings

from fpipe.testing import holds
from fpipe.testing.laws.composition import COMPOSITION


@pytest.mark.parametrize("law", COMPOSITION, ids=lambda law: law.name)
def test_law(law):
    """The law holds in every case that was tried."""
    assert holds(law) >= settings().max_examples
