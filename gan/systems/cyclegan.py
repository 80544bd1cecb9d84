"""CycleGAN: layouts to photos and photos to layouts, from layouts and photos that do not belong together.

Networks and values are those of the official PyTorch code.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, ClassVar, Literal, NamedTuple, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from gan.computing.compute import Compute
from gan.computing.device import sent
from gan.data.description import DataDescription
from gan.data.rows import Batch, one_hot
from gan.nets import losses
from gan.nets.blocks import gaussian
from gan.nets.coding import Coding, LayoutCoding
from gan.nets.patch_critic import PatchCritic
from gan.nets.resnet_generator import ResnetGenerator
from gan.settings.run_settings import RunSettings
from gan.settings.sections import Section
from gan.systems.base import Builders, Losses, System, with_total
from gan.systems.replay_pool import Decisions, ReplayPool
from gan.systems.shared_settings import OptimiserSettings


class GeneratorSettings(Section):
    width: int = Field(gt=0, le=512, description="channels of the first row, of both generators")
    blocks: int = Field(ge=0, le=64)
    layouts: Coding = Field(description="as pictures in the scheme's colours, or as a plane for each class")


class CriticSettings(Section):
    width: int = Field(gt=0, le=512, description="channels of the first row, of both critics")
    pool: int = Field(gt=0, le=10_000, description="earlier fakes that each critic is shown besides the newest")


class LossSettings(Section):
    lambda_cycle: float = Field(ge=0)
    lambda_identity: float = Field(ge=0, description="as a part of lambda_cycle; 0 for layouts as planes")


class CycleganSettings(RunSettings):
    """Everything that decides what a run of CycleGAN computes."""

    system: Literal["cyclegan"]
    generator: GeneratorSettings
    critic: CriticSettings
    loss: LossSettings
    optimiser: OptimiserSettings

    @property
    def takes(self) -> tuple[str, ...]:
        return ("s",)

    @model_validator(mode="after")
    def _identity_has_a_meaning(self) -> Self:
        if self.loss.lambda_identity and self.generator.layouts != "rgb":
            raise ValueError(
                f"loss.lambda_identity = {self.loss.lambda_identity} holds each generator to leave alone what it is to "
                "make, which has other channels than it takes where generator.layouts = one-hot; set "
                "loss.lambda_identity=0"
            )
        return self


class LayoutToPhoto(nn.Module):
    """Make pictures of one-hot layouts: (N, n_s, H, W) -> (N, 3, H, W) in [-1, 1]."""

    def __init__(self, coding: LayoutCoding, network: ResnetGenerator) -> None:
        super().__init__()
        self.coding, self.network = coding, network

    def forward(self, s: Tensor) -> Tensor:
        y: Tensor = self.network(self.coding(s))
        return y


class BothWays(nn.Module):
    """Both directions of a trained CycleGAN: called, it makes pictures of one-hot layouts (N, n_s, H, W)."""

    def __init__(self, to_photo: LayoutToPhoto, to_layout: ResnetGenerator) -> None:
        super().__init__()
        self.to_photo, self.to_layout = to_photo, to_layout

    def forward(self, s: Tensor) -> Tensor:
        y: Tensor = self.to_photo(s)
        return y

    def layouts(self, x: Tensor) -> Tensor:
        """Give the layouts int64 (N, H, W) of pictures (N, 3, H, W) in [-1, 1]: the other direction."""
        return self.to_photo.coding.decode(self.to_layout(x))


class Draws(NamedTuple):
    """All that a round is computed from, on the device.

    Photos `x` (N, 3, H, W); layouts `s_idx` int64 (N, H, W) of others; and for the pools of fake photos and of fake
    layouts what becomes of each fake of the whole batch: `place`, `kept` and `swapped`, (2, N) each.
    """

    x: Tensor
    s_idx: Tensor
    place: Tensor
    kept: Tensor
    swapped: Tensor


class CycleGAN(System):
    """Generators G, of photos, and F, of layouts; critics D_x of photos and D_s of layouts, each with a pool."""

    Settings: ClassVar[type[RunSettings]] = CycleganSettings
    title = "CycleGAN"
    paper = "Zhu, Park, Isola, Efros: Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial Networks, arXiv 1703.10593"  # noqa: E501
    pairing = "unpaired"
    generating = ("G", "F")
    settings: CycleganSettings

    def __init__(self, settings: CycleganSettings, data: DataDescription, compute: Compute) -> None:
        super().__init__(settings, data, compute)
        self.coding: LayoutCoding = self.networks["G"].get_submodule("coding")  # type: ignore[assignment]
        # Every process holds both pools whole, so that their number changes nothing, nor does a resume with another.
        self.pools = {
            name: ReplayPool(settings.critic.pool, (channels, data.size, data.size), compute.device, compute.dtype)
            for name, channels in (("x", 3), ("s", self.coding.channels))
        }

    @classmethod
    def build(cls, settings: Any, data: DataDescription) -> Builders:
        chosen = settings.generator
        network = partial(ResnetGenerator, width=chosen.width, blocks=chosen.blocks)
        coding = partial(LayoutCoding, chosen.layouts, data.scheme.palette)

        def to_photo() -> nn.Module:
            code = coding()
            return LayoutToPhoto(code, network(code.channels, 3)).apply(gaussian)

        def critic(channels: int) -> nn.Module:
            return PatchCritic(channels, width=settings.critic.width, norm=nn.InstanceNorm2d, bias=True).apply(gaussian)

        return {
            "G": to_photo,
            "F": lambda: network(3, coding().channels).apply(gaussian),
            "D_x": lambda: critic(3),
            "D_s": lambda: critic(coding().channels),
        }

    @classmethod
    def generator(cls, networks: Mapping[str, nn.Module]) -> nn.Module:
        return BothWays(networks["G"], networks["F"])  # type: ignore[arg-type]

    def rates(self) -> dict[str, float]:
        chosen = self.settings.optimiser
        return {"G": chosen.lr_g, "F": chosen.lr_g, "D_x": chosen.lr_d, "D_s": chosen.lr_d}

    def betas(self) -> tuple[float, float]:
        return self.settings.optimiser.beta1, self.settings.optimiser.beta2

    def forwards(self) -> dict[str, Callable[..., Any]]:
        # G reads photos as well, for the identity: what lies behind its coding.
        return {**self.networks, "G": self.networks["G"].get_submodule("network")}

    def state(self) -> dict[str, Tensor]:
        return {key: tensor for name, pool in self.pools.items() for key, tensor in pool.state(name).items()}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        for name, pool in self.pools.items():
            pool.load_state(name, state)

    def draw(self, stream: Iterator[Batch], noise: torch.Generator) -> Draws:
        """Take a batch of photos and layouts and draw what the pools keep and show."""
        batch = next(stream)
        decided = [pool.decide(len(batch.x), noise) for pool in self.pools.values()]
        both = (sent(torch.stack(parts), self.compute.device) for parts in zip(*decided, strict=True))
        return Draws(self.compute.share(batch.x), self.compute.share(batch.layouts), *both)

    def learn(self, draws: Draws) -> Losses:
        """Take one step of both generators, then one of each critic."""
        x, s = draws.x, self.coding(one_hot(draws.s_idx, self.data.n_s).to(self.compute.dtype))
        x_fake, s_fake = self.translate("G", s), self.translate("F", x)
        found = self.generators_step(x, s, x_fake, s_fake)
        fakes = {"x": (x, x_fake), "s": (s, s_fake)}
        for number, (name, (real, fake)) in enumerate(fakes.items()):
            decisions = Decisions(draws.place[number], draws.kept[number], draws.swapped[number])
            shown = self.pools[name].query(self.whole(fake.detach()), decisions)
            found |= self.critic_step(name, real, self.compute.share(shown))
        return found

    def generators_step(self, x: Tensor, s: Tensor, x_fake: Tensor, s_fake: Tensor) -> Losses:
        """Take one step of G and F through the critics, which stay as they are; the fakes still have their graphs."""
        weights = self.settings.loss
        with self.resting("D_x", "D_s"):
            parts = {
                "loss_g/gan_x": losses.square_score(self.translate("D_x", x_fake), real=True),
                "loss_g/gan_s": losses.square_score(self.translate("D_s", s_fake), real=True),
                "loss_g/cycle_s": weights.lambda_cycle * (self.translate("F", x_fake) - s).abs().mean(),
                "loss_g/cycle_x": weights.lambda_cycle * (self.translate("G", s_fake) - x).abs().mean(),
            }
            if weights.lambda_identity:
                identity = weights.lambda_cycle * weights.lambda_identity
                parts["loss_g/identity_x"] = identity * (self.translate("G", x) - x).abs().mean()
                parts["loss_g/identity_s"] = identity * (self.translate("F", s) - s).abs().mean()
            return with_total(self.descend(("G", "F"), parts), "loss_g")

    def critic_step(self, name: str, real: Tensor, shown: Tensor) -> Losses:
        """Take one step of the critic of photos ("x") or of layouts ("s"); its loss is halved."""
        critic, loss = f"D_{name}", f"loss_d_{name}"
        parts = {
            f"{loss}/real": losses.square_score(self.translate(critic, real), real=True) / 2,
            f"{loss}/fake": losses.square_score(self.translate(critic, shown), real=False) / 2,
        }
        return with_total(self.descend(critic, parts), loss)

    def translate(self, name: str, x: Tensor) -> Tensor:
        """Let a network make of pictures or coded layouts what it makes: the other kind, or scores."""
        with self.compute.autocast():
            y: Tensor = self.forward(name)(self.laid_out(x))
        return y.to(self.compute.dtype)

    def whole(self, mine: Tensor) -> Tensor:
        """Give the whole batch, of which each process has made its rows."""
        if self.compute.processes == 1:
            return mine
        rows = mine.new_zeros(self.compute.processes, *mine.shape)
        rows[self.compute.rank] = mine * self.compute.processes
        return self.compute.mean(rows).flatten(0, 1)
