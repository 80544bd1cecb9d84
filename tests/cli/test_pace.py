"""Rates and times of a bar, by a clock that the test turns."""

from cli.pace import Pace, clock_text


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_neither_what_was_done_before_nor_a_first_burst_nor_starting_counts() -> None:
    clock = Clock()
    pace = Pace(clock)
    clock.now += 30  # tables are read
    pace.note(5000)  # a build goes on; its workers load their models
    assert pace.elapsed == 0
    clock.now += 5
    for done in range(5001, 5033):  # the first chunk is there at once
        pace.note(done)
    assert pace.rate is None and pace.text(6000).endswith("elapsed 0:00:05  left -:--:--")
    clock.now += 2
    pace.note(5041)
    assert pace.rate == 20  # from the first result on
    assert pace.left(5141) == 5


def test_a_rate_looks_back_a_minute_and_the_time_left_runs_down() -> None:
    clock = Clock()
    pace = Pace(clock)
    for done in range(1001):  # 10 a second
        pace.note(done)
        clock.now += 0.1
    for done in range(1001, 1201):  # and then 1 a second
        pace.note(done)
        clock.now += 1
    assert pace.rate is not None and abs(pace.rate - 1) < 0.02
    clock.now += 9
    assert 9 < (pace.left(1220) or 0) < 11
    assert pace.left(1200) == 0


def test_a_slow_step_is_told_by_its_seconds() -> None:
    clock = Clock()
    pace = Pace(clock)
    for done in range(3):
        pace.note(done)
        clock.now += 90
    assert pace.text(5).strip() == "90 s each  elapsed 0:04:30  left 0:03:00"
    assert clock_text(90_061.4) == "25:01:01"
