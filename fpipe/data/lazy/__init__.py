"""Columns of tensors that are read when they are needed."""
