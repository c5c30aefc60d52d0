"""tools/make_tflm_library.py, on small stand-ins for the repositories.

What it makes of the real ones is built and run by tests/emulator/test_tflm.py, where
EDGEMCU_TFLM_LIBRARY names it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from edgemcu.firmware.tflm import check_library, library_kernels

TOOL = Path(__file__).parents[2] / "tools/make_tflm_library.py"
MICRO = "tensorflow/lite/micro"
PATCH = """\
diff --git a/include/flatbuffers/base.h b/include/flatbuffers/base.h
--- a/include/flatbuffers/base.h
+++ b/include/flatbuffers/base.h
@@ -1,2 +1,2 @@
-#define LOCALE 1
+#define LOCALE 0
 // end
diff --git a/include/flatbuffers/unused.h b/include/flatbuffers/unused.h
--- a/include/flatbuffers/unused.h
+++ b/include/flatbuffers/unused.h
@@ -1,1 +1,1 @@
-a
+b
"""
FILES = {
    f"tflite-micro/{MICRO}/micro_interpreter.cc": f'#include "{MICRO}/micro_interpreter.h"\n',
    f"tflite-micro/{MICRO}/micro_interpreter.h": '#include "flatbuffers/base.h"\n',
    f"tflite-micro/{MICRO}/micro_mutable_op_resolver.h": '#include "ruy/profiler.h"\n',
    f"tflite-micro/{MICRO}/micro_interpreter_test.cc": "no\n",
    f"tflite-micro/{MICRO}/unused.h": "no\n",
    f"tflite-micro/{MICRO}/kernels/conv.cc": "reference\n",
    f"tflite-micro/{MICRO}/kernels/conv_common.cc": '#include "fixedpoint/fixedpoint.h"\n',
    f"tflite-micro/{MICRO}/kernels/conv_test.cc": "no\n",
    f"tflite-micro/{MICRO}/kernels/svdf.cc": "another operator\n",
    f"tflite-micro/{MICRO}/kernels/cmsis_nn/conv.cc": '#include "arm_nnfunctions.h"\n',
    f"tflite-micro/{MICRO}/tools/make/flatbuffers.patch": PATCH,
    "tflite-micro/LICENSE": "A\n",
    "CMSIS-NN/Source/conv/arm_convolve_s8.c": '#include "arm_nnfunctions.h"\n',
    "CMSIS-NN/Source/conv/arm_convolve_f32.c": "no\n",
    "CMSIS-NN/Include/arm_nnfunctions.h": "// int8\n",
    "CMSIS-NN/LICENSE": "A\n",
    "flatbuffers/include/flatbuffers/base.h": "#define LOCALE 1\n// end\n",
    "flatbuffers/LICENSE": "A\n",
    "gemmlowp/fixedpoint/fixedpoint.h": "// fixed\n",
    "gemmlowp/LICENSE": "A\n",
    "ruy/ruy/profiler.h": "// profiler\n",
    "ruy/LICENSE": "A\n",
}


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        path = tmp_path / "sources" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "sources"


def make(out: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(TOOL), str(out), *arguments]
    return subprocess.run(command, capture_output=True, text=True)


def test_what_is_taken(sources: Path, tmp_path: Path) -> None:
    out = tmp_path / "tflm"
    done = make(out, "--sources", str(sources))
    assert done.returncode == 0, done.stderr
    files = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    assert files == {
        f"{MICRO}/micro_interpreter.cc",
        f"{MICRO}/micro_interpreter.h",
        f"{MICRO}/micro_mutable_op_resolver.h",
        f"{MICRO}/kernels/conv_common.cc",
        f"{MICRO}/kernels/cmsis_nn/conv.cc",
        "third_party/cmsis_nn/Source/conv/arm_convolve_s8.c",
        "third_party/cmsis_nn/Include/arm_nnfunctions.h",
        "third_party/flatbuffers/include/flatbuffers/base.h",
        "third_party/gemmlowp/fixedpoint/fixedpoint.h",
        "third_party/ruy/ruy/profiler.h",
        *(f"licences/{name}.txt" for name in ("CMSIS-NN", "flatbuffers", "gemmlowp", "ruy")),
        "licences/tflite-micro.txt",
        "library.json",
    }
    patched = (out / "third_party/flatbuffers/include/flatbuffers/base.h").read_text()
    assert "LOCALE 0" in patched
    manifest = json.loads((out / "library.json").read_text())
    assert "-DCMSIS_NN" in manifest["build"]["flags"]
    assert manifest["edgemcu"]["CMSIS-NN"]["wanted"].startswith("4ab83cc3")
    check_library(f"symlink://{out}")
    assert library_kernels(f"symlink://{out}") == "cmsis-nn"


def test_reference_kernels_alone(sources: Path, tmp_path: Path) -> None:
    out = tmp_path / "tflm"
    assert make(out, "--sources", str(sources), "--reference").returncode == 0
    assert (out / MICRO / "kernels/conv.cc").is_file()
    assert not (out / "third_party/cmsis_nn").exists()
    assert library_kernels(f"symlink://{out}") == "reference"


def test_all_kernels(sources: Path, tmp_path: Path) -> None:
    out = tmp_path / "tflm"
    assert make(out, "--sources", str(sources), "--all-kernels").returncode == 0
    assert (out / MICRO / "kernels/svdf.cc").is_file()


def test_an_older_library_is_replaced_and_another_folder_is_not(
    sources: Path, tmp_path: Path
) -> None:
    out = tmp_path / "tflm"
    assert make(out, "--sources", str(sources), "--all-kernels").returncode == 0
    assert make(out, "--sources", str(sources)).returncode == 0
    assert not (out / MICRO / "kernels/svdf.cc").exists()
    (out / "library.json").unlink()
    done = make(out, "--sources", str(sources))
    assert done.returncode == 1 and "is no library" in done.stderr


def test_a_checkout_that_is_missing_is_named(sources: Path, tmp_path: Path) -> None:
    (sources / "ruy").rename(sources / "other")
    done = make(tmp_path / "tflm", "--sources", str(sources))
    assert done.returncode == 1 and "no folder ruy" in done.stderr
    assert not (tmp_path / "tflm").exists()


def test_flatbuffers_of_another_version_is_refused(sources: Path, tmp_path: Path) -> None:
    (sources / "flatbuffers/include/flatbuffers/base.h").write_text("// other\n")
    done = make(tmp_path / "tflm", "--sources", str(sources))
    assert done.returncode == 1 and "flatbuffers is not the version" in done.stderr


def test_the_pinned_commits_are_those_of_the_computed_arena() -> None:
    from edgemcu.firmware.cmsis_nn import CMSIS_NN_COMMIT
    from edgemcu.firmware.tflm_sizes import TFLM_COMMIT

    text = TOOL.read_text()
    assert CMSIS_NN_COMMIT in text and TFLM_COMMIT in text
