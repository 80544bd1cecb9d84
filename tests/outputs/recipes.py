"""How each command that writes is called in a small case, and what its result is."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import click
import torch

import gan
import maskkit
from cli.gan_command import group as gan_group
from cli.maskkit_command import group as maskkit_group
from maskkit.corrections.decisions import picture_digest
from maskkit.files.records import files_below
from tests.drawn import face_points, write_drawn_shards
from tests.gan.conftest import SMALL
from tests.gan.resuming import CUT
from tests.gan.runs.test_release_weights import release_generator

ROOT = Path(__file__).parent.parent.parent
GROUPS = {"maskkit": maskkit_group, "gan": gan_group}
READ_ONLY = {"maskkit verify", "maskkit doctor", "gan systems"}
SERVED = {"maskkit studio"}  # never ends by itself; its tests are in tests/maskkit/studio
FORCES = {"--overwrite", "--fresh"}


@dataclass(frozen=True)
class Recipe:
    """A command line but for its output, `{}`; paths in it are those of `inputs`, in the case's folder.

    `kind`: a file; a whole folder; a folder written in its place; results named after their inputs. `owner`: whether
    a second one is told who has the output. `clocked`: whether two runs differ in more than their names.
    """

    arguments: str
    out: str
    inputs: Sequence[str]
    kind: str = "file"
    force: str | None = "--overwrite"
    owner: bool = True
    clocked: bool = False
    contested: Sequence[str] = field(default_factory=tuple)  # names below the output that a stranger may take


PLACE = ("dataset.json", "train-00000.h5", "ledger.csv", "preview.png")
GAN = "{} --device cpu"
FIT = " ".join(f"--set {one}" for one in (*SMALL, "schedule.n_repeat=1", "log.checkpoint_every=1"))
PIX = " ".join(
    f"--set {one}"
    for one in ("data.size=32", "generator.width=4", "critic.width=4", "schedule.batch=4", "log.checkpoint_every=1")
)

RECIPES: dict[str, list[Recipe]] = {
    "maskkit build-celeba": [
        Recipe("celeba {} --limit 4 --size 32 --shard-size 2 --workers 1 --detector hog", "out", ("celeba",), "place",
               "--fresh", contested=PLACE),
    ],
    "maskkit build-folder": [
        Recipe("photos {} --size 32 --shard-size 1 --workers 1 --detector hog", "out", ("photos",), "place", "--fresh",
               contested=PLACE),
    ],
    "maskkit landmarks": [
        Recipe("photos/hopper.jpg -o {} --detector hog", "out", ("photos",), "results", owner=False,
               contested=("hopper.pts",)),
        Recipe("photos/hopper.jpg -o {} --detector hog --format csv", "out", ("photos",), "results",
               contested=("landmarks.csv",)),
    ],
    "maskkit segment": [
        Recipe("a.pts b.pts -o {} --size 64", "out", ("a.pts", "b.pts"), "results", owner=False, contested=("a.png",)),
        Recipe("a.pts b.pts -o {} --size 64 --format npy", "out", ("a.pts", "b.pts"), "results", owner=False,
               contested=("a.npy",)),
    ],
    "maskkit morph": [
        Recipe("a.pts b.pts -o {} --frames 3 --size 32", "m.gif", ("a.pts", "b.pts")),
        Recipe("shards/train-00000.h5#1 b.pts -o {} --frames 2 --size 32", "m.h5", ("shards/train-00000.h5", "b.pts")),
        Recipe("a.pts b.pts -o {} --frames 3 --size 32", "frames", ("a.pts", "b.pts"), "folder"),
    ],
    "maskkit inspect": [Recipe("shards -o {} --rows 1", "r.html", ("shards",), owner=False)],
    "maskkit correct": [Recipe("shards c.json {}", "out", ("shards", "c.json"), "folder")],
    "maskkit export": [Recipe("shards {} --format grey --split val", "out", ("shards",), "folder")],
    "maskkit import": [
        Recipe("pairs {} --format label-png --scheme scgan --size 32 --shard-size 4", "out", ("pairs",), "folder"),
    ],
    "gan fit": [
        Recipe(f"shards --out {{}} --preset tiny --steps 2 --device cpu {FIT}", "out", ("shards",), "place", None,
               clocked=True, contested=("config.toml",)),
    ],
    "gan sample": [
        Recipe(f"run -o {GAN} --rows 1 --count 1 --shards shards", "g.png", ("run", "shards"), owner=False),
    ],
    "gan render": [
        Recipe(f"run -o {GAN} --from a.pts --to b.pts --frames 2", "m.gif", ("run", "a.pts", "b.pts")),
        Recipe(f"run -o {GAN} --from a.pts --to b.pts --frames 2", "frames", ("run", "a.pts", "b.pts"), "folder"),
    ],
    "gan layouts": [
        Recipe(f"both shards/train-00000.h5#1 -o {GAN}", "layouts", ("both", "shards"), "results", owner=False,
               contested=("train-00000-1.png",)),
    ],
    "gan export": [Recipe("run -o {}", "g.safetensors", ("run",), owner=False)],
    "gan import-release": [Recipe("G.pth -o {}", "g.safetensors", ("G.pth",), owner=False)],
    "gan figure panels": [
        Recipe(f"run -o {GAN} --rows 1 --layout a.pts", "g.png", ("run", "a.pts"), owner=False),
    ],
    "gan figure smile": [
        Recipe(f"run -o {GAN} --from a.pts --to b.pts --rows 1 --columns 2", "g.png", ("run", "a.pts", "b.pts"),
               owner=False),
    ],
    "gan figure turn": [
        Recipe(f"run -o {GAN} --from a.pts --to b.pts --rows 1 --columns 2", "g.png", ("run", "a.pts", "b.pts"),
               owner=False),
    ],
    "gan figure compare": [
        Recipe(f"run run -o {GAN} --name one --name two --layout a.pts --rows 1", "g.png", ("run", "a.pts"),
               owner=False),
    ],
    "gan figure losses": [Recipe("run -o {}", "g.png", ("run",), owner=False)],
    "gan evaluate": [
        Recipe(f"run shards -o {GAN} --only decoupling --count 2 --judge-steps 1 --judges judges", "r.json",
               ("run", "shards")),
    ],
    "gan compare": [
        Recipe(f"run run shards -o {GAN} --name one --name two --only decoupling --count 2 --judge-steps 1 "
               "--judges judges", "t.html", ("run", "shards")),
    ],
    "gan reproduce": [
        Recipe(f"scgan shards {GAN} --budget 8 --scale tiny --systems pix2pix --only consistency --count 2 "
               f"--judge-steps 1 {PIX}", "out", ("shards",), "place", None, clocked=True,
               contested=("reproduction.json", "times/pix2pix.json", "report/report.html")),
    ],
}  # fmt: skip


def commands() -> Iterator[str]:
    """Every command of both programs, from click's own trees."""
    for name, group in GROUPS.items():
        yield from _below(name, group)


