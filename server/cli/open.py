"""The command `gradgate open`: a recording on a dashboard of its own."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import click

from ..web.service import Service, ServiceError
from ..web.settings import Settings
from .recordings import send_all
from .signals import until_stopped

_POLL = 0.2


@click.command(name="open")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, help="By default one that is free."
)
def open_recording(file: Path, port: int) -> None:
    """Show what a job recorded, on a dashboard that is gone with Ctrl-C; FILE is left as it is."""
    try:
        with (
            TemporaryDirectory(prefix="gradgate-") as folder,
            until_stopped() as stopped,
            Service(Settings(Path(folder), port=port)) as service,
        ):
            copy = Path(folder, file.name)
            copy.write_bytes(file.read_bytes())
            code = send_all(service.url, [copy])
            if code == 0:
                click.echo(f"Gradgate dashboard: {service.url}")
            while code == 0 and not stopped.wait(_POLL) and service.running:
                pass
    except ServiceError as error:
        raise click.ClickException(str(error)) from error
    click.get_current_context().exit(code)
