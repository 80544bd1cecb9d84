"""Files of corrections: read, several people's taken as one, and written so that nothing is lost."""

from collections.abc import Sequence
from pathlib import Path

from maskkit.corrections.decisions import Correction, Corrections
from maskkit.errors import CorrectionsError
from maskkit.files.atomic import write_atomically
from maskkit.files.json_text import parse_json
from maskkit.files.regular import read_regular

LARGEST_FILE = 1 << 30  # bytes; 2.5 kB a row


def read_corrections(*files: str | Path) -> Corrections:
    """Read what people decided, from one file or from several as if they were one.

    Raises CorrectionsError for what cannot be read, for files of different picture sizes, and where two decide
    differently on the same row; it names the files and the row.
    """
    if not files:
        raise CorrectionsError("no file of corrections is named")
    first, *others = files
    merged = _read(Path(first))
    rows: dict[str, tuple[Correction, str | Path]] = {name: (one, first) for name, one in merged.rows.items()}
    for file in others:
        more = _read(Path(file))
        if more.image_size != merged.image_size:
            raise CorrectionsError(
                f"{file} is about pictures of {more.image_size} pixels, and {first} about such of {merged.image_size}"
            )
        for name, one in more.rows.items():
            known, source = rows.setdefault(name, (one, file))
            if known.text != one.text:
                raise CorrectionsError(
                    f"{source} and {file} decide differently on {name} ({known.verdict} and {one.verdict}); "
                    "remove its line from one of the two"
                )
    return Corrections(merged.image_size, {name: one for name, (one, _) in rows.items()})


def write_corrections(path: str | Path, corrections: Corrections) -> None:
    """Write a file of corrections, or leave the one that is there as it was. Raises OutputError."""
    content = corrections.encode()
    write_atomically(Path(path), lambda file: file.write(content))


def check_size(corrections: Corrections, size: int, files: Sequence[str | Path]) -> None:
    """Raise CorrectionsError where the decisions are about pictures of another size."""
    if corrections.image_size != size:
        raise CorrectionsError(
            f"{files[0]} is about pictures of {corrections.image_size} x {corrections.image_size} pixels, "
            f"and these are {size} x {size}; its points do not fit"
        )


def _read(path: Path) -> Corrections:
    try:
        content = parse_json(read_regular(path, LARGEST_FILE))
    except OSError as error:
        raise CorrectionsError(f"{path}: {error.strerror}") from error
    except ValueError as error:
        raise CorrectionsError(f"{path}: not valid JSON ({error})") from error
    return Corrections.from_content(content, str(path))
