"""The errors of training and generating; each message is a sentence with the file, the value and the way out."""

from collections.abc import Iterator
from contextlib import contextmanager

import maskkit

# What torch, its allocators and its DataLoader say when memory is short; a killed worker has mostly taken too much.
_OF_MEMORY = ("out of memory", "not enough memory", "allocate memory", "DefaultCPUAllocator", "DataLoader worker")


class GanError(maskkit.MaskkitError):
    """Anything `gan` refuses or cannot do; `str(error)` is fit to be shown to a person."""


class SettingsError(GanError):
    """A setting that does not exist, or a value it cannot take."""


class DataError(GanError):
    """Shards that cannot be trained on, or a row in them that contradicts their description."""


class CheckpointError(GanError):
    """A checkpoint that is not what this version wrote, or does not fit the networks."""


class IncompleteCheckpointError(CheckpointError):
    """A checkpoint file that is cut short or is no checkpoint at all."""


class RunError(GanError):
    """A run folder that is missing, occupied, or was made with other settings."""


class TrainingError(GanError):
    """Training that cannot go on, such as a loss that is not finite."""


class NotFiniteError(TrainingError):
    """A loss or a weight that is not finite; training cannot go on."""


class LostProcessesError(TrainingError):
    """Another process that trains together with this one has ended or cannot be reached."""


class RefusedByFirstError(TrainingError):
    """What the first of several processes has refused and says itself."""


class InputError(GanError):
    """Latents, attributes, layouts or options that do not fit the generator."""


@contextmanager
def explained(doing: str, way_out: str) -> Iterator[None]:
    """Turn what torch cannot do into a GanError; with `way_out` where no memory was left or a reader was killed."""
    try:
        yield
    except RuntimeError as error:  # torch.OutOfMemoryError is one
        reason = (str(error).splitlines() or [type(error).__name__])[0].strip(" .")
        of_memory = any(words in str(error) for words in _OF_MEMORY)
        advice = f". If memory is short, {way_out}" if of_memory else ""
        raise GanError(f"{doing} failed: {reason}{advice}") from error
