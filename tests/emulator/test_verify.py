"""`edgemcu verify` and `edgemcu classify`, from a project to files that CI reads."""

from __future__ import annotations

import json
import shlex
import shutil
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from numpy.typing import NDArray

from edgemcu.board_schema import QemuEmulator
from edgemcu.boards import load_board
from edgemcu.cli.main import main
from edgemcu.data import dataset_digest
from edgemcu.device.emulator import QEMU, QemuMachine
from edgemcu.device.protocol import Identity, Kind
from edgemcu.device.session import Limits
from edgemcu.device.streaming import DeviceOutputs
from edgemcu.device.target import Target
from edgemcu.errors import DeviceError, EdgemcuError, InputsError, ProjectError
from edgemcu.project import load_project
from edgemcu.report.verification import Distribution
from edgemcu.steps import subject as subject_step
from edgemcu.steps import verify as verify_step
from edgemcu.steps.build import build_firmware
from edgemcu.steps.classify import photo_pixels
from edgemcu.steps.dataset import dataset_spec
from edgemcu.steps.request import FirmwareRequest, firmware_request
from edgemcu.steps.stimulus import Stimulus
from edgemcu.steps.subject import prepare
from edgemcu.steps.verify import Outputs, verify_firmware
from edgemcu.tflite_edit import pack_model, schema_module
from tests.support import device_firmware
from tests.support.photos import class_folders
from tests.support.serve import serve
from tests.support.tiny_classifier import tiny_classifier

pytestmark = [pytest.mark.slow, pytest.mark.emulator]

QUICK = Limits(ready_s=0.5, answer_s=0.1, inference_s=0.5, attempts=3)
CLASSES = ("cat", "dog", "bird")
LIMITS = """
min_accuracy = 0.01
max_latency_ms = 40
max_instructions = 1_000_000
max_flash = "64 KiB"
max_ram = "16 KiB"
"""


def make_project(folder: Path, limits: str = "") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.tflite").write_bytes(tiny_classifier(classes=CLASSES))
    class_folders(folder / "photos", {"bird": (1, 2, 3), "cat": (4, 5), "dog": (6, 7, 8)})
    (folder / "edgemcu.toml").write_text(
        '[project]\nname = "pets"\n[dataset]\nsource = "photos"\n'
        f'[firmware]\nmodel = "model.tflite"\n[verify]\nphotos = "photos"\n{limits}'
    )
    return folder


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_project(tmp_path_factory.mktemp("project"), LIMITS)


@pytest.fixture(scope="module")
def program(project: Path) -> Path:
    """The project's firmware as a program of this computer."""
    return build_firmware(firmware_request(project).on_board("host")).build.elf


def edgemcu(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [*map(str, arguments), "-q"])


def outcomes(document: dict[str, Any]) -> dict[str, str]:
    return {check["name"]: check["outcome"] for check in document["checks"]}


@pytest.mark.skipif(shutil.which(QEMU) is None, reason=f"{QEMU} is not installed")
def test_a_board_in_its_emulator(project: Path, tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("junit.xml", "page.html", "comment.md")]
    options = zip(("--junit", "--html", "--markdown"), files, strict=True)
    arguments = [word for pair in options for word in pair]
    done = edgemcu("verify", "--project", project, "--json", *arguments)
    assert done.exit_code == 0, done.output
    document = json.loads(done.stdout)
    assert document["passed"] and document["target"] == "qemu"
    found = outcomes(document)
    assert found.pop("max_latency_ms") == "not checked"
    assert set(found.values()) == {"passed"} and len(found) == 9
    figures = document["figures"]
    assert figures["inferences"] == figures["bytes_equal"] == figures["photos"] == 8
    assert figures["latency_ms"] is None
    spread = figures["instructions"]
    assert 0 < spread["p50"] <= spread["p95"] <= spread["max"] <= spread["p50"] + 4
    assert {p["label"] for p in document["predictions"]} == set(CLASSES)
    cases = ElementTree.parse(files[0]).getroot().findall(".//testcase")
    assert len(cases) == len(document["checks"])
    assert "PASSED" in files[1].read_text() and "passed ✅" in files[2].read_text()


