"""The round of WGAN-GP with an auxiliary classifier, which SCGAN and its first baselines share.

A critic D learns on n_repeat batches for one step of the generator G (SCGAN paper, Algorithm 1; Gulrajani et al. 2017).
"""

from abc import abstractmethod
from collections.abc import Callable, Iterator
from typing import Any, Literal, Protocol

import torch
from pydantic import Field
from torch import Tensor

from gan.data.rows import Batch
from gan.nets import losses
from gan.settings.run_settings import AttributeKind, RunSettings
from gan.settings.sections import Section
from gan.systems.base import Losses, System, with_total

SLOPE = "slope of D"


class CriticSettings(Section):
    width: int = Field(gt=0, le=512)
    leaky_slope: float = Field(ge=0, lt=1)
    updates: Literal["joint", "separate", "separate-zeroed"] = Field(
        description="for a batch: one on the whole loss; one on scores and attributes and then one on the penalty; "
        "the same with gradients zeroed between the two, by which the attribute head moves in both"
    )


class PenaltySettings(Section):
    lambda_gp: float = Field(ge=0)
    gp_reduction: Literal["sum", "mean"] = Field(description="of the score map inside the penalty")


class AttributeLossSettings(PenaltySettings):
    cls: AttributeKind = Field(description="attributes independent (CelebA) or one of n_c (DeepFashion)")
    lambda_cls: float = Field(ge=0)


class WassersteinSettings(RunSettings):
    """What the shared round reads."""

    critic: CriticSettings
    loss: PenaltySettings

    @property
    def attribute_kind(self) -> AttributeKind:
        return self.loss.cls if isinstance(self.loss, AttributeLossSettings) else "binary"


class Repetition(Protocol):
    """What one update of the critic is computed from, whatever else a system draws; stacked for a round."""

    @property
    def x(self) -> Tensor: ...  # real images (N, 3, H, W)
    @property
    def c(self) -> Tensor: ...  # their attributes (N, n_c)
    @property
    def e(self) -> Tensor: ...  # places of the penalty between real and fake (N,)
    def __iter__(self) -> Iterator[Tensor]: ...


