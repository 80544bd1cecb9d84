"""Set distances, answer scores and MS-SSIM against SciPy, torch-fidelity and their formulas written out."""

import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm
from torch import Tensor

from gan.evaluation.diversity import ms_ssim, scale_weights
from gan.evaluation.features import answer_score, frechet_distance, kernel_distance
from gan.evaluation.inception import NoInceptionError, load_inception


@pytest.fixture
def sets() -> tuple[Tensor, Tensor]:
    """Features (60, 8) and (80, 8) of two distributions, correlated."""
    noise = torch.Generator().manual_seed(3)
    a, b = (torch.randn(count, 8, generator=noise, dtype=torch.float64) for count in (60, 80))
    return a.cumsum(1), b.cumsum(1) * 1.3 + 0.5


@pytest.fixture
def fidelity() -> ModuleType:
    try:
        import torch_fidelity.metric_fid
    except (ImportError, RuntimeError) as error:  # a torchvision that does not fit torch is a RuntimeError
        pytest.skip(f"needs torch-fidelity and a torchvision that fits the installed torch ({error})")
    return torch_fidelity


def test_frechet_distance_against_scipy(sets: tuple[Tensor, Tensor]) -> None:
    a, b = (features.numpy() for features in sets)
    cov_a, cov_b = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    root = sqrtm(cov_a @ cov_b)
    expected = ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(cov_a + cov_b - 2 * root.real)
    assert frechet_distance(*sets) == pytest.approx(expected, rel=1e-9)
    assert frechet_distance(sets[0], sets[0]) == pytest.approx(0, abs=1e-9)
    # More features than images: the covariances have no full rank.
    few = sets[0][:5].float()
    assert frechet_distance(few, few + 2) == pytest.approx(8 * 4, rel=1e-5)


def test_frechet_distance_against_torch_fidelity(sets: tuple[Tensor, Tensor], fidelity: ModuleType) -> None:
    statistics = [fidelity.metric_fid.fid_features_to_statistics(features) for features in sets]
    expected = fidelity.metric_fid.fid_statistics_to_metric(*statistics, False)
    assert frechet_distance(*sets) == pytest.approx(expected["frechet_inception_distance"], rel=1e-9)


def test_kernel_distance_against_its_formula(sets: tuple[Tensor, Tensor]) -> None:
    a, b = (features[:40].numpy() for features in sets)  # as many each, so that the one subset is all of them
    kernel = [[[(x @ y / 8 + 1) ** 3 for y in right] for x in left] for left, right in ((a, a), (b, b), (a, b))]
    within, across = [np.array(k) for k in kernel[:2]], np.array(kernel[2])
    unbiased = [(k.sum() - np.trace(k)) / (40 * 39) for k in within]
    expected = sum(unbiased) - 2 * across.mean()
    state = torch.get_rng_state()
    assert kernel_distance(sets[0][:40], sets[1][:40], 0) == pytest.approx(expected, rel=1e-9)
    assert torch.equal(torch.get_rng_state(), state)
    assert kernel_distance(*sets, 5) == kernel_distance(*sets, 5) != kernel_distance(*sets, 6)


def test_answer_score() -> None:
    sure = torch.eye(5, dtype=torch.float64)[torch.arange(100) % 5]
    assert answer_score(sure) == pytest.approx(5) and answer_score(torch.full((9, 4), 0.25)) == pytest.approx(1)
    p = torch.rand(30, 3, dtype=torch.float64).softmax(1)
    mean = p.mean(0).tolist()
    divergence = [sum(one[k] * np.log(one[k] / mean[k]) for k in range(3)) for one in p.tolist()]
    assert answer_score(p) == pytest.approx(np.exp(np.mean(divergence)))
    # Two questions with independent answers: every image has one of four pairs of them.
    first, second = (torch.tensor([[a, 1 - a] for a in answers]) for answers in ([0.0, 0, 1, 1], [0.0, 1, 0, 1]))
    assert answer_score(torch.stack([first, second], 1)) == pytest.approx(4)
    assert answer_score(sure, splits=10, seed=1) == pytest.approx(5, rel=0.2)


@pytest.mark.parametrize(("size", "scales"), [(32, 3), (64, 4), (128, 5), (256, 5)])
def test_ms_ssim(size: int, scales: int) -> None:
    assert len(scale_weights(size)) == scales and sum(scale_weights(size)) == pytest.approx(1, abs=2e-4)
    noise = torch.Generator().manual_seed(0)
    x = torch.rand(2, 3, size // 8, size // 8, generator=noise).repeat_interleave(8, 2).repeat_interleave(8, 3) * 2 - 1
    assert ms_ssim(x, x).tolist() == pytest.approx([1, 1], abs=1e-6)
    noisy = [(x + sigma * torch.randn(x.shape, generator=noise)).clamp(-1, 1) for sigma in (0.1, 0.4)]
    little, much = (ms_ssim(x, one) for one in noisy)
    assert (little < 1).all() and (little > much).all() and (much > ms_ssim(x, -x)).all()


def test_inceptions_weights_in_the_cache_are_what_their_name_promises(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """torch compares the two only when it downloads."""
    fidelity = ModuleType("torch_fidelity.feature_extractor_inceptionv3")
    fidelity.URL_INCEPTION_V3 = "https://example.org/weights-inception-6726825d.pth"  # type: ignore[attr-defined]
    fidelity.FeatureExtractorInceptionV3 = lambda *_: torch.nn.Identity()  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torch_fidelity", ModuleType("torch_fidelity"))
    monkeypatch.setitem(sys.modules, fidelity.__name__, fidelity)
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path))
    (tmp_path / "checkpoints").mkdir()
    torch.save({}, tmp_path / "checkpoints" / "weights-inception-6726825d.pth")
    with pytest.raises(NoInceptionError, match=r"inception-6726825d\.pth is damaged: its name promises .*delete it"):
        load_inception(torch.device("cpu"))
