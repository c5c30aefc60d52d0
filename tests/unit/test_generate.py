"""From a .tflite to a project: what the sketch learns from the model, and what is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from edgemcu.artefacts import sha256_bytes
from edgemcu.boards import load_board
from edgemcu.errors import (
    BoardError,
    DoesNotFitError,
    ModelError,
    ProjectError,
    UnsupportedModelError,
)
from edgemcu.firmware import GeneratedProject, generate_project
from edgemcu.platformio.build import explain_failure
from edgemcu.steps.generate import generate_firmware
from edgemcu.steps.request import firmware_request
from tests.support.tiny_classifier import tiny_classifier


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.tflite"
    path.write_bytes(tiny_classifier())
    return path


def generate(model: Path, out: Path, board: str = "stm32f405") -> GeneratedProject:
    return generate_project(model, load_board(board), "compiled", out)


def tree(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_the_sketch_knows_pixels_and_classes(model: Path, tmp_path: Path) -> None:
    out = generate(model, tmp_path / "out").path
    app = (out / "include/edgemcu_app.h").read_text()
    assert "#define EDGEMCU_PIXEL_INPUT 1" in app
    assert "#define EDGEMCU_CLASS_COUNT 3" in app
    assert f"#define EDGEMCU_SCORE_SCALE_Q30  {1 << 22}u" in app
    source = (out / "src/edgemcu_app.c").read_text()
    assert '"V\\303\\266gel */ \\"\\?\\?/"' in source
    table = source.split("{")[1].split("}")[0].replace("\n", " ")
    values = [int(value) for value in table.split(",") if value.strip()]
    assert values == list(range(-128, 128))


def test_a_model_without_metadata_takes_its_own_bytes(tmp_path: Path) -> None:
    model = tmp_path / "plain.tflite"
    model.write_bytes(tiny_classifier(classes=None))
    out = generate(model, tmp_path / "out").path
    app = (out / "include/edgemcu_app.h").read_text()
    assert "#define EDGEMCU_PIXEL_INPUT 0" in app
    assert "#define EDGEMCU_CLASS_COUNT 0" in app


def test_two_folders_get_the_same_bytes(model: Path, tmp_path: Path) -> None:
    generate(model, tmp_path / "a")
    generate(model, tmp_path / "b")
    assert tree(tmp_path / "a") == tree(tmp_path / "b")


def test_the_second_time_nothing_is_written(model: Path, tmp_path: Path) -> None:
    first = generate(model, tmp_path / "out")
    second = generate(model, tmp_path / "out")
    assert first.changed == len(first.files)
    assert second == replace(first, changed=0)


def test_another_model_replaces_only_what_depends_on_it(model: Path, tmp_path: Path) -> None:
    generate(model, tmp_path / "out")
    startup = (tmp_path / "out/src/startup.c").stat().st_mtime_ns
    model.write_bytes(tiny_classifier(channels=8))
    assert generate(model, tmp_path / "out").changed > 0
    assert (tmp_path / "out/src/startup.c").stat().st_mtime_ns == startup


def test_the_result_says_what_it_is_from(model: Path, tmp_path: Path) -> None:
    result = generate(model, tmp_path / "out")
    assert result.model_digest == sha256_bytes(model.read_bytes())
    assert result.arena_bytes >= 8 * 8 * 3
    assert result.weights_bytes > 4 * 27
    facts = json.loads(json.dumps(result.to_json()))
    assert facts["board"] == "stm32f405" and facts["kernels"] == "cortex-m4"
    assert result.model_digest in (result.path / "README.md").read_text()
    assert result.image in (result.path / "include/edgemcu_image.h").read_text()


def test_a_model_that_is_too_large_writes_nothing(tmp_path: Path) -> None:
    model = tmp_path / "large.tflite"
    model.write_bytes(tiny_classifier(channels=64, size=128))
    with pytest.raises(DoesNotFitError, match="activations"):
        generate(model, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert generate(model, tmp_path / "out", "mps2-an386").arena_bytes > 128 << 10


def test_a_damaged_model_writes_nothing(tmp_path: Path) -> None:
    model = tmp_path / "damaged.tflite"
    model.write_bytes(tiny_classifier()[:500])
    with pytest.raises(ModelError):
        generate(model, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_step_writes_below_its_folder(model: Path, tmp_path: Path) -> None:
    request = firmware_request(tmp_path, model=model, board="host", out=tmp_path / "here")
    assert generate_firmware(request).path == tmp_path / "here/project"


def test_the_step_takes_boards_of_the_project_only(model: Path, tmp_path: Path) -> None:
    request = firmware_request(tmp_path, model=model, board="nucleo", out=tmp_path / "here")
    with pytest.raises(BoardError, match="no board 'nucleo'"):
        generate_firmware(request)


# ---- What PlatformIO's output means ----------------------------------------------------------


@pytest.mark.parametrize(
    ("output", "error", "says"),
    [
        ("sh: 1: arm-none-eabi-gcc: not found", "ToolMissingError", "sudo apt-get install"),
        (
            "src/frame.c:3:10: fatal error: string.h: No such file or directory",
            "ToolMissingError",
            "C library of arm-none-eabi-gcc is not installed",
        ),
        (
            "micro_interpreter.h:1:10: fatal error: cstdint: No such file or directory",
            "ToolMissingError",
            "sudo apt-get install -y libstdc++-arm-none-eabi-newlib",
        ),
        ("ld: cannot find -lstdc++: No such file", "ToolMissingError", "C++ library"),
        (
            "model.c:1:10: fatal error: missing.h: No such file or directory",
            "BuildError",
            "missing.h",
        ),
        (
            "ld: region `FLASH' overflowed by 4096 bytes",
            "DoesNotFitError",
            "flash needs 1052672 bytes, stm32f405 has 1048576",
        ),
        (
            "Library Manager: Installing git+https://example.org/x.git\nVCSBaseException: no",
            "ToolMissingError",
            "could not get git+https://example.org/x.git",
        ),
        ("Tool Manager: Installing a/b @ 1\nHTTPClientError:", "ToolMissingError", "get a/b"),
        ("noise\nsrc/main.c:3:1: error: no\n  here\nmore", "BuildError", "main.c:3:1: error: no"),
        ("something else", "BuildError", "something else"),
    ],
)
def test_errors_behind_the_output(output: str, error: str, says: str, tmp_path: Path) -> None:
    found = explain_failure(output, 1, tmp_path / ".pio/x.log", load_board("stm32f405"), 900)
    assert type(found).__name__ == error
    assert says in str(found)


def test_kernels_are_the_boards_unless_it_is_said_otherwise(model: Path, tmp_path: Path) -> None:
    request = firmware_request(tmp_path, model=model, board="mps2-an500", out=tmp_path / "a")
    assert generate_firmware(request).kernels == "cortex-m7"
    chosen = firmware_request(
        tmp_path, model=model, board="mps2-an500", kernels="portable", out=tmp_path / "b"
    )
    generated = generate_firmware(chosen)
    assert generated.kernels == "portable"
    header = (generated.path / "lib/edgemcu_model/edgemcu_model.h").read_text()
    assert '#define EDGEMCU_KERNELS "portable"' in header


def test_kernels_of_a_project(model: Path, tmp_path: Path) -> None:
    (tmp_path / "edgemcu.toml").write_text(
        '[dataset]\nsource = "cifar10"\n[firmware]\nkernels = "portable"\n'
    )
    assert firmware_request(tmp_path, model=model).kernels == "portable"
    assert firmware_request(tmp_path, model=model, kernels="auto").kernels == "auto"


def test_kernels_that_there_are_not(model: Path, tmp_path: Path) -> None:
    request = firmware_request(tmp_path, model=model, kernels="z80", out=tmp_path / "a")
    with pytest.raises(UnsupportedModelError, match="z80"):
        generate_firmware(request)
    with pytest.raises(ProjectError, match="tflm runtime brings its own"):
        firmware_request(tmp_path, model=model, runtime="tflm", kernels="portable")
