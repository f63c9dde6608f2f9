"""What a probe sends, frame by frame: read, held against the table, and passed on."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import ValidationError

from ..protocol import limits
from ..protocol.bundle import unbundle
from ..protocol.frames import (
    FrameError,
    FrameVersionError,
    Sample,
    check_statistics,
    decode,
    number_of_sample,
)
from ..protocol.probe_messages import (
    STREAMED,
    Alerts,
    Behind,
    Bye,
    Distributions,
    Explanations,
    FrozenState,
    GatesState,
    Greeting,
    Heartbeat,
    Hello,
    Numbered,
    Optimizers,
    Parameters,
    Report,
    Sequenced,
    Streamed,
)
from ..protocol.version import UPGRADE
from ..store.parameter_table import check_indexes, check_positions, check_table
from ..store.refusals import Refusal
from ..store.writer import Writer
from .connection import Refused
from .live_run import LiveRun

_PROTOCOL_ERROR = 1002


def parse_hello(frame: str | bytes) -> Hello:
    """Read the first frame of a probe; raises `Refused`."""
    if isinstance(frame, bytes):
        raise Refused("The first frame is `hello`, and this one is binary.", _PROTOCOL_ERROR)
    try:
        return Hello.model_validate_json(frame)
    except ValidationError as error:
        raise _refused_hello(frame, error) from error


def _refused_hello(frame: str, error: ValidationError) -> Refused:
    """Return why a first frame is none that can be read."""
    try:
        greeting = Greeting.model_validate_json(frame)
    except ValidationError as other:
        return Refused(
            f"The first frame is `hello`, and this one is not: {_first_fault(other)}.",
            _PROTOCOL_ERROR,
        )
    if not limits.OLDEST_PROTOCOL <= greeting.protocol <= limits.PROTOCOL:
        return _other_version(greeting.protocol, limits.PROTOCOL)
    return Refused(f"`hello` is malformed: {_first_fault(error)}.")


def frames_of(message: str | bytes) -> Sequence[str | bytes]:
    """Return the frames of a message in their order; raises `Refused` for a malformed bundle."""
    try:
        return unbundle(message)
    except FrameError as error:
        raise _malformed(error) from error


def decode_frame(frame: str | bytes) -> Behind | Sample:
    """Read a frame behind the first; raises `Refused`."""
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


def number_of(frame: str | bytes) -> int | None:
    """Return the number that a frame says it has, as far as that can be read."""
    if isinstance(frame, bytes):
        return number_of_sample(frame)
    try:
        return Numbered.model_validate_json(frame).seq
    except ValidationError:
        return None


def accept(frame: Streamed | Sample, size: int, writer: Writer, live: LiveRun) -> None:
    """Queue a frame for the store and pass it to browsers, once; raises `Refused`."""
    live.heard()
    if not isinstance(frame, Heartbeat | Bye):
        if frame.seq <= live.backlog.received:
            return
        _check(frame, live)
        live.backlog.received = frame.seq
    writer.append(live.id, frame, size)
    live.gather(frame)
    match frame:
        case Parameters():
            live.take_table(frame.table)
        case Bye():
            live.status = frame.status


def pass_on(frame: Distributions, live: LiveRun) -> None:
    """Pass to browsers what only those that look now are interested in; raises `Refused`."""
    live.heard()
    _check(frame, live)
    live.gather(frame)


def _check(frame: Sequenced | Sample | Distributions, live: LiveRun) -> None:
    """Refuse what speaks of parameters that are not in the table."""
    count = len(live.table)
    try:
        match frame:
            case Sample() if len(frame.states) > count:
                check_positions([len(frame.states) - 1], count)
            case Parameters():
                check_table(live.table, frame.table)
            case FrozenState():
                check_indexes(frame.frozen, count)
            case GatesState():
                check_indexes(frame.gates, count)
            case Explanations():
                named = (each.parameter for each in frame.explanations)
                check_positions((place for place in named if place is not None), count)
            case Alerts():
                named = (at for each in frame.alerts for at in (each.parameter, *each.others))
                check_positions((place for place in named if place is not None), count)
            case Optimizers():
                lasts = (last for group in frame.groups for _, last in group.parameters)
                check_positions(lasts, count)
            case Distributions():
                check_positions((each.parameter for each in frame.parameters), count)
            case Report():
                check_positions(frame.parameters, count)
    except Refusal as refusal:
        raise Refused(str(refusal)) from refusal


def _malformed(error: FrameError) -> Refused:
    if isinstance(error, FrameVersionError):
        return _other_version(error.version, limits.FRAME_VERSION)
    return Refused(f"The binary frame is malformed: {error}.")


def _other_version(theirs: int, ours: int) -> Refused:
    older = "server" if theirs > ours else "probe"
    where = "where the server runs" if older == "server" else "where the training job runs"
    return Refused(
        f"The probe speaks protocol version {theirs} and this server version {ours}: upgrade the "
        f"{older} {where}, by {UPGRADE}.",
        _PROTOCOL_ERROR,
    )


def _first_fault(error: ValidationError) -> str:
    fault = error.errors(include_url=False, include_input=False, include_context=False)[0]
    place = ".".join(str(part) for part in fault["loc"])
    return f"{place}: {fault['msg']}" if place else str(fault["msg"])
