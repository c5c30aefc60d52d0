"""The C that the compiler writes: deterministic, readable, self-contained, safe in all names."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgemcu.compiler import compile_model, names
from edgemcu.compiler.kernels import Kernel, targets
from edgemcu.errors import ModelError, UnsupportedModelError
from edgemcu.graph.ir import (
    Activation,
    ConvAttributes,
    DType,
    Graph,
    NoAttributes,
    Op,
    OpKind,
    Padding,
    Quantization,
    Tensor,
)
from edgemcu.shipped import shipped
from tests.support.compiled import WARNINGS, require_compiler, write_files

DIGEST = "0123456789abcdef" * 4


def quantization(scale: float, zero_point: int = 0) -> Quantization:
    return Quantization(np.float32([scale]), np.int32([zero_point]))


def small_graph(name: str = "network/pointwise/Relu6;network/pointwise/Conv2D") -> Graph:
    """A 1×1 convolution of 2×2×2 to 2×2×3, then RELU."""
    weights = np.array([[1, 2], [3, -4], [-5, 127]], np.int8).reshape(3, 1, 1, 2)
    tensors = (
        Tensor("image", (1, 2, 2, 2), DType.INT8, quantization(0.5, 3)),
        Tensor("weights", (3, 1, 1, 2), DType.INT8, quantization(0.25), weights),
        Tensor("bias", (3,), DType.INT32, quantization(0.125), np.array([10, 20, 30], np.int32)),
        Tensor(name, (1, 2, 2, 3), DType.INT8, quantization(1.0, -128)),
        Tensor("result", (1, 2, 2, 3), DType.INT8, quantization(1.0, -100)),
    )
    conv = ConvAttributes(Padding.VALID, (1, 1), (1, 1), Activation.RELU6)
    ops = (
        Op(OpKind.CONV_2D, (0, 1, 2), (3,), conv),
        Op(OpKind.RELU, (3,), (4,), NoAttributes()),
    )
    return Graph(tensors, ops, (0,), (4,))


LAYER = """\
/* 1. CONV_2D network/pointwise/Relu6
 * 2x2x2 -> 2x2x3, 24 MACs; written over what it has read of its input */
static void layer_1_conv_2d(void)
{
    static const struct conv_1x1_int8_params params = {
        .pixels = 4, .input_channels = 2, .output_channels = 3,
        .out = {.zero_point = -128, .min = -128, .max = -122},
        .scales = {.bias = layer_1_bias, .multiplier = layer_1_multiplier, .shift = layer_1_shift},
        .weights = layer_1_weights,
    };
    conv_1x1_int8(&params, arena + TENSOR_0_IMAGE, arena + TENSOR_3_POINTWISE_RELU6);
}
"""

# Pairs of output channels side by side, a zero channel behind the third; the bias is
# bias - 3 x (sum of weights), as the input's zero point is 3.
WEIGHTS = """\
const int32_t layer_1_bias[4] = {
    1, 23, -336, 0,
};

const int32_t layer_1_multiplier[4] = {
    1073741824, 1073741824, 1073741824, 0,
};

const int8_t layer_1_shift[4] = {
    -2, -2, -2, 0,
};

