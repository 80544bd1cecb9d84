"""maskkit: region masks from 68-point facial landmarks, morphs between faces, and packed data sets."""

from maskkit.build import BuildOptions, BuildPlan, BuildResult, build_celeba, plan_celeba
from maskkit.detection import Face, detect, detect_aligned
from maskkit.errors import MaskkitError
from maskkit.images import Crop, read_image
from maskkit.landmarks import GROUPS, MIRROR, mirror_points, scale_points
from maskkit.layouts import align_points, read_layout
from maskkit.morph import interpolate
from maskkit.pictures import colorize, draw_points, enlarge, overlay, stack_grid, write_palette_png, write_png
from maskkit.point_files import read_points, write_points
from maskkit.raster import fill_polygon, from_one_hot, mirror_label_map, one_hot, rasterize
from maskkit.regions import Region, RegionScheme, load_scheme
from maskkit.sequences import write_frames
from maskkit.shards import ShardReader
from maskkit.verification import VerifyResult, verify

__all__ = [
    "GROUPS",
    "MIRROR",
    "BuildOptions",
    "BuildPlan",
    "BuildResult",
    "Crop",
    "Face",
    "MaskkitError",
    "Region",
    "RegionScheme",
    "ShardReader",
    "VerifyResult",
    "align_points",
    "build_celeba",
    "colorize",
    "detect",
    "detect_aligned",
    "draw_points",
    "enlarge",
    "fill_polygon",
    "from_one_hot",
    "interpolate",
    "load_scheme",
    "mirror_label_map",
    "mirror_points",
    "one_hot",
    "overlay",
    "plan_celeba",
    "rasterize",
    "read_image",
    "read_layout",
    "read_points",
    "scale_points",
    "stack_grid",
    "verify",
    "write_frames",
    "write_palette_png",
    "write_png",
    "write_points",
]
