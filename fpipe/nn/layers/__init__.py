"""The layer operators, one family per file."""
