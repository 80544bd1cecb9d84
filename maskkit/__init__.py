"""maskkit: region masks from 68-point facial landmarks, morphs between faces, and packed data sets."""

__version__ = "0.1.0"

from maskkit.building.build import build_celeba, build_folder, plan_celeba, plan_folder
from maskkit.building.options import BuildOptions, BuildPlan, BuildResult, FolderOptions
from maskkit.corrections.correcting import CorrectResult, correct_shards
from maskkit.corrections.correction_files import read_corrections, write_corrections
from maskkit.corrections.decisions import Correction, Corrections, picture_digest
from maskkit.detection.cascade import Detector, Face, detect, detect_aligned, predict_points, quality
from maskkit.detection.named_files import FilesResult
from maskkit.detection.photo_masks import write_masks
from maskkit.detection.photo_points import write_landmarks
from maskkit.errors import MaskkitError
from maskkit.exchange import ExportResult, ImportOptions, ImportResult, export_shards, import_masks
from maskkit.masks.augmentation import Augmentation, usual_transforms
from maskkit.masks.jitter import Jitter
from maskkit.masks.label_tables import label_table, translate_labels
from maskkit.masks.overlays import annotate
from maskkit.masks.pictures import (
    colorize,
    draw_points,
    enlarge,
    overlay,
    show,
    stack_grid,
    write_palette_png,
    write_png,
)
from maskkit.masks.raster import fill_polygon, from_one_hot, mirror_label_map, one_hot, rasterize
from maskkit.masks.regions import Region, RegionScheme, load_scheme
from maskkit.morphs.films import write_frames
from maskkit.morphs.flicker import Flicker, measure_flicker
from maskkit.morphs.morph_files import MorphResult, write_morph
from maskkit.morphs.paths import interpolate, morph_points
from maskkit.morphs.placed_faces import PlacedFace, align_points, read_face, read_face_points
from maskkit.morphs.warps import warp_picture
from maskkit.photos.images import Crop, read_image
from maskkit.photos.videos import read_frames
from maskkit.points.landmarks import GROUPS, MIRROR, mirror_points, scale_points
from maskkit.points.mesh import points_from_mesh
from maskkit.points.point_files import read_points, write_points
from maskkit.points.similarity import fit_similarity, move_points
from maskkit.report import Inspection, inspect_shards, write_report
from maskkit.shards.reader import ShardReader
from maskkit.shards.verification import VerifyResult, verify
from maskkit.studio.serving import serve_studio
from maskkit.video.named_videos import track_video
from maskkit.video.smoothing import smooth_points
from maskkit.video.tracking import Track
from maskkit.video.video_masks import write_video_masks
from maskkit.video.video_points import write_video_landmarks

# The earlier names of the same things.
Layout = PlacedFace
read_layout = read_face_points

__all__ = [
    "GROUPS",
    "MIRROR",
    "Augmentation",
    "BuildOptions",
    "BuildPlan",
    "BuildResult",
    "CorrectResult",
    "Correction",
    "Corrections",
    "Crop",
    "Detector",
    "ExportResult",
    "Face",
    "FilesResult",
    "Flicker",
    "FolderOptions",
    "ImportOptions",
    "ImportResult",
    "Inspection",
    "Jitter",
    "Layout",
    "MaskkitError",
    "MorphResult",
    "PlacedFace",
    "Region",
    "RegionScheme",
    "ShardReader",
    "Track",
    "VerifyResult",
    "align_points",
    "annotate",
    "build_celeba",
    "build_folder",
    "colorize",
    "correct_shards",
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
    "picture_digest",
    "plan_celeba",
    "plan_folder",
    "points_from_mesh",
    "predict_points",
    "quality",
    "rasterize",
    "read_corrections",
    "read_face",
    "read_face_points",
    "read_frames",
    "read_image",
    "read_layout",
    "read_points",
    "scale_points",
    "serve_studio",
    "show",
    "smooth_points",
    "stack_grid",
    "track_video",
    "translate_labels",
    "usual_transforms",
    "verify",
    "warp_picture",
    "write_corrections",
    "write_frames",
    "write_landmarks",
    "write_masks",
    "write_morph",
    "write_palette_png",
    "write_png",
    "write_points",
    "write_report",
    "write_video_landmarks",
    "write_video_masks",
]
