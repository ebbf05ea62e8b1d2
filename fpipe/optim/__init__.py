"""Optimizers as values, run by torch.optim."""
