"""Kernels for Cortex-M cores with the DSP extension: M4, M7, M33, and what has more."""

from __future__ import annotations

from edgemcu.compiler.kernels import AnyKernel

KERNELS: tuple[AnyKernel, ...] = ()
