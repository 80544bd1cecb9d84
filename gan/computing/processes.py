"""Several processes that train together: started here or by torchrun, joined by Lightning Fabric.

Started here, the calling process is the first and the others are spawned beside it. Fabric's own launchers would run
the caller's script again from its top, or move the first process away from the caller's callbacks; and they kill all
of them without a word when one fails.
"""

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import TYPE_CHECKING

import torch

from gan.computing.compute import Compute
from gan.computing.device import choose_device
from gan.computing.memory import freed_memory_kept
from gan.computing.spawning import Stop, spawned
from gan.errors import InputError
from maskkit.errors import MissingExtraError

if TYPE_CHECKING:
    from lightning_fabric import Fabric

Follow = Callable[[Compute, Stop], object]


@contextmanager
def computing(device: str, devices: int | None, precision: str, follow: Follow) -> Iterator[Compute]:
    """Give where to compute, in the first of `devices` processes; the others do `follow` while the block runs.

    Under torchrun every process comes here and gets its own place. `device` names the kind; with several processes
    each takes a CUDA device of its own. `follow` is pickled; it gets its Compute, and a function that says whether its
    process was signalled to stop. Raises InputError, and TrainingError with the words of a process that fails.
    """
    target = choose_device(device)
    outside = int(os.environ["LOCAL_WORLD_SIZE"]) if "TORCHELASTIC_RUN_ID" in os.environ else 0
    if outside and devices is not None and devices != outside:
        raise InputError(
            f"torchrun has started {outside} processes on this machine, and {devices} devices are asked for; "
            "leave the number to torchrun"
        )
    here = outside or devices or 1
    world = int(os.environ["WORLD_SIZE"]) if outside else here
    if world == 1:
        with freed_memory_kept(target):
            yield Compute(target, precision)
        return
    if target.type == "cuda":
        if ":" in device:
            raise InputError(f"{here} processes take a CUDA device each; say cuda instead of {device}")
        if here > torch.cuda.device_count():
            raise InputError(f"{here} devices are asked for, and {torch.cuda.device_count()} CUDA devices are found")
    if outside:
        with _joined(target.type, here, world // here, precision) as compute:
            yield compute
        return
    join = partial(_joined, target.type, here, 1, precision, spawned_here=True)
    with spawned(here, partial(_join_and, follow, join), share_threads=target.type == "cpu"), join() as compute:
        yield compute


def _join_and(follow: Follow, join: Callable[[], AbstractContextManager[Compute]], stop: Stop) -> None:
    with join() as compute:
        follow(compute, stop)


@contextmanager
def _joined(kind: str, here: int, machines: int, precision: str, *, spawned_here: bool = False) -> Iterator[Compute]:
    """Join the processes that the environment variables describe, and leave them again."""
    fabric = _fabric(kind, here, machines, spawned_here=spawned_here)
    try:
        with freed_memory_kept(fabric.device):
            yield Compute(fabric.device, precision, fabric)
    finally:
        torch.distributed.destroy_process_group()


def _fabric(kind: str, here: int, machines: int, *, spawned_here: bool) -> "Fabric":
    try:
        from lightning_fabric import Fabric
        from lightning_fabric.plugins.environments.lightning import LightningEnvironment
    except ModuleNotFoundError as error:
        if error.name == "lightning_fabric":
            raise MissingExtraError("lightning-fabric", "gan", "training in several processes") from error
        raise
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # it greets
    plugins = LightningEnvironment() if spawned_here else None  # inside a job of SLURM it would take SLURM's
    fabric = Fabric(accelerator=kind, devices=here, num_nodes=machines, strategy="ddp", plugins=plugins)
    if "LT_CLI_USED" not in os.environ:  # `fabric run` has launched and allows no second time
        fabric.launch()
    return fabric
