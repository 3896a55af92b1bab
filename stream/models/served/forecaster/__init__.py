"""Copied into each version of the model; see ``stream.models.served``."""
