"""The command `gradgate serve`."""

from __future__ import annotations

import gc
import logging
import os
import re
from pathlib import Path
from typing import TextIO, get_args

import click

from ..events.thresholds import BadThreshold, thresholds_from
from ..notify.notifier import Wanted
from ..notify.targets import BadNotification
from ..protocol.events import EventKind
from ..protocol.fields import AlertLevel
from ..store.errors import StoreError
from ..store.keep import Keep
from ..store.postgresql import database_url
from ..web.proxies import Proxies
from ..web.security import is_open_to_others
from ..web.service import Service, ServiceError
from ..web.settings import DEFAULT_PORT, ORIGIN, Settings, Tls
from ..web.tokens import TOKEN, BadTokens, Token, read_lines
from ..web.users import Users
from .data_folder import data_option
from .log_format import LOG_FORMATS, LOG_LEVELS, LogFormat, LogLevel, begin_log
from .proxy_options import proxy_options
from .signals import until_stopped

TOKENS = "GRADGATE_TOKENS"
_POLL = 0.5
_log = logging.getLogger("gradgate.server")


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, envvar="GRADGATE_HOST")
@click.option(
    "--port",
    default=DEFAULT_PORT,
    show_default=True,
    type=click.IntRange(0, 65535),
    envvar="GRADGATE_PORT",
    help="0 takes a free port.",
)
@data_option
@click.option(
    "--store",
    envvar="GRADGATE_STORE",
    metavar="URL",
    help="The PostgreSQL data base that keeps every run instead, such as "
    "postgresql+psycopg://user@host/gradgate; several servers may share it.",
)
@click.option(
    "--token",
    envvar="GRADGATE_TOKEN",
    help="Ask for this token; beyond this machine one is made when none is given. Everybody on "
    "this machine sees what stands here: put it into $GRADGATE_TOKEN, or use --token-file.",
)
@click.option(
    "--token-file",
    envvar="GRADGATE_TOKEN_FILE",
    type=click.Path(path_type=Path),
    help="Ask for a token of this file, which only you may read (mode 600): a line `NAME KIND "
    "TOKEN` for each, of kind view, control or probe. $GRADGATE_TOKENS holds the same lines.",
)
@click.option(
    "--ssl-certfile",
    "certificate",
    envvar="GRADGATE_SSL_CERTFILE",
    type=click.Path(path_type=Path),
    help="Speak HTTPS with this certificate (PEM, with those that it rests upon), and its key.",
)
@click.option(
    "--ssl-keyfile",
    "key",
    envvar="GRADGATE_SSL_KEYFILE",
    type=click.Path(path_type=Path),
    help="The key of the certificate (PEM, without a password).",
)
@proxy_options
@click.option(
    "--allow-host",
    "allow_hosts",
    multiple=True,
    metavar="NAME",
    help="Another name that the server is reached by. May be given several times.",
)
@click.option(
    "--allow-frame",
    "allow_frames",
    multiple=True,
    metavar="ORIGIN",
    help="A notebook elsewhere that may show the page of a run, such as https://hub.example.com. "
    "May be given several times.",
)
@click.option(
    "--lost-after",
    default=10.0,
    show_default=True,
    type=click.FloatRange(0.1),
    metavar="SECONDS",
    help="Call a run lost when nothing was heard of it for so long.",
)
@click.option(
    "--expire-after",
    default=600.0,
    show_default=True,
    type=click.FloatRange(1.0),
    metavar="SECONDS",
    help="Have a job apply no command that was asked for longer ago when it first hears of it.",
)
@click.option(
    "--log-format",
    "log_format",
    type=click.Choice(LOG_FORMATS),
    default="text",
    show_default=True,
    envvar="GRADGATE_LOG_FORMAT",
    help="json: an object a line, on stderr.",
)
@click.option(
    "--log-level",
    "log_level",
    type=click.Choice(LOG_LEVELS),
    default="warning",
    show_default=True,
    envvar="GRADGATE_LOG_LEVEL",
)
@click.option(
    "--keep-days",
    type=click.FloatRange(0, min_open=True),
    envvar="GRADGATE_KEEP_DAYS",
    metavar="DAYS",
    help="Keep samples and metrics in full for so long, and older ones in coarser steps.",
)
@click.option(
    "--keep-gb",
    type=click.FloatRange(0, min_open=True),
    envvar="GRADGATE_KEEP_GB",
    metavar="GB",
    help="Keep so much of all runs in full, and what is oldest in coarser steps.",
)
@click.option(
    "--threshold",
    "thresholds",
    multiple=True,
    metavar="NAME=VALUE",
    envvar="GRADGATE_THRESHOLD",
    help="From when on something is an event, such as spike=5. May be given several times.",
)
@click.option(
    "--notify",
    "urls",
    multiple=True,
    metavar="URL",
    envvar="GRADGATE_NOTIFY",
    help="Tell of events there: an http(s) address that JSON is posted to, or a URL of Apprise. "
    "May be given several times.",
)
@click.option(
    "--notify-kind",
    "kinds",
    multiple=True,
    type=click.Choice(get_args(EventKind)),
    help="Tell only of events of this kind. May be given several times.",
)
@click.option(
    "--notify-level",
    "level",
    default="alert",
    show_default=True,
    type=click.Choice(get_args(AlertLevel)),
    help="Tell of alerts only, or of notes too.",
)
@click.option(
    "--notify-template",
    "template",
    type=click.File(encoding="utf-8"),
    help="A Jinja template of the JSON that is posted.",
)
def serve(
    host: str,
    port: int,
    data: Path,
    store: str | None,
    token: str | None,
    token_file: Path | None,
    certificate: Path | None,
    key: Path | None,
    allow_hosts: tuple[str, ...],
    allow_frames: tuple[str, ...],
    lost_after: float,
    expire_after: float,
    log_format: LogFormat,
    log_level: LogLevel,
    keep_days: float | None,
    keep_gb: float | None,
    thresholds: tuple[str, ...],
    urls: tuple[str, ...],
    kinds: tuple[EventKind, ...],
    level: AlertLevel,
    template: TextIO | None,
    proxies: Proxies,
    users: Users | None,
) -> None:
    """Start the dashboard, and keep it until Ctrl-C."""
    if token is not None and not TOKEN.fullmatch(token):
        raise click.UsageError(
            "--token is made of letters, digits and any of -._~+/=: give another, or leave it out."
        )
    for origin in allow_frames:
        if not ORIGIN.fullmatch(origin):
            raise click.UsageError(
                f"--allow-frame {origin!r} is no origin: give one such as https://hub.example.com, "
                "without a path."
            )
    try:
        events = thresholds_from(thresholds)
    except BadThreshold as error:
        raise click.UsageError(f"--threshold {error}") from error
    if store is not None and _given("data"):
        raise click.UsageError(
            "--data and --store each say where runs are kept (GRADGATE_STORE does, too): leave one "
            "out."
        )
    begin_log(log_format, log_level)
    if _given("token"):
        _log.warning(
            "The list of processes shows --token to everybody on this machine: give it as "
            "$GRADGATE_TOKEN, or tokens with --token-file or $GRADGATE_TOKENS."
        )
    with until_stopped() as stopped:
        try:
            url = None if store is None else database_url(store)
            body = None if template is None else template.read()
            wanted = Wanted(urls, kinds, level, body)
            keep = Keep(keep_days, keep_gb)
            settings = Settings(
                data,
                host,
                port,
                token,
                allow_hosts,
                lost_after,
                url,
                keep,
                events,
                wanted,
                allow_frames,
                _tokens() if token_file is None else (),
                token_file,
                _tls(certificate, key),
                expire_after,
                proxies,
                users,
            )
            if is_open_to_others(settings):
                _log.warning(
                    "Whoever comes by another name or a proxy may change everything, since no "
                    "token is asked for: give tokens with --token-file, $GRADGATE_TOKENS or "
                    "$GRADGATE_TOKEN, unless the proxy lets only those through who may."
                )
            service = Service(settings)
            service.start()
        except (ServiceError, StoreError, BadNotification, BadTokens) as error:
            raise click.ClickException(str(error)) from error
        # What was imported is there to stay; each full collection walked it, for 0.1 s and more.
        gc.collect()
        gc.freeze()
        click.echo(f"Gradgate dashboard: {service.url}")
        while service.running and not stopped.wait(_POLL):
            pass
        service.stop()
        if not stopped.is_set():
            raise click.ClickException("The server ended by itself: its log above says why.")


def _tls(certificate: Path | None, key: Path | None) -> Tls | None:
    """Return what HTTPS is spoken with; None for HTTP."""
    if certificate is None and key is None:
        return None
    if certificate is None or key is None:
        raise click.UsageError("--ssl-certfile and --ssl-keyfile belong together: give both.")
    return Tls(certificate, key)


def _tokens() -> tuple[Token, ...]:
    """Return the tokens of the environment; raises `BadTokens`."""
    lines = os.environ.get(TOKENS)
    return () if lines is None else read_lines(re.split(r"[\n,]", lines), f"${TOKENS}")


def _given(option: str) -> bool:
    """Return whether an option stands in the command itself."""
    source = click.get_current_context().get_parameter_source(option)
    return source is click.core.ParameterSource.COMMANDLINE
