"""The options of `gradgate serve` that say what stands before it."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import click

from ..web.proxies import BadProxy, Proxies, networks

P = ParamSpec("P")
R = TypeVar("R")


def proxy_options(command: Callable[P, R]) -> Callable[P, R]:
    """Give a command the options of proxies, and call it with `proxies` made of them."""

    @click.option(
        "--forwarded-allow-ips",
        default="",
        envvar="GRADGATE_FORWARDED_ALLOW_IPS",
        metavar="ADDRESSES",
        help="Addresses and networks of proxies, between commas, whose X-Forwarded-For, -Proto and "
        "-Host are believed; without it nobody's are.",
    )
    @wraps(command)
    def before_proxies(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            kwargs["proxies"] = Proxies(networks(str(kwargs.pop("forwarded_allow_ips"))))
        except BadProxy as error:
            raise click.UsageError(f"--forwarded-allow-ips: {error}") from error
        return command(*args, **kwargs)

    return before_proxies
