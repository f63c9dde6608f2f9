"""The options of `gradgate serve` that say what stands before it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import ParamSpec, TypeVar

import click

from ..web.proxies import BadProxy, Proxies, networks
from ..web.root_path import read_root_path

P = ParamSpec("P")
R = TypeVar("R")


@contextmanager
def said_of(option: str) -> Iterator[None]:
    """Name the option that cannot be used."""
    try:
        yield
    except BadProxy as error:
        raise click.UsageError(f"{option}: {error}") from error


def proxy_options(command: Callable[P, R]) -> Callable[P, R]:
    """Give a command the options of proxies, and call it with `proxies` made of them."""

    @click.option(
        "--forwarded-allow-ips",
        default="",
        envvar="GRADGATE_FORWARDED_ALLOW_IPS",
        metavar="ADDRESSES",
        help="Addresses and networks of proxies, between commas, whose X-Forwarded-For, -Proto, "
        "-Host and -Prefix are believed; without it nobody's are.",
    )
    @click.option(
        "--root-path",
        default="",
        envvar="GRADGATE_ROOT_PATH",
        metavar="PATH",
        help="The path below which a proxy shows the server, such as /gradgate.",
    )
    @wraps(command)
    def before_proxies(*args: P.args, **kwargs: P.kwargs) -> R:
        with said_of("--forwarded-allow-ips"):
            allowed = networks(str(kwargs.pop("forwarded_allow_ips")))
        with said_of("--root-path"):
            root_path = read_root_path(str(kwargs.pop("root_path")))
        kwargs["proxies"] = Proxies(allowed, root_path)
        return command(*args, **kwargs)

    return before_proxies
