"""Inception's features as torch-fidelity computes them, where it can be had."""

import pickle
from pathlib import Path

import torch
from torch import nn

from gan.computing.published_files import broken_promise
from gan.errors import GanError
from maskkit.files.regular import file_sha256

WAY_OUT = (
    "FID, KID and the Inception score need torch-fidelity with a torchvision that fits the installed torch, and a "
    "network once, for Inception's weights: pip install torch-fidelity torchvision"
)


class NoInceptionError(GanError):
    """Inception that cannot be had here, with the way to get it."""


def load_inception(device: torch.device) -> nn.Module:
    """Load torch-fidelity's Inception: uint8 (N, 3, H, W) -> features (N, 2048) and logits (N, 1008) without bias.

    Raises NoInceptionError.
    """
    try:
        from torch_fidelity.feature_extractor_inceptionv3 import URL_INCEPTION_V3, FeatureExtractorInceptionV3

        # torch-fidelity would open the file as any pickle and not look at its hash; from here on it is in the cache.
        torch.hub.load_state_dict_from_url(URL_INCEPTION_V3, progress=False, check_hash=True, weights_only=True)
        name = Path(URL_INCEPTION_V3).name
        cached = Path(torch.hub.get_dir(), "checkpoints", name)
        if broken := broken_promise(name, file_sha256(cached)):
            raise NoInceptionError(f"{cached} is damaged: {broken}; delete it to have it downloaded again")
        network: nn.Module = FeatureExtractorInceptionV3("inception-v3-compat", ["2048", "logits_unbiased"])
    # A torchvision that does not fit is a RuntimeError, no network an OSError, a file with more than tensors the last.
    except (ImportError, RuntimeError, OSError, pickle.UnpicklingError) as error:
        raise NoInceptionError(f"{WAY_OUT} ({(str(error).splitlines() or [''])[0]})") from error
    return network.to(device).eval()
