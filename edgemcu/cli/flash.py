"""The verb flash: a firmware onto a board."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgemcu.cli.firmware import firmware_options
from edgemcu.cli.verb import examples, fail, verb
from edgemcu.errors import EdgemcuError

if TYPE_CHECKING:
    from edgemcu.device.ports import SerialPort


THEN = "edgemcu.flash.then"


def _show_flash(result: Any) -> None:
    from edgemcu.cli import show_device

    show_device.flashed(result)
    then = click.get_current_context().meta.get(THEN)
    if then is not None:
        try:
            then(on=result.port)
        except EdgemcuError as error:
            fail(error)


def ask_which(ports: Sequence[SerialPort]) -> SerialPort:
    """Let a person choose one of several ports."""
    click.echo("several ports may be the board's:", err=True)
    for number, port in enumerate(ports, 1):
        click.echo(f"  {number}  {port.label}", err=True)
    number = click.prompt("which one", type=click.IntRange(1, len(ports)), default=1, err=True)
    return ports[number - 1]


def can_ask() -> bool:
    """Whether somebody sits at a terminal."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def _complete_port(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    from edgemcu.device.ports import list_ports

    return [port.device for port in list_ports() if port.device.startswith(incomplete)]


port_option = click.option(
    "--port",
    shell_complete=_complete_port,
    help="The board's serial port. [default: found by its USB ids]",
)


@click.command(
    epilog=examples(
        "edgemcu flash --board esp32s3                      # builds and finds the port, too",
        "edgemcu flash --board stm32f405 --protocol dfu --port /dev/ttyUSB0",
        "edgemcu flash --board stm32f405 --emulator qemu    # the same against the emulator",
        "edgemcu flash --board esp32s3 --image ci-artefact --port COM3 --monitor",
    )
)
@firmware_options
@port_option
@click.option(
    "--emulator", type=click.Choice(["qemu", "renode", "host"]), help="Boot it there instead."
)
@click.option("--protocol", help="How it is uploaded: esptool, stlink, dfu, … [board's first]")
@click.option("--baud", type=click.IntRange(1200), help="Of an upload over the serial line.")
@click.option(
    "--image",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="Folder of an image that was built elsewhere from this project.",
)
@click.option(
    "--no-verify", is_flag=True, help="Do not wait until the firmware has identified itself."
)
@click.option("--attempts", type=click.IntRange(1), help="Uploads before giving up. [default: 3]")
@click.option(
    "--timeout",
    "timeout_s",
    type=click.FloatRange(0, min_open=True),
    metavar="SECONDS",
    help="What one upload may take. [default: 180]",
)
@click.option("--monitor", is_flag=True, help="Then watch what it classifies.")
@verb(_show_flash)
def flash(
    project_path: Path,
    port: str | None,
    emulator: str | None,
    protocol: str | None,
    baud: int | None,
    image: Path | None,
    no_verify: bool,
    attempts: int | None,
    timeout_s: float | None,
    monitor: bool,
    console: Any,
    **options: Any,
) -> Any:
    """Write the firmware to a board.

    Builds what is out of date, finds the port, uploads through PlatformIO or the board's own tool,
    resets, and waits until the firmware has said that it is what was built. An image that is there
    already is not written again.
    """
    from edgemcu.steps.flash import flash_firmware, flash_limits
    from edgemcu.steps.request import firmware_request

    force = options.pop("force")
    request = firmware_request(project_path, **options)
    if monitor:
        from edgemcu.cli.monitor import run

        click.get_current_context().meta[THEN] = partial(run, project_path, quiet=True, **options)
    return flash_firmware(
        request,
        port=port,
        emulator=emulator,
        protocol=protocol,
        baud=baud,
        image=image,
        verify=not no_verify,
        force=force,
        limits=flash_limits(request, attempts=attempts, timeout_s=timeout_s),
        choose=ask_which if can_ask() else None,
        console=console,
    )
