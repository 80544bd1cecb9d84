"""The same layouts, z and c through several runs, one under the other (SCGAN paper, Figures 8 and 9)."""

from collections.abc import Sequence
from pathlib import Path

from gan.errors import InputError, explained
from gan.pictures.labels import labels_of
from gan.pictures.sampling import choose_rows
from gan.pictures.several_runs import load_alike, run_names, titles
from gan.pictures.sheets import Words, draw_sheet
from gan.pictures.tiles import Picture, check_extent, check_still, generate_pictures, layout_pictures, write_still
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
    those of `label_panel`; a run that takes no label has none, and one that takes no z either has one row. `names`
    stand for the runs, by default their folders' names. Raises InputError where the runs make pictures of other kinds,
    and other GanErrors or maskkit's errors.
    """
    if min(rows, columns, scale) < 1:
        raise InputError(f"rows, columns and scale must be at least 1, not {rows}, {columns} and {scale}")
    path, called = Path(out), run_names(runs, names)
    inputs = [*([shards] if shards else []), *map(spec_file, layouts)]
    check_still(path, overwrite, "figures", runs=runs, inputs=inputs)
    generators = load_alike(runs, device)
    first = generators[0]
    for run, generator in zip(runs, generators, strict=True):
        generator.need("s", what=f"{run} has no place in a comparison of layouts")
    chosen = choose_rows(first, layouts, shards, columns)
    richest = max(generators, key=lambda one: ("c" in one.takes, "z" in one.takes))
    identities = labels_of(richest, attributes, rows)
    count = len(chosen.s_idx)
    check_extent(path, len(runs) * len(identities) + 2, count, first.size * scale)
    lines = [*([chosen.pictures] if chosen.pictures else []), layout_pictures(chosen.s_idx, first.scheme)]
    labels: list[Words] = [*([("photo",)] if chosen.pictures else []), ("layout",)]
    for name, generator in zip(called, generators, strict=True):
        takes_z, takes_c = "z" in generator.takes, "c" in generator.takes
        for i, identity in enumerate(identities if takes_z or takes_c else identities[:1]):
            z = generator.draw_z(len(identities), seed)[i].expand(count, -1) if takes_z else None
            c = identity.c.expand(count, -1) if takes_c else None
            lines.append(generate_pictures(generator, count, z, c, chosen.s_idx, chosen.x))
            labels.append((name, *(identity.words if takes_c else ())))
    picture = draw_sheet(lines, labels=labels, scale=scale)
    write_still(path, picture, overwrite, titles(generators))
    return picture
