"""What is said before the first step against a run that will be too slow, too short, or short of photos."""

import pytest
import torch

from gan.runs.presets import load_preset
from gan.training.doubts import doubts

PAPER, TINY = 58_900_000, 1_500_000  # parameters


@pytest.mark.parametrize(
    ("preset", "photos", "last", "ends_itself", "parameters", "device", "said"),
    [
        ("paper", 160_000, 40_000, True, PAPER, "cuda", []),
        ("paper", 160_000, 40_000, True, PAPER, "cpu", ["59 million parameters learn on the processor"]),
        ("tiny", 1_920, 2_500, True, TINY, "cpu", []),
        ("tiny", 300, 2_500, True, TINY, "cpu", ["300 train photos are few"]),
        ("tiny", 1_920, 60, False, TINY, "cpu", []),  # who asks for 60 steps gets them
        ("paper", 1_000, 248, True, PAPER, "cuda", ["1000 photos, 248 steps, 19,840 images are used"]),
    ],
)
def test_doubts(
    preset: str, photos: int, last: int, ends_itself: bool, parameters: int, device: str, said: list[str]
) -> None:
    found = doubts(load_preset(preset), photos, last, ends_itself, parameters, torch.device(device))
    assert len(found) == len(said)
    assert all(words in sentence for words, sentence in zip(said, found, strict=True))


def test_the_way_out_is_one_that_the_schedule_allows() -> None:
    ends = {
        name: doubts(load_preset("paper", sets), 5_000, 100, True, TINY, torch.device("cpu"))[0]
        for name, sets in {"falling": [], "constant": ["schedule.decay_epochs=0"]}.items()
    }
    assert ends["falling"].endswith("give schedule.epochs a larger value")
    assert ends["constant"].endswith("give --steps a larger value")
