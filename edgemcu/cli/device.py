"""Verbs about a running firmware: verify and classify."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from edgemcu.cli.firmware import firmware_options
from edgemcu.cli.verb import F, examples, verb

# A check that failed is 1, a wrong command line 2.
EXIT_NOT_VERIFIED = 3


def _show_verification(result: Any) -> None:
    from edgemcu.cli import show_device

    show_device.verification(result)


def _show_classification(result: Any) -> None:
    from edgemcu.cli import show_device

    show_device.classification(result)


def _request(project_path: Path, options: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """The firmware that `firmware_options` ask for, and the options that are left."""
    from inspect import signature

    from edgemcu.steps.request import firmware_request

    known = signature(firmware_request).parameters
    asked = {name: value for name, value in options.items() if name in known}
    rest = {name: value for name, value in options.items() if name not in known}
    return firmware_request(project_path, **asked), rest


def _complete_target(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    from edgemcu.device.ports import list_ports

    words = ["host", "qemu", "renode", *(port.device for port in list_ports())]
    return [word for word in words if word.startswith(incomplete)]


def target_options(function: F) -> F:
    """--on and --baud."""
    for option in (
        click.option(
            "--baud",
            type=click.IntRange(1200, 10_000_000),
            help="Speed of the serial line. [default: the board's]",
        ),
        click.option(
            "--on",
            metavar="host|qemu|renode|PORT",
            shell_complete=_complete_target,
            help="Where it runs: this computer, an emulator, or the port of a board "
            "(/dev/ttyACM0, COM3, socket://HOST:PORT, rfc2217://HOST:PORT). "
            "[default: where the board is emulated]",
        ),
    ):
        function = option(function)
    return function


@click.command(
    epilog=examples(
        "edgemcu verify                                   # the board's emulator, the test photos",
        "edgemcu verify --on host --sanitize --images 20",
        "edgemcu verify --on /dev/ttyACM0 --junit verify.xml --html verify.html",
        "edgemcu verify --save-baseline                   # then, after a change:",
        "edgemcu verify --markdown comment.md",
        "edgemcu verify --model any.tflite --board host --inputs random:20 --json",
    )
    + "\n\n\b\nExit codes:\n"
    "  0  no check failed\n"
    "  1  a check failed\n"
    "  2  the command line is wrong\n"
    "  3  it could not be verified: no such device, another firmware, silence, …"
)
@firmware_options
@target_options
@click.option("--images", type=click.IntRange(1), help="How many photos. [project: verify.images]")
@click.option(
    "--photos",
    type=click.Path(path_type=Path, file_okay=False),
    help="A folder with one folder per class. [project: verify.photos, or the test photos]",
)
@click.option(
    "--inputs",
    metavar="random:N|FILE.npy",
    help="In place of photos: N seeded random inputs, or an int8 array (N, …).",
)
@click.option("--sanitize", is_flag=True, help="On this computer, with sanitizers.")
@click.option(
    "--baseline",
    type=click.Path(path_type=Path, dir_okay=False),
    help="An earlier report to compare with. [default: edgemcu-baseline.json in the project]",
)
@click.option("--save-baseline", is_flag=True, help="Make this run the baseline, if it passes.")
@click.option("--junit", type=click.Path(path_type=Path, dir_okay=False), help="Write JUnit XML.")
@click.option("--html", type=click.Path(path_type=Path, dir_okay=False), help="Write the report.")
@click.option(
    "--markdown",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write a summary for a pull request.",
)
@verb(_show_verification, exit_on_error=EXIT_NOT_VERIFIED)
def verify(
    project_path: Path,
    junit: Path | None,
    html: Path | None,
    markdown: Path | None,
    console: Any,
    **options: Any,
) -> Any:
    """Test a firmware for regressions.

    Compares every output byte with TensorFlow Lite's, and accuracy, latency or instructions, and
    memory with the limits in the project's [verify] table. On a board nothing is built or flashed:
    it must hold the project's model already.
    """
    from edgemcu.steps.verify import Outputs, errors_in_junit, verify_firmware

    with errors_in_junit(junit, options["board"] or "firmware", options["on"]):
        request, options = _request(project_path, options)
    outputs = Outputs(junit=junit, html=html, markdown=markdown)
    return verify_firmware(request, outputs=outputs, console=console, **options)


@click.command(
    epilog=examples(
        "edgemcu classify photo.jpg",
        "edgemcu classify ~/photos/holiday --on host --top 5",
        "edgemcu classify cat.png dog.png --on /dev/ttyACM0 --check --json",
    )
)
@click.argument("photos", nargs=-1, required=True, type=click.Path(path_type=Path))
@firmware_options
@target_options
@click.option(
    "--top", type=click.IntRange(1), default=3, show_default=True, help="How many classes to show."
)
@click.option("--check", is_flag=True, help="Show what TensorFlow Lite's reference says, too.")
@verb(_show_classification)
def classify(project_path: Path, photos: tuple[Path, ...], console: Any, **options: Any) -> Any:
    """Classify photos on the device.

    PHOTOS are JPEG, PNG, WebP or BMP files of any size, or folders of them; they are cropped and
    resized as for the training. Exit code 1 if one of them could not be classified.
    """
    from edgemcu.steps.classify import classify_photos

    request, options = _request(project_path, options)
    return classify_photos(request, photos, console=console, **options)
