"""Every error this project raises on purpose, and what follows from it.

::

    StoreStreamError
    ├── InvalidInput              dead-letter the record, go on
    │   ├── InvalidEvent            bytes that are no event of ours
    │   ├── RefusedRow              a row the model itself refused
    │   ├── Quarantined             a record at which workers crashed
    │   └── Skipped                 a record that a person set aside
    ├── InferenceError            answer degraded, go on
    │   ├── InferenceUnavailable    no answer within retries, deadline or breaker
    │   ├── InferenceRejected       the server refuses this request; bisect it
    │   └── VersionRefused          a version failed its warm-up; the one before it goes on
    ├── PartitionRevoked          drop the work: another worker redoes it
    ├── PublishFailed             crash: outputs were not confirmed
    │   └── SessionExpired          they must not be: another worker may have taken over
    ├── ReadFailed                end the command: a topic was not read to its end
    ├── DecisionOvertaken         end the command: somebody else decided on the model meanwhile
    ├── RecoveryFailed            crash: state could not be rebuilt
    ├── TopicRecreated            crash: the next worker reads the new topic from its beginning
    ├── PartDied                  end the demo: a process it started is gone
    └── Misconfigured             refuse to start, saying what to do
        ├── ModelMismatch           the server's model has other tensors than ours
        ├── TopicMismatch           topics differ from the table in ``topics.py``
        ├── NotAdmitted             the broker refuses it in its consumer group
        ├── LocalPartMissing        an embedded part cannot run on this machine
        ├── NothingToSkip           no such record, or the group is behind it already
        └── NothingToDecide         no such model or version, or it holds already
"""

from __future__ import annotations


class StoreStreamError(Exception):
    """Anything this project raises on purpose."""


class InvalidInput(StoreStreamError):
    """Input that cannot be used: dead-letter it and go on."""


class InvalidEvent(InvalidInput):
    """A record whose bytes are no event of its topic."""

    def __init__(self, topic: str, partition: int, offset: int, reason: str) -> None:
        super().__init__(f"{topic}[{partition}]@{offset}: {reason}")
        self.topic = topic
        self.partition = partition
        self.offset = offset
        self.reason = reason


class RefusedRow(InvalidInput):
    """A row that the model refused when asked for it alone."""


class Quarantined(InvalidInput):
    """A record that workers did not survive; nobody processes it any more."""


class Skipped(InvalidInput):
    """A record that a person told the workers to leave out."""


class InferenceError(StoreStreamError):
    """The model gave no usable answer."""


class InferenceUnavailable(InferenceError):
    """No answer within the retries, the deadline, or while the breaker is open."""


class InferenceRejected(InferenceError):
    """The server refuses the request itself; sending it again changes nothing."""


class VersionRefused(InferenceError):
    """A model version that must answer nobody: its answers to a warm-up are no usable ones."""


class PartitionRevoked(StoreStreamError):
    """The partition went to another worker while its records were in flight."""


class PublishFailed(StoreStreamError):
    """The broker did not confirm records that must not be lost."""


class SessionExpired(PublishFailed):
    """This process was silent for longer than its group waits; what it knows may be stale."""


class ReadFailed(StoreStreamError):
    """The broker stopped handing over a topic before its end."""


class DecisionOvertaken(StoreStreamError):
    """A decision on a model was made between reading the last one and publishing the next."""


class RecoveryFailed(StoreStreamError):
    """The state of a partition could not be rebuilt from its changelog."""


class TopicRecreated(StoreStreamError):
    """A topic was deleted and created again while it was read: its offsets mean other records."""


class PartDied(StoreStreamError):
    """A process that the demo started has ended, or never became ready."""


class Misconfigured(StoreStreamError):
    """The process must not start like this; the message says what to change."""


class ModelMismatch(Misconfigured):
    """The server's model has other tensors than our specification."""


class TopicMismatch(Misconfigured):
    """Topics on the broker differ from the table in ``topics.py``."""


class NotAdmitted(Misconfigured):
    """The broker refuses this worker in its consumer group: a timeout it forbids, or no right."""


class LocalPartMissing(Misconfigured):
    """An embedded part (broker, Triton, data) cannot run on this machine."""


class NothingToSkip(Misconfigured):
    """The record to be set aside is not there, or was processed already."""


class NothingToDecide(Misconfigured):
    """The model or the version is not there, or what is asked for holds already."""
