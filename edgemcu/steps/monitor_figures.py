"""What monitoring counts: predictions, time, classes, and everything that went wrong."""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from edgemcu.device.log import LogRecord
from edgemcu.graph.ir import Graph
from edgemcu.tflite import read_metadata, read_model

TIMES = 10_000
RECENT = 100
RATE_S = 10.0


@dataclass(frozen=True)
class KnownModel:
    """The model that should be on the device, to name its outputs.

    Attributes:
        digest: SHA-256 of the .tflite, hex.
        graph: the network.
        classes: names of its outputs; () where it has none.
    """

    digest: str
    graph: Graph
    classes: tuple[str, ...]

    @classmethod
    def load(cls, path: Path, digest: str) -> KnownModel:
        """Raises: ModelError: the file is damaged."""
        graph = read_model(path)
        metadata = read_metadata(graph, str(path))
        return cls(digest, graph, metadata.classes if metadata else ())

    def scores(self, record: LogRecord) -> list[tuple[str, float]]:
        """Class and score of each output, in the model's order; [] for another model's record."""
        import numpy as np

        from edgemcu.steps.evidence import output_scores

        tensor = self.graph.tensors[self.graph.outputs[0]]
        if not self.digest.startswith(record.model) or len(record.outputs) < tensor.bytes:
            return []
        scores = output_scores(self.graph, np.frombuffer(record.outputs, np.uint8)[None])
        if scores is None or scores.shape[1] != len(self.classes):
            return []
        return list(zip(self.classes, scores[0].tolist(), strict=True))


@dataclass
class Clock:
    """What a record's ticks are.

    Attributes:
        here: the firmware is a process of this computer.
        instructions_per_tick: of an emulator, known when it has been started.
    """

    here: bool = False
    instructions_per_tick: Fraction | None = None

    def value(self, record: LogRecord) -> float:
        """The inference's time, or what stands for it, in `unit`."""
        if self.instructions_per_tick is not None:
            return round(record.ticks * self.instructions_per_tick)
        return record.ticks if record.milliseconds is None else record.milliseconds

    def unit(self, record: LogRecord) -> str:
        """What `value` counts: "ms" on a board, "ms of this computer" for a process, "instructions"
        where an emulator counts them, "ticks" where nothing is known about them."""
        if self.instructions_per_tick is not None:
            return "instructions"
        if record.milliseconds is None:
            return "ticks"
        return "ms of this computer" if self.here else "ms"


class Figures:
    """Running figures of one monitor.

    Args:
        clock: what the ticks are.
        model: names the outputs.

    Attributes:
        count: inferences seen.
        missed: inferences that the numbers on the lines say were there, and were not seen.
        damaged: lines that arrived other than they were sent.
        restarts: starts of the firmware after the first thing that was seen of it.
        reconnects: times that a lost line came back.
        crashes: crash reports.
        last: the latest record.
        unit: of the times.
    """

    def __init__(self, clock: Clock, model: KnownModel | None) -> None:
        self.count = self.missed = self.damaged = 0
        self.restarts = self.reconnects = self.crashes = 0
        self.last: LogRecord | None = None
        self.unit = ""
        self._clock = clock
        self._model = model
        self._times: deque[float] = deque(maxlen=TIMES)
        self._arrivals: deque[float] = deque()
        self._recent: deque[str] = deque(maxlen=RECENT)
        self._all: Counter[str] = Counter()
        self._number: int | None = None

    def record(self, record: LogRecord, now: float) -> None:
        """Count an inference that arrived at `now` (monotonic seconds)."""
        if self._number is not None:
            if record.number <= self._number:
                self.restarts += 1
            else:
                self.missed += record.number - self._number - 1
        self._number = record.number
        self.count += 1
        self.last = record
        self.unit = self._clock.unit(record)
        self._times.append(self._clock.value(record))
        self._arrivals.append(now)
        if record.label is not None:
            self._recent.append(record.label)
            self._all[record.label] += 1

    def started(self) -> None:
        """The firmware says who it is, as after a reset; its numbers begin anew."""
        if self.count:
            self.restarts += 1
        self._number = None

    def lost(self) -> None:
        """The line broke off: what was said meanwhile is not known."""
        self._number = None

    def value(self, record: LogRecord) -> float:
        return self._clock.value(record)

    def percentile(self, percent: float) -> float | None:
        """By nearest rank, of the last 10,000 inferences."""
        return nearest_rank(self._times, percent)

    def rate(self, now: float) -> float:
        """Inferences per second over the last seconds."""
        while self._arrivals and now - self._arrivals[0] > RATE_S:
            self._arrivals.popleft()
        if len(self._arrivals) < 2:
            return 0.0
        return (len(self._arrivals) - 1) / max(1e-3, now - self._arrivals[0])

    def shares(self) -> list[tuple[str, float]]:
        """Classes by their share of the last 100 predictions, the most frequent first."""
        total = len(self._recent)
        return [(label, n / total) for label, n in Counter(self._recent).most_common()]

    def totals(self) -> dict[str, int]:
        """Predictions by class, since the beginning."""
        return dict(self._all.most_common())

    def scores(self) -> list[tuple[str, float]]:
        """Score of each class for the last input; [] where the model is not known."""
        if self._model is None or self.last is None:
            return []
        return self._model.scores(self.last)

    def top(self, count: int) -> list[tuple[str, float | None, float]]:
        """(class, last score, recent share) of the `count` classes with most to show."""
        shares, scores = dict(self.shares()), dict(self.scores())
        if not scores and self.last is not None and self.last.label and self.last.score is not None:
            scores = {self.last.label: self.last.score}
        names: Iterable[str] = dict.fromkeys([*shares, *scores])
        ranked = sorted(names, key=lambda name: (-shares.get(name, 0), -scores.get(name, 0)))
        return [(name, scores.get(name), shares.get(name, 0.0)) for name in ranked[:count]]


def nearest_rank(values: Sequence[float] | deque[float], percent: float) -> float | None:
    """The smallest value that is not below `percent` of all; None of none."""
    if not values:
        return None
    ordered = sorted(values)
    return ordered[max(0, math.ceil(percent / 100 * len(ordered)) - 1)]
