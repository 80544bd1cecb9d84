"""The odd moments of a command that writes, and what must hold after each: nothing lost, and done means all there."""

import os
import re
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import count, product
from pathlib import Path

from maskkit.files.hidden import is_hidden
from tests.outputs.forks import RENAMES, Ended, Process
from tests.outputs.recipes import Recipe, contents

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL)
STATUSES = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129, signal.SIGKILL: -9}
STOPPED = ("maskkit build-celeba", "maskkit import", "maskkit morph", "gan sample")  # in the quick form
MINE = "somebody else's"
_UNSTEADY = re.compile("(^|/)(tensorboard|checkpoints/step-)")


@dataclass
class Bench:
    """The cases of one recipe. `failures` are sentences, `results` how many commands ended how."""

    name: str
    recipe: Recipe
    inputs: Path
    work: Path
    cases: int = 0
    failures: list[str] = field(default_factory=list)
    results: dict[str, int] = field(default_factory=dict)
    numbers: Iterator[int] = field(default_factory=count)

    def place(self) -> Path:
        """A new folder with the inputs in it, and a file of somebody's."""
        place = self.work / f"case-{next(self.numbers)}"
        place.mkdir(parents=True)
        for name in ("celeba", "photos", "a.pts", "b.pts", "shards", "run", "pairs", "G.pth"):
            if name in self.recipe.arguments or name in " ".join(self.recipe.inputs):
                source = self.inputs / name
                if source.is_dir():
                    shutil.copytree(source, place / name)
                elif name == "G.pth":
                    os.link(source, place / name)  # large
                else:
                    shutil.copy(source, place / name)
        (place / "notes.txt").write_text(MINE)
        self.cases += 1
        return place

    def line(self, out: Path | str, force: bool = False) -> list[str]:
        """The command line for an output."""
        words = [str(out) if word == "{}" else word for word in self.recipe.arguments.split()]
        if self.name == "gan fit":
            force, words = False, [*words, *(["--resume"] if force else [])]
        return [*self.name.split(), *words, *([self.recipe.force] if force and self.recipe.force else [])]

    def run(self, place: Path, line: list[str], at_step: Callable[[int, str], object] = lambda *_: None) -> Ended:
        """Run a command to its end."""
        return self.ended(Process(place, line, at_step).wait())

    def ended(self, ended: Ended) -> Ended:
        """Count an end, which is never a traceback."""
        self.results[str(ended.status)] = self.results.get(str(ended.status), 0) + 1
        if "Traceback" in ended.said or "unexpected" in ended.said or ended.status not in (0, 1, 2, *STATUSES.values()):
            self.failures.append(f"{self.name}: ended with {ended.status}: {ended.said[-300:]}")
        return ended

    def expect(self, holds: bool, sentence: str, place: Path, ended: Ended | None = None) -> None:
        """Note a failure where something does not hold; what the case left is removed where all does."""
        if not holds:
            said = "" if ended is None else f"; status {ended.status}, said: {ended.said.strip()[-300:]}"
            self.failures.append(f"{self.name} ({self.recipe.out}, {place.name}): {sentence}{said}")

    def lost(self, before: dict[str, bytes | str], place: Path, but: str | None = None) -> list[str]:
        """What was in the case's folder and is not as it was, but for the output named."""
        after = contents(place)
        return [
            name for name, content in before.items()
            if after.get(name) != content and not (but and (name == but or name.startswith(f"{but}/")))
        ]  # fmt: skip

    def left_over(self, place: Path) -> list[str]:
        """Locks and partial names that are still there."""
        names = contents(place)
        return [name for name in names if name.endswith((".lock", ".partial", ".replaced")) or ".partial/" in name]

    def same(self, place: Path, out: str, wanted: dict[str, bytes | str]) -> bool:
        """Whether an output is all there."""
        found = contents(place / out)
        found = {name: content for name, content in found.items() if not is_hidden(Path(name).name)}
        if self.recipe.clocked or self.recipe.kind == "results":
            return _steady(found) == _steady(wanted)
        return found == wanted


def _steady(files: dict[str, bytes | str]) -> set[str]:
    """The names alone: TensorBoard's files hold clocks, and a list of results the order in which they came.

    A run that was stopped on its way has one checkpoint more.
    """
    last = max((name for name in files if "checkpoints/step-" in name), default="")
    return {name for name in files if name == last or not _UNSTEADY.search(name)}


