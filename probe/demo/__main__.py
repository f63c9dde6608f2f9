"""The demo job: `python -m gradgate.probe.demo [--steps N] [--seed S] [--server URL]`."""

from __future__ import annotations

import argparse
import signal
import sys
from threading import Event

import torch

from .train import train


def main() -> None:
    """Train until the last step, or until Ctrl-C or SIGTERM, and print the test accuracy."""
    options = parse()
    stop = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    if sys.platform != "win32":
        # `gradgate demo` blocks it, so that Ctrl-C while torch is imported is no traceback.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    # So small a model gains little from more, and a busy core would stall them all.
    torch.set_num_threads(1)
    accuracy = train(options.steps, options.seed, options.server, stop)
    print(f"test accuracy {accuracy:.1%}")


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m gradgate.probe.demo",
        description="Train a small model on handwritten digits, watched by Gradgate.",
    )
    parser.add_argument(
        "--steps", type=positive, metavar="N", help="optimizer steps (default: until Ctrl-C)"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="default: 0")
    parser.add_argument(
        "--server", metavar="URL", help="default: $GRADGATE_SERVER or http://127.0.0.1:8765"
    )
    return parser.parse_args()


def positive(text: str) -> int:
    """Read a whole number above 0."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return number


if __name__ == "__main__":
    main()
