"""How fast work goes: its rate, the time that it has taken and the time left, counted from where it began."""

import time
from collections import deque
from collections.abc import Callable

SETTLED = 1.0  # seconds before a rate is told: workers hand in their first results in one burst
WINDOW = 60.0  # seconds that a rate looks back: over a shard's or a checkpoint's writing, not over a night's sleep
UNKNOWN = "-:--:--"


class Pace:
    """The pace of work that notes how much is done. Its first note is where it begins: that much was done before.

    The rate is counted from what is done next: until then workers load their models and a run makes room.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._start = clock, clock()
        self._begun: int | None = None
        self._marks: deque[tuple[float, int]] = deque()  # at most one a second
        self._last = (self._start, 0)

    def note(self, done: int) -> None:
        """Note that so much is done, of all the work."""
        now = self._clock()
        self._last = (now, done)
        if self._begun is None:
            self._begun, self._start = done, now
        if done > self._begun and (not self._marks or now - self._marks[-1][0] >= SETTLED):
            self._marks.append(self._last)
        while len(self._marks) > 2 and now - self._marks[1][0] >= WINDOW:
            self._marks.popleft()

    @property
    def elapsed(self) -> float:
        """Seconds since the first note; before it, since the clock was set up."""
        return self._clock() - self._start

    @property
    def rate(self) -> float | None:
        """How much is done in a second; None as long as that cannot be told."""
        if not self._marks:
            return None
        (first, before), (last, done) = self._marks[0], self._last
        return (done - before) / (last - first) if done > before and last - first >= SETTLED else None

    def left(self, total: int | None) -> float | None:
        """Seconds until `total` is done, at this pace; None as long as that cannot be told."""
        when, done = self._last
        if total is not None and done >= total:
            return 0.0
        if total is None or self.rate is None:
            return None
        return max(0.0, (total - done) / self.rate - (self._clock() - when))

    def text(self, total: int | None) -> str:
        """Say it in a line whose places stay where they are."""
        left = self.left(total)
        return f"{rate_text(self.rate):>10}  elapsed {clock_text(self.elapsed)}  left {clock_text(left)}"


def rate_text(rate: float | None) -> str:
    """Say how much is done in a second, or how long one takes where that is long."""
    if rate is None:
        return ""
    return f"{rate:.1f}/s" if rate >= 0.5 else f"{1 / rate:.0f} s each"


def clock_text(seconds: float | None) -> str:
    """Hours, minutes and seconds, as 0:01:30."""
    if seconds is None:
        return UNKNOWN
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"
