"""Losses that training minimizes and measures that predictions are scored by."""
