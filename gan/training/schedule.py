"""When things happen: steps, epochs and learning rates as pure functions of the settings and the data's size."""

from dataclasses import dataclass

from gan.errors import SettingsError
from gan.settings.sections import ScheduleSettings


@dataclass(frozen=True)
class Plan:
    """Where a step stands in the epochs. A step is one training round and uses `n_repeat` batches."""

    schedule: ScheduleSettings
    batches_per_epoch: int

    def epoch(self, step: int) -> int:
        """Give the epoch (from 0) in which step number `step` (from 0) takes its first batch."""
        return step * self.schedule.n_repeat // self.batches_per_epoch

    def steps(self, epochs: int) -> int:
        """Give the steps after which `epochs` epochs have been seen whole."""
        return -(-epochs * self.batches_per_epoch // self.schedule.n_repeat)

    def rate(self, step: int) -> float:
        """Give the factor [0, 1] on the learning rates at `step`: by epochs times by steps."""
        return self._by_epochs(step) * self._by_steps(step)

    def _by_epochs(self, step: int) -> float:
        """Stay constant, then lose an equal part each epoch.

        After each of the last `decay_epochs` epochs but the last, one part of 1/decay_epochs goes (SCGAN release).
        """
        decay = self.schedule.decay_epochs
        if decay == 0:
            return 1.0
        over = max(0, self.epoch(step) - (self.schedule.epochs - decay))
        return max(0.0, 1 - over / decay)

    def _by_steps(self, step: int) -> float:
        """Multiply by `decay_factor` every so many steps, down to `decay_least` (MUNIT, VAE/GAN)."""
        chosen = self.schedule
        if chosen.decay_every == 0:
            return 1.0
        return float(max(chosen.decay_least, chosen.decay_factor ** (step // chosen.decay_every)))

    def last_step(self, steps: int | None, epochs: int | None) -> int:
        """Give the total steps to run up to; the schedule's own end if nothing is asked. Raises SettingsError."""
        if steps is not None and epochs is not None:
            raise SettingsError(f"say where to stop by steps ({steps}) or by epochs ({epochs}), not by both")
        horizon = self.steps(self.schedule.epochs)
        own_end = self.schedule.steps or horizon
        last = self.steps(epochs) if epochs is not None else own_end if steps is None else steps
        if last < 1:
            raise SettingsError(f"there must be at least one step or epoch, not {steps if epochs is None else epochs}")
        if last > horizon and self.schedule.decay_epochs:
            raise SettingsError(
                f"{last} steps go beyond the schedule, whose learning rates reach 0 after {self.schedule.epochs} "
                f"epochs ({horizon} steps); give schedule.epochs a larger value or set schedule.decay_epochs=0"
            )
        return last