class WassersteinSystem(System):
    """Generator G and critic D, whose slope is held to 1, with a head for attributes where there is a loss for them."""

    settings: WassersteinSettings

    @abstractmethod
    def draw_once(self, whole: Batch, noise: torch.Generator) -> Any:
        """Draw what an update is computed from, a NamedTuple; this process's part, on its device."""

    @abstractmethod
    def fake(self, now: Any) -> Tensor:
        """Make the fake batch of what was drawn."""

    def learn_beside(self, now: Any) -> Losses:
        """Let what else there is learn from a repetition's batch."""
        return {}

    def further_losses(self, now: Any, x_fake: Tensor) -> Losses:
        """Give what else a generator is held to, weighted."""
        return {}

    def forwards(self) -> dict[str, Callable[..., Any]]:
        return {**self.networks, SLOPE: self.networks["D"].slope}  # type: ignore[dict-item]

    def draw(self, stream: Iterator[Batch], noise: torch.Generator) -> Any:
        """Draw n_repeat times what an update is computed from."""
        parts = [self.draw_once(next(stream), noise) for _ in range(self.settings.schedule.n_repeat)]
        return type(parts[0])(*map(torch.stack, zip(*parts, strict=True)))

    def learn(self, draws: Repetition) -> Losses:
        """Do a round with what was drawn for it."""
        last = len(draws.x) - 1
        rounds: list[Losses] = []
        x_fakes = self.resting_fakes(draws)
        for n in range(last + 1):
            now = _some(draws, n)
            # G rests while D learns, so the fake batch of the last repetition can serve G's own step.
            x_fake = self.fake(now) if n == last else next(x_fakes)
            rounds.append(self.critic_step(now, x_fake.detach()) | self.learn_beside(now))
        mean = {name: torch.stack([one[name] for one in rounds]).mean() for name in rounds[0]}
        return mean | self.generator_step(now, x_fake)

    @torch.no_grad()
    def resting_fakes(self, draws: Repetition) -> Iterator[Tensor]:
        """Give the fake batches of a round that G does not learn from: all but the last."""
        count, batch = len(draws.x) - 1, len(draws.e[0])
        if self.switches.fakes_at_once and count:
            # A generator without a norm over the batch takes them as one.
            together = type(draws)(*(tensor[:count].flatten(0, 1) for tensor in draws))
            yield from torch.split(self.fake(together), batch)
        else:
            yield from (self.fake(_some(draws, n)) for n in range(count))

    def critic_step(self, now: Repetition, x_fake: Tensor) -> Losses:
        """Take one step of D on real and fake scores, real attributes and the gradient penalty.

        With `critic.updates` "separate" the penalty has a step of its own, after the others, in which the attribute
        head rests. With "separate-zeroed" its gradient is 0 there and Adam's momentum moves it on (SCGAN release).
        """
        updates = self.settings.critic.updates
        if updates == "joint":
            result = self.descend("D", self.score_losses(now, x_fake) | self.penalty_loss(now, x_fake))
        else:
            result = self.descend("D", self.score_losses(now, x_fake))
            result |= self.descend("D", self.penalty_loss(now, x_fake), zeroed=updates == "separate-zeroed")
        return with_total(result, "loss_d")

    def score_losses(self, now: Repetition, x_fake: Tensor) -> Losses:
        """Give the critic's terms of scores and real attributes, weighted."""
        # D has no norm, so real and fake can go through it as one batch.
        score, logits = self.criticise(torch.cat([now.x, x_fake]))
        score_real, score_fake = score.chunk(2)
        loss_real, loss_fake = losses.wasserstein_critic(score_real, score_fake)
        parts = {"loss_d/real": loss_real, "loss_d/fake": loss_fake}
        return parts | self.attribute_losses("loss_d/cls", logits[: len(now.x)], now.c)

    def penalty_loss(self, now: Repetition, x_fake: Tensor) -> Losses:
        """Give the weighted gradient penalty at `e` between real and fake; in full precision, for its square root."""
        weights = self.settings.loss
        x_hat = self.laid_out(losses.interpolate(now.x, x_fake, now.e))
        slope = self.forward(SLOPE)(x_hat, weights.gp_reduction)
        return {"loss_d/gp": weights.lambda_gp * losses.slope_penalty(slope)}

    def attribute_losses(self, name: str, logits: Tensor, c: Tensor) -> Losses:
        """Give A_c, weighted, for independent attributes or for one of n_c, where the system has a loss for them."""
        chosen = self.settings.loss
        if not isinstance(chosen, AttributeLossSettings):
            return {}
        loss = losses.attribute_softmax if chosen.cls == "softmax" else losses.attribute_bce
        return {name: chosen.lambda_cls * loss(logits, c)}

    def generator_step(self, now: Repetition, x_fake: Tensor) -> Losses:
        """Take one step of G through the others, which stay as they are; `x_fake` still has G's graph."""
        with self.resting(*(name for name in self.optimisers if name != "G")):
            result = self.descend("G", self.generator_losses(now, x_fake))
        return with_total(result, "loss_g")

    def generator_losses(self, now: Repetition, x_fake: Tensor) -> Losses:
        """Give the generator's terms, weighted."""
        score, logits = self.criticise(x_fake)
        parts = {"loss_g/fake": losses.wasserstein_generator(score)}
        return parts | self.attribute_losses("loss_g/cls", logits, now.c) | self.further_losses(now, x_fake)

    def criticise(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Give D's scores and logits of images."""
        with self.compute.autocast():
            score, logits = self.forward("D")(self.laid_out(x))
        return score.to(self.compute.dtype), logits.to(self.compute.dtype)


def _some(draws: Repetition, n: int) -> Any:
    """Give what was drawn for one repetition."""
    return type(draws)(*(tensor[n] for tensor in draws))
