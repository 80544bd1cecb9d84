"""What a power cut may leave, worked out from the calls that a build makes: a disk that keeps only what was synced."""

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import maskkit
from maskkit.files import renames

World = dict[str, bytes]  # the files of a folder


class Disk:
    """One folder on a disk that forgets: contents not synced are empty, changes of names not synced may go either way.

    Listens to the real calls. `cuts` holds, after each call, every state that a cut then could leave: the unsynced
    changes of names all lost, all kept, kept up to any of them, or any of them kept alone.
    """

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.folder, self.synced = folder, dict[int, bytes]()  # inode -> content
        self.names = dict[str, int]()  # on the disk: name -> inode
        for path in folder.iterdir():
            self.names[path.name] = path.stat().st_ino
            self.synced[path.stat().st_ino] = path.read_bytes()
        self.changes: list[Callable[[dict[str, int]], object]] = []
        self.cuts: list[World] = []
        for owner, name in ((os, "fsync"), (Path, "replace"), (renames, "place"), (Path, "unlink")):
            patch.setattr(owner, name, self._heard(getattr(owner, name), getattr(self, f"_{name}")))

    def _heard(self, call: Callable[..., Any], note: Callable[..., None]) -> Callable[..., Any]:
        def heard(*arguments: Any) -> Any:
            note(*arguments)
            result = call(*arguments)
            self.cuts += self._worlds()
            return result

        return heard

    def _fsync(self, descriptor: int) -> None:
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        if path == self.folder:
            for change in self.changes:
                change(self.names)
            self.changes = []
        elif path.is_file():
            self.synced[path.stat().st_ino] = path.read_bytes()

    def _replace(self, path: Path, target: Path) -> None:
        if path.parent == self.folder:
            inode = path.stat().st_ino
            self.changes.append(lambda names: names.update({target.name: inode}))

    _place = _replace

    def _unlink(self, path: Path) -> None:
        if path.parent == self.folder:
            self.changes.append(lambda names: names.pop(path.name, None))

    def _worlds(self) -> Iterator[World]:
        chosen = [self.changes[:end] for end in range(len(self.changes) + 1)] + [[change] for change in self.changes]
        for changes in chosen:
            names = dict(self.names)
            for change in changes:
                change(names)
            yield {name: self.synced.get(inode, b"") for name, inode in names.items()}


def test_every_cut_leaves_what_a_build_goes_on_from(
    celeba_fixture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    earlier = maskkit.BuildOptions(size=32, shard_size=2, limit=4, detector="hog")
    maskkit.build_celeba(celeba_fixture, out, earlier)
    with monkeypatch.context() as patch:
        disk = Disk(out, patch)
        options = maskkit.BuildOptions(size=32, shard_size=3, limit=9, detector="hog")
        maskkit.build_celeba(celeba_fixture, out, options, fresh=True)
    last = {path.name: path.read_bytes() for path in out.iterdir()}
    counts = set()
    for world in disk.cuts:
        described = json.loads(world["dataset.json"])
        for entry in described["shards"]:
            assert hashlib.sha256(world[entry["file"]]).hexdigest() == entry["sha256"]
        if described["complete"] and described["options"]["limit"] == 9:
            # Derived files are made again only where they are missing: none of the earlier build may come back.
            assert {
                name: last[name] for name in ("ledger.csv", "preview.png") if name in world
            }.items() <= world.items()
        counts.add((described["options"]["limit"], len(described["shards"]), described["complete"]))
    assert counts >= {(4, 2, True), (9, 0, False), (9, 1, False), (9, 2, False), (9, 3, False), (9, 3, True)}


def test_a_folder_takes_its_name_when_all_in_it_is_on_the_disk(
    drawn_shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    for owner, name in ((os, "sync"), (os, "fsync"), (Path, "rename"), (Path, "write_bytes")):
        call = getattr(owner, name)

        def heard(*arguments: Any, call: Callable[..., Any] = call, name: str = name) -> Any:
            calls.append(name)
            return call(*arguments)

        monkeypatch.setattr(owner, name, heard)
    maskkit.export_shards(drawn_shards, tmp_path / "new" / "out", "grey", split="val")
    assert calls == ["fsync", *["write_bytes"] * 17, "sync", "rename", "fsync"]  # the first is the new parent's
