"""Fitting, predicting, splitting and resampling."""