def _below(name: str, command: click.Command) -> Iterator[str]:
    if isinstance(command, click.Group):
        for part, below in command.commands.items():
            yield from _below(f"{name} {part}", below)
    else:
        yield name


def writes(name: str) -> bool:
    """Whether a command has something that asks for a place to write to, or for leave to replace."""
    command: click.Command = GROUPS[name.split()[0]]
    for part in name.split()[1:]:
        assert isinstance(command, click.Group)
        command = command.commands[part]
    told = {word for parameter in command.params for word in (*parameter.opts, parameter.name)}
    return bool(told & (FORCES | {"out", "output", "--out", "-o"}))


def make_inputs(folder: Path, fork: Callable[[Callable[[], object]], None]) -> None:
    """Write everything that the recipes read. `fork` does what would leave threads behind in a process of its own."""
    torch.set_num_threads(1)
    shutil.copytree(ROOT / "fixtures" / "celeba", folder / "celeba")
    for path in sorted((folder / "celeba" / "img_align_celeba").iterdir())[8:]:
        path.unlink()
    shutil.copytree(ROOT / "fixtures" / "faces", folder / "photos")
    for name, turn in (("a", 0.0), ("b", 0.05)):
        maskkit.write_points(folder / f"{name}.pts", face_points(64, turn=turn))
    shards = write_drawn_shards(folder / "shards", {"train": 8, "val": 4}, shard_size=4)
    row = maskkit.ShardReader(shards)[0]
    moved = maskkit.Correction("correct", picture_digest(row["image"]), row["landmarks"], row["landmarks"] + 1)
    maskkit.write_corrections(folder / "c.json", maskkit.Corrections(64, {row["id"]: moved}))
    fork(lambda: gan.fit(shards, folder / "run", gan.load_preset("tiny", SMALL), steps=2, device="cpu"))
    both = gan.load_preset("tiny", CUT["cyclegan"], system="cyclegan")
    fork(lambda: gan.fit(shards, folder / "both", both, steps=1, device="cpu"))
    torch.save(release_generator(), folder / "G.pth")
    (folder / "pairs" / "images").mkdir(parents=True)
    (folder / "pairs" / "masks").mkdir()
    reader = maskkit.ShardReader(shards, "train")
    for number in range(6):
        row = reader[number]
        maskkit.write_png(folder / "pairs" / "images" / f"{number}.png", row["image"])
        maskkit.write_png(folder / "pairs" / "masks" / f"{number}.png", row["mask"])


def contents(place: Path) -> dict[str, bytes | str]:
    """Every file below a folder, or the file itself, with what it holds; links with where they lead."""
    if place.is_file():
        return {"": place.read_bytes()}
    return {name: _content(place / name) for name in _files(place)} if place.exists() else {}


def _files(place: Path) -> list[str]:
    return [name for name in files_below(place) if (place / name).is_symlink() or (place / name).is_file()]


def _content(path: Path) -> bytes | str:
    return f"-> {path.readlink()}" if path.is_symlink() else path.read_bytes()
