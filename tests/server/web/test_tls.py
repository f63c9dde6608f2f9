"""HTTPS with a certificate of one's own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gradgate.server.web.service import Service, ServiceError
from gradgate.server.web.settings import Settings, Tls
from tests.support.serving import COMMAND, ServerProcess

JOB = """
import sys, torch
from gradgate import probe
model = torch.nn.Linear(2, 2)
optimizer = torch.optim.SGD(model.parameters(), 0.1)
with probe.attach(model, optimizer, server=sys.argv[1], name="over-tls") as run:
    model(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    assert run.flush(20)
"""


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Tls:
    """A certificate for 127.0.0.1, signed by itself."""
    folder = tmp_path_factory.mktemp("tls")
    made = Tls(folder / "certificate.pem", folder / "key.pem")
    asked = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=x"
    named = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", made.key, "-out"]
    command = ["openssl", *asked.split(), *named, made.certificate]
    subprocess.run(command, check=True, capture_output=True)
    return made


@pytest.fixture(scope="module")
def server(tls: Tls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """Serves with it."""
    options = ("--ssl-certfile", str(tls.certificate), "--ssl-keyfile", str(tls.key))
    with ServerProcess(tmp_path_factory.mktemp("data"), *options) as server:
        yield server


def python(*arguments: str, trusted: Path | None) -> subprocess.CompletedProcess[str]:
    """Run Python where a certificate is trusted, or none but the system's."""
    known = {} if trusted is None else {"SSL_CERT_FILE": str(trusted)}
    environment = {**os.environ, **known}
    return subprocess.run(
        [sys.executable, *arguments], env=environment, capture_output=True, text=True, timeout=120
    )


def test_jobs_and_commands_come_over_tls(server: ServerProcess, tls: Tls) -> None:
    """The printed address is https, and whoever trusts the certificate uses it as any other."""
    assert server.printed_url.startswith("https://127.0.0.1:")
    job = python("-c", JOB, server.url, trusted=tls.certificate)
    assert job.returncode == 0, job.stderr
    listed = python(*COMMAND, "runs", "--server", server.url, trusted=tls.certificate)
    assert "over-tls" in listed.stdout, listed.stderr


def test_a_certificate_that_nobody_trusts_is_said(server: ServerProcess) -> None:
    """A command does not talk to whoever shows one, and says why."""
    listed = python(*COMMAND, "runs", "--server", server.url, trusted=None)
    assert listed.returncode != 0
    assert "CERTIFICATE_VERIFY_FAILED" in listed.stderr.upper().replace(" ", "_")
    assert "$SSL_CERT_FILE" in listed.stderr


@pytest.mark.parametrize("wrong", ["certificate", "key", "missing"])
def test_what_is_no_certificate_with_its_key_is_refused(
    tls: Tls, tmp_path: Path, wrong: str
) -> None:
    """Before anything is served, in a sentence."""
    given = {
        "certificate": Tls(tls.key, tls.key),
        "key": Tls(tls.certificate, tls.certificate),
        "missing": Tls(tmp_path / "none", tls.key),
    }[wrong]
    with pytest.raises(ServiceError, match=r"cannot be used .* both in PEM"):
        Service(Settings(tmp_path, port=0, tls=given))
