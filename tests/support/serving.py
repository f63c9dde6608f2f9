"""A real `gradgate serve` in a process of its own."""

from __future__ import annotations

import re
import signal
import threading
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from .forked import SERVER, ForkedPython
from .storing import data_base
from .waiting import wait_for

_URL = re.compile(r"Gradgate dashboard: (https?://\S+)")
_STOPS_WITHIN = 20
COMMAND = (
    "-W",
    "error::DeprecationWarning",
    "-c",
    "from gradgate.server.cli.main import main; main(prog_name='gradgate')",
)
"""What `gradgate` runs, with deprecation warnings as errors."""


CLOCKED = """
import time
from pathlib import Path
right, file = time.time, Path({file!r})
time.time = lambda: right() + (float(file.read_text() or 0) if file.exists() else 0.0)
"""
"""What lets the clock of a server be off by as many seconds as a file says."""


class ServerProcess:
    """Starts a server on a free port; a restart keeps the port and the data folder."""

    def __init__(self, data: Path, *options: str, port: int = 0, clock: Path | None = None) -> None:
        """``clock``: a file that says, where it is there, by how much the server's is off."""
        *self._command, code = COMMAND
        self._command.append(code if clock is None else CLOCKED.format(file=str(clock)) + code)
        self.data = data
        self.port = port
        self._options = options
        self._process: ForkedPython | None = None
        self._client: httpx.Client | None = None
        self._output: list[str] = []
        self.printed_url = ""

    @property
    def url(self) -> str:
        """The address without a token, such as `http://127.0.0.1:40123`."""
        return self.printed_url.partition("/?")[0]

    @property
    def ws_url(self) -> str:
        """The same for WebSockets."""
        return "ws" + self.url.removeprefix("http")

    @property
    def pid(self) -> int:
        """The id of the process that runs."""
        return self._running().pid

    @property
    def output(self) -> str:
        """All that the server printed since it was last started."""
        return "".join(self._output)

    def start(self) -> ServerProcess:
        """Start, and wait until the server accepts connections."""
        assert self._process is None, "the server runs already"
        self._output = []
        self._process = process = ForkedPython(
            *self._command,
            "serve",
            "--port",
            str(self.port),
            *self._kept_in(),
            *self._options,
            imported=SERVER,
        )
        thread = threading.Thread(target=self._read, args=(process,), daemon=True)
        thread.start()
        match = wait_for(
            lambda: _URL.search(self.output) or process.poll() is not None,
            30,
            "the server prints its URL",
        )
        assert isinstance(match, re.Match), f"the server ended at once: {self.output}"
        self.printed_url = match[1]
        self.port = urlsplit(self.url).port or 0
        # Reading the system's certificates takes longer than a request, and none is checked here.
        self._client = httpx.Client(timeout=20, verify=False, trust_env=False)
        return self

    def kill(self) -> None:
        """End the server with SIGKILL, as a crash would."""
        process = self._running()
        process.kill()
        process.wait(_STOPS_WITHIN)
        self._ended()

    def stop(self, number: int = signal.SIGTERM) -> int:
        """End the server by a signal and return its exit code."""
        process = self._running()
        process.send_signal(number)
        code = process.wait(_STOPS_WITHIN)
        self._ended()
        return code

    def signal(self, number: int) -> None:
        """Send a signal to the server's process."""
        self._running().send_signal(number)

    def restart(self) -> None:
        """Start again on the same port and data folder; stop or kill the server before."""
        self.start()

    def get(self, path: str, **query: Any) -> Any:
        """The JSON of a GET request that must succeed."""
        # For parameters, and be they none, httpx would drop the query of the path.
        response = self._request("GET", path, params=query or None)
        assert response.status_code == 200, f"{path}: {response.status_code} {response.text}"
        return response.json()

    def page(self, path: str, **options: Any) -> httpx.Response:
        """The answer to a GET request, whatever it is."""
        return self._request("GET", path, **options)

    def post(self, path: str, body: object) -> httpx.Response:
        """The answer to a POST request."""
        return self._request("POST", path, json=body)

    def patch(self, path: str, body: object) -> httpx.Response:
        """The answer to a PATCH request."""
        return self._request("PATCH", path, json=body)

    def delete(self, path: str) -> httpx.Response:
        """The answer to a DELETE request."""
        return self._request("DELETE", path)

    def __enter__(self) -> ServerProcess:
        """Start."""
        return self.start()

    def __exit__(self, *_: object) -> None:
        """Stop, if it still runs."""
        if self._process is not None:
            self.stop()

    def _kept_in(self) -> tuple[str, ...]:
        """The option that says where runs are kept."""
        if "--store" in self._options:
            return ()
        url = data_base(self.data)
        if url is None:
            return "--data", str(self.data)
        return "--store", url.render_as_string(hide_password=False)

    def _request(self, method: str, path: str, **options: Any) -> httpx.Response:
        assert self._client is not None, "the server does not run"
        return self._client.request(method, self.url + path, **options)

    def _running(self) -> ForkedPython:
        assert self._process is not None, "the server does not run"
        return self._process

    def _ended(self) -> None:
        self._process = None
        if self._client is not None:
            self._client.close()
            self._client = None

    def _read(self, process: ForkedPython) -> None:
        output = self._output
        with process.stdout:
            for line in process.stdout:
                output.append(line)


def spawn_serve(*arguments: str) -> ForkedPython:
    """Start `gradgate serve`."""
    return ForkedPython(*COMMAND, "serve", *arguments, imported=SERVER)
