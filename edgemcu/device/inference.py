"""One input's way to the device and its result's way back, over a line that may damage frames.

Data frames and the run frame are sent as far ahead of their answers as the device's window allows.
When an answer says that something is missing, or is itself missing, everything that has not been
acknowledged is sent again (go-back-N): every request may be repeated without harm.
"""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass

from edgemcu.device.link import Link
from edgemcu.device.protocol import (
    ACKNOWLEDGE,
    DATA,
    DATA_HEADER,
    ERROR,
    RESULT,
    RUN,
    RUN_HEADER,
    Acknowledgement,
    ErrorAnswer,
    ErrorCode,
    Frame,
    Identity,
    Kind,
    Result,
    crc32,
    line_size,
    session_of,
)
from edgemcu.errors import DeviceError, ProtocolError


class StartOver(Exception):  # noqa: N818 - a signal between two modules, no error
    """The device does not have this input any more: send it whole, under another id.

    Attributes:
        restarted: the device has been reset, so it must identify itself first.
    """

    def __init__(self, *, restarted: bool) -> None:
        self.restarted = restarted
        super().__init__()


class Patience:
    """Counts set-backs since the last progress; the input's bytes are what progress means."""

    def __init__(self, link: Link, attempts: int) -> None:
        self._link = link
        self._attempts = attempts
        self._setbacks = 0
        self._furthest = 0

    def reached(self, requests: int) -> None:
        """So many requests have been acknowledged: progress, if they never were that many."""
        if requests > self._furthest:
            self._furthest = requests
            self._setbacks = 0

    def setback(self, reason: str) -> None:
        """Raises: DeviceError: that was one too many."""
        self._setbacks += 1
        if self._setbacks >= self._attempts:
            raise self._link.failure(f"gave up after {self._setbacks} attempts: {reason}")


@dataclass(frozen=True)
class Request:
    """A frame to send, and how much of the input the device has when it is acknowledged."""

    type: str
    payload: bytes
    end: int


@dataclass(frozen=True)
class Sent:
    """A request on its way, by its index."""

    sequence: int
    size: int
    index: int


@dataclass(frozen=True)
class Timing:
    """Seconds that an answer, and that a result, may take."""

    answer_s: float
    result_s: float


