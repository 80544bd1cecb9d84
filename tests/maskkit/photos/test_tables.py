"""Tables about photos: text in columns and CSV, each line checked, strange ones named."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from maskkit.errors import BuildError, MaskkitError
from maskkit.photos.tables import (
    read_attribute_table,
    read_column,
    read_five_points,
    read_header,
    read_pairs,
    read_point_table,
)
from maskkit.points.point_files import points_table
from tests.drawn import face_points


def test_csv_tables_hold_one_kind_of_no(tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    table.write_text("photo,Young\na.jpg,1\nb.jpg,0\n")
    assert read_attribute_table(table) == (["Young"], {"a.jpg": [1], "b.jpg": [0]})
    for text, message in (
        ("photo,Young\na.jpg,0\nb.jpg,-1\n", "both 0 and -1"),
        ("photo,Young\na.jpg,2\n", "line 2: '2' is neither 1 nor 0"),
        ("photo,Young\na.jpg,1,1\n", "line 2: 2 values for 1 attributes"),
        ("", "the first line is a header"),
    ):
        table.write_text(text)
        with pytest.raises(BuildError, match=message):
            read_attribute_table(table)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.one_of(st.binary(max_size=300), st.text("0123456789,.-\n xyaid\"'\\\0", max_size=300).map(str.encode)))
@pytest.mark.parametrize("ending", [".txt", ".csv"])
def test_anything_for_a_table_ends_in_our_own_errors(tmp_path: Path, ending: str, data: bytes) -> None:
    path = tmp_path / f"any{ending}"
    path.write_bytes(data)
    for read in (read_attribute_table, read_five_points, read_point_table, read_pairs, read_header):
        try:
            read(path)
        except MaskkitError as error:
            assert str(path) in str(error)


def test_tables_with_windows_line_ends_read_the_same(celeba_fixture: Path, tmp_path: Path) -> None:
    table = Path(shutil.copy(celeba_fixture / "list_attr_celeba.txt", tmp_path))
    plain = read_attribute_table(table)
    table.write_bytes(table.read_bytes().replace(b"\n", b"\r\n"))
    assert read_attribute_table(table) == plain


def test_chosen_columns_alone_are_read(tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    table.write_text("photo,Young,part,Male\na.jpg,1,val,0\nb.jpg,0,train,1\n")
    assert read_header(table) == ["Young", "part", "Male"]
    assert read_attribute_table(table, ("Male", "Young")) == (["Male", "Young"], {"a.jpg": [0, 1], "b.jpg": [1, 0]})
    assert read_column(table, "part") == {"a.jpg": "val", "b.jpg": "train"}
    with pytest.raises(BuildError, match=r"has no attribute Old; it has Young, part, Male"):
        read_attribute_table(table, ("Old",))
    with pytest.raises(BuildError, match="has no column split; it has Young, part, Male"):
        read_column(table, "split")


def test_pairs_of_a_name_and_a_number(tmp_path: Path) -> None:
    text, csv = tmp_path / "pairs.txt", tmp_path / "pairs.csv"
    text.write_text("a.jpg 0\n\nb.jpg 2\n")
    csv.write_text("image_id,partition\na.jpg,0\nb.jpg,2\n")
    assert read_pairs(text) == read_pairs(csv) == {"a.jpg": 0, "b.jpg": 2}
    text.write_text("a.jpg 0\nb.jpg two\n")
    with pytest.raises(BuildError, match=r"line 2: a photo's name and a number are expected, not 'b.jpg two'"):
        read_pairs(text)


def test_a_table_of_points_is_what_landmarks_writes(tmp_path: Path) -> None:
    faces = {"a.jpg": face_points(64), "below/b.jpg": face_points(178, turn=0.03)}
    table = tmp_path / "points.csv"
    table.write_text(points_table(faces))
    read = read_point_table(table)
    assert list(read) == list(faces)
    for name, points in faces.items():
        assert read[name].dtype == np.float32 and (read[name] == points).all()
