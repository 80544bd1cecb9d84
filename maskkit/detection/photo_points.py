"""Photos to point files: the door behind `maskkit landmarks`."""

from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from maskkit.detection.cascade import Detector, FaceChoice
from maskkit.detection.named_files import (
    FilesResult,
    Made,
    OnProgress,
    chosen_faces,
    collect_files,
    ids_below,
    numbered,
    prepare_folder,
    work_through,
)
from maskkit.errors import MaskkitError, OutputError
from maskkit.files.outputs import owned
from maskkit.files.result_folder import ResultFolder
from maskkit.photos.images import read_image
from maskkit.points.point_files import SUFFIXES, encode_points, points_table

FORMATS = tuple(suffix[1:] for suffix in SUFFIXES)
TABLE = "landmarks.csv"


@dataclass(frozen=True)
class _Wish:
    results: ResultFolder
    format: str
    face: FaceChoice
    detector: str | Detector


def write_landmarks(
    photos: Iterable[str | Path],
    out: str | Path,
    *,
    format: str = "pts",
    face: FaceChoice = 1,
    detector: str | Detector = "auto",
    workers: int | None = 1,
    overwrite: bool = False,
    on_progress: OnProgress | None = None,
) -> FilesResult:
    """Find the 68 points of the faces in photos and in folders of photos, and write them into the folder `out`.

    `format` is pts or json, a file a face, or csv, one `landmarks.csv` of all for the `landmarks` of builds, whose ids
    are paths below the folder that was named. `face` is the number of a face, from 1 by falling size, or "all", whose
    files and ids are numbered. With `workers` above 1 that many processes work at most (None:
    as many as processors), which import the calling script; the results are the same. A photo that cannot be used is
    told in `failed` and ends nothing. Raises OutputError where results would replace something.
    """
    if format not in FORMATS:
        raise OutputError(f"there is no format {format!r} of points: take one of {', '.join(FORMATS)}")
    paths = [Path(path) for path in photos]
    files, failed = collect_files(paths)
    results = prepare_folder(Path(out), paths, files, overwrite, pictures=False)
    result = FilesResult(Path(out), failed=failed)
    with ExitStack() as stack:
        if format == "csv":  # before the work
            stack.enter_context(owned(results.check(TABLE)))
        wish = _Wish(results, format, face, detector)
        all_made = work_through(partial(_find, wish), files, result, workers, on_progress)
        if format == "csv":
            ids = ids_below(paths, files)
            table = {
                f"{ids[file]}{ending}": one.points
                for file, made in zip(files, all_made, strict=True)
                for ending, one in numbered(made.faces, face)
            }
            results.write(TABLE, points_table(table).encode())
    return result


def _find(wish: _Wish, named: tuple[Path, str]) -> Made:
    path, name = named
    try:
        faces, notes = chosen_faces(path, read_image(path), wish.detector, wish.face)
        if wish.format != "csv":
            for ending, one in numbered(faces, wish.face):
                target = f"{name}{ending}.{wish.format}"
                wish.results.write(target, encode_points(Path(target), one.points))
    except MaskkitError as error:
        return Made({}, failed=str(error))
    found = {
        f"{path}{ending}": {"detector": one.detector, "score": one.score, "box": list(one.box)}
        for ending, one in numbered(faces, wish.face)
    }
    return Made(found, notes, faces=tuple(faces))
