"""Processes spawned beside the calling one, which is the first of them: how they start, stop and end together."""

import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import get_context, parent_process, resource_tracker
from multiprocessing.connection import Connection

import torch

from gan.errors import LostProcessesError, TrainingError
from maskkit.errors import MaskkitError

Stop = Callable[[], bool]
Work = Callable[[Stop], object]

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
LAST_WORDS_SECONDS = 5.0
END_SECONDS = 60.0  # from one's end to that of the others


@dataclass(frozen=True)
class Places:
    """Where the processes meet, and how many threads each has."""

    processes: int
    port: int
    threads: int

    @contextmanager
    def taken(self, rank: int) -> Iterator[None]:
        """Say in the environment variables that Fabric and torch read which of the processes this is."""
        values = {
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": str(self.port),
            "NODE_RANK": "0",
            "LOCAL_RANK": str(rank),
            "OMP_NUM_THREADS": str(self.threads),
        }
        before, threads = {name: os.environ.get(name) for name in values}, torch.get_num_threads()
        os.environ.update(values)
        torch.set_num_threads(self.threads)
        try:
            yield
        finally:
            torch.set_num_threads(threads)
            _restore(before)


@contextmanager
def spawned(processes: int, work: Work, *, share_threads: bool) -> Iterator[None]:
    """Let `processes - 1` others do `work` while the block runs, each in its place; the block has place 0.

    `work` is pickled, and gets a function that says whether its process was signalled to stop. Raises TrainingError
    with the words of a process that has failed.
    """
    threads = torch.get_num_threads()
    if share_threads and "OMP_NUM_THREADS" not in os.environ:
        threads = max(1, threads // processes)  # each would take all cores for itself, and they would wait in turn
    places = Places(processes, _free_port(), threads)
    members = [_Member(rank, places, work) for rank in range(1, processes)]
    done = threading.Event()
    try:
        for member in members:
            member.wait_until_ready()
        threading.Thread(target=_end_if_left_alone, args=(members, done), daemon=True).start()
        with places.taken(0):
            yield
        deadline = time.monotonic() + END_SECONDS
        for member in members:
            member.process.join(max(0.0, deadline - time.monotonic()))
    except LostProcessesError as error:
        rank, words = _last_words(members)
        raise TrainingError(f"process {rank} of {processes} has ended: {words}") from error
    finally:
        done.set()
        for member in members:
            member.end()


class _Member:
    """A spawned process, as the first one sees it."""

    def __init__(self, rank: int, places: Places, work: Work) -> None:
        self.rank = rank
        context = get_context("spawn")
        self.pipe, theirs = context.Pipe(duplex=False)
        self.process = context.Process(target=_be_member, args=(rank, places, work, theirs))
        # A signal that arrives before the process can note it must wait for that, not end it. The tracker, which comes
        # with the first process, would lift the block.
        resource_tracker.ensure_running()
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        try:
            self.process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        theirs.close()

    def wait_until_ready(self) -> None:
        """Wait for its first message. Raises TrainingError if it ends before."""
        try:
            self.pipe.recv()
        except EOFError as error:
            self.process.join()
            raise TrainingError(
                f"process {self.rank} ended with status {self.process.exitcode} before it could take part; a script "
                "that trains with several devices must do so under: if __name__ == '__main__'"
            ) from error

    def last_words(self) -> tuple[bool, str]:
        """Give whether it only fell with the others, and what it said at its end or how that came."""
        try:
            if self.pipe.poll(LAST_WORDS_SECONDS):
                lost, words = self.pipe.recv()
                return lost, words
        except EOFError:
            self.process.join(LAST_WORDS_SECONDS)
        code = self.process.exitcode
        how = "no status" if code is None else signal.Signals(-code).name if code < 0 else f"status {code}"
        return code is None, f"{how}, and it said nothing; if memory is short, take a smaller schedule.batch"

    def end(self) -> None:
        """Make sure that it is gone; it writes nothing that a kill could spoil."""
        self.process.kill()
        self.process.join()
        self.pipe.close()


def _be_member(rank: int, places: Places, work: Work, pipe: Connection) -> None:
    """Work as the process `rank`, and say why when that fails."""
    received: list[int] = []
    for number in SIGNALS:
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # under nohup
            signal.signal(number, lambda number, frame: received.append(number))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    threading.Thread(target=end_with_parent, daemon=True).start()
    try:
        pipe.send("ready")
        with places.taken(rank):
            work(lambda: bool(received))
    except Exception as error:
        words = str(error) if isinstance(error, MaskkitError) else f"{type(error).__name__}: {error}"
        with suppress(BrokenPipeError):  # the first is gone, and has said why
            pipe.send((isinstance(error, LostProcessesError), words))
        sys.exit(1)


def _last_words(members: list[_Member]) -> tuple[int, str]:
    """Give the process whose end pulled the others along, and its words."""
    said = [(*member.last_words(), member.rank) for member in members]
    _, words, rank = min(said, key=lambda one: one[0])
    return rank, words


def _end_if_left_alone(members: list[_Member], done: threading.Event) -> None:
    """End the first process when another has failed and NCCL, which does not notice, keeps it waiting."""
    processes = [member.process for member in members]
    while not done.wait(1.0):
        if any(process.exitcode for process in processes):
            if not done.wait(END_SECONDS):
                rank, words = _last_words(members)
                print(f"error: process {rank} has ended: {words}", file=sys.stderr, flush=True)
                os._exit(1)
            return


def end_with_parent() -> None:
    """Wait for the end of the process that asked for this one, and end too, whatever it waits for."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _restore(values: Mapping[str, str | None]) -> None:
    for name, value in values.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port
