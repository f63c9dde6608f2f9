"""A server and a job for the tests that leave them alive."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.serving import ServerProcess
from tests.support.training import TrainingJob
from tests.support.waiting import wait_until


@pytest.fixture(scope="session")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """One server for every test that leaves it running."""
    with ServerProcess(tmp_path_factory.mktemp("shared") / "data") as process:
        yield process


@pytest.fixture(scope="module")
def lasting_job(
    shared_server: ServerProcess, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[TrainingJob]:
    """A real training job past its tenth step, held while no test uses it, that ends well."""
    with TrainingJob(tmp_path_factory.mktemp("lasting") / "job", shared_server.url) as training:
        training.wait_for_step(10)
        training.wait_until_known(shared_server)
        training.hold()
        yield training
        training.release()
        assert training.stop() == 0, training.output


@pytest.fixture
def shared_job(shared_server: ServerProcess, lasting_job: TrainingJob) -> Iterator[TrainingJob]:
    """The lasting job; what a test froze is thawed after it."""
    lasting_job.release()
    yield lasting_job
    path = f"/api/runs/{lasting_job.run}/commands"
    answer = shared_server.post(path, {"kind": "thaw", "target": "*"})
    assert answer.status_code == 202, answer.text
    thaw = f"{path}/{answer.json()['id']}"
    wait_until(lambda: shared_server.get(thaw)["state"], lambda state: state == "verified")
    lasting_job.hold()