class Inference:
    """One attempt to have `data` computed, under one input id."""

    def __init__(
        self,
        link: Link,
        identity: Identity,
        session: int,
        input_id: int,
        data: bytes,
        kind: Kind,
        timing: Timing,
        patience: Patience,
    ) -> None:
        self._link = link
        self._identity = identity
        self._session = session
        self._input_id = input_id
        self._crc = crc32(data)
        self._timing = timing
        self._patience = patience
        self._chunk = identity.max_payload - DATA_HEADER.size
        self._requests = [
            Request(
                DATA,
                DATA_HEADER.pack(input_id, start, kind) + data[start : start + self._chunk],
                min(start + self._chunk, len(data)),
            )
            for start in range(0, len(data), self._chunk)
        ]
        self._requests.append(Request(RUN, RUN_HEADER.pack(input_id, self._crc), len(data)))
        self._acknowledged = 0  # requests
        self._next = 0
        self._sent: deque[Sent] = deque()
        self._computing_since: float | None = None
        self._deadline = 0.0
        self.seconds = 0.0

    def run(self) -> Result:
        """Send, wait, repeat what must be, and return the checked result.

        Attributes set: `seconds`, what the inference took on the host's clock.

        Raises:
            StartOver: the device has lost this input.
            DeviceError: the device faulted, refused, or patience ran out.
        """
        while True:
            self._send()
            answer = self._link.receive(self._deadline)
            if isinstance(answer, Frame):
                result = self._handle(answer)
                if result is not None:
                    return result
            elif answer is not None and len(self._sent) == 1:
                # Of the only answer that was to come. Were there more, they would tell the rest.
                self._repeat("a damaged answer")
            # Also when a device talks on and on, but not about what was asked.
            if self._sent and time.monotonic() >= self._deadline:
                self._repeat("no answer in time")

    def _send(self) -> None:
        sent_any = False
        while self._next < len(self._requests) and self._may_send(self._requests[self._next]):
            request = self._requests[self._next]
            sequence, size = self._link.send(request.type, request.payload)
            self._sent.append(Sent(sequence, size, self._next))
            self._next += 1
            sent_any = True
        if sent_any:
            self._expect(self._timing.answer_s)

    def _may_send(self, request: Request) -> bool:
        if not self._sent:
            return True
        # The device takes the oldest unanswered frame as it comes in; only what stands behind
        # it may have to wait in the receive buffer.
        behind = sum(sent.size for sent in self._sent) - self._sent[0].size
        return behind + line_size(len(request.payload)) <= self._identity.window

    def _expect(self, seconds: float) -> None:
        on_the_line = sum(sent.size for sent in self._sent)
        self._deadline = time.monotonic() + seconds + self._link.line_seconds(on_the_line)

    def _repeat(self, reason: str) -> None:
        self._patience.setback(reason)
        self._sent.clear()
        self._next = self._acknowledged
        self._computing_since = None

    def _handle(self, answer: Frame) -> Result | None:
        session = session_of(answer.payload)
        if session != self._session:
            # Late answers of an earlier session mean nothing. But a device that has just started,
            # or answers a request of ours under another session, must be identified again.
            if session == 0 or self._index_of(answer.sequence) is not None:
                self._patience.setback("the device keeps restarting")
                raise StartOver(restarted=True)
            return None
        if answer.type == RESULT:
            return self._check(Result.decode(answer.payload))
        if answer.type == ERROR:
            self._refused(answer.sequence, ErrorAnswer.decode(answer.payload))
        elif answer.type == ACKNOWLEDGE:
            self._advance(answer.sequence, Acknowledgement.decode(answer.payload))
        return None

    def _index_of(self, sequence: int) -> int | None:
        """Which request an answer is for; None for one that has been repeated since."""
        return next((sent.index for sent in self._sent if sent.sequence == sequence), None)

    def _advance(self, sequence: int, answer: Acknowledgement) -> None:
        index = self._index_of(sequence)
        if index is None or answer.input_id != self._input_id:
            return
        if answer.received < self._requests[index].end:
            self._acknowledged = answer.received // self._chunk
            self._repeat("frames were lost")
            return
        if self._requests[index].type == RUN:
            self._computing_since = time.monotonic()
            self._expect(self._timing.result_s)
            return
        while self._sent[0].index <= index:
            self._sent.popleft()
            if not self._sent:
                break
        self._acknowledged = index + 1
        self._patience.reached(self._acknowledged)
        self._expect(self._timing.answer_s)

    def _check(self, result: Result) -> Result | None:
        # Any answer that names this input and its CRC is its result, whichever run frame it is for.
        if result.input_id != self._input_id:
            return None
        if result.input_crc != self._crc:
            raise ProtocolError("the device computed another input than the one that was sent")
        if len(result.outputs) != self._identity.output_bytes:
            raise ProtocolError(
                f"a result of {len(result.outputs)} bytes, not {self._identity.output_bytes}"
            )
        if self._computing_since is not None:
            self.seconds = time.monotonic() - self._computing_since
        return result

    def _refused(self, sequence: int, error: ErrorAnswer) -> None:
        if error.code == ErrorCode.DAMAGED:
            self._repeat("the device reports damaged frames")
            return
        if self._index_of(sequence) is None:
            return
        if error.code in (ErrorCode.NO_INPUT, ErrorCode.WRONG_INPUT):
            self._patience.setback(error.text)
            raise StartOver(restarted=False)
        if error.code in (ErrorCode.MODEL, ErrorCode.DAMAGED_MODEL):
            raise self._link.failure(f"the device reports: {error.text}")
        raise ProtocolError(
            f"the device refused a frame: {error.text} (code {error.code})",
            where=self._link.transport.name,
        )


def check_input(identity: Identity, data: bytes, kind: Kind) -> None:
    """Raises: DeviceError: this input is none for this firmware's model."""
    if not identity.model_ok:
        raise DeviceError(
            "the model did not check out on the device",
            where=identity.board,
            hint="the device's log says why",
        )
    if len(data) != identity.input_bytes:
        raise DeviceError(
            f"an input of {len(data)} bytes, but the model on the device takes "
            f"{identity.input_bytes}",
            where=identity.board,
        )
    if kind is Kind.PIXELS and not identity.pixels:
        raise DeviceError(
            "this firmware takes tensors only, no pixels: its model came without preprocessing",
            where=identity.board,
        )
