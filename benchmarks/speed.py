"""What each step costs against its floor: `make bench`, or `python -m benchmarks.speed`; up to five minutes.

Each road and its floor run in alternating rounds in this one process; the ratio is the median over the rounds, with the
smallest and largest beside it. Seconds depend on the machine, ratios hardly. The figures are kept below benchmarks/kept
and shown beside those of the next run on the same machine: a ratio that is worse than the last one by more than the
spread of both has a mark. Roads of gan run on a CUDA device where there is one.
"""

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path

import cv2
import torch

from benchmarks import learning, measuring, preparing
from benchmarks.measuring import Road
from gan.computing.device import choose_device


def roads(folder: Path, device: torch.device, paper_rounds: int) -> Iterator[Road]:
    """All roads in the order of the work, each set up when it is its turn."""
    yield from preparing.photo_roads()
    material = preparing.make_material(folder)
    yield from preparing.mask_roads(material)
    yield from preparing.shard_roads(material)
    bench = learning.Bench(material.folder, device)
    yield from learning.loader_roads(bench)
    # A processor takes half a minute for a round of the paper's size, so it gets a quarter of it unless asked.
    whole = device.type == "cuda" or paper_rounds
    yield from learning.network_roads(bench, 16 if whole else 4)
    yield from learning.critic_road(bench, 16 if whole else 4)
    yield from learning.picture_roads(bench, folder)
    yield from learning.round_roads(bench, 16 if whole else 4, paper_rounds or 2)


def main() -> None:
    """Measure, print the table and keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N")
    whole = "N pairs of rounds of `paper` at its own batch of 16, a minute each on two cores"
    parser.add_argument("--paper-rounds", type=int, default=0, metavar="N", help=whole)
    parser.add_argument("--only", default="", metavar="WORDS", help="the roads whose names hold these; nothing is kept")
    asked = parser.parse_args()
    device = choose_device(asked.device)
    cv2.setNumThreads(1)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"
    here = measuring.circumstances(threads=torch.get_num_threads(), device=name)
    with tempfile.TemporaryDirectory() as folder:
        chosen = (road for road in roads(Path(folder), device, asked.paper_rounds) if asked.only in road.name)
        figures = measuring.show(chosen, measuring.last_kept(here))
    if not asked.only:
        print(f"kept in {measuring.keep(figures, here)}")


if __name__ == "__main__":
    main()
