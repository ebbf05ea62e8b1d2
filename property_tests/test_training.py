"""Law 5: training is a fold that may be cut anywhere, with any callbacks."""

from __future__ import annotations

import pytest
from hypothesis import settings

from fpipe.testing import holds
from fpipe.testing.laws.callbacks import CALLBACKS
from fpipe.testing.laws.training import TRAINING


@pytest.mark.parametrize("law", [*TRAINING, *CALLBACKS], ids=lambda law: law.name)
def test_law(law):
    """The law holds in every case that was tried."""
    assert holds(law) >= settings().max_examples
