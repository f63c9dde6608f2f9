"""A running server as the command line asks it, over its REST API."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import quote, urlencode

from ..protocol.alerts import Alert, AlertRows
from ..protocol.audit import AuditRow, AuditRows
from ..protocol.commands.change import ChangeRequest
from ..protocol.commands.registry import AnyRequest
from ..protocol.commands.row import CommandRow
from ..protocol.effects import Preview
from ..protocol.events import EventRow, EventRows
from ..protocol.explanations import ExplanationRows
from ..protocol.gates import GateRow, GateRows
from ..protocol.health import Health
from ..protocol.parameters import ParameterRow, ParameterRows
from ..protocol.runs import RunEdit, RunRow, Runs
from ..protocol.trials import Trial, TrialRequest
from .transport import Transport


class Client:
    """Asks one server; every method raises `ClientError`."""

    def __init__(self, url: str, token: str | None) -> None:
        """Ask the server at a URL such as `http://127.0.0.1:8765`, without a slash at its end."""
        self.url = url
        self._transport = Transport(url, token)

    def health(self) -> Health:
        """Return how the server is; raises `Failed` where it is failing."""
        return self._transport.get(Health, "/healthz")

    def runs(
        self,
        archived: bool = True,
        tags: Sequence[str] = (),
        name: str | None = None,
        group: str | None = None,
    ) -> list[RunRow]:
        """Return the runs of a name and a group that have all of some tags, newest first."""
        asked = [("archived", _query_value(archived)), *(("tag", each) for each in tags)]
        asked += [(k, v) for k, v in (("name", name), ("group", group)) if v is not None]
        return self._transport.get(Runs, f"/api/runs?{urlencode(asked)}").runs

    def run(self, run: str) -> RunRow:
        """Return one run."""
        return self._transport.get(RunRow, _path(run))

    def edit(self, run: str, edit: RunEdit) -> RunRow:
        """Change the name, the tags or the notes of a run, or archive it."""
        body = edit.model_dump_json(exclude_none=True).encode()
        return self._transport.patch(RunRow, _path(run), body)

    def delete(self, run: str) -> None:
        """Delete a run with its data."""
        self._transport.delete(_path(run))

    def command(self, run: str, number: int) -> CommandRow:
        """Return one command."""
        return self._transport.get(CommandRow, f"{_path(run)}/commands/{number}")

    def preview(self, run: str, asked: ChangeRequest) -> Preview:
        """Return what a command would touch."""
        change = asked.model_dump(include=set(ChangeRequest.model_fields), mode="json")
        query = {name: _query_value(value) for name, value in change.items()}
        return self._transport.get(Preview, f"{_path(run)}/preview?{urlencode(query)}")

    def parameters(self, run: str) -> list[ParameterRow]:
        """Return every parameter of a run."""
        return self._transport.get(ParameterRows, f"{_path(run)}/parameters").parameters

    def gates(self, run: str) -> list[GateRow]:
        """Return every gate of a run."""
        return self._transport.get(GateRows, f"{_path(run)}/gates").gates

    def explanations(self, run: str, match: str) -> ExplanationRows:
        """Return why what a target means has no useful gradient, as far as is known."""
        query = urlencode({"match": match})
        return self._transport.get(ExplanationRows, f"{_path(run)}/explanations?{query}")

    def alerts(self, run: str) -> list[Alert]:
        """Return the alerts of a run."""
        return self._transport.get(AlertRows, f"{_path(run)}/alerts").alerts

    def export(self, run: str, **asked: str | int | None) -> Iterator[bytes]:
        """Yield a run's data as a file, piece by piece; what is None is not asked for."""
        query = urlencode({name: value for name, value in asked.items() if value is not None})
        return self._transport.download(f"{_path(run)}/export?{query}")

    def events(self, run: str, chosen: Mapping[str, object]) -> list[EventRow]:
        """Return events of a run, newest first; `chosen` is the query, None for what is not."""
        query = urlencode({k: v for k, v in chosen.items() if v is not None}, doseq=True)
        return self._transport.get(EventRows, f"{_path(run)}/events?{query}").events

    def audit(self, asked: Mapping[str, object]) -> list[AuditRow]:
        """Return what people did, newest first; `asked` is the query, None for what is not."""
        query = urlencode({k: v for k, v in asked.items() if v is not None})
        return self._transport.get(AuditRows, f"/api/audit?{query}").audit

    def trial(self, run: str, asked: TrialRequest) -> Trial:
        """Return how a gate would have fared."""
        return self._transport.post(Trial, f"{_path(run)}/trial", asked.model_dump_json().encode())

    def request(self, run: str, asked: AnyRequest) -> CommandRow:
        """Ask for a change."""
        return self._transport.post(
            CommandRow, f"{_path(run)}/commands", asked.model_dump_json().encode()
        )


def _path(run: str) -> str:
    return f"/api/runs/{quote(run, safe='')}"


def _query_value(value: str | bool) -> str:
    return value if isinstance(value, str) else str(value).lower()
