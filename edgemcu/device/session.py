"""One conversation with a firmware, whatever line it is at the end of."""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction

from edgemcu._version import __version__
from edgemcu.device.checks import TIME_MAX, TIME_REQUEST, LoopTiming, SelfTest
from edgemcu.device.inference import Inference, Patience, StartOver, Timing, check_input
from edgemcu.device.link import Link
from edgemcu.device.protocol import (
    DONE,
    ERROR,
    IDENTIFY,
    IDENTITY,
    LOG,
    PING,
    PONG,
    SELFTEST,
    SELFTEST_RESULT,
    SESSION,
    TIME,
    TIMING,
    Damage,
    ErrorAnswer,
    ErrorCode,
    Frame,
    Identity,
    Kind,
    LogLevel,
    Result,
    session_of,
)
from edgemcu.device.transport import Transport
from edgemcu.errors import DeviceError, ProtocolError

MAX_OUTPUT_BYTES = 1 << 24
_BATCH_S = 2.0  # of timed inferences in one request


@dataclass(frozen=True)
class Limits:
    """How long and how often a session tries.

    Attributes:
        ready_s: seconds from the start until the firmware must have identified itself.
        answer_s: seconds that an answer may take, the line's own time not counted.
        inference_s: seconds that one inference may take.
        write_s: seconds for which the line may refuse to take more bytes.
        attempts: set-backs in a row, without any progress, after which the session gives up.
    """

    ready_s: float = 15.0
    answer_s: float = 2.0
    inference_s: float = 120.0
    write_s: float = 10.0
    attempts: int = 8


@dataclass(frozen=True)
class InferenceResult:
    """What the device computed for one input.

    Attributes:
        outputs: all output tensors' bytes, back to back.
        ticks: of the device's counter, for the inference alone.
        sequence: the device's running number of this inference, as in its log lines.
        instructions: what the ticks stand for in an emulator; None where they are time.
        seconds: what the ticks stand for on a chip; None where they are instructions.
    """

    outputs: bytes
    ticks: int
    sequence: int
    instructions: int | None
    seconds: float | None


