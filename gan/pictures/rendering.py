"""Sequences between two faces: landmarks interpolated and each layout drawn anew; z and c held, or moving too."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from torch import Tensor

import maskkit
from gan.errors import InputError, explained
from gan.pictures.labels import chosen_attributes
from gan.pictures.latents import LatentPath, interpolate, interpolate_latents
from gan.pictures.sampling import layouts_of_points
from gan.pictures.several_runs import headings, load_alike, need_any, run_names, titles
from gan.pictures.sheets import Words, draw_sheet
from gan.pictures.tiles import (
    IMAGES_AT_ONCE,
    Picture,
    check_extent,
    check_still,
    fitting_scale,
    generate_pictures,
    layout_pictures,
    synthetic_note,
    write_still,
)
from gan.runs.loading import LoadedGenerator
from gan.runs.run_folder import check_beside
from maskkit.morphs.films import check_output
from maskkit.morphs.placed_faces import spec_file

OnFrame = Callable[[int], None]
Column = tuple[list[Picture], ...]  # of a frame: the rows of each run


@dataclass(frozen=True)
class Grid:
    """Pictures to generate: rows differ in `z` (R, F, n_z) and `c` (R, F, n_c), columns in `s_idx` int64 (F, H, W).

    z and c are None where the generator takes none.
    """

    rows: int
    z: Tensor | None
    c: Tensor | None
    s_idx: Tensor

    @classmethod
    def of_ways(cls, rows: int, z: Tensor | None, c: Tensor | None, s_idx: Tensor) -> Self:
        """Let `z` and `c` go from column to column (F, n) where there is one row, else from row to row (R, n)."""
        if rows > 1:
            return cls.of_rows(rows, z, c, s_idx)
        return cls(1, None if z is None else z[None], None if c is None else c[None], s_idx)

    @classmethod
    def of_rows(cls, rows: int, z: Tensor | None, c: Tensor | None, s_idx: Tensor) -> Self:
        """Hold each row's `z` (R, n_z) and `c` (R, n_c) along the columns."""
        columns = len(s_idx)
        z, c = (None if one is None else one[:, None].expand(-1, columns, -1) for one in (z, c))
        return cls(rows, z, c, s_idx)

    def pictures(self, generator: LoadedGenerator) -> Iterator[list[Picture]]:
        """Generate column after column, each a list of R pictures."""
        rows = self.rows
        at_once = max(1, IMAGES_AT_ONCE // rows)
        for first in range(0, len(self.s_idx), at_once):
            some = slice(first, first + at_once)
            z, c = (None if one is None else one[:, some].transpose(0, 1).flatten(0, 1) for one in (self.z, self.c))
            layouts = self.s_idx[some].repeat_interleave(rows, 0)
            made = generate_pictures(generator, len(layouts), z, c, layouts)
            for start in range(0, len(made), rows):
                yield made[start : start + rows]


@explained("rendering", "take fewer frames or a smaller scale")
def render(
    runs: str | Path | Sequence[str | Path],
    a: str,
    b: str,
    out: str | Path,
    *,
    names: Sequence[str] = (),
    frames: int = 24,
    fps: int = 12,
    seed: int = 0,
    seed_to: int | None = None,
    path: LatentPath = "linear",
    attributes: Sequence[str] = (),
    attributes_to: Sequence[str] | None = None,
    rows: int = 1,
    masks: bool = False,
    scale: int | None = None,
    device: str = "auto",
    overwrite: bool = False,
    on_frame: OnFrame = lambda done: None,
) -> None:
    """Write the way from face `a` to face `b` as .mp4 (H.264), .gif, a folder of PNG files, or a .png of all frames.

    `a` and `b` are photos, point files or shard rows `OUT/train-00000.h5#12`; both ends are among the `frames`. The z
    drawn from `seed` and the named `attributes` hold throughout (SCGAN paper, Figure 5), or go to those of `seed_to`
    along `path` and to `attributes_to` through real values: with one row from frame to frame together with the
    landmarks (SCGAN release), with more `rows` from row to row while the landmarks move along them (Figure 6). A film
    of several rows plays them one above the other; a still shows rows x frames. With `masks` a frame of one row has
    its layout at the left, other frames and stills above. `scale` repeats pixels; without it, films are as large as a
    screen shows whole.

    Several `runs` play side by side under `names`, by default their folders', the layout left of them; in a still they
    stand one above the other. Each takes of z and attributes what it takes. `on_frame` is told how many frames are
    done. Raises InputError where runs make pictures of other kinds, and other GanErrors or maskkit's errors.
    """
    _check_numbers(frames, fps, scale, rows)
    if rows > 1 and seed_to is None and attributes_to is None:
        raise InputError(f"{rows} rows would all be the same; give a second seed or other attributes for the last one")
    runs = [runs] if isinstance(runs, str | Path) else [*runs]
    called = run_names(runs, names)
    target, faces = Path(out), [spec_file(a), spec_file(b)]
    still = target.suffix.lower() == ".png"
    if still:
        check_still(target, overwrite, runs=runs, inputs=faces)
    else:
        check_beside(target, runs)
        check_output(target, fps, overwrite, [*runs, *faces])
    generators = load_alike(runs, device)
    for generator in generators:
        check_movable(generator)
    if seed_to is not None:
        need_any(generators, "z", what="there is no second one to go to (--seed-to)")
    if attributes or attributes_to:
        need_any(generators, "c", what="none can be asked for")
    if scale is None:
        scale = 1 if still or not target.suffix else _fitting(len(runs), rows, masks, generators[0].size)
    lines = (len(runs) if still else 1) * rows + masks
    check_extent(target, lines, frames if still else len(runs) + masks, generators[0].size * scale)
    s_idx = layouts_between(generators[0], a, b, frames)
    made = []
    for generator in generators:
        z = latents_between(generator, seed, seed_to, frames if rows == 1 else rows, path)
        c = _attributes_between(generator, attributes, attributes_to, frames if rows == 1 else rows)
        made.append(Grid.of_ways(rows, z, c, s_idx).pictures(generator))
    columns = _told(zip(*made, strict=True), on_frame)
    layouts = layout_pictures(s_idx, generators[0].scheme) if masks else []
    words = headings(called, generators) if len(runs) > 1 else []
    if still:
        write_still(target, _still(columns, layouts, words, scale), overwrite, titles(generators))
        return
    film = (_frame(column, layouts[i : i + 1], words, scale) for i, column in enumerate(columns))
    maskkit.write_frames(target, film, fps, overwrite=overwrite, note=synthetic_note(titles(generators)))


def _fitting(runs: int, rows: int, masks: bool, size: int) -> int:
    """Give the scale at which a screen shows a frame of a film whole."""
    if runs == 1 and rows > 1:
        return fitting_scale(rows + masks, 1, size)  # with the layout above
    return fitting_scale(rows, runs + masks, size)


def _check_numbers(frames: int, fps: int, scale: int | None, rows: int) -> None:
    if frames < 2 or fps < 1 or rows < 1 or (scale is not None and scale < 1):
        raise InputError(
            f"a sequence needs at least 2 frames, 1 frame a second, a scale of 1 and 1 row, "
            f"not {frames}, {fps}, {1 if scale is None else scale} and {rows}"
        )


def check_movable(generator: LoadedGenerator) -> None:
    """Raise InputError for a generator that landmarks cannot move."""
    generator.need("s", what="landmarks cannot move its pictures")
    if "x" in generator.takes:
        raise InputError(f"{generator.title} takes pictures, and a sequence between two faces has none to give")


def layouts_between(generator: LoadedGenerator, a: str, b: str, frames: int) -> Tensor:
    """Draw the layouts on the straight way from face `a` to face `b`, both included: int64 (frames, size, size)."""
    start, end = (maskkit.read_face_points(spec, generator.size) for spec in (a, b))
    return layouts_of_points(generator, maskkit.interpolate(start, end, frames))


def latents_between(
    generator: LoadedGenerator, seed: int, seed_to: int | None, steps: int, path: LatentPath
) -> Tensor | None:
    """Give latents (steps, n_z) from the one that `seed` draws to that of `seed_to`; all the same where it is None.

    None for a generator that takes no z.
    """
    if "z" not in generator.takes:
        return None
    start = generator.draw_z(1, seed)[0]
    if seed_to is None:
        return start.expand(steps, -1)
    return interpolate_latents(start, generator.draw_z(1, seed_to)[0], steps, path)


def _attributes_between(
    generator: LoadedGenerator, names: Sequence[str], names_to: Sequence[str] | None, steps: int
) -> Tensor | None:
    """Give attributes (steps, n_c) through real values; None for a generator that takes none."""
    if "c" not in generator.takes:
        return None
    start = chosen_attributes(generator, names)
    return interpolate(start, start if names_to is None else chosen_attributes(generator, names_to), steps)


def _still(columns: Iterable[Column], layouts: Sequence[Picture], words: Sequence[Words], scale: int) -> Picture:
    """Put all frames side by side: the layouts, then the rows of each run, beginning with its words."""
    by_run = zip(*columns, strict=True)
    lines: list[Sequence[Picture]] = [line for frames in by_run for line in zip(*frames, strict=True)]
    labels: list[Words] = []
    if words:
        rows = len(lines) // len(words)
        labels = [*[("layout",)] * bool(layouts), *(one if i == 0 else () for one in words for i in range(rows))]
    return draw_sheet([*([layouts] if layouts else []), *lines], labels=labels, scale=scale)


def _frame(column: Column, layout: Sequence[Picture], words: Sequence[Words], scale: int) -> Picture:
    """Put one frame of all runs together, `layout` one picture or none; without words it is a frame of one run."""
    if words:
        lines = [[*layout, *line] for line in zip(*column, strict=True)]
        return draw_sheet(lines, heads=[*[("layout",)] * len(layout), *words], scale=scale)
    (rows,) = column
    pictures = [*layout, *rows]
    beside = np.hstack(pictures) if len(rows) == 1 else maskkit.stack_grid([[picture] for picture in pictures])
    return maskkit.enlarge(beside, scale)


def _told(columns: Iterable[Column], on_frame: OnFrame) -> Iterator[Column]:
    for done, column in enumerate(columns, 1):
        yield column
        on_frame(done)
