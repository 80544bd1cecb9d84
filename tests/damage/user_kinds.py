"""Files that a user brings, most of them in formats without checksums, each with what the user gets from it."""

import json
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import h5py
import numpy as np
from PIL import Image
from scipy.io import savemat

import maskkit
from maskkit.errors import ExchangeError, ImageError, MaskkitError
from maskkit.exchange.import_options import ImportOptions
from maskkit.exchange.importing import IMPORT_FORMATS
from maskkit.exchange.incoming import read_splits
from maskkit.masks.regions import load_scheme
from maskkit.photos.archive import open_zip
from maskkit.photos.tables import read_attribute_table, read_five_points, read_pairs, read_point_table
from maskkit.points.mesh import MESH_COUNTS
from maskkit.points.point_files import points_table
from tests.damage.kind import Kind, digest

HQ = "celebamask-hq"


def user_kinds(folder: Path) -> list[Kind]:
    """Write one file of each kind below `folder`, which holds shards and exports, and give the kinds."""
    row = maskkit.ShardReader(folder / "shards")[0]
    return [
        *_photos(folder, row["image"]),
        *_points(folder, row["landmarks"]),
        *_tables(folder),
        *_sources_without_record(folder),
        *_fashion(folder),
    ]


def _photos(folder: Path, photo: np.ndarray) -> Iterator[Kind]:
    maskkit.write_png(folder / "photo.png", photo)
    yield Kind("a user's PNG", "photo.png", lambda f: digest(maskkit.read_image(f / "photo.png")), own=True)
    for ending in ("jpg", "webp", "tiff", "bmp", "ppm", "gif"):
        name = f"photo.{ending}"
        Image.fromarray(photo).save(folder / name)
        yield Kind(f"a user's {ending.upper()}", name, lambda f, n=name: digest(maskkit.read_image(f / n)), own=True)
    with zipfile.ZipFile(folder / "photos.zip", "w") as archive:
        archive.write(folder / "photo.png", "photo.png")
    yield Kind("photos in a zip", "photos.zip", lambda f: of_zip(f / "photos.zip"))


def _points(folder: Path, points: np.ndarray) -> Iterator[Kind]:
    for ending in ("pts", "json", "csv"):
        maskkit.write_points(folder / f"face.{ending}", points)
    mesh = np.random.default_rng(0).uniform(0, 1, (max(MESH_COUNTS), 3)).round(4).tolist()
    (folder / "mesh.json").write_text(json.dumps(mesh))
    (folder / "mesh.csv").write_text("x,y,z\n" + "".join(f"{x},{y},{z}\n" for x, y, z in mesh))
    for name in ("face.pts", "face.json", "face.csv", "mesh.json", "mesh.csv"):
        yield Kind(f"a user's {name}", name, lambda f, n=name: digest(maskkit.read_points(f / n, (64, 64))), own=True)
    (folder / "points.csv").write_text(points_table({f"{i}.jpg": points + i for i in range(8)}))
    yield Kind("points of many photos", "points.csv", lambda f: digest(read_point_table(f / "points.csv")), own=True)
    scheme = {**load_scheme("scgan").to_dict(), "name": "mine"}
    (folder / "mine.json").write_text(json.dumps(scheme, indent=1))
    yield Kind("a user's region scheme", "mine.json", lambda f: of_scheme(f / "mine.json"), own=True)


def _tables(folder: Path) -> Iterator[Kind]:
    names = [f"{i:06d}.jpg" for i in range(40)]
    texts = {
        "attributes.csv": "id,Young,Male\n" + "".join(f"{name},{i % 2},1\n" for i, name in enumerate(names)),
        "list_attr_celeba.txt": "40\nYoung Male\n" + "".join(f"{name} {1 - i % 3 % 2 * 2} -1\n"
                                                             for i, name in enumerate(names)),
        "list_landmarks_align_celeba.txt": "40\n" + " ".join(f"p{i}" for i in range(10)) + "\n"
        + "".join(f"{name} 69 111 108 111 88 135 70 152 105 152\n" for name in names),
        "list_eval_partition.txt": "".join(f"{name} {i % 3}\n" for i, name in enumerate(names)),
        "identity_CelebA.txt": "".join(f"{name} {i // 3}\n" for i, name in enumerate(names)),
        "splits.csv": "id,split\n" + "".join(f"{name},{'val' if i % 3 else 'train'}\n" for i, name in enumerate(names)),
    }  # fmt: skip
    readers = {
        "attributes.csv": read_attribute_table, "list_attr_celeba.txt": read_attribute_table,
        "list_landmarks_align_celeba.txt": read_five_points, "list_eval_partition.txt": read_pairs,
        "identity_CelebA.txt": read_pairs, "splits.csv": read_splits,
    }  # fmt: skip
    for name, text in texts.items():
        (folder / name).write_text(text)
        yield Kind(f"a user's {name}", name, lambda f, n=name: digest(readers[n](f / n)), own=True)


