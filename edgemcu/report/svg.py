"""The page's pictures as inline SVG: they scale, print, and follow the page's colours by class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, log10

from markupsafe import Markup, escape

from edgemcu.report.model import ArenaBuffer, Epoch
from edgemcu.report.text import count, percent, plural, size


@dataclass(frozen=True)
class Line:
    """A named curve: (x, y) in data units, drawn with the CSS class `style`."""

    name: str
    style: str
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Frame:
    """The plotting area in pixels, and the data ranges that fill it."""

    left: float
    top: float
    width: float
    height: float
    x_range: tuple[float, float]
    y_range: tuple[float, float]

    def x(self, value: float) -> float:
        low, high = self.x_range
        return round(self.left + (value - low) / (high - low) * self.width, 2)

    def y(self, value: float) -> float:
        low, high = self.y_range
        return round(self.top + (high - value) / (high - low) * self.height, 2)


def nice_ticks(low: float, high: float, wanted: int = 5) -> list[float]:
    """Round values inside [low, high], about `wanted` of them, in steps of 1, 2 or 5 × 10ⁿ."""
    span = high - low
    if span <= 0:
        return [low]
    power = 10.0 ** floor(log10(span / wanted))
    step = next(power * m for m in (1, 2, 5, 10) if span / (power * m) <= wanted)
    first, last = ceil(low / step - 1e-9), floor(high / step + 1e-9)
    return [round(index * step, 10) for index in range(first, last + 1)]


def accuracy_curves(history: Sequence[Epoch], best_epoch: int | None) -> Markup:
    return _curves(
        "Accuracy",
        history,
        [(e.epoch, e.accuracy) for e in history],
        [(e.epoch, e.validation_accuracy) for e in history if e.validation_accuracy is not None],
        best_epoch,
        as_percent=True,
    )


def loss_curves(history: Sequence[Epoch], best_epoch: int | None) -> Markup:
    return _curves(
        "Loss",
        history,
        [(e.epoch, e.loss) for e in history],
        [(e.epoch, e.validation_loss) for e in history if e.validation_loss is not None],
        best_epoch,
        as_percent=False,
    )


def _curves(
    title: str,
    history: Sequence[Epoch],
    training: list[tuple[int, float]],
    validation: list[tuple[int, float]],
    best_epoch: int | None,
    *,
    as_percent: bool,
) -> Markup:
    values = [y for _, y in training + validation]
    low, high = min(values), max(values)
    margin = 0.06 * (high - low) or 0.05
    epochs = [e.epoch for e in history]
    x_range = (float(min(epochs)), float(max(epochs))) if len(epochs) > 1 else (0.0, 2.0)
    frame = Frame(46, 30, 380, 190, x_range, (low - margin, high + margin))
    parts = [Markup('<text class="chart-title" x="0" y="14">{}</text>').format(title)]
    for tick in nice_ticks(*frame.y_range):
        label = percent(tick, 0) if as_percent else f"{tick:g}"
        parts.append(_grid_line(frame, tick, label))
    for tick in (t for t in nice_ticks(*x_range, wanted=8) if t == int(t)):
        parts.append(
            Markup('<text class="tick" text-anchor="middle" x="{}" y="{}">{:g}</text>').format(
                frame.x(tick), frame.top + frame.height + 16, tick
            )
        )
    parts.append(
        Markup('<text class="tick" text-anchor="end" x="{}" y="{}">epoch</text>').format(
            frame.left + frame.width, frame.top + frame.height + 32
        )
    )
    if best_epoch is not None and x_range[0] <= best_epoch <= x_range[1]:
        parts.append(_best_marker(frame, best_epoch, at_top=not as_percent))
    lines = [Line("training", "training", tuple(training))]
    if validation:
        lines.append(Line("validation", "validation", tuple(validation)))
    parts += [_polyline(frame, line) for line in lines]
    parts.append(_legend(lines, right=frame.left + frame.width))
    return _svg(440, 258, f"{title} by epoch", parts)


def _grid_line(frame: Frame, value: float, label: str) -> Markup:
    return Markup(
        '<line class="grid" x1="{left}" x2="{right}" y1="{y}" y2="{y}"/>'
        '<text class="tick" text-anchor="end" x="{label_x}" y="{label_y}">{label}</text>'
    ).format(
        left=frame.left,
        right=frame.left + frame.width,
        y=frame.y(value),
        label_x=frame.left - 7,
        label_y=frame.y(value) + 4,
        label=label,
    )


def _best_marker(frame: Frame, epoch: int, *, at_top: bool) -> Markup:
    """The epoch whose weights were kept, labelled where the curve is not."""
    x = frame.x(epoch)
    late = x > frame.left + 0.75 * frame.width
    return Markup(
        '<line class="best" x1="{x}" x2="{x}" y1="{top}" y2="{bottom}"/>'
        '<text class="tick" text-anchor="{anchor}" x="{label_x}" y="{label_y}">kept</text>'
    ).format(
        x=x,
        top=frame.top,
        bottom=frame.top + frame.height,
        anchor="end" if late else "start",
        label_x=x - 5 if late else x + 5,
        label_y=frame.top + (12 if at_top else frame.height - 6),
    )


def _polyline(frame: Frame, line: Line) -> Markup:
    points = " ".join(f"{frame.x(x)},{frame.y(y)}" for x, y in line.points)
    last_x, last_y = line.points[-1]
    return Markup(
        '<polyline class="curve {style}" points="{points}"/>'
        '<circle class="dot {style}" r="3" cx="{x}" cy="{y}"/>'
    ).format(style=line.style, points=points, x=frame.x(last_x), y=frame.y(last_y))


def _legend(lines: Sequence[Line], right: float) -> Markup:
    parts = []
    x = right
    for line in reversed(lines):
        x -= 7 * len(line.name)
        parts.append(
            Markup(
                '<line class="curve {style}" x1="{a}" x2="{b}" y1="10" y2="10"/>'
                '<text class="tick" x="{text}" y="14">{name}</text>'
            ).format(style=line.style, a=x - 24, b=x - 6, text=x, name=line.name)
        )
        x -= 38
    return Markup("").join(parts)


def memory_plan(buffers: Sequence[ArenaBuffer], arena_bytes: int, layers: int) -> Markup:
    """Address over time: one box per tensor, as high as its bytes, as wide as its life."""
    layers = max(layers, 1 + max(buffer.last_layer for buffer in buffers))
    frame = Frame(66, 12, 800, 320, (0.0, float(layers)), (0.0, float(max(arena_bytes, 1))))
    parts = [_grid_line(frame, tick, size(int(tick))) for tick in _byte_ticks(arena_bytes)]
    step = max(1, ceil(layers / 24))
    for layer in range(0, layers, step):
        parts.append(
            Markup('<text class="tick" text-anchor="middle" x="{}" y="{}">{}</text>').format(
                frame.x(layer + 0.5), frame.top + frame.height + 16, layer + 1
            )
        )
    parts.append(
        Markup('<text class="tick" text-anchor="end" x="{}" y="{}">layer</text>').format(
            frame.left + frame.width, frame.top + frame.height + 32
        )
    )
    for index, buffer in enumerate(buffers):
        parts.append(_buffer_box(frame, index, buffer, _covered_from(buffer, buffers[index + 1 :])))
    return _svg(876, 372, f"Memory plan: {plural(len(buffers), 'tensor')} in the arena", parts)


def _byte_ticks(arena_bytes: int) -> list[float]:
    """Ticks at powers of two of a KiB, so that labels are round in KiB."""
    step = 64
    while arena_bytes / step > 6:
        step *= 2
    return [float(tick) for tick in range(0, arena_bytes + 1, step)]


def _covered_from(buffer: ArenaBuffer, later: Sequence[ArenaBuffer]) -> int:
    """The layer from which a tensor that took over its memory in place is drawn on top of it."""
    return min(
        (
            other.first_layer
            for other in later
            if buffer.first_layer < other.first_layer <= buffer.last_layer
            and other.offset < buffer.offset + buffer.bytes
            and buffer.offset < other.offset + other.bytes
        ),
        default=buffer.last_layer + 1,
    )


def _buffer_box(frame: Frame, index: int, buffer: ArenaBuffer, covered_from: int) -> Markup:
    left, right = frame.x(buffer.first_layer), frame.x(buffer.last_layer + 1)
    top, bottom = frame.y(buffer.offset + buffer.bytes), frame.y(buffer.offset)
    width, height = round(right - left - 1.5, 2), round(max(bottom - top - 1, 0.5), 2)
    note = (
        f"{buffer.name}: {count(buffer.bytes)} bytes at {count(buffer.offset)}, "
        f"layers {buffer.first_layer + 1} to {buffer.last_layer + 1}"
    )
    box = Markup(
        "<g><title>{note}</title>"
        '<rect class="buffer b{colour}" x="{x}" y="{y}" width="{w}" height="{h}" rx="2"/>'
    ).format(note=note, colour=index % 6, x=left + 0.75, y=top, w=width, h=height)
    label = size(buffer.bytes)
    seen = frame.x(covered_from) - left
    if height >= 14 and seen >= 6.2 * len(label) + 6:
        box += Markup('<text class="in-box" text-anchor="middle" x="{}" y="{}">{}</text>').format(
            round(left + seen / 2, 2), round((top + bottom) / 2 + 4, 2), label
        )
    return box + Markup("</g>")


def _svg(width: int, height: int, description: str, parts: Sequence[Markup]) -> Markup:
    return (
        Markup('<svg viewBox="0 0 {} {}" role="img" aria-label="{}">').format(
            width, height, escape(description)
        )
        + Markup("").join(parts)
        + Markup("</svg>")
    )
