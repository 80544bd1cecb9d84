"""What a run leaves behind while it goes: figures, pictures and checkpoints, written by the first process alone."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from gan.computing.compute import Compute
from gan.data.rows import RowsAtSize
from gan.errors import NotFiniteError, RefusedByFirstError, TrainingError
from gan.names import Precision
from gan.runs.checkpoint import Best, best_path, checkpoint_path, failed_path, remove_old, set_aside_later
from gan.runs.run_folder import Metrics, note_environment, prepare_folder
from gan.settings.run_settings import RunSettings
from gan.training.previews import Preview
from gan.training.progress import Progress
from gan.training.validation import Validation
from maskkit.errors import MaskkitError, MissingExtraError

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter


def check_recordable(rows: RowsAtSize, settings: RunSettings, compute: Compute) -> None:
    """Check what can be checked before there is a folder. Raises DataError, or maskkit's MissingExtraError."""
    _summary_writer()
    if settings.log.evaluate_every:
        Validation(rows, settings, compute)


class Artifacts:
    """The folder of a run in training; every process has one and calls it alike, and that of the first one writes."""

    def __init__(
        self, run: Path, rows: RowsAtSize, progress: Progress, saved_step: int | None, tried: Mapping[Precision, float]
    ) -> None:
        """Open the folder and the logs in it behind the progress's step; of `saved_step` there is a checkpoint.

        `tried` are the seconds a step took in each precision, where the fastest was chosen.
        """
        self.run, self.progress, self.compute, self.log = run, progress, progress.compute, progress.settings.log
        self._saved_step, self._tried = saved_step, tried
        self.compute.in_first(lambda: self._open(rows))

    def close(self) -> None:
        """Close the logs."""
        if self.compute.first:
            self.metrics.close()
            self.events.close()

    def note(self, epoch: int, rates: dict[str, float], losses: dict[str, float], *, last: bool) -> None:
        """Write down a step that is done, and what is due after it: evaluation, pictures, checkpoints."""
        if not self.compute.first:
            return
        step = self.progress.step
        figures = self._evaluate(self.validation) if self.validation and step % self.log.evaluate_every == 0 else {}
        self.metrics.write({"step": step, "epoch": epoch, **rates, **losses, **figures})
        for name, value in {**rates, **losses, **figures}.items():
            if value is not None:
                self.events.add_scalar(name, value, step)
        if step % self.log.sample_every == 0 or last:
            self._draw()
        if figures and self.progress.best and self.progress.best.step == step:
            self._write(best_path(self.run))
        if step % self.log.checkpoint_every == 0:
            self._save()

    def save(self) -> None:
        """Write a checkpoint of this step, if there is none, and remove the oldest; every process waits for it."""
        self.compute.in_first(self._save)

    def explain(self, error: NotFiniteError) -> TrainingError:
        """Keep the state in which a value became not finite, and give the error to raise, which says where it lies."""
        return self.compute.in_first(lambda: self._explain(error)) or RefusedByFirstError(str(error))

    def _open(self, rows: RowsAtSize) -> None:
        settings, step = self.progress.settings, self.progress.step
        # Whatever may fail for want of memory or a library comes before the folder is made.
        writer = _summary_writer()
        self.preview = Preview(rows, settings)
        self.validation = Validation(rows, settings, self.compute) if self.log.evaluate_every else None
        prepare_folder(self.run, settings)  # when resuming too: the shards may have moved
        if self._saved_step is not None:
            set_aside_later(self.run, self._saved_step)
        note_environment(self.run, step, self.compute, self.progress.system.switches.to_text(), self._tried)
        self.metrics = Metrics(self.run, step)
        # What TensorBoard has of later steps, which no checkpoint knows of, is no longer shown.
        self.events = writer(self.run / "tensorboard", purge_step=step + 1)

    def _save(self) -> None:
        step = self.progress.step
        if self._saved_step != step:
            self._write(checkpoint_path(self.run, step))
            self._saved_step = step
            remove_old(self.run, self.log.keep_checkpoints, step)

    def _write(self, checkpoint: Path) -> None:
        # What leads up to a checkpoint is on the disk before it.
        self.metrics.sync()
        self.events.flush()
        self.progress.save(checkpoint)

    def _explain(self, error: NotFiniteError) -> TrainingError:
        path = failed_path(self.run, self.progress.step)
        try:
            self._write(path)
            kept = f"the state is kept in {path}"
        except MaskkitError as failure:
            kept = f"the state could not be kept ({failure})"
        keys = [key for key, _ in self.progress.settings.fields_by_key() if key.rpartition(".")[2].startswith("lr")]
        return TrainingError(
            f"{error}; {kept}, and the newest checkpoint in {self.run} is from before. "
            f"Start again with smaller learning rates (--set, {', '.join(keys)}) or look at the data"
        )

    def _evaluate(self, validation: Validation) -> dict[str, float | None]:
        with self.progress.generating():
            figures = validation.figures(self.progress.system)
        score, best = figures["eval/value"], self.progress.best
        if score is not None and (best is None or score > best.score):
            self.progress.best = Best(self.progress.step, score)
        return figures

    def _draw(self) -> None:
        step = self.progress.step
        path = self.run / "samples" / f"step-{step:06d}.png"
        with self.progress.generating():
            grid = self.preview.save(path, self.progress.system, self.compute.device)
        self.events.add_image("samples", grid, step, dataformats="HWC")


def _summary_writer() -> type["SummaryWriter"]:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ModuleNotFoundError as error:
        raise MissingExtraError("tensorboard", "gan", "training") from error
    return SummaryWriter