class DeviceSession:
    """Talks to the firmware at the end of `transport`, which it closes in the end.

    Args:
        transport: the line.
        limits: time-outs and retries.
        on_line: called with each line of the device that is for people, as it arrives.
        instructions_per_tick: of the device's counter, where it follows instructions.

    Attributes:
        restarts: resets of the device that were noticed and overcome.
    """

    def __init__(
        self,
        transport: Transport,
        limits: Limits | None = None,
        on_line: Callable[[str], None] | None = None,
        instructions_per_tick: Fraction | None = None,
    ) -> None:
        self.limits = limits or Limits()
        self.restarts = 0
        self._instructions_per_tick = instructions_per_tick
        self._link = Link(transport, on_line, self.limits.write_s)
        self._session = 0
        self._identity: Identity | None = None
        # Ids of another session's inputs, late frames included, must not be taken for ours.
        self._input_id = secrets.randbits(32)
        self._slowest = 0.0
        self._level = LogLevel.FRAME
        self._level_lost = False

    def __enter__(self) -> DeviceSession:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the conversation, and the emulator or process that was started for it."""
        if self._level is not LogLevel.FRAME:
            # Whoever listens to the board next expects to see something; no answer is awaited.
            self._level = LogLevel.FRAME
            with contextlib.suppress(DeviceError):
                self._link.send(LOG, bytes([LogLevel.FRAME]))
        self._link.close()

    @property
    def log(self) -> list[str]:
        """The device's last lines for people, boot messages included, the oldest first."""
        return self._link.log

    @property
    def damaged(self) -> int:
        """Lines that arrived damaged, so far."""
        return self._link.damaged

    @property
    def identity(self) -> Identity:
        """What the firmware says about itself; asked for once.

        Raises:
            DeviceError: as `identify`.
        """
        return self._identity or self.identify()

    def identify(self) -> Identity:
        """Ask the firmware who it is. The first call waits until it has started.

        Raises:
            DeviceError: it faulted, or did not answer in time.
            ProtocolError: it speaks another protocol, or is not the firmware that it was before.
        """
        identity = self._ask_identity()
        if identity.output_bytes > MAX_OUTPUT_BYTES:
            raise ProtocolError(f"the firmware claims outputs of {identity.output_bytes} bytes")
        if self._identity is not None and identity != self._identity:
            raise ProtocolError(
                "another firmware answers than before",
                where=self._link.transport.name,
                hint="start a new session after flashing",
            )
        self._identity = identity
        self._link.max_line = (1 << 14) + 2 * identity.output_bytes
        return identity

    def _restarted(self) -> None:
        """The device has been reset: it must be who it was, and has forgotten what it was told."""
        self.restarts += 1
        self.identify()
        self._level_lost = self._level is not LogLevel.FRAME

    def _ask_identity(self) -> Identity:
        ready = time.monotonic() + self.limits.ready_s
        while time.monotonic() < ready:
            self._session = secrets.randbits(32) or 1  # 0 is a device that has just started
            self._link.send(IDENTIFY, SESSION.pack(self._session))
            deadline = min(ready, time.monotonic() + self.limits.answer_s)
            for answer in self._link.answers(deadline):
                if isinstance(answer, Damage):
                    continue
                if answer.type == IDENTITY:
                    session = session_of(answer.payload)
                    if session == self._session:
                        return Identity.decode(answer.payload[SESSION.size :])
                    if session == 0:
                        break  # it has just started and may not have heard the question
                if _is_damage_report(answer):
                    break
        raise self._link.failure(
            f"the firmware has not identified itself within {self.limits.ready_s:g} s"
        )

    def ping(self, data: bytes = b"") -> None:
        """Have the device send `data` back.

        Raises:
            DeviceError: no right answer came.
        """
        for _ in range(self.limits.attempts):
            answer = self._ask(PING, data, PONG, self.limits.answer_s)
            if answer.payload[SESSION.size :] == data:
                return
        raise self._link.failure(f"{self.limits.attempts} pings came back changed")

    def log_level(self, level: LogLevel) -> None:
        """Set what the device writes of each inference; after a reset it is LogLevel.FRAME.

        Raises:
            DeviceError: the firmware is too old for that, or gives no right answer.
        """
        self._must_know(LOG, "log settings")
        self._ask(LOG, bytes([level]), DONE, self.limits.answer_s)
        self._level = level
        self._level_lost = False

    def self_test(self) -> SelfTest:
        """Have the device check itself; it computes one inference for that.

        Raises:
            DeviceError: the firmware is too old for that, faulted, or gives no right answer.
            ProtocolError: its answer makes no sense.
        """
        self._must_know(SELFTEST, "self-test")
        seconds = self.limits.answer_s + self._result_seconds()
        answer = self._ask(SELFTEST, b"", SELFTEST_RESULT, seconds)
        return SelfTest.decode(answer.payload)

    def time(self, data: bytes, kind: Kind = Kind.TENSOR, count: int = 100) -> LoopTiming:
        """Have the device run one input `count` times, each timed by its own counter.

        The line is silent meanwhile. Firmware that has no RAM to keep the input (see
        `Identity.keeps_input`) times a built-in one.

        Args:
            data, kind: as for `infer`.
            count: inferences, at least 1.

        Raises:
            DeviceError: as `infer`, or the firmware is too old for that.
            ProtocolError: the device's answers make no sense.
        """
        self._must_know(TIME, "timing loops")
        if count < 1:
            raise DeviceError("at least one inference must be timed", where=self.identity.board)
        timing: LoopTiming | None = None
        per_inference = 0.0
        for _ in range(self.limits.attempts):
            self.infer(data, kind)
            while timing is None or timing.count < count:
                # Long enough that the line's own time is little; a lost answer costs no more.
                batch = int(_BATCH_S / per_inference) if per_inference else 1
                batch = max(1, min(batch, TIME_MAX, count - (timing.count if timing else 0)))
                started = time.monotonic()
                part = self._time_batch(batch, 10 * batch * per_inference)
                if part is None:
                    break  # the device has been reset: it needs the input again
                timing = part if timing is None else timing + part
                per_inference = max(1e-6, (time.monotonic() - started) / batch)
            else:
                return timing
        raise self._link.failure("the device keeps losing the input")

    def _time_batch(self, count: int, expected: float) -> LoopTiming | None:
        """One request; None where the device does not have the input any more."""
        request = TIME_REQUEST.pack(self._input_id, count)
        answer = self._exchange(TIME, request, TIMING, self._result_seconds() + expected)
        if isinstance(answer, Frame):
            hz = self.identity.counter_hz
            return LoopTiming.decode(answer.payload, self._input_id, count, hz)
        if answer.code == ErrorCode.NO_INPUT:
            return None
        raise self._refused(answer)

    def _must_know(self, request: str, name: str) -> None:
        identity = self.identity
        if request not in identity.messages:
            raise DeviceError(
                f"this firmware knows no {name}: edgemcu {identity.firmware} generated it",
                where=self._link.transport.name,
                hint=f"generate and build it again with edgemcu {__version__}",
            )

    def _ask(self, request: str, payload: bytes, answer: str, seconds: float) -> Frame:
        """`_exchange` for a request that a device has no reason to refuse."""
        frame = self._exchange(request, payload, answer, seconds)
        if isinstance(frame, ErrorAnswer):
            raise self._refused(frame)
        return frame

    def _refused(self, error: ErrorAnswer) -> DeviceError:
        return self._link.failure(f"the device reports: {error.text} (code {error.code})")

    def _exchange(
        self, request: str, payload: bytes, answer: str, seconds: float
    ) -> Frame | ErrorAnswer:
        """The device's answer to a request that may be repeated without harm."""
        reason = ""
        for _ in range(self.limits.attempts):
            sequence, size = self._link.send(request, payload)
            deadline = time.monotonic() + seconds + self._link.line_seconds(2 * size)
            reason = "no answer in time"
            for frame in self._link.answers(deadline):
                if isinstance(frame, Damage) or _is_damage_report(frame):
                    reason = "damaged frames"
                    break
                if frame.sequence != sequence or frame.type not in (answer, ERROR):
                    continue
                if session_of(frame.payload) != self._session:
                    reason = "the device has restarted"
                    self._restarted()
                    break
                return frame if frame.type == answer else ErrorAnswer.decode(frame.payload)
        raise self._link.failure(f"gave up after {self.limits.attempts} attempts: {reason}")

    def infer(self, data: bytes, kind: Kind = Kind.TENSOR) -> InferenceResult:
        """Run the model on one input.

        Args:
            data: all input tensors' bytes, back to back; with Kind.PIXELS, one uint8 per value
                (HWC), preprocessed by the firmware.

        Raises:
            DeviceError: the input does not suit the model, the model failed, the device faulted,
                or too many attempts failed.
            ProtocolError: the device's answers make no sense.
        """
        check_input(self.identity, data, kind)
        patience = Patience(self._link, self.limits.attempts)
        while True:
            if self._level_lost:
                self.log_level(self._level)
            self._input_id = (self._input_id + 1) & 0xFFFF_FFFF
            timing = Timing(self.limits.answer_s, self._result_seconds())
            inference = Inference(
                self._link,
                self.identity,
                self._session,
                self._input_id,
                data,
                kind,
                timing,
                patience,
            )
            try:
                result = inference.run()
            except StartOver as loss:
                if loss.restarted:
                    self._restarted()
                continue
            self._slowest = max(self._slowest, inference.seconds)
            return self._interpret(result)

    def infer_many(
        self, inputs: Iterable[bytes], kind: Kind = Kind.TENSOR
    ) -> Iterator[InferenceResult]:
        """The results of `inputs`, one by one and in order; raises as `infer`.

        The next input is sent when the result is here, not while the device computes: a received
        byte costs it an interrupt, and the counted instructions would no longer be those of the
        model alone.
        """
        for data in inputs:
            yield self.infer(data, kind)

    def _interpret(self, result: Result) -> InferenceResult:
        instructions = seconds = None
        if self._instructions_per_tick is not None:
            instructions = round(result.ticks * self._instructions_per_tick)
        elif self.identity.counter_hz:
            seconds = result.ticks / self.identity.counter_hz
        return InferenceResult(result.outputs, result.ticks, result.number, instructions, seconds)

    def _result_seconds(self) -> float:
        """How long to wait for a result before asking again: a lost one must not cost minutes."""
        if not self._slowest:
            return self.limits.inference_s
        return min(self.limits.inference_s, max(self.limits.answer_s, 10 * self._slowest))


def _is_damage_report(answer: Frame) -> bool:
    return answer.type == ERROR and ErrorAnswer.decode(answer.payload).code == ErrorCode.DAMAGED
