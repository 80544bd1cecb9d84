"""Where the photos of a build lie: in a folder, or in a zip that stays packed."""

import io
import os
import stat
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Protocol

from maskkit.errors import BuildError, ImageError, MissingExtraError, VideoError
from maskkit.files.atomic import leads_out
from maskkit.files.regular import open_regular
from maskkit.files.walking import walk
from maskkit.photos.images import SUFFIXES, Picture, decode_image, read_image
from maskkit.photos.videos import FramesByNumber, count_frames, frame_id, is_video

LARGEST_MEMBER = 256 << 20  # bytes once unpacked; more than any picture that may be decoded has in a common format
READ_AT_ONCE = 1 << 20
MOST_MEMBERS = 10_000_000
PACKINGS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # the others may ask for any amount of memory
NOT_PHOTOS = ("__MACOSX",)  # what some packers add


class Photos(Protocol):
    """Photos by their ids, the paths below one place. Crosses processes; each opens what it needs by itself."""

    def names(self) -> dict[str, str]:
        """Every photo's id, and why it is not taken ("" if it is)."""
        ...

    def read(self, name: str) -> Picture:
        """One photo as uint8 RGB (H, W, 3); ImageError with the reason alone, which is the same everywhere."""
        ...


@dataclass(frozen=True)
class PhotoFolder:
    """The photos in a folder and in those below it; with `every`, every N-th frame of the videos there too.

    A frame's id is its video's and its number from 0, `clip.mp4/000123`.
    """

    path: Path
    every: int | None = None

    def names(self) -> dict[str, str]:
        """Every photo's id; a link that leads out of the folder is not followed, and named as a problem."""
        found: dict[str, str] = {}
        for entry in self._entries():
            linked_folder = entry.is_symlink() and Path(entry.path).is_dir()
            video = self.every is not None and is_video(entry.name)
            if video or PurePosixPath(entry.name).suffix.lower() in SUFFIXES or linked_folder:
                name = Path(entry.path).relative_to(self.path).as_posix()
                outside = entry.is_symlink() and leads_out(Path(entry.path), self.path)
                if outside or not linked_folder:
                    problem = "a symbolic link that leads out of the folder of photos" if outside else ""
                    found.update(self._frames(name) if video and not problem else {name: problem})
        return found

    def _frames(self, name: str) -> dict[str, str]:
        """The frames of a video that are taken, or the video itself with the reason why there are none."""
        path = self.path / name
        try:
            return {f"{name}/{frame_id(number)}": "" for number in range(0, count_frames(path), self.every or 1)}
        except (VideoError, MissingExtraError) as error:
            return {name: str(error).removeprefix(f"{path}: ")}

    def _entries(self) -> Iterator["os.DirEntry[str]"]:
        try:
            yield from walk(self.path)
        except OSError as error:
            raise BuildError(f"{error.filename or self.path}: {error.strerror}") from error

    def read(self, name: str) -> Picture:
        """One photo."""
        video = video_of(name)
        path = self.path / (video or name)
        try:
            if video is None:
                return read_image(path)
            status = path.stat()
            return _open_video(path, (status.st_mtime_ns, status.st_size)).read(int(PurePosixPath(name).name))
        except OSError as error:
            raise ImageError(f"{error.strerror}") from error
        except ImageError as error:
            raise ImageError(str(error).removeprefix(f"{path}: ")) from error


@dataclass(frozen=True)
class PhotoZip:
    """The photos of a zip below one of its folders, `prefix` (with its slash, or "" for all).

    `stamp` is the file's time and size, so that a zip that was replaced is not read by an old table of contents.
    """

    path: Path
    prefix: str
    stamp: tuple[int, int]

    def names(self) -> dict[str, str]:
        """Every photo's id, and why it cannot be read where its entry already tells."""
        below = {info.filename: info for info in _photos_in(self._open()) if info.filename.startswith(self.prefix)}
        return {name.removeprefix(self.prefix): _member_problem(info) for name, info in below.items()}

    def read(self, name: str) -> Picture:
        """One photo, unpacked in memory."""
        archive = self._open()
        try:
            info = archive.getinfo(self.prefix + name)
            if problem := _member_problem(info):
                raise ImageError(problem)
            data = _unpacked(archive, info)
        except (zipfile.BadZipFile, zlib.error, KeyError, EOFError, OSError, NotImplementedError) as error:
            raise ImageError(f"cannot be unpacked ({error})") from error
        try:
            return decode_image(io.BytesIO(data), name)
        except ImageError as error:
            raise ImageError(str(error).removeprefix(f"{name}: ")) from error

    def _open(self) -> zipfile.ZipFile:
        return _open_zip(self.path, self.stamp)


