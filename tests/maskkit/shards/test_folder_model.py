"""A folder of shards against a plain dictionary assumed perfect, in any order of work, stops, looks and harm."""

import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

import maskkit
from maskkit.errors import ShardError
from maskkit.shards.description import LEDGER, PREVIEW, SPLITS, Dataset, describe_source, read_dataset
from maskkit.shards.reader import Shard
from maskkit.shards.writer import Outcome, Row, ShardWriter, Skip, finish_folder

SIZE = 8


class StoppedError(Exception):
    """Somebody ended the work."""


@dataclass(frozen=True)
class Wanted:
    """An input."""

    id: str
    split: str
    attributes: tuple[int, ...] = (1,)
    problem: str = ""


def row_of(one: Wanted, number: int = 0) -> Row:
    """The row that an input gives: any picture and labels, always the same."""
    rng = np.random.default_rng([*one.id.encode(), number])
    name = f"{one.id}#{number}" if number else one.id
    image, mask = (
        rng.integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8),
        rng.integers(0, 7, (SIZE, SIZE), dtype=np.uint8),
    )
    return Row(name, image, mask, rng.integers(0, 2, 1, dtype=np.uint8))


class ShardFolder(RuleBasedStateMachine):
    """Work goes on, is stopped, and is looked at; the dictionary says what must be there."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())

    def teardown(self) -> None:
        shutil.rmtree(self.folder)

    @initialize(
        faces=st.lists(st.sampled_from([0, 1, 1, 1, 3]), min_size=1, max_size=12),
        cuts=st.tuples(st.integers(0, 12), st.integers(0, 12)),
        shard_size=st.integers(1, 5),
    )
    def begin(self, faces: list[int], cuts: tuple[int, int], shard_size: int) -> None:
        first, second = sorted(cuts)
        splits = [SPLITS[(number >= first) + (number >= second)] for number in range(len(faces))]
        self.inputs = [Wanted(f"{number:03d}.png", split) for number, split in enumerate(splits)]
        self.outcomes: dict[str, Outcome] = {
            one.id: [row_of(one, face) for face in range(count)] if count else Skip("no face found")
            for one, count in zip(self.inputs, faces, strict=True)
        }
        self.shard_size = shard_size
        source = describe_source("model", self.inputs)
        Dataset(maskkit.load_scheme("scgan"), SIZE, ("a",), source, {}, {}).write(self.folder)

    def left(self) -> list[Wanted]:
        """The inputs that the folder does not cover, as whoever goes on finds them."""
        dataset = read_dataset(self.folder)
        covered = {split: sum(entry.covered for entry in dataset.of_split(split)) for split in SPLITS}
        return [
            one
            for split in SPLITS
            for one in [one for one in self.inputs if one.split == split][covered[split] :]
        ]  # fmt: skip

    def work(self, stop_after: int | None) -> None:
        """Go on from what the folder says, as a new process would."""

        def outcomes() -> Iterator[tuple[Wanted, Outcome]]:
            for number, one in enumerate(self.left()):
                if number == stop_after:
                    raise StoppedError
                yield one, self.outcomes[one.id]

        ShardWriter(self.folder, read_dataset(self.folder), self.shard_size, (), several=True).write(outcomes())

    @property
    def complete(self) -> bool:
        return read_dataset(self.folder).complete

    @precondition(lambda self: not self.complete)
    @rule(steps=st.integers(0, 12))
    def work_and_stop(self, steps: int) -> None:
        before = self.left()
        try:
            self.work(steps)
        except StoppedError:
            lost = before[: len(before) - len(self.left())]
            done = before[:steps]
            assert done[: len(lost)] == lost  # nothing is covered that was not worked on
            pending = [self.outcomes[one.id] for one in done[len(lost) :] if one.split == done[-1].split]
            rows = sum(len(outcome) for outcome in pending if not isinstance(outcome, Skip))
            assert rows < self.shard_size  # less than a shard is to be done again

    @precondition(lambda self: not self.complete)
    @rule()
    def work_to_the_end(self) -> None:
        self.work(None)
        dataset = read_dataset(self.folder)
        if any(dataset.counts().values()):
            finish_folder(self.folder, dataset)
            assert self.left() == []

    @rule()
    def look_at_every_row(self) -> None:
        expected = self.expected()
        if not self.complete:
            with pytest.raises(ShardError, match="not complete"):
                maskkit.ShardReader(self.folder)
            return
        for split in SPLITS:
            reader = maskkit.ShardReader(self.folder, split)
            assert len(reader) == len(expected[split])
            for index, row in enumerate(expected[split]):
                sample = reader[index]
                assert sample["id"] == row.id
                for name in ("image", "mask", "attributes"):
                    assert (sample[name] == getattr(row, name)).all()

    @precondition(lambda self: self.complete)
    @rule()
    def verify(self) -> None:
        skipped = [name for name, outcome in self.outcomes.items() if isinstance(outcome, Skip)]
        result = maskkit.verify(self.folder)
        assert (result.rows, result.skipped) == (sum(map(len, self.expected().values())), len(skipped))

    @precondition(lambda self: self.complete)
    @rule(data=st.data())
    def harm_is_found(self, data: st.DataObject) -> None:
        path = self.folder / data.draw(st.sampled_from(read_dataset(self.folder).shards)).file
        whole = path.read_bytes()
        place = data.draw(st.integers(0, len(whole) - 1))
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(ShardError, match=path.name):
            maskkit.verify(self.folder)
        path.write_bytes(whole)

    @precondition(lambda self: self.complete)
    @rule(name=st.sampled_from([LEDGER, PREVIEW]))
    def what_is_derived_is_made_again(self, name: str) -> None:
        before = (self.folder / name).read_bytes()
        (self.folder / name).unlink()
        finish_folder(self.folder, read_dataset(self.folder))
        assert (self.folder / name).read_bytes() == before

    @invariant()
    def the_folder_holds_the_first_shards_of_each_split(self) -> None:
        dataset = read_dataset(self.folder)
        for split in SPLITS:
            entries, promised = dataset.of_split(split), self.expected_shards(split)
            there = [(self.rows(entry.file), entry.skipped, entry.covered) for entry in entries]
            assert there == promised[: len(there)]

    def expected_shards(self, split: str) -> list[tuple[list[str], list[tuple[str, str]], int]]:
        """The ids, the inputs left out and the number of inputs of every shard of a split, cut by hand."""
        shards: list[tuple[list[str], list[tuple[str, str]], int]] = []
        ids: list[str] = []
        skipped: list[tuple[str, str]] = []
        inputs = 0
        for one in [one for one in self.inputs if one.split == split]:
            outcome = self.outcomes[one.id]
            inputs += 1
            if isinstance(outcome, Skip):
                skipped.append((one.id, outcome.reason))
            else:
                ids += [row.id for row in outcome]
            if len(ids) >= self.shard_size:
                shards.append((ids, skipped, inputs))
                ids, skipped, inputs = [], [], 0
        return [*shards, (ids, skipped, inputs)] if inputs else shards

    def expected(self) -> dict[str, list[Row]]:
        """All rows of each split in order, by the dictionary alone."""
        rows: dict[str, list[Row]] = {split: [] for split in SPLITS}
        for one in self.inputs:
            outcome = self.outcomes[one.id]
            rows[one.split] += [] if isinstance(outcome, Skip) else outcome
        return rows

    def rows(self, file: str) -> list[str]:
        """The ids in one shard."""
        with Shard(self.folder / file) as shard:
            return [name for name, _, _ in shard.found()]


TestShardFolder = ShardFolder.TestCase
TestShardFolder.settings = settings(max_examples=12, stateful_step_count=8, deadline=None)
