"""python -m tests.damage [--places 200] [--seed 0]

Damages one file of each kind that is read at so many random places in each of three ways - a bit flipped, a block
zeroed, the tail cut off - and prints what came of it: refused with a sentence that names the file, mended by an older
one that is taken with a warning, or of no effect. Exit status 1 if anything was used in silence.
"""

import argparse
import sys
import tempfile
from collections import Counter
from pathlib import Path
from random import Random

import torch

from tests.damage.kinds import make
from tests.damage.trial import DAMAGES, OUTCOMES, try_damage


def main() -> int:
    """Try all, and give the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--places", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", default=[""], help="kinds whose name holds one of these")
    options = parser.parse_args()
    torch.set_num_threads(1)
    silent = 0
    with tempfile.TemporaryDirectory() as place:
        print(f"{'kind':48}{'damage':8}" + "".join(f"{outcome:>11}" for outcome in OUTCOMES))
        for kind in make(Path(place), large=True):
            if not any(part in kind.name for part in options.only):
                continue
            for damage in DAMAGES:
                rng = Random(f"{options.seed} {kind.name} {damage}")
                counts = Counter(try_damage(kind, Path(place), damage, rng, options.places))
                silent += counts["SILENT"]
                print(f"{kind.name:48}{damage:8}" + "".join(f"{counts[one]:11}" for one in OUTCOMES), flush=True)
    return 1 if silent else 0


if __name__ == "__main__":
    sys.exit(main())