def _sources_without_record(folder: Path) -> Iterator[Kind]:
    """Data sets of other projects: our exports, without what tells that they are ours."""
    for name in ("coco", "cvat", HQ):
        found = shutil.copytree(folder / name, folder / f"their-{name}", ignore=shutil.ignore_patterns(
            ".maskkit-*", "export.json", "scheme.json", "samples.csv", "landmarks.csv", "classes.csv"
        ))  # fmt: skip
        if name == HQ:
            (found / "CelebA-HQ-to-CelebA-mapping.txt").write_text(
                "idx orig_idx orig_file\n" + "".join(f"{i} {i} {i:06d}.jpg\n" for i in range(4))
            )
            (found / "list_eval_partition.txt").write_text("".join(f"{i:06d}.jpg {i % 3}\n" for i in range(4)))
    for format, name, scheme in (
        ("coco", "annotations/instances_val.json", None),
        ("cvat", "labelmap.txt", None),
        ("cvat", "ImageSets/Segmentation/val.txt", None),
        (HQ, "CelebAMask-HQ-attribute-anno.txt", "scgan"),
        (HQ, "CelebA-HQ-to-CelebA-mapping.txt", "scgan"),
        (HQ, "list_eval_partition.txt", "scgan"),
        (HQ, "CelebA-HQ-img/0.jpg", "scgan"),
    ):
        place = f"their-{format}"
        yield Kind(
            f"{format}: {Path(name).name}", f"{place}/{name}",
            lambda f, p=place, t=format, s=scheme: of_import(f / p, t, s), own=True,
        )  # fmt: skip


def _fashion(folder: Path) -> Iterator[Kind]:
    source, rng = folder / "fashion", np.random.default_rng(0)
    source.mkdir()
    with h5py.File(source / "G2.h5", "w") as file:
        mean = rng.uniform(0.3, 0.7, (3, 16, 16)).astype(np.float32)
        file["ih"] = rng.uniform(0, 1, (6, 3, 16, 16)).astype(np.float32) - mean
        file["ih_mean"], file["b_"] = mean, rng.integers(0, 7, (6, 1, 16, 16)).astype(np.float32)
    colors = rng.integers(1, 18, (6, 1)).astype(np.uint8)
    savemat(source / "language_original.mat", {"color_": colors})
    order = rng.permutation(6)[:, None] + 1
    savemat(source / "ind.mat", {"train_ind": order[:4], "test_ind": order[4:]}, do_compression=True)
    for name in ("G2.h5", "language_original.mat", "ind.mat"):
        yield Kind(f"DeepFashion's {name}", f"fashion/{name}", lambda f: of_import(f / "fashion", "deepfashion"),
                   own=True)  # fmt: skip


def of_zip(path: Path) -> str:
    photos = open_zip(path)
    try:
        return digest([[name, problem, photos.read(name)] for name, problem in photos.names().items()])
    except ImageError as error:  # which a build's ledger shows beside the photo's id
        raise ImageError(f"{path}: {error}") from error


def of_scheme(path: Path) -> str:
    load_scheme.cache_clear()
    return digest(load_scheme(path).to_dict())


def of_import(source: Path, format: str, scheme: str | None = None) -> str:
    """All that an import would write, or the first row that it would leave out."""
    load_scheme.cache_clear()
    incoming = IMPORT_FORMATS[format](source, ImportOptions(scheme=scheme))
    with closing(incoming):
        rows = []
        for pair in incoming.pairs:
            try:
                if pair.problem:
                    raise ExchangeError(pair.problem)
                rows.append([pair.id, pair.split, pair.attributes, *incoming.load(pair)])
            except MaskkitError as error:  # which the ledger shows beside the row's id, by the source's files
                raise ExchangeError(f"{sorted(path.name for path in source.rglob('*'))}: {error}") from error
        known = [vars(one) for one in incoming.known.values()]
        return digest([incoming.scheme.to_dict(), incoming.attribute_names, rows, known])
