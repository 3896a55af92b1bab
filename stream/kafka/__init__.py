"""Kafka in batches: a Faust transport, a tracker of completion, bulk produce, state, recovery.

Knows no store and imports nothing else of this project but its errors; it could be published by
itself.
"""