def open_zip(path: Path, folders: tuple[str, ...] = ("",)) -> PhotoZip:
    """The photos of a zip, below the first of `folders` that holds any directly, or else below its top.

    Raises BuildError where the zip cannot be read, holds a name that leads out of it, or a link.
    """
    try:
        status = path.stat()
    except OSError as error:
        raise BuildError(f"{path}: {error.strerror}") from error
    stamp = (status.st_mtime_ns, status.st_size)
    archive = _open_zip(path, stamp)
    if len(archive.infolist()) > MOST_MEMBERS:
        raise BuildError(f"{path}: {len(archive.infolist()):,} files are more than the {MOST_MEMBERS:,} allowed")
    seen: set[str] = set()
    for info in archive.infolist():
        _check_member(path, info)
        if info.filename in seen:
            raise BuildError(f"{path}: it holds {info.filename!r} twice; such a zip is refused")
        seen.add(info.filename)
    parents = {f"{PurePosixPath(info.filename).parent}/" for info in _photos_in(archive)}
    prefix = next((f"{folder}/" for folder in folders if f"{folder}/" in parents), "")
    return PhotoZip(path, prefix, stamp)


def _check_member(path: Path, info: zipfile.ZipInfo) -> None:
    name = info.orig_filename
    parts = name.replace("\\", "/").split("/")
    if "\0" in name or ".." in parts or not parts[0] or ":" in parts[0]:
        raise BuildError(f"{path}: the name {name!r} leads out of the zip; such a zip is refused, unpack it yourself")
    if stat.S_ISLNK(info.external_attr >> 16):
        raise BuildError(f"{path}: {name!r} is a symbolic link; such a zip is refused, unpack it yourself")


def _member_problem(info: zipfile.ZipInfo) -> str:
    if info.file_size > LARGEST_MEMBER:
        return f"{info.file_size:,} bytes once unpacked are more than the {LARGEST_MEMBER:,} allowed"
    if info.flag_bits & 1:
        return "locked with a password"
    return "" if info.compress_type in PACKINGS else f"packed by method {info.compress_type}, which is not read"


def _photos_in(archive: zipfile.ZipFile) -> Iterator[zipfile.ZipInfo]:
    for info in archive.infolist():
        path = PurePosixPath(info.filename)
        if path.suffix.lower() in SUFFIXES and path.parts[0] not in NOT_PHOTOS and not info.is_dir():
            yield info


def _unpacked(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    """A member, unpacked in parts: at once, all that is packed would be, whatever size the table of contents names."""
    parts = []
    with archive.open(info) as member:
        while part := member.read(READ_AT_ONCE):
            parts.append(part)
    return b"".join(parts)


def video_of(name: str) -> str | None:
    """The video that an id names a frame of; None for a photo's."""
    path = PurePosixPath(name)
    return path.parent.as_posix() if path.name.isdecimal() and is_video(path.parent.name) else None


@lru_cache(maxsize=1)
def _open_video(path: Path, stamp: tuple[int, int]) -> FramesByNumber:
    """The video, opened once per process."""
    return FramesByNumber(path)


@lru_cache(maxsize=1)
def _open_zip(path: Path, stamp: tuple[int, int]) -> zipfile.ZipFile:
    """The zip, opened once per process."""
    try:
        return zipfile.ZipFile(open_regular(path))
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise BuildError(f"{path}: not a zip that can be read ({error})") from error