def standing(bench: Bench) -> None:
    """Everything that may stand in the way before the command starts."""
    recipe = bench.recipe
    for force in (False, True):
        for one in recipe.inputs:
            _refused(bench, f"{one} is the output", one, force)
            _linked(bench, one, force)
        _refused(bench, "the output holds the inputs", ".", force)
        _foreign_file(bench, force)
        _foreign_folder(bench, force)
        _links(bench, force)
    _inside(bench)
    _added(bench)


def quick(bench: Bench) -> None:
    """A few cases of each kind; where several commands write by the same code, of one."""
    _refused(bench, f"{bench.recipe.inputs[0]} is the output", bench.recipe.inputs[0], True)
    _refused(bench, "the output holds the inputs", ".", True)
    _foreign_folder(bench, True)
    if bench.name in STOPPED:
        stopping(bench, 1, (signal.SIGKILL,), (True,))
    if bench.name in STOPPED and bench.recipe.owner:
        meeting(bench, 1, (False,))


def _refused(bench: Bench, what: str, out: str, force: bool) -> None:
    place = bench.place()
    target = place / out if out != "." else place
    before = contents(place)
    ended = bench.run(place, bench.line(target, force))
    lost = bench.lost(before, place)
    bench.expect(not lost, f"{what}, force {force}: lost {lost[:3]}", place, ended)
    if bench.recipe.kind != "results":
        bench.expect(ended.status in (1, 2), f"{what}, force {force}: not refused", place, ended)


def _linked(bench: Bench, one: str, force: bool) -> None:
    """The output is another name of an input."""
    suffix = Path(bench.recipe.out).suffix
    for hard in (False, True):
        place = bench.place()
        link = place / f"another{suffix}"
        if not hard:
            link.symlink_to(place / one)
        elif (place / one).is_file():
            os.link(place / one, link)
        else:
            continue
        before = contents(place)
        ended = bench.run(place, bench.line(link, force))
        lost = bench.lost(before, place)
        bench.expect(not lost, f"the output is a link to {one}, force {force}: lost {lost[:3]}", place, ended)


def _foreign_file(bench: Bench, force: bool) -> None:
    place = bench.place()
    (place / bench.recipe.out).write_text(MINE)
    before = contents(place)
    ended = bench.run(place, bench.line(bench.recipe.out, force))
    named = bench.recipe.kind == "file" and force  # the user has named this very file and asked for it
    lost = bench.lost(before, place, bench.recipe.out if named else None)
    bench.expect(not lost, f"a foreign file, force {force}: lost {lost[:3]}", place, ended)
    bench.expect((ended.status == 0) == named, f"a foreign file, force {force}", place, ended)


def _foreign_folder(bench: Bench, force: bool) -> None:
    """Somebody's folder with files that are called as ours are."""
    place, recipe = bench.place(), bench.recipe
    names = {"dataset.json", "export.json", "frame-0000.png", "ledger.csv", "preview.png", "photo.jpg", "below/x.txt"}
    for name in names | set(recipe.contested):
        path = place / recipe.out / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text('{"labels": []}')
    before = contents(place)
    ended = bench.run(place, bench.line(recipe.out, force))
    lost = bench.lost(before, place)
    bench.expect(not lost, f"a foreign folder, force {force}: lost {lost[:3]}", place, ended)
    bench.expect(ended.status in (1, 2), f"a foreign folder, force {force}: not refused", place, ended)


def _links(bench: Bench, force: bool) -> None:
    """The output is a link to a place elsewhere: empty, or with something in it."""
    recipe = bench.recipe
    for full in (False, True):
        place = bench.place()
        real = place / "elsewhere" / recipe.out
        real.parent.mkdir()
        (place / "link").mkdir()
        if full and recipe.kind == "file":
            real.write_text(MINE)
        elif recipe.kind != "file":
            real.mkdir()
            for name in ("notes.txt", *recipe.contested) if full else ():
                (real / name).write_text(MINE)
        link = place / "link" / recipe.out
        link.symlink_to(real)
        before = contents(place)
        ended = bench.run(place, bench.line(link, force))
        named = force and recipe.kind == "file"
        lost = bench.lost(before, place, f"elsewhere/{recipe.out}" if named else None)
        bench.expect(not lost, f"a link, force {force}, full {full}: lost {lost[:3]}", place, ended)
        if not full and not (bench.name == "gan fit" and force):
            bench.expect(ended.status == 0 and link.is_symlink(), f"a link, force {force}", place, ended)
        bench.expect(not bench.left_over(place), f"a link: left {bench.left_over(place)[:2]}", place, ended)


