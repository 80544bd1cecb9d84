"""Label sets in an order that was not said, told by the place of their classes."""

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

import maskkit
from cli.maskkit_command import group
from maskkit.exchange.label_order import KNOWN_ORDERS
from maskkit.masks.raster import LabelMap
from tests.drawn import face_points

SIZE = 64
DRAWN = ("skin", "r_eye", "l_eye", "nose", "u_lip", "mouth")  # of SCGAN's classes, the lower lip drawn below


def head() -> LabelMap:
    """A drawn face below hair and above a neck and clothes, classes of CelebAMask-HQ."""
    names = maskkit.load_scheme("celebamask-hq").names
    points = face_points(SIZE, 0.06, scale=0.8)
    drawn = maskkit.rasterize(points, SIZE)
    y, x = np.mgrid[:SIZE, :SIZE]
    mask = np.where((x - 31.5) ** 2 + (y - 26) ** 2 < 26**2, names.index("hair"), 0).astype(np.uint8)
    mask[48:, 22:42], mask[57:, :] = names.index("neck"), names.index("cloth")
    for label, name in enumerate(DRAWN, 1):
        mask[drawn == label] = names.index(name)
    mask[(mask == names.index("u_lip")) & (y > points[62, 1])] = names.index("l_lip")
    for brow, side in ((points[17:22], "r_brow"), (points[22:27], "l_brow")):
        outline = np.concatenate([brow - (0, 3), brow[::-1] - (0, 1)])
        mask[maskkit.fill_polygon(outline, SIZE)] = names.index(side)
    return mask


def source_in(folder: Path, order: str, mask: LabelMap) -> Path:
    """One pair whose labels are in the order of a scheme; what that does not have is its background."""
    names = maskkit.load_scheme(order).names
    table = [names.index(name) if name in names else 0 for name in maskkit.load_scheme("celebamask-hq").names]
    for kind, picture in (("images", np.zeros((SIZE, SIZE, 3), np.uint8)), ("masks", np.uint8(table)[mask])):
        (folder / kind).mkdir(parents=True)
        Image.fromarray(picture).save(folder / kind / "a.png")
    return folder


@pytest.mark.parametrize("order", ["celebamask-hq", "face-parsing", "facer", "lapa"])
def test_another_order_is_told(tmp_path: Path, order: str) -> None:
    source, most = source_in(tmp_path / "source", order, head()), len(maskkit.load_scheme(order))
    for claimed in KNOWN_ORDERS:
        if len(maskkit.load_scheme(claimed)) < most:
            continue
        options = maskkit.ImportOptions(size=SIZE, scheme=claimed)
        (*warnings,) = maskkit.import_masks(source, tmp_path / claimed, "label-png", options).warnings
        if claimed == order:
            assert not warnings
        else:
            assert len(warnings) == 1 and f"fit the order of {order} better than that of {claimed}" in warnings[0]


def test_exchanged_sides_are_told_on_the_command_line(tmp_path: Path) -> None:
    source = source_in(tmp_path / "source", "lapa", head()[:, ::-1])
    arguments = ["import", str(source), str(tmp_path / "out"), "--format", "label-png", "--scheme", "lapa"]
    done = CliRunner().invoke(group, arguments, catch_exceptions=False)
    assert done.exit_code == 0 and "warning: the left and right eyes of lapa seem to be exchanged" in done.stderr
