"""Kernels for Cortex-M cores with the DSP extension: M4, M7, M33, and what has more.

Costs are cycles of a Cortex-M4 with memory that answers at once, fitted to what the emulator counts
(Arm's Cortex-M4 reference manual, table 3-1).
"""

from __future__ import annotations

from edgemcu.compiler.kernels import AnyKernel
from edgemcu.compiler.kernels.cortex_m4 import (
    conv_depthwise,
    convolution,
    depthwise,
    depthwise_pixels,
    depthwise_rows,
    elementwise,
    fully_connected,
    wide,
    winograd,
)

# Without those that take more flash for less time.
SMALL_KERNELS: tuple[AnyKernel, ...] = (
    *convolution.KERNELS,
    *depthwise.KERNELS,
    *depthwise_pixels.KERNELS,
    *depthwise_rows.KERNELS,
    *conv_depthwise.KERNELS,
    *elementwise.KERNELS,
    *fully_connected.KERNELS,
    *wide.KERNELS,
)

KERNELS: tuple[AnyKernel, ...] = (*SMALL_KERNELS, *winograd.KERNELS)
