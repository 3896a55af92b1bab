"""Faults of the parts around a worker, done on purpose."""
