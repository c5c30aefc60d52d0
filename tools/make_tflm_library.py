#!/usr/bin/env python3
"""Make a PlatformIO library of TensorFlow Lite Micro from its own sources, CMSIS-NN included.

    tools/make_tflm_library.py ~/tflm --fetch                fetch the pinned commits with git
    tools/make_tflm_library.py ~/tflm --sources CHECKOUTS    take checkouts that are there

CHECKOUTS is a folder with tflite-micro, CMSIS-NN, flatbuffers, gemmlowp and ruy. Which commits go
together is what tflite-micro's own makefile says; no makefile is run. The library holds the kernels
that edgemcu sets TFLM up for (--all-kernels: every one), with CMSIS-NN's in place of the reference
kernels of the same name (--reference: without CMSIS-NN). Then:

    export EDGEMCU_TFLM_LIBRARY=~/tflm         or, in edgemcu.toml: [tflm] library = "~/tflm"

Needs Python and git alone.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

VERSION = "0.20260820.0"
PINS = {
    "tflite-micro": ("tensorflow/tflite-micro", "90b983c2b3f1480642e040bbd2ddb37b998f3424"),
    "CMSIS-NN": ("ARM-software/CMSIS-NN", "4ab83cc3cc98fb85ed6dafb55e8ca02f1628dcae"),
    "flatbuffers": ("google/flatbuffers", "v25.9.23"),
    "gemmlowp": ("google/gemmlowp", "719139ce755a0f31cbf1c37f7f98adcc7fc9f425"),
    "ruy": ("google/ruy", "d37128311b445e758136b8602d1bbd2a755e115d"),
}
HOST = "https://github.com"

MICRO = "tensorflow/lite/micro"
KERNELS = f"{MICRO}/kernels"
CORE = (
    f"{MICRO}/*.cc",
    f"{MICRO}/arena_allocator/*.cc",
    f"{MICRO}/memory_planner/*.cc",
    f"{MICRO}/tflite_bridge/*.cc",
    "tensorflow/lite/core/**/*.cc",
    "tensorflow/lite/kernels/**/*.cc",
    "tensorflow/compiler/mlir/lite/**/*.cc",
)
NOT_CORE = re.compile(r"_test\.cc$|/(fake|mock)_|test_helper|recording_|/experimental/|hexdump")
# What edgemcu's operators are called here, and what they share.
KERNEL_NAMES = (
    *("activations", "add", "concatenation", "conv", "depthwise_conv", "dequantize"),
    *("fully_connected", "hard_swish", "kernel_util", "logistic", "micro_tensor_utils", "mul"),
    *("pad", "pooling", "quantize", "reduce", "reshape", "softmax", "squeeze", "sub"),
)
INCLUDE = re.compile(r'^\s*#\s*include\s*["<]([^">]+)[">]', re.M)
# Floating point kernels of CMSIS-NN are off in tflite-micro's makefile.
CMSIS_NN_FLOAT = re.compile(r"_f(16|32)\.c$|arm_nntables_flt\.c$")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path, help="the library's folder; an older one is replaced")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--sources", type=Path, metavar="CHECKOUTS")
    where.add_argument("--fetch", action="store_true", help="into a folder beside OUT")
    parser.add_argument("--reference", action="store_true", help="leave CMSIS-NN out")
    parser.add_argument("--all-kernels", action="store_true")
    arguments = parser.parse_args()
    out: Path = arguments.out.expanduser().resolve()
    names = [name for name in PINS if not (arguments.reference and name == "CMSIS-NN")]
    try:
        if arguments.fetch:
            sources = out.with_name(out.name + "-sources")
            for name in names:
                fetch(name, sources / name)
        else:
            sources = arguments.sources.expanduser().resolve()
        files = make(sources, out, names, arguments.all_kernels)
    except (OSError, ValueError, subprocess.CalledProcessError) as problem:
        print(f"make_tflm_library: {problem}", file=sys.stderr)
        return 1
    print(f"{out}: {files} files. To use it: export EDGEMCU_TFLM_LIBRARY={out}")
    return 0


def fetch(name: str, folder: Path) -> None:
    """One commit of a repository, without its history."""
    repository, commit = PINS[name]
    folder.mkdir(parents=True, exist_ok=True)

    def git(*arguments: str) -> None:
        subprocess.run(["git", "-C", str(folder), *arguments], check=True)

    print(f"{repository} at {commit}")
    if not (folder / ".git").exists():
        git("init", "--quiet")
    git("fetch", "--quiet", "--depth", "1", f"{HOST}/{repository}.git", commit)
    git("checkout", "--quiet", "--force", "FETCH_HEAD")


def make(sources: Path, out: Path, names: Iterable[str], all_kernels: bool) -> int:
    """Write the library; how many files it has.

    Raises:
        ValueError: a checkout is missing, or `out` is something else.
    """
    roots = {name: find(sources, name) for name in names}
    tflm = roots["tflite-micro"]
    chosen = [path for pattern in CORE for path in sorted(tflm.glob(pattern))]
    chosen = [path for path in chosen if not NOT_CORE.search(path.as_posix())]
    chosen += kernels(tflm, optimised="CMSIS-NN" in roots, everything=all_kernels)
    origin = {"tflite-micro": "", "flatbuffers": "third_party/flatbuffers/include"}
    origin |= {"gemmlowp": "third_party/gemmlowp", "ruy": "third_party/ruy"}
    bases = [(tflm, ""), (roots["flatbuffers"] / "include", origin["flatbuffers"])]
    bases += [(roots[name], origin[name]) for name in ("gemmlowp", "ruy")]
    if "CMSIS-NN" in roots:
        cmsis_nn, place = roots["CMSIS-NN"], "third_party/cmsis_nn"
        chosen += [
            path
            for path in sorted((cmsis_nn / "Source").rglob("*.c"))
            if not CMSIS_NN_FLOAT.search(path.name)
        ]
        bases += [(cmsis_nn / "Include", f"{place}/Include"), (cmsis_nn, place)]
    files = with_headers(chosen, bases)
    files |= {
        Path("licences") / f"{name}.txt": licence(root) for name, root in sorted(roots.items())
    }

    if out.exists() and any(out.iterdir()) and not (out / "library.json").is_file():
        raise ValueError(f"{out} is not empty, and is no library")
    staged = out.with_name(out.name + ".new")
    shutil.rmtree(staged, ignore_errors=True)
    for path, source in files.items():
        (staged / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, staged / path)
    patch_flatbuffers(staged, tflm)
    (staged / "library.json").write_text(manifest(roots, bases))
    shutil.rmtree(out, ignore_errors=True)
    staged.rename(out)
    return len(files) + 1


def find(sources: Path, name: str) -> Path:
    for folder in sources.glob("*") if sources.is_dir() else ():
        if folder.name.lower().replace("_", "-") == name.lower() and folder.is_dir():
            return folder
    raise ValueError(f"{sources} has no folder {name} (see --help)")


def kernels(tflm: Path, *, optimised: bool, everything: bool) -> list[Path]:
    """Kernels, and what they share; CMSIS-NN's file in place of the reference file of that name."""
    chosen = []
    for path in sorted((tflm / KERNELS).glob("*.cc")):
        name = path.stem
        if name.endswith("_test") or name in ("test_data_generation", "kernel_runner"):
            continue
        if not everything and name.removesuffix("_common") not in KERNEL_NAMES:
            continue
        replacement = tflm / KERNELS / "cmsis_nn" / path.name
        chosen.append(replacement if optimised and replacement.is_file() else path)
    return chosen


