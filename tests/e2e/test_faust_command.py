"""The worker is a Faust app: Faust's own command runs it as well."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.harness.events import view
from tests.harness.sockets import addresses_listened_to
from tests.harness.store import Store
from tests.harness.worker import FAUST_COMMAND, Worker

pytestmark = [pytest.mark.broker, pytest.mark.triton]


def test_fausts_own_command_answers_and_drains(store: Store, triton: str, tmp_path: Path) -> None:
    with Worker(tmp_path, store.bootstrap, triton=triton, command=FAUST_COMMAND) as worker:
        worker.wait_ready()
        [sent] = store.publish(view("ann", "p7"))
        store.settle()
        listens_at = addresses_listened_to(worker.pid)
        worker.terminate()
        code = worker.wait_ended()

    answer = store.answer_to(sent)
    assert answer is not None
    assert answer.decoded.strategy == "session_transformer"
    assert code == 0
    assert listens_at == {"127.0.0.1"}
