"""The WebSocket of a probe (docs/protocol.md, section 1)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from pydantic import ValidationError
from sqlalchemy.exc import SQLAlchemyError
from starlette.websockets import WebSocket, WebSocketDisconnect

from ..protocol import limits
from ..protocol.bundle import unbundle
from ..protocol.frames import FrameError, FrameVersionError, Sample, check_statistics, decode
from ..protocol.probe_messages import (
    STREAMED,
    Alerts,
    Answer,
    Bye,
    Explanations,
    FrozenState,
    GatesState,
    Greeting,
    Heartbeat,
    Hello,
    Metrics,
    Parameters,
    PreviewAnswer,
    Report,
    Sequenced,
    Streamed,
    TrialAnswer,
)
from ..protocol.runs import RunStatus
from ..protocol.server_messages import Welcome
from ..protocol.version import VERSION
from ..store.parameter_table import check_indexes, check_positions, check_table, known_rows
from ..store.refusals import Refusal
from ..store.writer import WriterEnded
from .connection import ProbeConnection, Refused
from .hub import Hub
from .live_run import LiveRun
from .tasks import first_to_end

_HELLO_WITHIN = 10.0
_PAUSE = 0.05
_PROTOCOL_ERROR = 1002
_TOO_LARGE = 1009

_log = logging.getLogger("gradgate.server")


async def serve_probe(websocket: WebSocket, hub: Hub, denied: str | None) -> None:
    """Take what a probe sends until it goes; `denied` is why it may not, if so."""
    await websocket.accept()
    connection = ProbeConnection(websocket)
    try:
        if denied is not None:
            raise Refused(denied)
        with hub.probe_socket():
            hello = _parse_hello(await _first_frame(websocket))
            await _converse(websocket, connection, hub, hello)
    except Refused as refused:
        _log.warning("A probe was refused: %s", refused.message)
        try:
            await connection.refuse(refused)
        except WebSocketDisconnect:
            return
    except WebSocketDisconnect:
        return


async def _converse(
    websocket: WebSocket, connection: ProbeConnection, hub: Hub, hello: Hello
) -> None:
    with hub.probe(hello.run, connection) as live:
        try:
            opened, commands = await hub.open(live, hello)
        except Refusal as refusal:
            raise Refused(str(refusal)) from refusal
        except (SQLAlchemyError, WriterEnded) as error:
            raise Refused(
                "The server cannot write its store: see GET /healthz.", retry=True
            ) from error
        await connection.welcome(
            Welcome(
                run=hello.run,
                last_seq=opened.last_seq,
                server_version=VERSION,
                notice=opened.notice,
            )
        )
        for command in commands:
            connection.command(command)
        await first_to_end(connection.deliver(), _receive(websocket, connection, hub, live))


async def _first_frame(websocket: WebSocket) -> str | bytes:
    try:
        return await asyncio.wait_for(_frame(websocket), _HELLO_WITHIN)
    except asyncio.TimeoutError as error:
        raise Refused(f"No `hello` came within {_HELLO_WITHIN:.0f} seconds.", retry=True) from error


async def _frame(websocket: WebSocket) -> str | bytes:
    message = await websocket.receive()
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(message.get("code", 1005))
    frame: str | bytes | None = message.get("text")
    if frame is None:
        frame = message["bytes"]
    if len(frame) > limits.FRAME_BYTES:
        raise Refused(
            f"A frame has at most {limits.FRAME_BYTES} bytes and this one has {len(frame)}.",
            _TOO_LARGE,
        )
    return frame


def _parse_hello(frame: str | bytes) -> Hello:
    if isinstance(frame, bytes):
        raise Refused("The first frame is `hello`, and this one is binary.", _PROTOCOL_ERROR)
    try:
        greeting = Greeting.model_validate_json(frame)
    except ValidationError as error:
        raise Refused(
            f"The first frame is `hello`, and this one is not: {_first_fault(error)}.",
            _PROTOCOL_ERROR,
        ) from error
    if greeting.protocol != limits.PROTOCOL:
        raise _other_version(greeting.protocol)
    try:
        return Hello.model_validate_json(frame)
    except ValidationError as error:
        raise Refused(f"`hello` is malformed: {_first_fault(error)}.") from error


async def _receive(
    websocket: WebSocket, connection: ProbeConnection, hub: Hub, live: LiveRun
) -> None:
    while True:
        for frame in _frames(await _frame(websocket)):
            while hub.writer.overloaded:
                await asyncio.sleep(_PAUSE)
            connection.check()
            if live.status is RunStatus.FINISHED:
                continue
            decoded = _decode(frame)
            if isinstance(decoded, PreviewAnswer | TrialAnswer):
                live.heard()
                connection.questions.answer(decoded)
            else:
                _accept(decoded, len(frame), hub, live)


def _frames(message: str | bytes) -> Sequence[str | bytes]:
    try:
        return unbundle(message)
    except FrameError as error:
        raise _malformed(error) from error


def _decode(frame: str | bytes) -> Streamed | Answer | Sample:
    try:
        if isinstance(frame, bytes):
            sample = decode(frame)
            check_statistics(sample)
            return sample
        return STREAMED.validate_json(frame)
    except FrameError as error:
        raise _malformed(error) from error
    except ValidationError as error:
        raise Refused(f"The frame is malformed: {_first_fault(error)}.") from error


def _accept(frame: Streamed | Sample, size: int, hub: Hub, live: LiveRun) -> None:
    live.heard()
    if not isinstance(frame, Heartbeat | Bye):
        if frame.seq <= live.received_seq:
            return
        _check(frame, live)
        live.received_seq = frame.seq
    hub.writer.append(live.id, frame, size)
    match frame:
        case Sample():
            live.sampled(frame)
        case Metrics():
            live.logged(frame)
        case Parameters():
            live.table = known_rows(frame.parameters)
        case Bye():
            live.status = RunStatus.FINISHED


def _check(frame: Sequenced | Sample, live: LiveRun) -> None:
    """Refuse what speaks of parameters that are not in the table."""
    count = len(live.table)
    try:
        match frame:
            case Sample() if len(frame.states) > count:
                check_positions([len(frame.states) - 1], count)
            case Parameters():
                check_table(live.table, frame.parameters)
            case FrozenState():
                check_indexes(frame.frozen, count)
            case GatesState():
                check_indexes(frame.gates, count)
            case Explanations():
                named = (each.parameter for each in frame.explanations)
                check_positions((place for place in named if place is not None), count)
            case Alerts():
                check_positions((each.parameter for each in frame.alerts), count)
            case Report():
                check_positions(frame.parameters, count)
    except Refusal as refusal:
        raise Refused(str(refusal)) from refusal


def _malformed(error: FrameError) -> Refused:
    if isinstance(error, FrameVersionError):
        return _other_version(error.version)
    return Refused(f"The binary frame is malformed: {error}.")


def _other_version(theirs: int) -> Refused:
    ours = limits.PROTOCOL
    older = "server" if theirs > ours else "probe"
    where = "where the server runs" if older == "server" else "where the training job runs"
    return Refused(
        f"The probe speaks protocol version {theirs} and this server version {ours}: upgrade the "
        f"{older} with `pip install --upgrade gradgate` {where}.",
        _PROTOCOL_ERROR,
    )


def _first_fault(error: ValidationError) -> str:
    fault = error.errors(include_url=False, include_input=False, include_context=False)[0]
    place = ".".join(str(part) for part in fault["loc"])
    return f"{place}: {fault['msg']}" if place else str(fault["msg"])
