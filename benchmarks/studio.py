"""How soon the mask follows a drag on the studio's page, in a real Chromium.

    python -m benchmarks.studio [SHARDS] [--drags 100]

For each place of so many drags of a point, the time from the page's hearing of it to the mask of that place, or of a
newer one, drawn on the page's canvas. The browser tells the page of a drag once a frame, and shows the canvas
once a frame.
Without SHARDS a data set of drawn faces is taken, once of 64 x 64 and once of 128 x 128 pixels. Needs Chromium and the
extra studio.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np

from tests.drawn import write_drawn_shards
from tests.maskkit.studio.chromium import Page, chromium, find_chromium
from tests.maskkit.studio.conftest import running

NOTE = """
(() => {
  const asked = new Map();
  window.took = [];
  const send = WebSocket.prototype.send;
  WebSocket.prototype.send = function (text) {
    asked.set(JSON.parse(text).n, performance.now());
    send.call(this, text);
  };
  document.addEventListener('drawn', ({ detail }) => {
    const now = performance.now();
    for (const [number, since] of asked) {
      if (number <= detail) { window.took.push(now - since); asked.delete(number); }
    }
  });
})()
"""


def main() -> None:
    """Measure, and print a line for each data set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shards", nargs="?", type=Path)
    parser.add_argument("--drags", type=int, default=100)
    asked = parser.parse_args()
    program = find_chromium()
    if program is None:
        raise SystemExit("no Chromium is installed; on Debian: apt-get install chromium")
    with tempfile.TemporaryDirectory() as place, chromium(program, Path(place) / "profile") as tab:
        drawn = [write_drawn_shards(Path(place) / str(size), {"train": 24}, size) for size in (64, 128)]
        for shards in [asked.shards] if asked.shards else drawn:
            with running(shards, "--corrections", str(Path(place) / f"{shards.name}.json")) as studio:
                page = tab()
                page.open(f"{studio.address}#0")
                page.wait("document.querySelector('[data-region]')?.textContent")
                took = _drag(page, asked.drags)
            size = page.run("document.querySelector('svg').viewBox.baseVal.width")
            low, high = np.percentile(took, (50, 95))
            print(f"{size:.0f} x {size:.0f}: median {low:.1f} ms, 95 % {high:.1f} ms, worst {took.max():.1f} ms "
                  f"({len(took)} places of {asked.drags} drags)")  # fmt: skip


def _drag(page: Page, drags: int) -> np.ndarray:
    page.run(NOTE)
    for number in range(drags):
        page.drag(f"[data-point='{number % 68}']", 6 * (-1) ** number, 4)
    page.wait("!document.querySelector('[data-do=undo]').disabled")
    return np.array(page.run("window.took"))


if __name__ == "__main__":
    main()
