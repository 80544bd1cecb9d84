"""Distances between sets of images in the features of a network, and how sure and varied its answers are."""

import warnings

import torch
from torch import Tensor, nn
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.kid import KernelInceptionDistance

SUBSETS, SUBSET_SIZE = 100, 1000  # of the kernel distance, as KID is usually computed


class _Given(nn.Identity):
    """Stand for a network whose features are already computed."""

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.num_features = num_features


def frechet_distance(a: Tensor, b: Tensor) -> float:
    """Give the squared Frechet distance of Gaussians fitted to features (N, d) and (M, d), in float64.

    ||mean difference||^2 + trace(A + B - 2 (A B)^(1/2)) (Heusel et al. 2017). On Inception's features it is FID.
    """
    metric = FrechetInceptionDistance(feature=_Given(a.shape[1]))
    metric.update(a.double(), real=True)
    metric.update(b.double(), real=False)
    return float(metric.compute())


def kernel_distance(a: Tensor, b: Tensor, seed: int) -> float:
    """Give the squared maximum mean discrepancy of features (N, d) and (M, d) under (x.y / d + 1)^3, in float64.

    Unbiased, averaged over 100 random subsets of at most 1000 each (Binkowski et al. 2018). On Inception's features
    it is KID.
    """
    with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
        warnings.simplefilter("ignore")  # that it keeps the features, which are here already
        torch.manual_seed(seed)
        metric = KernelInceptionDistance(_Given(a.shape[1]), SUBSETS, min(SUBSET_SIZE, len(a), len(b)))
        metric.update(a.double(), real=True)
        metric.update(b.double(), real=False)
        return float(metric.compute()[0])


def answer_score(p: Tensor, splits: int = 1, seed: int = 0) -> float:
    """Give exp of the mean divergence of single answers from the mean answer: probabilities (N, K) -> 1 to K.

    The Inception score's arithmetic (Salimans et al. 2016), averaged over `splits` random parts of the images.
    (N, n, K) are n questions answered apart, whose divergences are added.
    """
    order = torch.randperm(len(p), generator=torch.Generator().manual_seed(seed))
    return float(torch.stack([_score(part) for part in p.double()[order].chunk(splits)]).mean())


def _score(p: Tensor) -> Tensor:
    divergence = torch.xlogy(p, p) - torch.xlogy(p, p.mean(0, keepdim=True))
    return divergence.flatten(1).sum(1).mean().exp()
