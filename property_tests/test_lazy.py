"""Law 4: lazy tensors are what they would be if they had been read at once; judged rows too."""

from __future__ import annotations

import pytest
from hypothesis import settings

from fpipe.testing import holds
from fpipe.testing.laws.augmenting import AUGMENTING
from fpipe.testing.laws.lazy import LAZY


@pytest.mark.parametrize("law", [*LAZY, *AUGMENTING], ids=lambda law: law.name)
def test_law(law):
    """The law holds in every case that was tried."""
    assert holds(law) >= settings().max_examples
