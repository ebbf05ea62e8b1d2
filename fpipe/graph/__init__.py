"""Typed wiring: operators joined into graphs, and the interpreters that run them."""
