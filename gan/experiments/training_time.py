"""How long a run has trained: seconds beside its checkpoints, so that a budget of time outlives a kill."""

import json
import time
from pathlib import Path

from gan.errors import RunError
from gan.runs.checked_json import with_checksum, without_checksum
from maskkit.files.atomic import make_folder, write_atomically
from maskkit.files.json_text import parse_json
from maskkit.files.regular import read_regular

LARGEST_FILE = 1 << 24  # bytes; a line for each checkpoint


class TrainingTime:
    """The seconds of training of one run, kept for each step that has a checkpoint.

    Steps behind the newest checkpoint are lost in a kill, and their seconds with them.
    """

    def __init__(self, path: Path) -> None:
        """Read what is kept, nothing where there is no file. Raises RunError where it is damaged."""
        self.path = path
        self._kept = _read(path)
        self._there = path.exists()  # else what comes to lie there meanwhile is somebody else's
        self._base = self._since = 0.0
        self.running = False

    def at(self, step: int) -> float:
        """Give the seconds behind `step`, or behind the last step kept before it."""
        return max((seconds for kept, seconds in self._kept.items() if kept <= step), default=0.0)

    def knows(self, step: int) -> bool:
        """Say whether the seconds behind just this step are kept."""
        return step in self._kept

    def start(self, step: int) -> None:
        """Let the clock run on from `step`."""
        self._base, self._since, self.running = self.at(step), time.monotonic(), True

    @property
    def seconds(self) -> float:
        """So far."""
        return self._base + (time.monotonic() - self._since if self.running else 0.0)

    def keep(self, step: int) -> None:
        """Note that the run has a checkpoint of `step` now; what was noted for later steps is void."""
        self._kept = {kept: seconds for kept, seconds in self._kept.items() if kept < step} | {step: self.seconds}
        seconds = {str(kept): round(seconds, 3) for kept, seconds in self._kept.items()}
        text = json.dumps(with_checksum({"seconds": seconds}), indent=1) + "\n"
        make_folder(self.path.parent)
        write_atomically(self.path, lambda file: file.write(text.encode()), overwrite=self._there)
        self._there = True


def _read(path: Path) -> dict[int, float]:
    try:
        content = without_checksum(parse_json(read_regular(path, LARGEST_FILE)))
        return {int(step): float(seconds) for step, seconds in content["seconds"].items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
        raise RunError(
            f"{path} tells how long a run has trained and cannot be read ({error}); put it back, or delete it and the "
            "run beside it to train anew"
        ) from error
