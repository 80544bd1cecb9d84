"""SCGAN: its networks, optimisers and training round (SCGAN paper, Table 2 and Algorithm 1)."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any, NamedTuple, TypeVar

import torch
from torch import Tensor, nn

from gan.computing.compute import Compute
from gan.computing.device import sent
from gan.computing.graphs import GraphedRound
from gan.computing.switches import choose_switches
from gan.data.batches import Rows, batches
from gan.data.rows import Batch, BatchOrder, DataDescription, one_hot
from gan.errors import NotFiniteError
from gan.nets import losses
from gan.nets.networks import (
    AllAtOnceGenerator,
    Critic,
    Generator,
    Halving,
    ReleaseSegmentor,
    ReversedOrderGenerator,
    Segmentor,
)
from gan.settings.run_settings import Settings

Losses = dict[str, Tensor]
Network = TypeVar("Network", bound=nn.Module)


class Draws(NamedTuple):
    """All that an update is computed from, on the device; those of a round are stacked, n_repeat in front of each N.

    Real images `x` (N, 3, H, W), their attributes `c` (N, n_c) and layouts `s_idx` int64 (N, H, W); for fakes, beside
    c, `z` (N, n_z) and permuted `layouts` int64 (N, H, W); the penalty's places `e` (N,) between real and fake.
    """

    x: Tensor
    c: Tensor
    s_idx: Tensor
    z: Tensor
    layouts: Tensor
    e: Tensor

    def at(self, n: int) -> "Draws":
        """Give those of one repetition."""
        return Draws(*(tensor[n] for tensor in self))


class SCGAN:
    """Generator G, critic D and segmentor S, and an Adam for each that learns.

    Every random draw of a round comes from the CPU generator `noise` handed in, for the whole batch, so that a run
    depends neither on the device's own random numbers nor on the number of processes, and its state fits in a
    checkpoint. S is None without a segmentor; a frozen one learns before the first round, in `prepare`.
    """

    def __init__(self, settings: Settings, data: DataDescription, compute: Compute) -> None:
        self.settings, self.data, self.compute = settings, data, compute
        self.switches = choose_switches(settings, compute)
        self.memory_format = torch.channels_last if self.switches.channels_last else torch.contiguous_format
        training = settings.segmentor.training
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(settings.seed)
            self.G = self._placed(build_generator(settings, data))
            self.D = self._placed(build_critic(settings, data))
            self.S = None if training == "none" else self._placed(build_segmentor(settings, data))
        rates = {"G": settings.optimiser.lr_g, "D": settings.optimiser.lr_d, "S": settings.optimiser.lr_s}
        learning = [name for name in self.networks if name != "S" or training == "joint"]
        self.base_rates = {name: rates[name] for name in learning}
        self.optimisers = {name: self._adam(self.networks[name], rates[name]) for name in learning}
        if self.S is not None and training == "frozen":
            self.S.requires_grad_(False)
        self._compiled: dict[str, Callable[..., Any]] = {}
        if self.switches.compile:
            forwards: dict[str, Callable[..., Any]] = {**self.networks, "slope of D": self.D.slope}
            self._compiled = {name: torch.compile(forward, dynamic=False) for name, forward in forwards.items()}
        self._round = GraphedRound(self.learn, compute.device) if self.switches.graphs else self.learn

    @property
    def networks(self) -> dict[str, nn.Module]:
        """The networks by the names they have in a checkpoint."""
        return {"G": self.G, "D": self.D} | ({} if self.S is None else {"S": self.S})

    def prepare(self, rows: Rows, on_step: Callable[[int, int], None]) -> bool:
        """Train a frozen segmentor on real rows before the first round; give whether there was anything to do.

        `on_step` gets the batches done and their number (SCGAN paper, Figure 8: pre-trained and frozen). Raises
        NotFiniteError.
        """
        if self.S is None or self.settings.segmentor.training != "frozen":
            return False
        last = self.settings.segmentor.pretraining
        optimiser = self._adam(self.S, self.settings.optimiser.lr_s)
        self.S.requires_grad_(True)
        order = BatchOrder(len(rows), self.settings.schedule.batch, self.settings.seed)
        stream = batches(rows, order, self.settings.data.workers, self.compute.device)
        for done, real in enumerate(islice(stream, last), 1):
            mine = self.compute.share(real.x), self.compute.share(real.s_idx)
            with self.compute.arithmetic():
                found = self._descend(self.S, optimiser, self.segmentor_losses(*mine))
            loss = self.compute.mean(found["loss_s/seg"]).item()
            if not math.isfinite(loss):
                raise NotFiniteError(
                    f"loss_s/seg is {loss} at batch {done} of {last} that the segmentor learns from before step 1; "
                    "nothing is kept. Start again with a smaller optimiser.lr_s or look at the data"
                )
            on_step(done, last)
        self.S.requires_grad_(False)
        return True

    def train_round(self, stream: Iterator[Batch], noise: torch.Generator) -> Losses:
        """Update D and S on n_repeat batches each and G once; give the weighted losses, those of D and S averaged."""
        parts = [self.draw(next(stream), noise) for _ in range(self.settings.schedule.n_repeat)]
        with self.compute.arithmetic():
            return self._round(Draws(*map(torch.stack, zip(*parts, strict=True))))

    def draw(self, whole: Batch, noise: torch.Generator) -> Draws:
        """Draw z, a permutation of the batch's layouts (fixed points allowed) and e; c stays in the order of x.

        Drawn for the whole batch; this process's part is given, on its device (Algorithm 1).
        """
        count = len(whole.x)
        z = torch.randn(count, self.settings.generator.n_z, generator=noise)
        order = torch.randperm(count, generator=noise)
        e = torch.rand(count, generator=noise)
        layouts = whole.layouts[sent(order, whole.layouts.device)]
        return Draws(*map(self.compute.share, (whole.x, whole.c, whole.s_idx, z, layouts, e)))

    def learn(self, draws: Draws) -> Losses:
        """Do a round (Algorithm 1) with what was drawn for it; on the device alone, so that the host need not wait."""
        last = len(draws.x) - 1
        rounds: list[Losses] = []
        x_fakes = self.resting_fakes(draws)
        for n in range(last + 1):
            now = draws.at(n)
            # G rests while D learns, so the fake batch of the last repetition can serve G's own step.
            x_fake = self.fake(now) if n == last else next(x_fakes)
            result = self.critic_step(now, x_fake.detach())
            if self.settings.segmentor.training == "joint":
                result |= self.segmentor_step(now.x, now.s_idx)
            rounds.append(result)
        mean = {name: torch.stack([one[name] for one in rounds]).mean() for name in rounds[0]}
        return mean | self.generator_step(now, x_fake)

    def fake(self, now: Draws) -> Tensor:
        """Make the fake batch of what was drawn."""
        return self._generate(self._forward("G"), now.z, now.c, one_hot(now.layouts, self.data.n_s))

    @torch.no_grad()
    def resting_fakes(self, draws: Draws) -> Iterator[Tensor]:
        """Give the fake batches of a round that G does not learn from: all but the last."""
        count, batch = len(draws.x) - 1, len(draws.e[0])
        if self.switches.fakes_at_once and count:
            # G has no norm over a batch, so they can go through it as one.
            yield from torch.split(self.fake(Draws(*(tensor[:count].flatten(0, 1) for tensor in draws))), batch)
        else:
            yield from map(self.fake, map(draws.at, range(count)))

    def critic_step(self, now: Draws, x_fake: Tensor) -> Losses:
        """Take one step of D on real and fake scores, real attributes and the gradient penalty.

        With `critic.updates` "separate" the penalty has a step of its own, after the others (SCGAN release).
        """
        if self.settings.critic.updates == "joint":
            result = self._step("D", self.score_losses(now, x_fake) | self.penalty_loss(now, x_fake))
        else:
            result = self._step("D", self.score_losses(now, x_fake))
            result |= self._step("D", self.penalty_loss(now, x_fake))
        return _with_total(result, "loss_d")

    def score_losses(self, now: Draws, x_fake: Tensor) -> Losses:
        """Give the critic's terms of scores and real attributes, weighted."""
        # D has no norm, so real and fake can go through it as one batch.
        score, logits = self._criticise(torch.cat([now.x, x_fake]))
        score_real, score_fake = score.chunk(2)
        loss_real, loss_fake = losses.wasserstein_critic(score_real, score_fake)
        return {
            "loss_d/real": loss_real,
            "loss_d/fake": loss_fake,
            "loss_d/cls": self.settings.loss.lambda_cls * self.attribute_loss(logits[: len(now.x)], now.c),
        }

    def penalty_loss(self, now: Draws, x_fake: Tensor) -> Losses:
        """Give the weighted gradient penalty at `e` between real and fake; in full precision, for its square root."""
        weights = self.settings.loss
        x_hat = self._laid_out(losses.interpolate(now.x, x_fake, now.e))
        slope = self._compiled.get("slope of D", self.D.slope)(x_hat, weights.gp_reduction)
        return {"loss_d/gp": weights.lambda_gp * losses.slope_penalty(slope)}

    def attribute_loss(self, logits: Tensor, c: Tensor) -> Tensor:
        """Give A_c for independent attributes or for one of n_c, as `loss.cls` says."""
        one_of = self.settings.loss.cls == "softmax"
        return losses.attribute_softmax(logits, c) if one_of else losses.attribute_bce(logits, c)

    def segmentor_step(self, x: Tensor, s_idx: Tensor) -> Losses:
        """Take one step of S on real images; S never trains on fakes."""
        return _with_total(self._step("S", self.segmentor_losses(x, s_idx)), "loss_s")

    def segmentor_losses(self, x: Tensor, s_idx: Tensor) -> Losses:
        """Give the segmentor's loss on real images."""
        return {"loss_s/seg": losses.pixel_cross_entropy(self._segment(x), s_idx)}

    def generator_step(self, now: Draws, x_fake: Tensor) -> Losses:
        """Take one step of G through D and S, which stay as they are; `x_fake` still has G's graph."""
        with self._judges_resting():
            result = self._step("G", self.generator_losses(now, x_fake))
        return _with_total(result, "loss_g")

    def generator_losses(self, now: Draws, x_fake: Tensor) -> Losses:
        """Give the generator's terms, weighted."""
        weights = self.settings.loss
        score, logits = self._criticise(x_fake)
        parts = {
            "loss_g/fake": losses.wasserstein_generator(score),
            "loss_g/cls": weights.lambda_cls * self.attribute_loss(logits, now.c),
        }
        if self.S is not None:
            seg = losses.pixel_cross_entropy(self._segment(x_fake), now.layouts)
            parts["loss_g/seg"] = weights.lambda_seg * seg
        return parts

    def generate(self, z: Tensor, c: Tensor, s: Tensor) -> Tensor:
        """Make images (N, 3, H, W) in [-1, 1] from z (N, n_z), c (N, n_c) and one-hot s (N, n_s, H, W)."""
        with self.compute.arithmetic():  # never compiled: outside of rounds come batches of any size
            return self._generate(self.G, z, c, s)

    def _generate(self, generator: Callable[..., Any], z: Tensor, c: Tensor, s: Tensor) -> Tensor:
        z, c, s = (tensor.to(self.compute.dtype) for tensor in (z, c, s))
        with self.compute.autocast():
            images: Tensor = generator(z, c, self._laid_out(s))
        return images.to(self.compute.dtype)

    def _criticise(self, x: Tensor) -> tuple[Tensor, Tensor]:
        with self.compute.autocast():
            score, logits = self._forward("D")(self._laid_out(x))
        return score.to(self.compute.dtype), logits.to(self.compute.dtype)

    def _segment(self, x: Tensor) -> Tensor:
        with self.compute.autocast():
            logits: Tensor = self._forward("S")(self._laid_out(x))
        return logits.to(self.compute.dtype)

    def _forward(self, name: str) -> Callable[..., Any]:
        """Give a network's forward as rounds use it."""
        return self._compiled.get(name, self.networks[name])

    def _placed(self, network: Network) -> Network:
        network = network.to(self.compute.device, self.compute.dtype)
        network.to(memory_format=self.memory_format)  # type: ignore[call-overload]
        for module in network.modules():
            if isinstance(module, Halving) and module.small and self.compute.device.type == "cpu":
                module.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]  # as a matrix
        return network

    def _laid_out(self, x: Tensor) -> Tensor:
        return x.contiguous(memory_format=self.memory_format)

    @contextmanager
    def _judges_resting(self) -> Iterator[None]:
        """Let D and S learn nothing in the block; also where it fails, as a capture may, they learn again after it."""
        judges = [self.networks[name] for name in self.optimisers if name != "G"]
        for judge in judges:
            judge.requires_grad_(False)
        try:
            yield
        finally:
            for judge in judges:
                judge.requires_grad_(True)

    def _step(self, name: str, parts: Losses) -> Losses:
        return self._descend(self.networks[name], self.optimisers[name], parts)

    def _descend(self, network: nn.Module, optimiser: torch.optim.Adam, parts: Losses) -> Losses:
        """Step one network down the sum of the parts; give the parts, detached."""
        optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(torch.stack(list(parts.values())).sum())
        self.compute.average_gradients(network)
        optimiser.step()
        return {key: part.detach() for key, part in parts.items()}

    def _adam(self, network: nn.Module, rate: float) -> torch.optim.Adam:
        betas = self.settings.optimiser.beta1, self.settings.optimiser.beta2
        # A graph repeats numbers of the host, so it needs the rate and the count of steps on the device.
        graphs = self.switches.graphs
        lr = torch.tensor(rate, device=self.compute.device) if graphs else rate
        fused = True if self.switches.fused else None  # None leaves PyTorch its own choice between the other two
        return torch.optim.Adam(network.parameters(), lr, betas=betas, fused=fused, capturable=graphs)


