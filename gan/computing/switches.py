"""The switches of speed: what `[compute]` asks for, and what device, processes and precision allow."""

import importlib.util
import logging
from dataclasses import dataclass, fields

import torch

from gan.computing.compute import Compute
from gan.computing.device import free_memory
from gan.settings.sections import ComputeSettings

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Switches:
    """How a round is computed; every one changes speed and memory, and nothing of the result beyond rounding.

    Tensors with their channels last; Adam as one fused kernel; the fakes that G does not learn from in one forward;
    networks compiled; rounds replayed as one CUDA graph.
    """

    channels_last: bool = False
    fused: bool = False
    fakes_at_once: bool = False
    compile: bool = False
    graphs: bool = False

    def to_text(self) -> str:
        """Name those that are on, with commas."""
        return ", ".join(field.name for field in fields(self) if getattr(self, field.name)) or "none"


def choose_switches(chosen: ComputeSettings, compute: Compute, bytes_of_fakes: int | None) -> Switches:
    """Set the switches as `[compute]` says, and those on "auto" as is best here.

    `bytes_of_fakes` is the memory that a round's resting fakes take in one forward, None where they cannot go together.
    A switch that is asked for by name and cannot be had stays off, with a warning in the log that says why.
    """
    precision, cuda = compute.precision, compute.device.type == "cuda"
    if precision == "tf32" and compute.first and (reason := _why_no_tf32(compute)):
        log.warning("compute.precision = tf32 cannot be had: %s; float32 is computed in full", reason)
    # At most a quarter of the free memory: what G learns from needs the rest.
    fit = cuda and bytes_of_fakes is not None and bytes_of_fakes <= free_memory(compute.device) / 4
    # Matrix units want channels last, and oneDNN's convolutions in bfloat16 do; plain float32 ones have no gain.
    best = {
        "channels_last": precision == "bf16" or (cuda and precision == "tf32"),
        "fused": True,
        "fakes_at_once": fit,
        "compile": False,  # both wait for somebody who measures them: benchmarks/device.py
        "graphs": False,
    }
    refusals = {"compile": _why_no_compiler, "graphs": _why_no_graphs}
    values: dict[str, bool] = {}
    for name, worth_it in best.items():
        asked = getattr(chosen, name)
        wanted = asked == "on" or (asked == "auto" and worth_it)
        reason = refusals[name](compute) if wanted and name in refusals else None
        if wanted and name == "fakes_at_once" and bytes_of_fakes is None:
            reason = "this system's fakes cannot go through its generator together"
        if asked == "on" and reason and compute.first:
            log.warning("compute.%s = on cannot be had: %s; it stays off", name, reason)
        values[name] = wanted and reason is None
    return Switches(**values)


def _why_no_tf32(compute: Compute) -> str | None:
    if compute.device.type != "cuda":
        return "it needs a CUDA device"
    if torch.cuda.get_device_capability(compute.device) < (8, 0):
        return f"it needs compute capability 8.0, and {torch.cuda.get_device_name(compute.device)} has less"
    return None


def _why_no_graphs(compute: Compute) -> str | None:
    if compute.device.type != "cuda":
        return "CUDA graphs need a CUDA device"
    if compute.processes > 1:
        return "several processes train together, and their exchange is not captured"
    if compute.precision == "64":
        return "fused Adam takes a rate on the device in float32 alone, too coarse for precision 64"
    return None


def _why_no_compiler(compute: Compute) -> str | None:
    if compute.device.type == "cuda":
        if importlib.util.find_spec("triton") is None:
            return "torch.compile needs triton for CUDA, and it is not installed"
        if torch.cuda.get_device_capability(compute.device) < (7, 0):
            return f"triton needs compute capability 7.0, and {torch.cuda.get_device_name(compute.device)} has less"
        return None
    from torch._inductor.cpp_builder import get_cpp_compiler
    from torch._inductor.exc import InvalidCxxCompiler

    try:
        get_cpp_compiler()
    except InvalidCxxCompiler:
        return "torch.compile needs a C++ compiler, and none is found"
    return None
