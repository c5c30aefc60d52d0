"""The command line: a thin shell over the public functions, one module per group of verbs.

Only click is imported here and in the verbs' modules, so that help and completion answer at once.
"""

from __future__ import annotations

import click

from edgemcu._version import __version__
from edgemcu.cli import bench, boards, device, firmware, flash, model, monitor, photos, system
from edgemcu.cli.verb import examples

ORDER = (
    *("init", "dataset", "train", "quantize", "inspect"),
    *("generate", "build", "run", "bench"),
    *("flash", "monitor", "verify", "classify"),
    *("boards", "doctor", "completion"),
)


class OrderedGroup(click.Group):
    """Lists verbs in the order in which they are used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(self.commands, key=ORDER.index)


@click.group(
    cls=OrderedGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=examples(
        "edgemcu init my-project --photos ~/photos   # a folder with one folder per class",
        "cd my-project && edgemcu run                # train, quantize, generate, build, verify",
        "edgemcu inspect model.tflite                # any full int8 model",
    ),
)
@click.version_option(__version__, prog_name="edgemcu")
def main() -> None:
    """Photos in, a verified image classifier on a microcontroller out.

    Every step can be called on its own; `edgemcu run` does all that is out of date and compares
    every output byte of the device with TensorFlow Lite.
    """


for command in (
    photos.init,
    photos.dataset,
    model.train,
    model.quantize,
    model.inspect,
    firmware.generate,
    firmware.build,
    firmware.run,
    bench.bench,
    flash.flash,
    monitor.monitor,
    device.verify,
    device.classify,
    boards.boards,
    system.doctor,
    system.completion,
):
    main.add_command(command)
