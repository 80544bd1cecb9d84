"""maskkit: region masks from 68-point facial landmarks, morphs between faces, and packed data sets."""

from maskkit.augment import Augmentation, usual_transforms
from maskkit.build import build_celeba, build_folder, plan_celeba, plan_folder
from maskkit.build_options import BuildOptions, BuildPlan, BuildResult, FolderOptions
from maskkit.detection import Detector, Face, detect, detect_aligned, predict_points, quality
from maskkit.errors import MaskkitError
from maskkit.exchange import ExportResult, ImportOptions, ImportResult, export_shards, import_masks
from maskkit.flicker import Flicker, measure_flicker
from maskkit.images import Crop, read_image
from maskkit.label_tables import label_table, translate_labels
from maskkit.landmarks import GROUPS, MIRROR, mirror_points, scale_points
from maskkit.layouts import Layout, align_points, read_face, read_layout
from maskkit.mesh import points_from_mesh
from maskkit.morph import interpolate, morph_points
from maskkit.morph_files import MorphResult, write_morph
from maskkit.pictures import colorize, draw_points, enlarge, overlay, stack_grid, write_palette_png, write_png
from maskkit.point_files import read_points, write_points
from maskkit.raster import fill_polygon, from_one_hot, mirror_label_map, one_hot, rasterize
from maskkit.regions import Region, RegionScheme, load_scheme
from maskkit.report import Inspection, inspect_shards, write_report
from maskkit.sequences import write_frames
from maskkit.shards import ShardReader
from maskkit.similarity import fit_similarity, move_points
from maskkit.verification import VerifyResult, verify
from maskkit.warp import warp_picture

__all__ = [
    "GROUPS",
    "MIRROR",
    "Augmentation",
    "BuildOptions",
    "BuildPlan",
    "BuildResult",
    "Crop",
    "Detector",
    "ExportResult",
    "Face",
    "Flicker",
    "FolderOptions",
    "ImportOptions",
    "ImportResult",
    "Inspection",
    "Layout",
    "MaskkitError",
    "MorphResult",
    "Region",
    "RegionScheme",
    "ShardReader",
    "VerifyResult",
    "align_points",
    "build_celeba",
    "build_folder",
    "colorize",
    "detect",
    "detect_aligned",
    "draw_points",
    "enlarge",
    "export_shards",
    "fill_polygon",
    "fit_similarity",
    "from_one_hot",
    "import_masks",
    "inspect_shards",
    "interpolate",
    "label_table",
    "load_scheme",
    "measure_flicker",
    "mirror_label_map",
    "mirror_points",
    "morph_points",
    "move_points",
    "one_hot",
    "overlay",
    "plan_celeba",
    "plan_folder",
    "points_from_mesh",
    "predict_points",
    "quality",
    "rasterize",
    "read_face",
    "read_image",
    "read_layout",
    "read_points",
    "scale_points",
    "stack_grid",
    "translate_labels",
    "usual_transforms",
    "verify",
    "warp_picture",
    "write_frames",
    "write_morph",
    "write_palette_png",
    "write_png",
    "write_points",
    "write_report",
]