const int8_t layer_1_weights[8] = {
    1, 3, 2, -4, -5, 0, 127, 0,
};
"""


def test_a_small_model_reads_well() -> None:
    compiled = compile_model(small_graph(), model_digest=DIGEST)
    assert LAYER in compiled.files["model.c"]
    assert WEIGHTS in compiled.files["weights.c"]
    header = compiled.files["edgemcu_model.h"]
    for line in (
        f'#define EDGEMCU_MODEL_DIGEST "{DIGEST}"',
        '#define EDGEMCU_RUNTIME "compiled"',
        '#define EDGEMCU_KERNELS "portable"',
        "#define EDGEMCU_INPUT_BYTES 8u",
        "#define EDGEMCU_OUTPUT_BYTES 12u",
        "#define EDGEMCU_INPUT_0_SCALE 0.5f",
        "#define EDGEMCU_INPUT_0_ZERO_POINT (3)",
        f"#define EDGEMCU_ARENA_BYTES {compiled.arena_bytes}u",
    ):
        assert f"\n{line}\n" in header
    assert not any(
        len(line) > 100
        for name, text in compiled.files.items()
        if name != "weights.h"
        for line in text.splitlines()
    )


def test_facts_of_a_small_model() -> None:
    compiled = compile_model(small_graph(), model_digest=DIGEST)
    assert compiled.arena_bytes == compiled.arena_lower_bound == 16
    conv, relu = compiled.layers
    assert (conv.kernel, conv.macs, conv.weights_bytes) == ("conv_1x1_int8", 24, 4 * 9 + 8)
    assert (relu.kernel, relu.macs, relu.weights_bytes) == ("lookup_int8", 0, 256)
    assert compiled.weights_bytes == conv.weights_bytes + relu.weights_bytes


def test_only_the_kernels_in_use_come_along() -> None:
    files = compile_model(small_graph(), model_digest=DIGEST).files
    kernels = {name for name in files if name.startswith("kernels/") and name.endswith(".c")}
    assert kernels == {"kernels/portable/conv_1x1_int8.c", "kernels/portable/lookup_int8.c"}


# Of ESP-IDF and its component ESP-NN.
FROM_THE_SDK = {"esp_nn.h", "sdkconfig.h"}


def test_every_include_comes_along() -> None:
    """All kernels: whatever a source includes by quotes is in its own or its headers' list."""
    folder = shipped("firmware_templates") / "compiled" / "kernels"
    for kernel in {kernel for kernels in targets().values() for kernel in kernels}:
        own = {f"{kernel.name}.h", *kernel.headers}
        for name in (f"{kernel.name}.c", *own):
            text = (folder / kernel.folder / name).read_text()
            needs = set(re.findall(r'#include "([^"]+)"', text)) - FROM_THE_SDK
            assert needs <= own, (kernel.name, name)


def test_same_model_same_bytes() -> None:
    first, second = (compile_model(small_graph(), model_digest=DIGEST).files for _ in range(2))
    assert first == second
    assert list(first) == list(second)


HOSTILE = (
    "a */ int x; /* b",
    'quote " backslash \\',
    "line\nbreak \\\n#error no",
    "??/ trigraph ??'",
    "ünïcödé/层",
    "int",
    "",
    "///;;;",
    "x" * 5000,
    "%s%n{{ 7 * 7 }}{% raw %}",
    "*/*/*/",
    "/*",
)


@pytest.mark.parametrize("name", HOSTILE)
def test_names_cannot_break_out(name: str, tmp_path: Path) -> None:
    compiler = require_compiler()
    graph = small_graph(name)
    hostile = tuple(replace(tensor, name=name) for tensor in graph.tensors)
    compiled = compile_model(replace(graph, tensors=hostile), model_digest=DIGEST)
    write_files(compiled, tmp_path)
    for source in ("model.c", "weights.c"):
        command = [compiler, *WARNINGS, "-fsyntax-only", source]
        result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        assert result.returncode == 0, result.stderr[:2000]


@pytest.mark.parametrize("name", HOSTILE)
def test_identifiers_and_comments(name: str) -> None:
    assert re.fullmatch(r"[a-z0-9_]{0,32}", names.identifier(name))
    comment = names.comment(name)
    assert len(comment) <= names.MAX_COMMENT
    assert comment.isascii()
    assert not set(comment) & set('*\n\\?"')


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_compiles_without_a_warning(compiler: str, tmp_path: Path) -> None:
    require_compiler(compiler)
    folder = shipped("firmware_templates") / "compiled" / "kernels"
    # Vector kernels need the compiler of their core, and those of an SDK its headers: the tests of
    # these build them.
    elsewhere = {"cortex_m55", "esp_nn"}
    sources = [str(p) for p in sorted(folder.rglob("*.c")) if p.parent.name not in elsewhere]
    write_files(compile_model(small_graph(), model_digest=DIGEST), tmp_path)
    command = [compiler, *WARNINGS, "-Wshadow", "-Wpedantic", "-O2", "-c", "model.c", *sources]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr[:3000]


