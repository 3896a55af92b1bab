"""Which partition a key belongs to, as Java, aiokafka and kafka-python count it."""

from __future__ import annotations

from aiokafka.partitioner import murmur2


def partition_of(key: bytes, n_partitions: int) -> int:
    """Return the partition of *key*: murmur2 with the sign bit cleared, modulo the partitions.

    librdkafka's default is another hash; a producer that uses it must be told ``murmur2_random``.
    Source: ``org.apache.kafka.clients.producer.internals.BuiltInPartitioner.partitionForKey``.
    """
    hashed: int = murmur2(key)
    return (hashed & 0x7FFFFFFF) % n_partitions