def _inside(bench: Bench) -> None:
    """The output lies in an input: a second call gives the same, or the first was refused."""
    for one in bench.recipe.inputs:
        place = bench.place()
        if not (place / one).is_dir():
            continue
        out = place / one / bench.recipe.out
        before = contents(place)
        first = bench.run(place, bench.line(out))
        made = contents(out)
        second = bench.run(place, bench.line(out, bench.name != "gan fit"))
        lost = bench.lost(before, place)
        bench.expect(not lost, f"inside {one}: lost {lost[:3]}", place, second)
        if first.status == 0 and bench.name != "gan fit":
            again = second.status == 0 and (bench.recipe.clocked or contents(out) == made)
            bench.expect(again, f"inside {one}: the second call takes the first one's result for input", place, second)


def _added(bench: Bench) -> None:
    """A user has put a file into a folder of ours, or changed one of it."""
    recipe = bench.recipe
    if recipe.kind == "file" or recipe.force is None:
        return
    place = bench.place()
    ended = bench.run(place, bench.line(recipe.out))
    bench.expect(ended.status == 0, "a run that is left alone", place, ended)
    if ended.status:
        return
    (place / recipe.out / "mine.txt").write_text(MINE)
    changed = next(name for name in contents(place / recipe.out) if not name.startswith(("mine", ".", "dataset")))
    if recipe.kind != "place":  # `dataset.json` proves the names alone: damage is what --fresh is for
        with (place / recipe.out / changed).open("ab") as file:
            file.write(b"corrected by hand")
    before = contents(place)
    ended = bench.run(place, bench.line(recipe.out, force=True))
    lost = bench.lost(before, place, None if recipe.kind != "place" else f"{recipe.out}")
    bench.expect(not lost, f"a file put into the output: lost {lost[:3]}", place, ended)
    bench.expect((place / recipe.out / "mine.txt").read_text() == MINE, "a file put into the output", place, ended)
    if recipe.kind == "results":  # only what was changed is in the way
        bench.expect(ended.status == 1, "a changed result is not refused", place, ended)