def test_the_same_project_on_this_computer_with_sanitizers(project: Path) -> None:
    done = edgemcu("verify", "--project", project, "--on", "host", "--sanitize", "--json")
    assert done.exit_code == 0, done.output
    document = json.loads(done.stdout)
    assert (document["board"], document["sanitized"]) == ("host", True)
    found = outcomes(document)
    assert found["sanitizers"] == "passed"
    assert found["max_flash"] == found["max_latency_ms"] == "not checked"


def test_a_limit_that_is_broken(tmp_path: Path) -> None:
    project = make_project(tmp_path / "p", 'min_accuracy = 1.0\nmax_arena = "10 B"\n')
    junit = tmp_path / "junit.xml"
    done = edgemcu("verify", "--project", project, "--on", "host", "--junit", junit)
    assert done.exit_code == 1
    assert "FAILED  2 of 7 checks failed" in done.stdout
    root = ElementTree.parse(junit).getroot()
    assert root.attrib["failures"] == "2"


def test_one_wrong_byte_is_noticed(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = verify_step.reference_outputs

    def off_by_one(*args: Any, **options: Any) -> NDArray[np.uint8]:
        outputs = honest(*args, **options).copy()
        outputs[2, 1] ^= 1
        return outputs

    monkeypatch.setattr(verify_step, "reference_outputs", off_by_one)
    junit = tmp_path / "junit.xml"
    done = edgemcu("verify", "--project", project, "--on", "host", "--junit", junit, "--json")
    assert done.exit_code == 1
    document = json.loads(done.stdout)
    assert outcomes(document)["bytes"] == "failed"
    (difference,) = document["differences"]
    assert (difference["inference"], difference["offset"], difference["differing"]) == (2, 1, 1)
    failure = ElementTree.parse(junit).getroot().find(".//failure")
    assert failure is not None and difference["expected"] in (failure.text or "")


def test_golden_outputs_are_kept_and_mended(
    project: Path, program: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = firmware_request(project)
    verify_firmware(request, on="host")
    (kept,) = (project / "build" / "golden").glob("*/outputs.npy")
    good = kept.read_bytes()
    kept.write_bytes(good[:-1] + b"\x00")
    assert verify_firmware(request, on="host").passed, "a damaged file is not believed"
    assert kept.read_bytes() == good
    monkeypatch.setattr("edgemcu.reference.run_reference", None)
    assert verify_firmware(request, on="host").passed, "the interpreter was not asked again"


def test_a_baseline_is_saved_compared_and_kept_to(tmp_path: Path) -> None:
    project = make_project(tmp_path, "max_regression = 1.0\n")
    done = edgemcu("verify", "--project", project, "--on", "host", "--save-baseline")
    assert done.exit_code == 0, done.output
    baseline = project / "edgemcu-baseline.json"
    again = edgemcu("verify", "--project", project, "--on", "host", "--json")
    comparison = json.loads(again.stdout)["comparison"]
    assert comparison["same_model"] and comparison["same_inputs"]
    assert (comparison["compared"], comparison["answers"]) == (8, [])
    document = json.loads(baseline.read_text())
    document["figures"]["arena_used"] = document["figures"]["arena_used"] // 2
    document["predictions"][0]["answer"] = "somebody else"
    baseline.write_text(json.dumps(document))
    worse = edgemcu("verify", "--project", project, "--on", "host", "--json")
    assert worse.exit_code == 1
    report = json.loads(worse.stdout)
    assert outcomes(report)["regression.arena_used"] == "failed"
    assert len(report["comparison"]["answers"]) == 1
    accepted = edgemcu("verify", "--project", project, "--on", "host", "--save-baseline")
    assert accepted.exit_code == 0
    assert edgemcu("verify", "--project", project, "--on", "host").exit_code == 0


# ---- A board at a port: here, a program behind a TCP port ----------------------------------------


def at_port(project: Path) -> FirmwareRequest:
    return firmware_request(project, board="host")


def test_at_a_port_nothing_is_built(
    project: Path, program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subject_step, "build_firmware", None)
    with serve(shutil.copy(program, tmp_path)) as port:
        result = verify_firmware(at_port(project), on=port)
        assert result.passed
        assert result.verification.elf_sha256 is not None, "that which an earlier build left"
        shutil.rmtree(project / "build" / "host-compiled" / "project" / ".pio")
        result = verify_firmware(at_port(project), on=port)
    assert result.passed
    assert result.verification.elf_sha256 is None
    assert result.verification.figures.flash_bytes is None
    assert result.verification.figures.latency_ms is None, "no board, no latency"


def test_a_latency_is_what_a_boards_own_clock_says(project: Path) -> None:
    request = firmware_request(project)
    subject = prepare(request, on="socket://[::1]:1")
    stimulus = verify_step.choose_stimulus(subject, 4, None, None)
    expected = verify_step.golden(subject, stimulus)
    identity = Identity(
        protocol=1, firmware="0.1.0", board="stm32f405", model=subject.model_digest,
        runtime="compiled", kernels=subject.promised_kernels, model_ok=True, input_bytes=192,
        output_bytes=3, pixels=True, arena_planned=300, arena_used=300, counter_hz=21_000_000,
        max_payload=300, window=0,
    )  # fmt: skip
    device = DeviceOutputs(expected, None, (0.010, 0.011, 0.050, 0.012), identity)
    verification = verify_step.assemble(subject, stimulus, expected, device)
    assert verification.figures.latency_ms == Distribution(11.0, 50.0, 50.0)
    found = outcomes(verification.to_json())
    assert found["max_latency_ms"] == "failed", "the slowest one counts"
    assert found["max_instructions"] == found["max_flash"] == "not checked"
    host = replace(subject, board=load_board("host"))
    assert verify_step.assemble(host, stimulus, expected, device).figures.latency_ms is None
    emulated = replace(subject, target=Target("qemu"))
    assert verify_step.assemble(emulated, stimulus, expected, device).figures.latency_ms is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cat > /dev/null", "has not identified itself within"),
        ("exec yes", "has not identified itself within"),
        ("exit 0", "connection to the device is lost"),
    ],
)
def test_what_is_no_firmware(project: Path, tmp_path: Path, text: str, message: str) -> None:
    stranger = script(tmp_path / "stranger", text)
    junit = tmp_path / "junit.xml"
    with serve(stranger) as port, pytest.raises(DeviceError, match=message):
        verify_firmware(at_port(project), on=port, outputs=Outputs(junit=junit), limits=QUICK)
    root = ElementTree.parse(junit).getroot()
    assert (root.attrib["tests"], root.attrib["errors"]) == ("1", "1")


