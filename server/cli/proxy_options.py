"""The options of `gradgate serve` that say what stands before it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import ParamSpec, TypeVar

import click

from ..web.proxies import BadProxy, Proxies, networks
from ..web.root_path import read_root_path
from ..web.users import users_from

_OF_USERS = ("trust_user_header", "trust_groups_header", "control_users", "control_groups")
P = ParamSpec("P")
R = TypeVar("R")


@contextmanager
def said_of(option: str) -> Iterator[None]:
    """Name the option that cannot be used."""
    try:
        yield
    except BadProxy as error:
        raise click.UsageError(f"{option}: {str(error).rstrip('.')}.") from error


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
    @click.option(
        "--trust-user-header",
        default="",
        envvar="GRADGATE_TRUST_USER_HEADER",
        metavar="HEADER",
        help="Let in whom those proxies name in this header, such as X-Forwarded-User: to look.",
    )
    @click.option(
        "--trust-groups-header",
        default="",
        envvar="GRADGATE_TRUST_GROUPS_HEADER",
        metavar="HEADER",
        help="The header in which they name the user's groups, between commas.",
    )
    @click.option(
        "--control-users",
        default="",
        envvar="GRADGATE_CONTROL_USERS",
        metavar="NAMES",
        help="Users, between commas, who may change things, too.",
    )
    @click.option(
        "--control-groups",
        default="",
        envvar="GRADGATE_CONTROL_GROUPS",
        metavar="NAMES",
        help="Groups, between commas, whose users may.",
    )
    @wraps(command)
    def before_proxies(*args: P.args, **kwargs: P.kwargs) -> R:
        with said_of("--forwarded-allow-ips"):
            allowed = networks(str(kwargs.pop("forwarded_allow_ips")))
        with said_of("--root-path"):
            root_path = read_root_path(str(kwargs.pop("root_path")))
        kwargs["proxies"] = Proxies(allowed, root_path)
        with said_of("--trust-user-header"):
            kwargs["users"] = users_from(*(str(kwargs.pop(each)) for each in _OF_USERS))
            if kwargs["users"] is not None and not allowed:
                raise BadProxy(
                    "anybody could say to be anybody: name the proxy that sets it with "
                    "--forwarded-allow-ips"
                )
        return command(*args, **kwargs)

    return before_proxies