def _with_total(parts: Losses, name: str) -> Losses:
    return parts | {f"{name}/total": torch.stack(list(parts.values())).sum()}


def build_generator(settings: Settings, data: DataDescription) -> nn.Module:
    """Make the untrained generator that the settings name, for the data."""
    chosen, sizes = settings.generator, (data.n_s, data.n_c, data.size)
    if chosen.joining == "all-at-once":
        return AllAtOnceGenerator(*sizes, width=chosen.width, n_z=chosen.n_z)
    if chosen.joining == "reversed-order":
        return ReversedOrderGenerator(*sizes, width=chosen.width, n_z=chosen.n_z)
    return Generator(*sizes, width=chosen.width, n_z=chosen.n_z, tail_norm=chosen.tail_norm)


def build_critic(settings: Settings, data: DataDescription) -> Critic:
    """Make an untrained critic for the data."""
    return Critic(data.n_c, data.size, width=settings.critic.width, leaky_slope=settings.critic.leaky_slope)


def build_segmentor(settings: Settings, data: DataDescription) -> nn.Module:
    """Make the untrained segmentor that the settings name, for the data."""
    chosen = settings.segmentor
    network = ReleaseSegmentor if chosen.architecture == "release" else Segmentor
    return network(data.n_s, width=chosen.width, blocks=chosen.blocks)
