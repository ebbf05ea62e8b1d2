"""Layers and networks as values: shapes, initial parameters, pure application."""
