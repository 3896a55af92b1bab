"""What the broker knows of the workers' consumer group."""

from __future__ import annotations

from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError

GROUP = "storestream"


class Group:
    """The workers' consumer group, asked of whichever node coordinates it by then."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._admin: KafkaAdminClient | None = None

    def close(self) -> None:
        """Let go of the client, which asks for ever the coordinator that it found first."""
        admin, self._admin = self._admin, None
        if admin is not None:
            admin.close()

    def committed(self) -> dict[tuple[str, int], int]:
        """Return the next offset of each partition that the group has committed.

        Of none while nobody says: before the first group comes, and while a broker is away.
        """
        try:
            offsets = self._connected().list_group_offsets(GROUP)[GROUP]
        except KafkaError:
            self.close()
            return {}
        return {(at.topic, at.partition): committed.offset for at, committed in offsets.items()}

    def n_members(self) -> int:
        """Return how many workers the group has."""
        return len(self._connected().describe_groups([GROUP])[GROUP]["members"])

    def _connected(self) -> KafkaAdminClient:
        self._admin = self._admin or KafkaAdminClient(bootstrap_servers=self._bootstrap)
        return self._admin
