"""Checkpoints: a fit kept in a folder as it goes on, and going on with it."""
