"""The reference kernels' rescaling over whole arrays: int64 in, int64 out, to the last bit.

See `fixed_point` for the same on single integers, and for where the formulas come from.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgemcu.compiler.fixed_point import INT32_MAX, INT32_MIN

Ints = NDArray[np.int64]


def wrap_int32(values: Ints) -> Ints:
    return (values - INT32_MIN) % (1 << 32) + INT32_MIN


def rescale(values: Ints, multiplier: Any, shift: Any) -> Ints:
    """values × multiplier × 2^(shift − 31), rounded twice; arguments broadcast.

    It never decreases where `values` grow, as long as `values` << shift stays within int32.
    """
    multiplier, shift = (np.asarray(part, np.int64) for part in (multiplier, shift))
    shifted = wrap_int32(values << np.maximum(shift, 0))
    high = np.minimum((shifted * multiplier + (1 << 30)) >> 31, INT32_MAX)
    right = np.maximum(-shift, 0)
    half = (np.int64(1) << right) >> 1
    result: Ints = (high + half - ((high < 0) & (right > 0))) >> right
    return result


def overflows(values: Ints, shift: Any) -> bool:
    """Whether `rescale` would wrap around anywhere."""
    shifted = values << np.maximum(np.asarray(shift, np.int64), 0)
    return bool(shifted.min() < INT32_MIN or shifted.max() > INT32_MAX)