def test_needs_nothing_but_memcpy_and_memset(tmp_path: Path) -> None:
    compiler = require_compiler()
    folder = shipped("firmware_templates") / "compiled" / "kernels" / "portable"
    sources = [str(path) for path in sorted(folder.glob("*.c"))]
    subprocess.run([compiler, "-std=c11", "-O2", "-c", *sources], cwd=tmp_path, check=True)
    objects = [str(path) for path in sorted(tmp_path.glob("*.o"))]
    listing = subprocess.run(["nm", "-u", *objects], capture_output=True, text=True, check=True)
    undefined = set(re.findall(r"U (\w+)", listing.stdout))
    assert undefined - {"_GLOBAL_OFFSET_TABLE_"} <= {"memcpy", "memset"}


def test_header_works_in_cpp(tmp_path: Path) -> None:
    if shutil.which("g++") is None:
        pytest.skip("g++ is not installed")
    write_files(compile_model(small_graph(), model_digest=DIGEST), tmp_path)
    (tmp_path / "main.cpp").write_text(
        '#include "edgemcu_model.h"\nint main() { return edgemcu_init() + edgemcu_invoke(); }\n'
    )
    for command in (
        ["gcc", "-std=c11", "-O2", "-c", *map(str, sorted(tmp_path.rglob("*.c")))],
        ["g++", "-Wall", "-Werror", "main.cpp", "-c"],
    ):
        subprocess.run(command, cwd=tmp_path, check=True)
    objects = sorted(path.name for path in tmp_path.glob("*.o"))
    subprocess.run(["g++", *objects, "-o", "main"], cwd=tmp_path, check=True)
    assert subprocess.run([str(tmp_path / "main")]).returncode == 0


def test_invoke_is_a_function_of_its_own(tmp_path: Path) -> None:
    compiler = require_compiler()
    write_files(compile_model(small_graph(), model_digest=DIGEST), tmp_path)
    subprocess.run([compiler, "-O3", "-c", "model.c"], cwd=tmp_path, check=True)
    listing = subprocess.run(["nm", "model.o"], cwd=tmp_path, capture_output=True, text=True)
    assert re.search(r" T edgemcu_invoke$", listing.stdout, re.MULTILINE)


def test_refusals() -> None:
    graph = small_graph()
    with pytest.raises(ModelError, match="SHA-256"):
        compile_model(graph, model_digest="not a digest")
    with pytest.raises(UnsupportedModelError, match="no kernels for target 'z80'"):
        compile_model(graph, target="z80", model_digest=DIGEST)
    with pytest.raises(UnsupportedModelError, match="no inputs"):
        compile_model(replace(graph, inputs=()), model_digest=DIGEST)
    tiny = replace(graph.tensors[3], quantization=quantization(1e-12))
    tensors = (*graph.tensors[:3], tiny, graph.tensors[4])
    with pytest.raises(UnsupportedModelError, match=r"CONV_2D 'network/pointwise.*factor"):
        compile_model(replace(graph, tensors=tensors), model_digest=DIGEST)


def test_the_cheapest_kernel_is_chosen() -> None:
    kernels = targets()["portable"]
    assert len({kernel.name for kernel in kernels}) == len(kernels)
    assert all(isinstance(kernel, Kernel) for kernel in kernels)
    graph = small_graph()
    strided = ConvAttributes(Padding.VALID, (2, 2), (1, 1), Activation.NONE)
    output = replace(graph.tensors[3], shape=(1, 1, 1, 3))
    ops = (Op(OpKind.CONV_2D, (0, 1, 2), (3,), strided),)
    changed = Graph((*graph.tensors[:3], output), ops, (0,), (3,))
    assert compile_model(changed, model_digest=DIGEST).layers[0].kernel == "conv_2d_int8"
