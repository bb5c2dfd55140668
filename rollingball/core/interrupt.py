"""Ctrl-C between launches: what was rolled so far is kept."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any

_around: Interruption | None = None  # the block that the main thread is in


class Interruption:
    """Inside ``with``, the first Ctrl-C only sets ``asked``; the second interrupts as it does elsewhere.

    A launch that is under way is always finished, so that the states of all balls belong together.
    """

    def __init__(self) -> None:
        self._asked = False
        self._before: Any = None
        self._outer: Interruption | None = None

    @property
    def asked(self) -> bool:
        """Whether Ctrl-C was pressed inside this block or one around it, which for other threads is the main one's."""
        return self._asked or (self._outer is not None and self._outer.asked)

    def __enter__(self) -> Interruption:
        global _around
        self._outer = _around
        if threading.current_thread() is threading.main_thread():
            self._before = signal.getsignal(signal.SIGINT)
            if self._before is signal.default_int_handler:  # what a program does of its own stays
                signal.signal(signal.SIGINT, self._ask)
            _around = self
        return self

    def __exit__(self, *error: object) -> None:
        global _around
        if _around is self:
            _around = self._outer
        if self._before is signal.default_int_handler:
            signal.signal(signal.SIGINT, self._before)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self._asked = True
        signal.signal(signal.SIGINT, self._before)