def with_headers(chosen: Iterable[Path], bases: list[tuple[Path, str]]) -> dict[Path, Path]:
    """place in the library → file: what was chosen, and every header that it includes."""
    files: dict[Path, Path] = {}
    waiting = list(chosen)
    waiting += [bases[0][0] / MICRO / name for name in ("micro_mutable_op_resolver.h",)]
    while waiting:
        source = waiting.pop()
        # The innermost base: Include/ of CMSIS-NN, not CMSIS-NN itself.
        base, place = max(
            ((b, p) for b, p in bases if source.is_relative_to(b)),
            key=lambda pair: len(str(pair[0])),
        )
        target = Path(place) / source.relative_to(base)
        if target in files:
            continue
        files[target] = source
        text = source.read_text(encoding="utf-8", errors="replace")
        for name in INCLUDE.findall(text):
            places = (source.parent / name, *(base / name for base, _ in bases))
            found = next((path.resolve() for path in places if path.is_file()), None)
            if found is not None:
                waiting.append(found)
    return files


def licence(root: Path) -> Path:
    return next(path for path in (root / "LICENSE", root / "LICENSE.txt") if path.is_file())


def patch_flatbuffers(library: Path, tflm: Path) -> None:
    """TFLM's own changes to flatbuffers: no locale, and an allocator that is never missing."""
    text = (tflm / f"{MICRO}/tools/make/flatbuffers.patch").read_text(encoding="utf-8")
    folder = library / "third_party/flatbuffers"
    # Only of what is here: the patch is for all of flatbuffers.
    parts = re.split(r"(?m)^(?=diff --git )", text)
    for part in parts:
        match = re.match(r"diff --git a/(\S+)", part)
        if match is None or not (folder / match[1]).is_file():
            continue
        done = subprocess.run(
            ["git", "apply", "--unsafe-paths", f"--directory={folder}", "-"],
            input=part,
            cwd="/",
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise ValueError(f"flatbuffers is not the version that TFLM patches: {done.stderr}")


def manifest(roots: dict[str, Path], bases: list[tuple[Path, str]]) -> str:
    facts = {
        "name": "tflm",
        "version": VERSION,
        "description": "TensorFlow Lite Micro from its own sources, put together by edgemcu's "
        "tools/make_tflm_library.py",
        "keywords": "tensorflow, neural network, int8",
        "license": "Apache-2.0",
        "headers": f"{MICRO}/micro_interpreter.h",
        "build": {
            "srcDir": ".",
            "includeDir": ".",
            "flags": [
                *(f"-I{place}" for _, place in bases if place),
                # The same as in TFLM's makefile.
                "-DTF_LITE_STATIC_MEMORY",
                "-DNDEBUG",
                *(
                    ["-DCMSIS_NN", "-DARM_NN_ENABLE_F16=0", "-DARM_NN_ENABLE_F32=0"]
                    if "CMSIS-NN" in roots
                    else []
                ),
                "-w",
            ],
            "libArchive": True,
        },
        "edgemcu": {name: describe(name, root) for name, root in sorted(roots.items())},
    }
    return json.dumps(facts, indent=2) + "\n"


def describe(name: str, root: Path) -> dict[str, str]:
    """Which commit a checkout is at, where git can tell."""
    repository, wanted = PINS[name]
    facts = {"repository": repository, "wanted": wanted}
    if (root / ".git").exists():
        done = subprocess.run(
            ["git", "-C", str(root), "rev-parse", "HEAD"], capture_output=True, text=True
        )
        if done.returncode == 0:
            facts["found"] = done.stdout.strip()
    return facts


if __name__ == "__main__":
    sys.exit(main())
