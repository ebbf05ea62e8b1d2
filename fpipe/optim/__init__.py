"""Optimizers and schedules as values, run by torch.optim."""
