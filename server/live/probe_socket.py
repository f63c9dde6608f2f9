"""The WebSocket of a probe (docs/protocol.md, section 1)."""

from __future__ import annotations

import asyncio
import logging

from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool
from starlette.websockets import WebSocket, WebSocketDisconnect

from ..protocol import limits
from ..protocol.probe_messages import Bye, Distributions, Hello, PreviewAnswer, TrialAnswer
from ..protocol.server_messages import Welcome
from ..protocol.version import VERSION
from ..store.refusals import Refusal, UnknownTable
from ..store.write_queue import WriterEnded
from .admission import Admission
from .connection import ProbeConnection, Refused
from .hub import Hub
from .ingest import accept, decode_frame, frames_of, number_of, parse_hello, pass_on
from .live_run import LiveRun
from .refusal_log import RefusalLog
from .tasks import first_to_end

ADMIT = "gradgate.admit"
"""The extension of the server by which a socket that has said hello is taken without its bounds."""
_HELLO_WITHIN = 30.0
_PAUSE = 0.05
_TOO_LARGE = 1009
_log = logging.getLogger("gradgate.server")


async def serve_probe(
    websocket: WebSocket, hub: Hub, admission: Admission, refusals: RefusalLog
) -> None:
    """Take what a probe sends until it goes, or its admission is taken back."""
    await websocket.accept()
    connection = ProbeConnection(websocket, hub.expire_after)
    try:
        admission.check()
        with hub.probe_socket():
            hello = await _read_hello(await _first_frame(websocket))
            await _converse(websocket, connection, hub, hello, admission)
    except Refused as refused:
        refusals.refused(f"a job's, {refused.message}", refused.reason)
        try:
            await connection.refuse(refused)
        except WebSocketDisconnect:
            return
    except WebSocketDisconnect:
        return


async def _converse(
    websocket: WebSocket,
    connection: ProbeConnection,
    hub: Hub,
    hello: Hello,
    admission: Admission,
) -> None:
    with hub.probe(hello.run, connection) as live:
        try:
            try:
                opened, commands = await hub.open(live, hello)
            except UnknownTable:
                await connection.ask_table()
                whole = await _read_hello(await _first_frame(websocket))
                if whole.run != hello.run or not whole.has_table:
                    raise Refused("The table was asked for, and `hello` has none.") from None
                opened, commands = await hub.open(live, whole)
        except Refusal as refusal:
            raise Refused(str(refusal), retry=refusal.passing) from refusal
        except (SQLAlchemyError, WriterEnded) as error:
            raise Refused(
                "The server cannot write its store: see GET /healthz.", retry=True
            ) from error
        websocket.scope["extensions"][ADMIT]()
        await connection.welcome(
            Welcome(
                protocol=hello.protocol,
                run=hello.run,
                last_seq=opened.last_seq,
                server_version=VERSION,
            )
        )
        for command in commands:
            connection.command(command)
        told = {"run": hello.run, "run_name": hello.name, "host": hello.host, "pid": hello.pid}
        _log.info("The job of run %s (%s) is connected", hello.run, hello.name, extra=told)
        received = _receive(websocket, connection, hub, live)
        try:
            await first_to_end(connection.deliver(), received, admission.hold())
        finally:
            _log.info("The job of run %s is not connected any more", hello.run, extra=told)


async def _first_frame(websocket: WebSocket) -> str | bytes:
    try:
        async with asyncio.timeout(_HELLO_WITHIN):
            return await _frame(websocket)
    except TimeoutError as error:
        raise Refused(f"No `hello` came within {_HELLO_WITHIN:.0f} seconds.", retry=True) from error


async def _read_hello(frame: str | bytes) -> Hello:
    """Read the first frame; a large one beside the event loop. Raises `Refused`."""
    if len(frame) <= limits.SMALL_BYTES:
        return parse_hello(frame)
    return await run_in_threadpool(parse_hello, frame)


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


async def _receive(
    websocket: WebSocket, connection: ProbeConnection, hub: Hub, live: LiveRun
) -> None:
    is_over = False
    while True:
        for frame in frames_of(await _frame(websocket)):
            while hub.writer.overloaded:
                await asyncio.sleep(_PAUSE)
            connection.check()
            if is_over:
                continue
            try:
                is_over = _take(frame, connection, hub, live)
            except Refused as refused:
                refused.seq = number_of(frame)
                raise


def _take(frame: str | bytes, connection: ProbeConnection, hub: Hub, live: LiveRun) -> bool:
    """Take a frame; return whether it is the last of the run. Raises `Refused`."""
    decoded = decode_frame(frame)
    if isinstance(decoded, PreviewAnswer | TrialAnswer):
        live.heard()
        connection.questions.answer(decoded)
    elif isinstance(decoded, Distributions):
        pass_on(decoded, live)
    else:
        accept(decoded, len(frame), hub.writer, live)
    return isinstance(decoded, Bye)
