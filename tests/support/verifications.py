"""A verification with everything in it, made up but of realistic proportions."""

from __future__ import annotations

from dataclasses import replace

from edgemcu.report.verification import (
    Check,
    Difference,
    Distribution,
    Figures,
    Prediction,
    Verification,
)
from tests.support.reports import make_report


def make_verification() -> Verification:
    """60 photos on an STM32F405, all bytes equal, one limit that QEMU cannot check."""
    run = make_report()
    return Verification(
        title="cat-dog-bird",
        board="stm32f405",
        board_name="STM32F405 (Cortex-M4F, 168 MHz)",
        target="qemu",
        machine="QEMU 7.2.22, netduinoplus2",
        runtime="compiled",
        kernels="cortex-m4",
        model_sha256="9f2c" * 16,
        model_bytes=261_432,
        firmware="0.1.0",
        elf_sha256="07ab" * 16,
        sanitized=False,
        inputs="3 of 3000 test photos",
        inputs_sha256="11aa" * 16,
        figures=Figures(
            inferences=3,
            bytes_equal=3,
            output_bytes=3,
            accuracy=2 / 3,
            photos=3,
            instructions=Distribution.of([30_000_000, 30_000_100, 30_000_050]),
            flash_bytes=261_804,
            flash_limit=1 << 20,
            ram_bytes=74_992,
            ram_limit=128 << 10,
            arena_planned=49_152,
            arena_used=49_152,
            stack_used=1200,
            stack_limit=8192,
        ),
        checks=(
            Check("bytes", "every output byte is the reference's", "passed", 3, 3, 0, "inferences"),
            Check("min_accuracy", "accuracy", "passed", 2 / 3, 0.6, 2 / 3 - 0.6, "share"),
            Check(
                *("max_latency_ms", "latency, slowest", "not checked", None, 40, None, "ms"),
                "not checked here: an emulator has no latency of a board",
            ),
        ),
        predictions=(
            Prediction("test/0001", "cat", "cat", 0.91),
            Prediction("test/0002", "dog", "bird", 0.55),
            Prediction("test/0003", "bird", "bird", 0.99),
        ),
        versions={"edgemcu": "0.1.0", "reference": "ai-edge-litert 2.3.0"},
        finished="2026-11-24T15:00:00+00:00",
        command="edgemcu verify --project examples/demo",
        samples=run.samples[:3],
    )


def make_failed_verification() -> Verification:
    """The same, but one inference differs and the accuracy is below its limit."""
    v = make_verification()
    return replace(
        v,
        figures=replace(v.figures, bytes_equal=2, accuracy=1 / 3),
        checks=(
            Check(
                *("bytes", "every output byte is the reference's", "failed", 2, 3, -1),
                *("inferences", "1 outputs differ"),
            ),
            Check("min_accuracy", "accuracy", "failed", 1 / 3, 0.6, 1 / 3 - 0.6, "share"),
        ),
        differences=(Difference(1, "test/0002", 1, 2, "807f81", "807e82"),),
    )
