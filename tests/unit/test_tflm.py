"""The TFLM runtime's sources: the model's array, the resolver, what TFLM is not given."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from edgemcu.artefacts import sha256_bytes
from edgemcu.boards import list_boards, load_board
from edgemcu.errors import ToolMissingError, UnsupportedModelError
from edgemcu.firmware.escape import c_bytes
from edgemcu.firmware.runtime import LIBRARY, ModelSource, RuntimeSources
from edgemcu.firmware.tflm import (
    DEFAULT_LIBRARY,
    check_library,
    library_kernels,
    op_resolver,
    tflm_sources,
)
from edgemcu.firmware.tflm_kernels import OPERATORS, check_operators
from edgemcu.graph.ir import OpKind
from edgemcu.tflite import parse_model
from edgemcu.tflite.file import open_model
from tests.support.tflite_builder import ModelBuilder
from tests.support.tflm_networks import NETWORKS
from tests.support.tiny_classifier import tiny_classifier

GOLDEN = Path(__file__).parent.parent / "golden"


def sources(board: str = "stm32f405", library: str | None = None) -> RuntimeSources:
    data = tiny_classifier()
    model = ModelSource(parse_model(data, "tiny"), data, sha256_bytes(data))
    return tflm_sources(model, load_board(board), library)


@pytest.fixture
def folder_with_cmsis_nn(tmp_path: Path) -> Path:
    folder = tmp_path / "tflm with spaces"
    (folder / "src/micro").mkdir(parents=True)
    (folder / "src/micro/micro_interpreter.h").touch()
    (folder / "src/arm_nnfunctions.h").touch()
    return folder


# ---- Op resolver -----------------------------------------------------------------------------


def test_the_resolver_has_exactly_the_models_operators() -> None:
    model = open_model(tiny_classifier(), "tiny")
    assert op_resolver(model) == ["AddConv2D()", "AddFullyConnected()", "AddMean()", "AddSoftmax()"]
    text = sources().files[f"{LIBRARY}/edgemcu_tflm.cpp"]
    assert "MicroMutableOpResolver<4>" in text
    assert re.findall(r"resolver\.(Add\w+)\(\)", text) == [
        "AddConv2D",
        "AddFullyConnected",
        "AddMean",
        "AddSoftmax",
    ]


def test_an_operator_that_is_used_twice_is_registered_once() -> None:
    model = open_model(NETWORKS["residual"](), "residual")
    assert sum(op.name == "CONV_2D" for op in model.operators) == 2
    assert op_resolver(model).count("AddConv2D()") == 1


def test_cmsis_nn_is_asked_for_by_name(folder_with_cmsis_nn: Path) -> None:
    """So that a library in which it is off does not link."""
    made = sources(library=f"symlink://{folder_with_cmsis_nn}")
    assert made.kernels == "cmsis-nn"
    assert '#define EDGEMCU_KERNELS "cmsis-nn"' in made.files[f"{LIBRARY}/edgemcu_model.h"]
    text = made.files[f"{LIBRARY}/edgemcu_tflm.cpp"]
    assert "resolver.AddConv2D(tflite::Register_CONV_2D_INT8()) == kTfLiteOk" in text
    assert "resolver.AddMean() == kTfLiteOk" in text, "CMSIS-NN has no kernel of its own for it"
    assert "-DCMSIS_NN" in made.build_flags
    assert "-DCMSIS_NN" not in sources().build_flags


def test_every_operator_that_edgemcu_reads_is_known() -> None:
    assert set(OPERATORS) == {kind.value for kind in OpKind}


# ---- The array -------------------------------------------------------------------------------


def array_in(text: str) -> bytes:
    body = re.search(r"= \{\n(.*)\n\};", text, re.S)
    assert body is not None
    return bytes(int(byte, 16) for byte in re.findall(r"0x([0-9a-f]{2}),", body[1]))


def test_the_array_holds_the_file() -> None:
    text = sources().files[f"{LIBRARY}/model_data.c"]
    assert array_in(text) == tiny_classifier()
    assert f"_Alignas(16) const uint8_t edgemcu_model_data[{len(tiny_classifier())}] = {{" in text


def test_lines_of_twelve_bytes() -> None:
    assert c_bytes(bytes(range(14))) == (
        "    0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0a, 0x0b,\n"
        "    0x0c, 0x0d,"
    )


@pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")
def test_the_array_is_aligned_and_equal_when_compiled(tmp_path: Path) -> None:
    for path, text in sources().files.items():
        (tmp_path / Path(path).name).write_text(text)
    (tmp_path / "main.c").write_text(
        '#include <stdio.h>\n#include "model_data.h"\n'
        "int main(void)\n{\n"
        "    fwrite(edgemcu_model_data, 1, sizeof edgemcu_model_data, stdout);\n"
        "    return (int)((uintptr_t)edgemcu_model_data % 16);\n}\n"
    )
    program = tmp_path / "program"
    command = ["gcc", "-std=c11", "-Wall", "-Wextra", "-Werror", "-o", program]
    subprocess.run([*command, tmp_path / "main.c", tmp_path / "model_data.c"], check=True)
    done = subprocess.run([program], capture_output=True, check=True)
    assert done.stdout == tiny_classifier()


# ---- The rest of the library -----------------------------------------------------------------


def test_golden(update_golden: bool) -> None:
    files = sources().files
    names = ("edgemcu_model.h", "edgemcu_tflm.cpp", "model_data.h", "library.json")
    text = "".join(f"======== {name}\n{files[f'{LIBRARY}/{name}']}" for name in names)
    golden = GOLDEN / "tflm.txt"
    if update_golden:
        golden.write_text(text)
    assert text == golden.read_text(), "if this is intended: pytest --update-golden"


@pytest.mark.parametrize("board", [board.name for board in list_boards()])
def test_text_is_tidy(board: str) -> None:
    for path, text in sources(board).files.items():
        assert text.endswith("\n") and not text.endswith("\n\n"), path
        assert all(line == line.rstrip() and len(line) <= 100 for line in text.splitlines()), path
        assert "{{" not in text.replace("{{}}", "") and "{%" not in text, path


def test_two_runs_give_the_same_bytes() -> None:
    assert list(sources().files.items()) == list(sources().files.items())


def test_a_process_keeps_its_own_abort() -> None:
    name = f"{LIBRARY}/edgemcu_tflm.cpp"
    assert "void abort(void)" in sources("mps2-an386").files[name]
    assert "abort" not in sources("host").files[name]


def test_structs_are_larger_on_a_computer() -> None:
    assert sources("host").arena_bytes > sources("stm32f405").arena_bytes


def test_scales_per_channel_are_not_left_to_old_versions_of_tflm() -> None:
    """They would take the first for all: they must not compile."""
    name = f"{LIBRARY}/edgemcu_tflm.cpp"
    data = NETWORKS["branches"]()
    model = ModelSource(parse_model(data, "branches"), data, sha256_bytes(data))
    text = tflm_sources(model, load_board("stm32f405"), None).files[name]
    assert "static_assert(sizeof(&tflite::OpDataFullyConnected::is_per_channel)" in text
    assert "static_assert" not in sources().files[name]


# ---- Where the library comes from ------------------------------------------------------------


def test_the_library_is_a_pinned_one_by_default() -> None:
    assert sources().lib_deps == (DEFAULT_LIBRARY,)
    assert re.fullmatch(r"https://\S+\.git#[0-9a-f]{40}", DEFAULT_LIBRARY)
    assert sources().kernels == "reference"


def test_a_folder_that_is_not_there_is_reported_before_anything_is_built() -> None:
    with pytest.raises(ToolMissingError) as error:
        sources(library="symlink:///no/such/folder")
    assert error.value.where == "/no/such/folder"
    assert "[tflm] library" in str(error.value)


def test_a_folder_without_tflm_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ToolMissingError, match="not in this folder"):
        check_library(f"file://{tmp_path}")


def test_what_is_not_a_folder_is_left_to_platformio() -> None:
    check_library("somebody/Some Library@^1.0.0")
    assert library_kernels("https://example.org/some.git#abc") == "reference"
    assert library_kernels("https://example.org/some.git#abc", "cmsis-nn") == "cmsis-nn"
    assert library_kernels(None, "cmsis-nn") == "reference", "the default library has no others"


# ---- What TFLM would not do right ------------------------------------------------------------


def relu6(scale: float, zero_point: int) -> bytes:
    b = ModelBuilder()
    x = b.input((1, 4), 0.05, 3)
    b.output(b.op("RELU6", [x], (1, 4), scale, zero_point))
    return b.finish()


def concatenation(count: int) -> bytes:
    b = ModelBuilder()
    inputs = [b.input((1, 2), 0.05, 3) for _ in range(count)]
    b.output(b.op("CONCATENATION", inputs, (1, 2 * count), 0.05, 3, axis=1))
    return b.finish()


def dead_operator() -> bytes:
    b = ModelBuilder()
    x = b.input((1, 4), 0.05, 3)
    b.op("TANH", [x], (1, 4), 1 / 128, 0)
    b.output(b.op("RELU", [x], (1, 4), 0.05, 3))
    return b.finish()


def own_plan() -> bytes:
    b = ModelBuilder()
    x = b.input((1, 4), 0.05, 3)
    b.output(b.op("RELU", [x], (1, 4), 0.05, 3))
    b.metadata("OfflineMemoryAllocation", np.array([1, 0, 2, 0, 16], np.int32).tobytes())
    return b.finish()


def refused() -> Iterator[tuple[str, bytes]]:
    yield "does not rescale", relu6(0.1, 3)
    yield "does not rescale", relu6(0.05, 4)
    yield "at most 10 tensors, not 11", concatenation(11)
    yield r"operator 0 \(TANH\)", dead_operator()
    yield "memory plan of its own", own_plan()


def test_what_tflm_would_not_run_as_tensorflow_lite_does_is_refused() -> None:
    for message, data in refused():
        with pytest.raises(UnsupportedModelError, match=message):
            check_operators(open_model(data, "model"))


def test_what_it_does_run_is_let_through() -> None:
    for data in (relu6(0.05, 3), concatenation(10), *(make() for make in NETWORKS.values())):
        check_operators(open_model(data, "model"))
