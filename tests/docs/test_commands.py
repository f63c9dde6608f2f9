"""Commands that the documents name exist, with the options that they are given."""

from __future__ import annotations

import fnmatch
import itertools
import json
import re
from importlib.metadata import entry_points
from importlib.util import find_spec
from itertools import pairwise

import click
import httpx
import pytest

from gradgate.probe.demo.model import DigitModel
from tests.support.documents import NAMES, ROOT, commands, read
from tests.support.serving import ServerProcess

MAKEFILE = (ROOT / "Makefile").read_text("utf-8")
ROUTE = re.compile(r"`(GET|POST|PUT|PATCH|DELETE) (/[^`?]*)")


def named(program: str, name: str) -> list[list[str]]:
    """Return the arguments of each command of a page that calls a program."""
    found = []
    for words in commands(read(name)):
        while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
            words = [*words[1:], words[0]]  # a variable before the command is one of it
        if words and words[0] == program:
            found.append(words[1:])
    return found


@pytest.mark.parametrize("program", ["gradgate", "make", "python", "curl"])
def test_commands_of_every_program_are_found(program: str) -> None:
    """Each is called on some page, so that what the other tests look at is not empty."""
    assert any(named(program, name) for name in NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_commands_of_gradgate_exist_with_their_options(name: str) -> None:
    """`gradgate COMMAND --option` as written is one that the command line takes.

    What follows the name of a script, or of a module after ``-m``, is the script's own.
    """
    (point,) = entry_points(group="console_scripts", name="gradgate")
    main = point.load()
    for arguments in named("gradgate", name):
        context = click.Context(main)
        command = main.get_command(context, arguments[0])
        assert command is not None, arguments
        known = {
            option
            for parameter in command.get_params(click.Context(command))
            for option in (*parameter.opts, *parameter.secondary_opts)
        }
        own = itertools.takewhile(
            lambda each: each != "-m" and not each.endswith(".py"), arguments[1:]
        )
        used = {each.partition("=")[0] for each in own if re.match(r"--?[a-z]", each)}
        assert used <= known, arguments


def test_examples_with_digits_name_what_the_demo_has() -> None:
    """A target or site in a command for the run `digits` is one of the demo's model."""
    model = DigitModel()
    names = {
        *(name for name, _ in model.named_parameters()),
        *(name for name, _ in model.named_modules()),
    }
    for arguments in (each for name in NAMES for each in named("gradgate", name)):
        command, run, target, *_ = [*arguments, "", ""]
        if command in ("freeze", "thaw", "gate") and run == "digits" and target[0] != "-":
            assert fnmatch.filter(names, target.rpartition(":")[2]), arguments


@pytest.mark.parametrize("name", NAMES)
def test_targets_of_make_exist_with_their_variables(name: str) -> None:
    """`make TARGET NAME=value` as written names a rule, and a variable that a rule uses."""
    for arguments in named("make", name):
        for word in arguments:
            variable, is_set, _ = word.partition("=")
            if is_set:
                assert f"$({variable})" in MAKEFILE or f"(if $({variable})" in MAKEFILE, word
            else:
                assert re.search(rf"^{re.escape(word)}:", MAKEFILE, re.MULTILINE), word


@pytest.mark.parametrize("name", NAMES)
def test_scripts_and_modules_exist_with_their_options(name: str) -> None:
    """`python SCRIPT --option` and `python -m MODULE` as written are there to be run."""
    for arguments in named("python", name):
        if arguments[0] == "-m":
            assert find_spec(arguments[1]) is not None, arguments
            continue
        source = (ROOT / arguments[0]).read_text("utf-8")
        for option in (word for word in arguments[1:] if word.startswith("--")):
            assert f'"{option}"' in source, arguments


def test_routes_are_those_of_a_server(server: ServerProcess) -> None:
    """Each route that a document names is there, and docs/protocol.md names each that is there."""
    routes = {
        (method.upper(), braces(path))
        for path, operations in server.get("/openapi.json")["paths"].items()
        for method in operations
    }
    listed = {name: {(m, braces(p)) for m, p in ROUTE.findall(read(name))} for name in NAMES}

    assert {name: each - routes for name, each in listed.items() if each - routes} == {}
    assert routes - listed["docs/protocol.md"] == set()


def test_requests_of_curl_are_good(server: ServerProcess) -> None:
    """Each request is one that a server understands: it misses the run, and nothing else."""
    for arguments in (each for name in NAMES for each in named("curl", name)):
        (url,) = (word for word in arguments if word.startswith("http"))
        path = url.removeprefix("http://127.0.0.1:8765")
        options = dict(pairwise(arguments))
        body = json.loads(options["-d"]) if "-d" in options else None
        answer = httpx.request(options.get("-X", "GET"), server.url + path, json=body)
        assert (answer.status_code, "RUN" in answer.text) == (404, True), (arguments, answer.text)


def braces(path: str) -> str:
    """Return a path with its placeholders unnamed."""
    return re.sub(r"\{\w+\}", "{}", path)
