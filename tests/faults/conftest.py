"""What faults are done to: a store of its own for each module, and a Triton that may be killed."""

from tests.harness.fixtures import leaks_found, own_broker, own_triton, store, wire, wired_broker

__all__ = ["leaks_found", "own_broker", "own_triton", "store", "wire", "wired_broker"]
