# SPDX-License-Identifier: MIT
"""A progress line on stderr with the time left, for work that takes more than a few seconds."""

from __future__ import annotations

import sys
import time
from types import TracebackType

__all__ = ["Progress", "format_seconds"]

_FIRST_AFTER = 2.0  # seconds: shorter work shows nothing
_TERMINAL_EVERY = 0.2
_LOG_EVERY = 15.0  # where stderr is no terminal, one line now and then


def format_seconds(seconds: float) -> str:
    """A duration (seconds) as people say it: ``42 s``, ``3 min 05 s``, ``2 h 10 min``."""
    seconds = max(0, round(seconds))
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60:02d} s"
    return f"{seconds // 3600} h {seconds % 3600 // 60:02d} min"


class Progress:
    """Say how far work has come. A context manager; stdout is never written to.

    Parameters
    ----------
    label : str
        What is being done.
    total : float
        The amount of work, in any unit.
    enabled : bool
        False shows nothing at all.
    """

    def __init__(self, label: str, total: float, enabled: bool = True) -> None:
        self.label, self.total, self.enabled = label, max(total, 1e-30), enabled
        self.done = 0.0
        self._terminal = sys.stderr.isatty()
        self._start = self._last = time.monotonic()
        self._shown = False
        self._rich = None
        self._task = None

    def __enter__(self) -> Progress:
        self._start = self._last = time.monotonic()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._rich is not None:
            self._rich.stop()
        elif self._shown and self._terminal:
            sys.stderr.write("\r\033[K")
            sys.stderr.flush()

    def advance(self, amount: float = 1.0, text: str = "") -> None:
        """Record that ``amount`` of the work is done; ``text`` says what is under way."""
        self.done = min(self.total, self.done + amount)
        now = time.monotonic()
        elapsed = now - self._start
        if not self.enabled or elapsed < _FIRST_AFTER or (self.done >= self.total and not self._shown):
            return
        if now - self._last < (_TERMINAL_EVERY if self._terminal else _LOG_EVERY) and self._shown:
            return
        self._last, self._shown = now, True
        left = elapsed * (self.total - self.done) / self.done if self.done > 0 else float("inf")
        if self._terminal and self._show_rich(text):
            return
        remaining = format_seconds(left) + " left" if left < float("inf") else "starting"
        line = f"{self.label}: {100 * self.done / self.total:3.0f} %, {remaining}" + (f", {text}" if text else "")
        sys.stderr.write(f"\r\033[K{line[:110]}" if self._terminal else line + "\n")
        sys.stderr.flush()

    def _show_rich(self, text: str) -> bool:
        """Show the bar of the optional package rich; False where it is not installed."""
        try:
            from rich.console import Console
            from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
            from rich.progress import Progress as RichProgress
        except ImportError:
            return False
        if self._rich is None:
            columns = (
                TextColumn("{task.description}"),
                BarColumn(),
                TextColumn("{task.percentage:3.0f} %"),
                TimeRemainingColumn(),
                TextColumn("{task.fields[text]}"),
            )
            self._rich = RichProgress(*columns, console=Console(stderr=True), transient=True)
            self._task = self._rich.add_task(self.label, total=self.total, text=text)
            self._rich.start()
        self._rich.update(self._task, completed=self.done, text=text)
        return True
