"""The same layouts, z and c through several runs, one under the other (SCGAN paper, Figures 8 and 9)."""

from collections.abc import Sequence
from pathlib import Path

import maskkit
from gan.errors import InputError, explained
from gan.figures.run_names import run_names
from gan.pictures.labels import labels_of
from gan.pictures.sampling import choose_rows
from gan.pictures.sheets import Words, draw_sheet
from gan.pictures.tiles import Picture, check_extent, check_still, generate_pictures, layout_pictures, write_still
from gan.runs.loading import LoadedGenerator, load_generator
from maskkit.morphs.placed_faces import spec_file


@explained("drawing the comparison", "take fewer rows or columns or a smaller scale")
def compare(
    runs: Sequence[str | Path],
    out: str | Path,
    *,
    names: Sequence[str] = (),
    shards: str | Path | None = None,
    layouts: Sequence[str] = (),
    rows: int = 2,
    columns: int = 6,
    attributes: Sequence[Sequence[str]] = (),
    seed: int = 0,
    scale: int = 1,
    device: str = "auto",
    overwrite: bool = False,
) -> Picture:
    """Write and give a grid with a layout in each column and a block of rows for each run, under the run's name.

    The layouts are `layouts`, or the first `columns` rows of `shards`, as for `gan.sample`, by default those of the
    first run. A row of a block has one z and one label: one for each list of names in `attributes`, or `rows` of
    those of `label_panel`. `names` stand for the runs, by default their folders' names. Raises InputError
    where the runs make pictures of other kinds, and other GanErrors or maskkit's errors.
    """
    if min(rows, columns, scale) < 1:
        raise InputError(f"rows, columns and scale must be at least 1, not {rows}, {columns} and {scale}")
    path, titles = Path(out), run_names(runs, names)
    inputs = [*([shards] if shards else []), *map(spec_file, layouts)]
    check_still(path, overwrite, "figures", runs=runs, inputs=inputs)
    generators = [load_generator(run, device) for run in runs]
    first = generators[0]
    for run, generator in zip(runs, generators, strict=True):
        generator.need("s", what=f"{run} has no place in a comparison of layouts")
        _check_same_kind(runs[0], first, run, generator)
    chosen = choose_rows(first, layouts, shards, columns)
    identities = labels_of(first, attributes, rows)
    count = len(chosen.s_idx)
    check_extent(path, len(runs) * len(identities) + 2, count, first.size * scale)
    lines = [*([chosen.pictures] if chosen.pictures else []), layout_pictures(chosen.s_idx, first.scheme)]
    labels: list[Words] = [*([("photo",)] if chosen.pictures else []), ("layout",)]
    for title, generator in zip(titles, generators, strict=True):
        for i, identity in enumerate(identities):
            z = generator.draw_z(len(identities), seed)[i].expand(count, -1) if "z" in generator.takes else None
            c = identity.c.expand(count, -1) if "c" in generator.takes else None
            lines.append(generate_pictures(generator, count, z, c, chosen.s_idx, chosen.x))
            labels.append((title, *identity.words))
    picture = draw_sheet(lines, labels=labels, scale=scale)
    write_still(path, picture, overwrite, ", ".join(dict.fromkeys(one.title for one in generators)))
    return picture


def _check_same_kind(first_run: str | Path, first: LoadedGenerator, run: str | Path, other: LoadedGenerator) -> None:
    """Raise InputError naming the first thing that keeps two generators from having the same input."""
    differences = {
        "data.size": (first.size, other.size),
        "the scheme": (first.scheme, other.scheme),
        "the attributes": (first.attribute_names, other.attribute_names),
        "the kind of attributes": (first.settings.attribute_kind, other.settings.attribute_kind),
    }
    for what, (ours, theirs) in differences.items():
        if ours != theirs:
            raise InputError(
                f"{run} cannot be compared with {first_run}: {what} is {_shown(theirs)} and not {_shown(ours)}; "
                "both need the same attributes and layouts"
            )


def _shown(value: object) -> str:
    if isinstance(value, maskkit.RegionScheme):
        return f"{value.name} ({', '.join(value.names)})"
    return ", ".join(value) or "none" if isinstance(value, tuple) else str(value)
