"""Training as a fold of events over a state."""
