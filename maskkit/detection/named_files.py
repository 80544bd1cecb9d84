"""Photos and point files that a user names: which there are, what their results are called, and what became of each."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from maskkit.detection.cascade import Detector, Face, FaceChoice, choose, detect
from maskkit.detection.workers import map_in_order, workers_worth
from maskkit.errors import OutputError
from maskkit.files.atomic import leads_out
from maskkit.files.outputs import lies_in
from maskkit.files.result_folder import ResultFolder
from maskkit.files.walking import files_below
from maskkit.photos.images import SUFFIXES, Picture

OnProgress = Callable[[int, int], None]
Item = TypeVar("Item")


@dataclass(frozen=True)
class FilesResult:
    """What became of many files: by file (and `-1`, `-2` ... where all faces were wanted) what was found and written.

    `failed` has a sentence for each file that could not be used, `notes` sentences about those that were.
    """

    out: Path
    found: dict[str, dict[str, Any]] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Made:
    """What became of one file. `faces` is what else the caller wants of them."""

    found: dict[str, dict[str, Any]]
    notes: tuple[str, ...] = ()
    failed: str | None = None
    faces: tuple[Face, ...] = ()


def prepare_folder(
    out: Path, inputs: Iterable[Path], files: Iterable[Path], overwrite: bool, *, pictures: bool
) -> ResultFolder:
    """The folder for the results of these files, which `inputs` named.

    Raises OutputError where `pictures` would be taken for photos the next time.
    """
    for folder in inputs:
        if pictures and folder.is_dir() and lies_in(out, folder):
            raise OutputError(
                f"{out} lies in {folder}, and the pictures there would be taken for photos the next time; "
                "take a folder beside it"
            )
    return ResultFolder(out, files, overwrite)


def collect_files(paths: Iterable[Path]) -> tuple[list[Path], dict[str, str]]:
    """The files named and the pictures below the folders named, no two of one name; and those that are left out.

    Left out, with a sentence, are links in such a folder that lead out of it or nowhere, and names that no terminal can
    show. Raises OutputError where two results would have one name, and for a folder without pictures.
    """
    files: list[Path] = []
    failed: dict[str, str] = {}
    for path in paths:
        if not path.is_dir():
            files.append(path)
            continue
        below = files_below(path, SUFFIXES)
        if not below:
            raise OutputError(f"{path}: there are no pictures in this folder")
        for file in below:
            if leads_out(file, path):
                failed[str(file)] = f"{file}: a symbolic link that leads out of {path}; name it itself to have it read"
            elif not file.exists():
                failed[str(file)] = f"{file}: a symbolic link that leads nowhere"
            elif not file.name.isprintable():
                failed[str(file)] = f"{file}: the name holds characters that cannot be printed; rename it"
            else:
                files.append(file)
    taken: dict[str, Path] = {}
    for path in dict.fromkeys(files):
        if path.name in taken:
            raise OutputError(f"{taken[path.name]} and {path} would give results of one name; take them one by one")
        taken[path.name] = path
    return list(taken.values()), failed


def ids_below(paths: Iterable[Path], files: Iterable[Path]) -> dict[Path, str]:
    """What tables call each file: its path below the folder that was named, or its name where it was named itself."""
    folders = [path for path in paths if path.is_dir()]
    homes = {file: next((folder for folder in folders if file.is_relative_to(folder)), file.parent) for file in files}
    return {file: file.relative_to(home).as_posix() for file, home in homes.items()}


def result_names(files: Sequence[Path]) -> list[str]:
    """A name for the results of each file: its stem, or the whole file name where two share a stem."""
    stems = Counter(path.stem for path in files)
    return [path.stem if stems[path.stem] == 1 else path.name for path in files]


def work_through(
    work: Callable[[tuple[Path, str]], Made], files: list[Path], result: FilesResult, workers: int | None,
    on_progress: OnProgress | None,
) -> list[Made]:  # fmt: skip
    """Do the work for each file and its name, in their order, and put what became of them into `result`."""
    named = list(zip(files, result_names(files), strict=True))
    all_made: list[Made] = []
    with closing(map_in_order(work, named, workers_worth(workers, len(files)))) as made:
        for done, (path, one) in enumerate(zip(files, made, strict=True), 1):
            result.found.update(one.found)
            result.notes.extend(one.notes)
            if one.failed is not None:
                result.failed[str(path)] = one.failed
            all_made.append(one)
            if on_progress is not None:
                on_progress(done, len(files))
    return all_made


def chosen_faces(
    path: Path, image: Picture, detector: str | Detector, choice: FaceChoice
) -> tuple[list[Face], tuple[str, ...]]:
    """The faces of a photo that are wanted, and a note where the largest of several was taken."""
    faces = detect(image, detector, every_face=choice == "all")
    chosen = choose(faces, choice, str(path))
    several = choice == 1 and len(faces) > 1
    return chosen, (f"{path}: {len(faces)} faces found, the largest taken; all of them with --face all",) * several


def numbered(items: Iterable[Item], choice: FaceChoice) -> list[tuple[str, Item]]:
    """Each face with what is added to its results' names: nothing, or its number where all are wanted."""
    return [(f"-{number}" if choice == "all" else "", item) for number, item in enumerate(items, 1)]