def test_another_firmware_is_refused(project: Path, tmp_path: Path) -> None:
    other = device_firmware.build("host", tmp_path / "other")
    junit = tmp_path / "junit.xml"
    with serve(other) as port:
        done = edgemcu(
            *("verify", "--project", project, "--board", "host", "--on", port, "--junit", junit)
        )
    assert done.exit_code == 3
    assert "flash it again" in done.stderr
    error = ElementTree.parse(junit).getroot().find(".//error")
    assert error is not None and "holds model" in error.attrib["message"]


def script(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


@pytest.mark.skipif(shutil.which(QEMU) is None, reason=f"{QEMU} is not installed")
def test_a_board_that_computes_with_slower_kernels_than_promised(
    project: Path, tmp_path: Path
) -> None:
    slow = firmware_request(project, kernels="portable", out=tmp_path / "slow")
    elf = build_firmware(slow).build.elf
    emulator = load_board("stm32f405").emulator
    assert isinstance(emulator, QemuEmulator)
    command = shlex.join(QemuMachine(emulator.machine, emulator.icount_shift).command(elf))
    with serve(script(tmp_path / "board", f"exec {command}")) as port:
        done = edgemcu("verify", "--project", project, "--on", port, "--json")
    assert done.exit_code == 1, done.output
    document = json.loads(done.stdout)
    found = outcomes(document)
    assert found.pop("kernels") == "failed"
    assert "failed" not in found.values(), "every byte is right all the same"
    assert found["max_flash"] == "not checked", "the build folder has another program"
    assert (document["kernels"], document["figures"]["latency_ms"]) == ("portable", None)


@pytest.mark.parametrize("received", [0, 400, 2000])
def test_a_cable_that_is_pulled(
    project: Path, program: Path, tmp_path: Path, received: int
) -> None:
    junit = tmp_path / "junit.xml"
    pulled = script(tmp_path / "pulled", f"dd bs=1 count={received} 2>/dev/null | {program}")
    with serve(pulled) as port, pytest.raises(DeviceError, match=r"lost|takes no bytes"):
        verify_firmware(at_port(project), on=port, outputs=Outputs(junit=junit), limits=QUICK)
    assert ElementTree.parse(junit).getroot().attrib["errors"] == "1"


def test_a_firmware_that_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An input that starts with HANG makes the stand-in model do that."""
    monkeypatch.setattr("edgemcu.steps.subject.sha256_file", lambda _: device_firmware.MODEL_DIGEST)
    hanging = np.frombuffer(b"HANG" + bytes(device_firmware.INPUT_BYTES - 4), np.uint8)[None]
    stimulus = Stimulus(hanging, Kind.TENSOR, hanging, None, "one that hangs")
    project = make_project(tmp_path / "p")
    program = device_firmware.build("host", tmp_path / "other")
    with serve(program) as port, pytest.raises(DeviceError, match="gave up after 3 attempts"):
        prepare(at_port(project), on=port).run(stimulus, limits=QUICK)


def test_errors_before_anything_runs_reach_junit_too(project: Path, tmp_path: Path) -> None:
    junit = tmp_path / "junit.xml"
    for arguments in (
        ["--project", tmp_path / "nowhere"],
        ["--project", project, "--board", "no-such-board"],
        ["--project", project, "--on", "nonsense"],
        ["--project", project, "--baseline", tmp_path / "none.json"],
        ["--project", project, "--on", "qemu", "--sanitize"],
        ["--project", project, "--on", "host", "--inputs", "random:3", "--images", "3"],
        ["--project", project, "--on", "host", "--photos", tmp_path / "none"],
    ):
        junit.unlink(missing_ok=True)
        done = edgemcu("verify", *arguments, "--junit", junit)
        assert done.exit_code == 3, done.output
        assert ElementTree.parse(junit).getroot().attrib["errors"] == "1"


def test_a_file_that_cannot_be_written(project: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for option in ("--junit", "--html", "--markdown"):
        done = edgemcu(
            "verify", "--project", project, "--on", "host", option, tmp_path / "file" / "x"
        )
        assert done.exit_code == 3
        assert "file/x: cannot be written: " in done.stderr


# ---- Photos that the network may know ------------------------------------------------------------


def test_photos_of_a_class_that_the_model_does_not_know(project: Path, tmp_path: Path) -> None:
    class_folders(tmp_path / "photos", {"cat": (1,), "horse": (2,)})
    with pytest.raises(EdgemcuError, match=r"'horse' is no class(.|\n)*cat, dog, bird"):
        verify_firmware(firmware_request(project), on="host", photos=tmp_path / "photos")


def test_a_damaged_photo_is_no_gap(project: Path, tmp_path: Path) -> None:
    class_folders(tmp_path / "photos", {"cat": (1,), "dog": (2,)})
    (tmp_path / "photos" / "cat" / "x.png").write_bytes(b"x")
    with pytest.raises(EdgemcuError, match=r"x\.png: not a JPEG"):
        verify_firmware(firmware_request(project), on="host", photos=tmp_path / "photos")


def model_trained_on(digest: str, classes: tuple[str, ...] = ("bird", "cat", "dog")) -> bytes:
    """The tiny classifier with the record that `quantize` leaves in a model."""
    schema = schema_module()
    tree = schema.ModelT.InitFromPackedBuf(tiny_classifier(classes=classes), 0)
    buffer = tree.buffers[tree.metadata[0].buffer]
    record = json.loads(bytes(buffer.data))
    record["training"] = {"dataset": {"source": "photos", "digest": digest}}
    buffer.data = np.frombuffer(json.dumps(record).encode(), np.uint8)
    return pack_model(tree, 0)


def test_only_photos_that_were_held_back_give_an_accuracy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = make_project(tmp_path)
    (project / "edgemcu.toml").write_text('[dataset]\nsource = "photos"\n')
    shutil.rmtree(project / "photos")
    numbers = {"bird": range(100, 112), "cat": range(200, 212), "dog": range(300, 312)}
    class_folders(project / "photos", numbers)
    monkeypatch.setenv("EDGEMCU_CACHE", str(tmp_path / "cache"))
    digest = dataset_digest(dataset_spec(load_project(project)))
    own = project / "build" / "quantize" / "model.tflite"
    own.parent.mkdir(parents=True)
    own.write_bytes(model_trained_on(digest))
    request = firmware_request(project)
    verified = verify_firmware(request, on="host").verification
    assert 0 < verified.figures.photos < 12, "the test photos alone"

    # The same model from elsewhere is known by its record; another one is not.
    (tmp_path / "copy.tflite").write_bytes(own.read_bytes())
    copy = firmware_request(project, model=tmp_path / "copy.tflite", out=tmp_path / "out")
    assert verify_firmware(copy, on="host").verification.figures.photos > 0
    (tmp_path / "copy.tflite").write_bytes(model_trained_on("0" * 64))
    assert verify_firmware(copy, on="host").verification.inputs == "random:10"

    for other in (model_trained_on("0" * 64), model_trained_on(digest, CLASSES)):
        own.write_bytes(other)
        with pytest.raises(ProjectError, match=r"may not be new to it"):
            verify_firmware(request, on="host")
    own.write_bytes(model_trained_on(digest))
    class_folders(project / "photos", {"cat": range(400, 403)})
    with pytest.raises(ProjectError, match=r"may not be new to it"):
        verify_firmware(request, on="host")


def test_a_model_without_photos(tmp_path: Path) -> None:
    model = tmp_path / "any.tflite"
    model.write_bytes(tiny_classifier(classes=None))
    request = firmware_request(tmp_path, model=model, board="host", out=tmp_path / "out")
    with pytest.raises(InputsError, match="has no test photos"):
        verify_firmware(request, images=3)
    with pytest.raises(InputsError, match="does not say how a photo"):
        verify_firmware(request, photos=tmp_path)
    result = verify_firmware(request)
    assert result.passed and result.verification.inputs == "random:10"


# ---- classify ------------------------------------------------------------------------------------


def test_classify_files_and_folders(project: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"no photo")
    empty = tmp_path / "empty"
    empty.mkdir()
    arguments = ["--project", project, "--on", "host", "--check", "--top", "2"]
    done = edgemcu("classify", project / "photos", bad, empty, *arguments, "--json")
    assert done.exit_code == 1
    photos = json.loads(done.stdout)["photos"]
    errors = [photo["error"] for photo in photos]
    assert errors == [None] * 8 + [
        "not a JPEG, PNG, WebP or BMP picture",
        "there are no photos in this folder",
    ]
    for photo in photos[:8]:
        assert photo["equal"] is True
        assert photo["label"] == photo["ranking"][0]["label"] in CLASSES
        assert photo["ranking"] == photo["reference"]
        assert photo["instructions"] is photo["latency_ms"] is None
        assert len(photo["ranking"]) == 2
    shown = edgemcu("classify", project / "photos" / "cat", *arguments)
    assert shown.exit_code == 0
    assert shown.stdout.count("reference: the same bytes") == 2
    only_bad = edgemcu("classify", bad, *arguments)
    assert only_bad.exit_code == 1
    assert "error: not a JPEG" in only_bad.stdout


@pytest.mark.skipif(shutil.which(QEMU) is None, reason=f"{QEMU} is not installed")
def test_classify_in_an_emulator_counts_instructions(project: Path) -> None:
    photo = project / "photos" / "cat" / "4.png"
    done = edgemcu("classify", photo, "--project", project, "--json")
    assert done.exit_code == 0, done.output
    (result,) = json.loads(done.stdout)["photos"]
    assert result["instructions"] > 1000 and result["latency_ms"] is None
    host = json.loads(
        edgemcu("classify", photo, "--project", project, "--on", "host", "--json").stdout
    )
    assert host["photos"][0]["outputs"] == result["outputs"]


def test_classify_needs_a_model_that_knows_photos(tmp_path: Path) -> None:
    model = tmp_path / "any.tflite"
    model.write_bytes(tiny_classifier(classes=None))
    done = edgemcu(
        "classify", "x.png", "--model", model, "--board", "host", "--out", tmp_path / "o"
    )
    assert done.exit_code == 1
    assert "does not say how a photo becomes its input" in done.stderr
    subject = prepare(firmware_request(tmp_path, model=model, board="host"), on="socket://[::1]:1")
    with pytest.raises(InputsError, match="does not say how a photo"):
        photo_pixels(subject, np.zeros((8, 8, 3), np.uint8))