def appearing(bench: Bench) -> None:
    """Something comes to lie at the output while the command is at work: at its first step, and before its last."""
    recipe = bench.recipe
    steps = steps_of(bench)
    renames = [number for number, what in steps if what in RENAMES and what != "renamed"]
    moments = {2, renames[-1] if renames else 2, renames[len(renames) // 2] if renames else 2}
    for name, moment, folder in product(recipe.contested or ("",), moments, (False, True)):
        place = bench.place()
        target = place / recipe.out / name if name else place / recipe.out
        ended = bench.run(place, bench.line(recipe.out), partial(_put, place, target, folder, moment))
        if (place / "put").exists():
            kept = target / "mine.txt" if folder else target
            there = kept.is_file() and kept.read_text(errors="replace") == MINE
            bench.expect(there, f"{name or 'the output'} appears at step {moment}: lost", place, ended)
            bench.expect(ended.status != 0 or name != "", f"appears at {moment}: said done", place, ended)


def _put(place: Path, target: Path, folder: bool, moment: int, number: int, what: str) -> None:
    """At a step, let something of somebody's appear at `target`, if nothing is there."""
    if number == moment and not target.exists():
        with suppress(OSError):
            kept = target / "mine.txt" if folder else target
            kept.parent.mkdir(parents=True, exist_ok=True)
            kept.write_text(MINE)
            (place / "put").write_text("")


def steps_of(bench: Bench, force: bool = False) -> list[tuple[int, str]]:
    """The steps of a run that is left alone, by number and kind; with `force` one that replaces an earlier result."""
    place = bench.place()
    if force:
        bench.run(place, bench.line(bench.recipe.out))
    noted = place.parent / f"{place.name}.steps"

    def note(number: int, what: str) -> None:
        descriptor = os.open(noted, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.write(descriptor, f"{number} {what}\n".encode())
        os.close(descriptor)

    ended = bench.run(place, bench.line(bench.recipe.out, force), note)
    bench.expect(ended.status == 0, "a run that is left alone", place, ended)
    lines = [line.split() for line in noted.read_text().splitlines()] if noted.exists() else []
    return [(int(number), what) for number, what in lines]


def chosen(steps: list[tuple[int, str]], most: int) -> list[int]:
    """So many moments, the renames first and the others evenly spread."""
    renames = [number for number, what in steps if what in RENAMES][-max(1, most * 2 // 3) :]
    others = [number for number, _ in steps if number not in renames]
    spread = others[:: max(1, len(others) // max(1, most - len(renames)))]
    return sorted({*renames, *spread[: most - len(renames)]})


def stopping(
    bench: Bench,
    moments: int,
    signals: tuple[signal.Signals, ...] = SIGNALS,
    forces: tuple[bool, ...] = (False, True),
) -> None:
    """A signal at chosen steps, of a first run and of one that replaces an earlier result; then the same again."""
    recipe = bench.recipe
    wanted, earlier = reference(bench)
    for force in forces if recipe.force else (False,):
        for moment in chosen(steps_of(bench, force), moments):
            for number in signals:
                place = bench.place()
                if force:
                    shutil.copytree(earlier, place / recipe.out) if earlier.is_dir() else shutil.copy(
                        earlier, place / recipe.out
                    )
                before = contents(place)
                old = contents(place / recipe.out)

                ended = bench.run(place, bench.line(recipe.out, force), partial(_send, number, moment))
                what = f"{number.name} at step {moment}, force {force}"
                lost = bench.lost(before, place, recipe.out)
                bench.expect(not lost, f"{what}: lost {lost[:3]}", place, ended)
                bench.expect(ended.status in (0, STATUSES[number]), f"{what}: status", place, ended)
                whole = bench.same(place, recipe.out, wanted)
                if ended.status == 0:
                    bench.expect(whole, f"{what}: said done, and it is not all there", place, ended)
                elif recipe.kind in ("file", "folder"):
                    stands = whole or (not old and not (place / recipe.out).exists())
                    bench.expect(stands, f"{what}: neither the old nor the new stands whole", place, ended)
                _again(bench, place, force, wanted, what)


def _send(number: signal.Signals, moment: int, step: int, what: str) -> None:
    """At a step, send this process a signal."""
    if step == moment:
        os.kill(os.getpid(), number)


def _again(bench: Bench, place: Path, force: bool, wanted: dict[str, bytes | str], what: str) -> None:
    """The same command once more: it ends well, leaves all there, and nothing of the stop behind."""
    recipe = bench.recipe
    out = place / recipe.out
    if bench.name == "gan fit":
        force = (out / "config.toml").exists()
    elif recipe.kind != "place":
        force = force or out.exists()
    ended = bench.run(place, bench.line(recipe.out, force))
    bench.expect(ended.status == 0, f"{what}: the next start", place, ended)
    found = bench.same(place, recipe.out, wanted)
    bench.expect(found, f"{what}: the next start leaves something else", place, ended)
    left = bench.left_over(place)
    bench.expect(not left, f"{what}: the next start leaves {left[:3]}", place, ended)


def reference(bench: Bench) -> tuple[dict[str, bytes | str], Path]:
    """What a run that is left alone makes, and an earlier result to replace: the same with one step less of it."""
    place = bench.place()
    bench.run(place, bench.line(bench.recipe.out))
    return contents(place / bench.recipe.out), place / bench.recipe.out


def meeting(bench: Bench, offsets: int, forces: tuple[bool, ...] = (False, True)) -> None:
    """Two at once on one output: the second starts and ends while the first waits at one of its steps."""
    recipe = bench.recipe
    wanted, earlier = reference(bench)
    for force in forces if recipe.force else (False,):
        steps = steps_of(bench, force)
        for moment in [number for number, _ in steps][:: max(1, len(steps) // offsets)][:offsets]:
            place = bench.place()
            if force:
                copy = shutil.copytree if earlier.is_dir() else shutil.copy
                copy(earlier, place / recipe.out)
            before = contents(place)

            first = Process(place, bench.line(recipe.out, force), partial(_send, signal.SIGSTOP, moment))
            waiting = first.wait_until_stopped()
            second = bench.run(place, bench.line(recipe.out, force))
            if waiting:
                first.go_on()
            one = bench.ended(first.wait())
            what = f"two at once, the second at step {moment}, force {force}"
            lost = bench.lost(before, place, recipe.out)
            bench.expect(not lost, f"{what}: lost {lost[:3]}", place, second)
            # Two that give results of the same names may each be refused what the other has made first.
            done = 0 in (one.status, second.status) or recipe.kind == "results"
            whole = bench.same(place, recipe.out, wanted)
            bench.expect(done and whole, f"{what}: {one.status}, {second.status} and not all there", place, one)
            if recipe.owner and second.status:
                told = (
                    "is being written by process" in second.said
                    or "exist" in second.said
                    or "there and not" in second.said
                )
                bench.expect(told, f"{what}: the second is not told why", place, second)
            left = bench.left_over(place)
            bench.expect(not left, f"{what}: left {left[:3]}", place, one)
