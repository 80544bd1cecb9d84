"""Where and how a run computes: device, precision, and its place among processes that train together."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, TypeVar

import torch
from torch import Tensor, distributed, nn

from gan.computing.device import sent
from gan.errors import LostProcessesError, RefusedByFirstError, TrainingError

if TYPE_CHECKING:
    from lightning_fabric import Fabric

T = TypeVar("T")


class Compute:
    """What a run needs to know of device, precision and processes, and all that a system may ask of them.

    Random draws and data come for the whole batch in every process, and each takes its share, so that several
    processes follow one (to rounding). What one process asks of the others, all must ask at the same point.
    """

    def __init__(self, device: torch.device, precision: str = "32", fabric: "Fabric | None" = None) -> None:
        self.device, self.precision = device, precision
        self.dtype = torch.float64 if precision == "64" else torch.float32
        self.rank, self.processes = (fabric.global_rank, fabric.world_size) if fabric else (0, 1)
        self.fabric = fabric

    @property
    def first(self) -> bool:
        """Whether this is the process that writes files and shows progress."""
        return self.rank == 0

    def share(self, whole: Tensor) -> Tensor:
        """Give this process's rows of a tensor that holds the whole batch, on the device; floats in `dtype`.

        The rows of a process lie together, those of process 0 first. Raises TrainingError where they cannot be divided.
        """
        count, rest = divmod(len(whole), self.processes)
        if rest:
            raise TrainingError(f"{len(whole)} rows cannot be divided among {self.processes} processes")
        mine = whole[self.rank * count : (self.rank + 1) * count]
        there = sent(mine, self.device) if mine.device.type == "cpu" else mine.to(self.device)
        return there.to(self.dtype) if there.is_floating_point() else there

    @contextmanager
    def arithmetic(self) -> Iterator[None]:
        """Let convolutions and matrix products of float32 on a CUDA device be what the precision says, in the block.

        In full with "32" and "64"; with "tf32" and "bf16" from factors rounded to TensorFloat-32. PyTorch's own choice
        is TensorFloat-32 for convolutions alone.
        """
        if self.device.type != "cuda":
            yield
            return
        backends, rounded = torch.backends, self.precision in ("tf32", "bf16")
        # Read by the new names, which never raise; set by the old ones, for torch.compile reads those and refuses what
        # the new ones have set (pytorch#166387).
        flags = backends.cuda.matmul, backends.cudnn.conv  # type: ignore[attr-defined]
        before = [flag.fp32_precision == "tf32" for flag in flags]
        backends.cuda.matmul.allow_tf32 = backends.cudnn.allow_tf32 = rounded
        try:
            yield
        finally:
            backends.cuda.matmul.allow_tf32, backends.cudnn.allow_tf32 = before

    def autocast(self) -> AbstractContextManager[None]:
        """Let networks compute in bfloat16 where the precision says so."""
        return torch.autocast(self.device.type, torch.bfloat16) if self.precision == "bf16" else nullcontext()

    def average_gradients(self, network: nn.Module) -> None:
        """Average a network's gradients over the processes, after backward and before the optimiser's step."""
        # Not DistributedDataParallel: its reducer expects one forward for each backward and hooks that fire once, and
        # the critic has several forwards and, for the gradient penalty, a backward through a backward. So gradients
        # are averaged when they are there, all in one message.
        if self.processes == 1:
            return
        gradients = [parameter.grad for parameter in network.parameters() if parameter.grad is not None]
        flat = self.mean(torch.cat([gradient.flatten() for gradient in gradients]))
        for gradient, mean in zip(
            gradients, torch.split(flat, [gradient.numel() for gradient in gradients]), strict=True
        ):
            gradient.copy_(mean.view_as(gradient))

    def mean(self, values: Tensor) -> Tensor:
        """Average a tensor over the processes; it may be changed in place."""
        if self.processes == 1:
            return values
        with _reaching_the_others():
            distributed.all_reduce(values)
        return values.div_(self.processes)

    def any(self, flag: bool) -> bool:
        """Say whether the flag is true in any process."""
        if self.processes == 1:
            return flag
        return bool(self.mean(torch.tensor([float(flag)], device=self.device)).item() > 0)

    def same_everywhere(self, networks: Iterable[nn.Module]) -> None:
        """Give every process the weights of the first."""
        if self.processes == 1:
            return
        with _reaching_the_others(), torch.no_grad():
            for network in networks:
                for tensor in network.state_dict().values():
                    distributed.broadcast(tensor, 0)

    def from_first(self, decide: Callable[[], T]) -> T:
        """Do something in the first process alone and give all of them what came of it, pickled on its way.

        Where the first refuses, all do: it with its own error, the others with a RefusedByFirstError of the same words.
        """
        if self.fabric is None:
            return decide()
        answer: tuple[T | None, str | None] = (None, None)
        failure: Exception | None = None
        if self.first:
            try:
                answer = (decide(), None)
            except Exception as error:  # whatever it is, the others must not wait for an answer
                failure, answer = error, (None, str(error) or type(error).__name__)
        with _reaching_the_others():
            answer = self.fabric.broadcast(answer)
        if failure:
            raise failure
        if answer[1] is not None:
            raise RefusedByFirstError(answer[1])
        return answer[0]  # type: ignore[return-value]  # what `decide` gave in the first process

    def in_first(self, act: Callable[[], T]) -> T | None:
        """Do something in the first process alone and keep what comes of it there; where it refuses, all do."""
        kept: list[T] = []
        self.from_first(lambda: kept.append(act()))
        return kept[0] if kept else None


@contextmanager
def _reaching_the_others() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0].strip(" .")
        raise LostProcessesError(
            f"another process of this training has ended or cannot be reached ({reason}); it says why itself. "
            "What was saved can be resumed"
        ) from error
