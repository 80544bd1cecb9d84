"""Every page is followed from top to bottom, as a reader would: its commands and its code, one after the other."""

import re
import shlex
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import maskkit
from tests.cli.conftest import Command, command
from tests.conftest import ROOT
from tests.drawn import face_points
from tests.gan.conftest import SMALL, one_thread, small_run, small_settings
from tests.maskkit.points.test_mesh import canonical_mesh
from tests.maskkit.video.small_films import write_film

__all__ = ["command", "one_thread", "small_run", "small_settings"]

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
STEP = re.compile(r"^    ((?:maskkit|gan) [^ \n].*?)$|^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)

# What a page's line gets more, so that it takes a second: the last of two equal options counts.
SMALLER = ["data.size=32", "generator.width=8", "critic.width=8", "schedule.batch=4"]
SETS = " ".join(f"--set {one}" for one in SMALLER)
SHORTER = {
    "maskkit build-celeba": "--workers 1 --size 32 --detector hog",
    "maskkit build-folder": "--workers 1 --size 32",
    "maskkit landmarks": "--workers 1",
    "maskkit segment": "--workers 1",
    "maskkit morph": "--frames 20 --size 64",
    "gan fit": f"--steps 2 --device cpu {SETS}",
    "gan fit --resume": "--steps 3 --device cpu",
    "gan evaluate": "--count 8 --judge-steps 2 --device cpu",
    "gan compare": "--only consistency --count 8 --judge-steps 2 --device cpu",
    "gan reproduce": "--budget 8 --scale tiny --systems pix2pix --only consistency --count 8 --judge-steps 2 "
    f"--device cpu {SETS}",
    "gan render": "--frames 3 --device cpu",
    "gan render --drive": "--device cpu",
    "gan layouts": "--device cpu",
    "gan sample": "--device cpu",
}
SHORTER_CODE = {
    "steps=500": "steps=1, device='cpu'",
    'gan.load_preset("tiny", [': f'gan.load_preset("tiny", [*{SMALL}, ',
    'budget="12m", scale="tiny"': f'budget="8", scale="tiny", systems=["pix2pix"], overrides={SMALLER}, device="cpu"',
    "gan.reproduce(plan)": 'gan.reproduce(plan, only=["consistency"], count=8, judge_steps=2)',
}
# What no machine can be asked to follow in a test, by how the line begins, and who does it instead.
RAY = "a Ray of its own; tests/maskkit/building/test_ray_engine.py builds on one"
PROCESSES = "several processes; tests/gan/training trains in two"
LEFT_OUT = {
    "maskkit build-celeba ROOT shards --engine ray": RAY,
    "maskkit build-celeba ~/celeba ray-shards": RAY,
    "maskkit build-folder holiday/ ray-holiday": RAY,
    "gan fit shards --out both": PROCESSES,
    "gan fit SHARDS --out TWO": PROCESSES,
    "maskkit import CelebAMask-HQ merged": "label maps of CelebAMask-HQ; tests/maskkit/exchange/test_importing.py",
    "maskkit import FashionSynthesis": "DeepFashion; tests/maskkit/exchange/test_importing.py makes a small one",
    "gan fit SHARDS --out VGG": "weights of VGG19; tests/gan/systems/test_translators.py loads random ones",
    "maskkit build-folder clips/ clip-shards": "ten clips; tests/maskkit/building/test_build_folder.py makes some",
    "gan import-release": "weights of the release; tests/gan/runs/test_release_weights.py imports random ones",
    "from gan.runs.release_weights": "weights of the release; the same",
    '"""Layouts to photos': "a module to be put into the package; tests/gan/systems/test_door.py does it",
}


def steps_of(page: Path) -> Iterator[str]:
    """The commands and the Python blocks of a page, in its order."""
    for line, code in STEP.findall(page.read_text()):
        yield line or code


@pytest.fixture
def scenery(tmp_path: Path, drawn_shards: Path, small_run: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with everything that the pages take for granted."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))  # of ~/celeba
    photos = ROOT / "fixtures" / "celeba" / "img_align_celeba"
    for link, target in {"fixtures": ROOT / "fixtures", "ROOT": photos.parent, "celeba": photos.parent}.items():
        Path(link).symlink_to(target)
    faces = {"portrait": "collins", "turned": "collins", "left": "collins", "A": "collins", "a": "collins",
             "right": "hopper", "B": "hopper", "b": "hopper", "c": "hopper"}  # fmt: skip
    for name, person in faces.items():
        shutil.copy(ROOT / "fixtures" / "faces" / f"{person}.jpg", f"{name}.jpg")
    for name, number in {"neutral": 69, "closed": 69, "smile": 70}.items():
        shutil.copy(photos / f"{number:06d}.jpg", f"{name}.jpg")
    Path("holiday").mkdir()
    for number in range(1, 13):
        shutil.copy(photos / f"{number:06d}.jpg", f"holiday/{number}.jpg")
    two = [np.asarray(Image.open(f"{name}.jpg").resize((256, 256))) for name in ("A", "B")]
    Image.fromarray(np.concatenate(two, axis=1)).save("party.jpg")
    for name, opening in {"a": 0.0, "b": 0.1}.items():
        maskkit.write_points(f"{name}.pts", face_points(128, opening))
    np.savetxt("face.csv", canonical_mesh(), delimiter=",", header="x,y,z", comments="")
    for name in ("shards", "SHARDS", "OTHER"):
        shutil.copytree(drawn_shards, name)
    for name in ("run", "RUN", "JOINT", "FROZEN", "SCGAN", "PIX2PIX", "SPADE"):
        shutil.copytree(small_run, name)
    return tmp_path


def make_clips() -> None:
    """A face that moves a little, twice."""
    face = np.asarray(Image.open("portrait.jpg").convert("RGB").resize((192, 192)))
    Path("clips").mkdir()
    write_film(Path("clip.mp4"), [np.roll(face, shift, axis=1) for shift in range(6)])
    shutil.copy("clip.mp4", "clips/talk.mp4")


def make_people() -> None:
    """A zip of photos and a table of half of them."""
    with zipfile.ZipFile("people.zip", "w") as packed:
        for path in sorted(Path("holiday").iterdir()):
            packed.write(path, path.name)
    rows = [f"{number}.jpg,{number % 2},1,{'val' if number < 4 else 'train'}" for number in range(1, 7)]
    Path("people.csv").write_text("\n".join(["photo,Smile,Glasses,part", *rows]) + "\n")


def make_foreign() -> None:
    """Small data sets of other projects: parts as CelebAMask-HQ has them, an annotation tool's, and labelled pairs."""
    maskkit.export_shards("shards", "cvat-task", "cvat")
    for name in ("export.json", "samples.csv", "landmarks.csv"):
        Path("cvat-task", name).unlink(missing_ok=True)
    Path("cvat-task/JPEGImages").rename("cvat-task/photos")
    for folder in (
        "pairs/images",
        "pairs/masks",
        "CelebAMask-HQ/CelebA-HQ-img",
        "CelebAMask-HQ/CelebAMask-HQ-mask-anno/0",
    ):
        Path(folder).mkdir(parents=True)
    for number, row in enumerate(maskkit.ShardReader("shards")[:4]):
        photo, mask = Image.fromarray(row["image"]), row["mask"]
        photo.save(f"pairs/images/{number}.png")
        Image.fromarray(mask).save(f"pairs/masks/{number}.png")
        photo.save(f"CelebAMask-HQ/CelebA-HQ-img/{number}.jpg")
        for label, part in {1: "skin", 2: "r_eye", 3: "l_eye", 4: "nose", 5: "u_lip"}.items():
            drawn = np.repeat((mask == label)[..., None] * np.uint8(255), 3, axis=2)
            Image.fromarray(drawn).save(f"CelebAMask-HQ/CelebAMask-HQ-mask-anno/0/{number:05d}_{part}.png")


@pytest.mark.parametrize("page", [page for page in PAGES if any(steps_of(page))], ids=lambda path: path.name)
def test_a_page_can_be_followed_as_it_stands(page: Path, scenery: Path, command: Command) -> None:
    if "people.zip" in page.read_text():
        make_people()
    if "clip.mp4" in page.read_text():
        make_clips()
    if "maskkit import" in page.read_text():
        make_foreign()
    made_by_itself = {"README.md": ("shards", "run"), "building.md": ("shards",), "training.md": ("RUN",),
                      "systems.md": ("RUN", "SCGAN", "PIX2PIX", "SPADE")}  # fmt: skip
    for name in made_by_itself.get(page.name, ()):
        shutil.rmtree(name)
    for step in steps_of(page):
        if any(step.startswith(begun) for begun in LEFT_OUT):
            continue
        if not step.startswith(("maskkit ", "gan ")):
            for long, short in SHORTER_CODE.items():
                step = step.replace(long, short)
            names: dict[str, Any] = {"__name__": "page"}
            exec(step, names)  # each block alone
            continue
        words = [word.replace("~", str(scenery)) for word in shlex.split(re.sub(r" +# .*", "", step))]
        kind = " ".join(words[:2])
        special = [f"{kind} {word}" for word in words if f"{kind} {word}" in SHORTER]
        more = SHORTER.get(special[0] if special else kind, "")
        status, said = command(words[0], *words[1:], *shlex.split(more))
        assert status == 0, f"{step}\n{said}"


def test_what_is_left_out_stands_in_a_page() -> None:
    steps = [step for page in PAGES for step in steps_of(page)]
    assert [begun for begun in LEFT_OUT if not any(step.startswith(begun) for step in steps)] == []
    code = "".join(steps)
    assert [long for long in SHORTER_CODE if long not in code] == []
