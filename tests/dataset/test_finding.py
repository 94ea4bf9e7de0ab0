"""Images looked for by the names that other programs wrote."""

import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segtrack.dataset.catalogue import Catalogue
from segtrack.dataset.checks import Checks
from segtrack.dataset.finding import ImageFinder, NotFound, Written


def tree(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return folder


MEANT = [  # written, files that are there, the one that is meant, whether the name was mended
    ("images/00.jpg", ["images/00.jpg"], "images/00.jpg", False),
    ("./images//00.jpg", ["images/00.jpg"], "images/00.jpg", False),
    ("images/../images/00.jpg", ["images/00.jpg"], "images/00.jpg", False),
    ("images\\00.jpg", ["images/00.jpg"], "images/00.jpg", True),
    (".\\images\\00.jpg", ["images/00.jpg"], "images/00.jpg", True),
    (" images/00.jpg ", ["images/00.jpg"], "images/00.jpg", True),
    ("images/a%20b.jpg", ["images/a b.jpg"], "images/a b.jpg", True),
    ("images/100%.jpg", ["images/100%.jpg"], "images/100%.jpg", False),
    ("images/a%20b.jpg", ["images/a%20b.jpg", "images/a b.jpg"], "images/a%20b.jpg", False),
    ("C:\\Users\\me\\set\\images\\00.jpg", ["images/00.jpg"], "images/00.jpg", True),
    ("D:/set/images/00.jpg", ["images/00.jpg"], "images/00.jpg", True),
    ("\\\\server\\share\\images\\00.jpg", ["images/00.jpg"], "images/00.jpg", True),
    ("/home/other/set/images/00.jpg", ["images/00.jpg"], "images/00.jpg", True),
    ("file:///home/other/images/00.jpg", ["images/00.jpg"], "images/00.jpg", True),
    ("file:///C:/set/images/00.jpg", ["images/00.jpg"], "images/00.jpg", True),
    ("https://host/b/images/00.jpg?sig=a%2Fb&x=1", ["images/00.jpg"], "images/00.jpg", True),
    ("gs://bucket/images/00.jpg", ["images/00.jpg"], "images/00.jpg", True),
    ("s3://bucket/set/a%20b.jpg", ["a b.jpg"], "a b.jpg", True),
    ("/data/local-files/?d=set%5Cimages%5C00.jpg", ["images/00.jpg"], "images/00.jpg", True),
    ("/data/local-files/?d=images/00.jpg", ["images/00.jpg"], "images/00.jpg", True),
    ("/data/upload/3/1a2b3c4d-00.jpg", ["images/00.jpg"], "images/00.jpg", True),
    ("/data/upload/3/1a2b3c4d-00.jpg", ["1a2b3c4d-00.jpg", "00.jpg"], "1a2b3c4d-00.jpg", True),
    ("images/Train/Data/00.jpg", ["images/00.jpg"], "images/00.jpg", True),
    ("obj_train_data/00.jpg", ["images/00.jpg"], "images/00.jpg", True),
    ("00.jpg", ["images/00.jpg"], "images/00.jpg", True),
    ("images/00.jpg", ["images/train/00.jpg"], "images/train/00.jpg", True),
    ("images/00.JPG", ["images/00.jpg"], "images/00.jpg", True),
    ("Images/00.jpg", ["images/00.jpg"], "images/00.jpg", True),
    ("images/00.png", ["images/00.jpg"], "images/00.jpg", True),
    ("images/00", ["images/00.jpg"], "images/00.jpg", True),
    ("images/a.b", ["images/a.b.jpg"], "images/a.b.jpg", True),
    ("images/00.png", ["images/00.jpg", "images/00.PNG"], "images/00.PNG", True),
    ("b/x/1.jpg", ["a/x/1.jpg", "b/x/1.JPG"], "b/x/1.JPG", True),
    ("C:\\s\\cam1\\1.jpg", ["cam1/1.jpg", "cam2/1.jpg"], "cam1/1.jpg", True),
    (
        unicodedata.normalize("NFD", "images/größe.jpg"),
        ["images/größe.jpg"],
        "images/größe.jpg",
        True,
    ),
    (
        "images/größe.jpg",
        [unicodedata.normalize("NFD", "images/größe.jpg")],
        unicodedata.normalize("NFD", "images/größe.jpg"),
        True,
    ),
]


@pytest.mark.parametrize(("written", "there", "meant", "mended"), MEANT)
def test_the_file_that_is_meant(
    tmp_path: Path, written: str, there: list[str], meant: str, mended: bool
) -> None:
    tree(tmp_path, *there)
    assert ImageFinder(tmp_path).find(written) == (tmp_path / meant, mended)


REFUSED = [  # written, files that are there, code, what the message says
    ("images/01.jpg", ["images/00.jpg"], "missing_image", "does not exist"),
    ("", ["images/00.jpg"], "missing_image", "does not exist"),
    ("images", ["images/00.jpg"], "missing_image", "does not exist"),
    ("a\0b.jpg", ["images/00.jpg"], "missing_image", "does not exist"),
    ("x" * 5000 + ".jpg", ["images/00.jpg"], "missing_image", "does not exist"),
    ("00.jpg", ["a/00.jpg", "b/00.jpg"], "same_name", "may be a/00.jpg or b/00.jpg"),
    ("images/00.jpeg", ["images/00.jpg", "images/00.png"], "same_name", "may be images/00.jpg or"),
    ("train/1.jpg", ["train/2.jpg", "val/1.jpg"], "missing_image", "not in the folder train"),
    ("a/x/1.jpg", ["a/x/2.jpg", "b/x/1.jpg"], "missing_image", "not in the folder a"),
]


@pytest.mark.parametrize(("written", "there", "code", "says"), REFUSED)
def test_nothing_is_guessed(
    tmp_path: Path, written: str, there: list[str], code: str, says: str
) -> None:
    tree(tmp_path, *there)
    with pytest.raises(NotFound, match=says) as caught:
        ImageFinder(tmp_path).find(written)
    assert caught.value.code == code


def test_two_names_do_not_lead_to_one_file(tmp_path: Path) -> None:
    finder = ImageFinder(tree(tmp_path, "images/1.jpg"))
    assert finder.find("C:\\a\\1.jpg").path == tmp_path / "images/1.jpg"
    assert finder.find("C:\\a\\1.jpg").path == tmp_path / "images/1.jpg"
    with pytest.raises(NotFound, match=r"images/1\.jpg, which was taken for a/1\.jpg already"):
        finder.find("C:\\b\\1.jpg")


def test_names_begin_in_the_folders_in_their_order(tmp_path: Path) -> None:
    tree(tmp_path, "a/1.jpg", "b/1.jpg", "b/2.jpg", "1.jpg", "lists/1.jpg")
    finder = ImageFinder(tmp_path, [tmp_path / "a", tmp_path / "b"])
    assert finder.find("1.jpg") == (tmp_path / "a/1.jpg", False)
    assert finder.find("2.jpg") == (tmp_path / "b/2.jpg", False)
    assert finder.find("1.jpg", [tmp_path / "lists"]) == (tmp_path / "lists/1.jpg", False)


def test_an_absolute_name_that_is_there_is_taken(tmp_path: Path) -> None:
    tree(tmp_path, "set/1.jpg", "elsewhere/1.jpg")
    finder = ImageFinder(tmp_path / "set")
    assert finder.find(str(tmp_path / "elsewhere/1.jpg")) == (tmp_path / "elsewhere/1.jpg", False)


@given(st.text(max_size=60))
def test_any_text_is_found_or_refused(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    folder = tmp_path_factory.getbasetemp() / "finding"
    if not folder.is_dir():
        tree(folder, "images/1.jpg")
    try:
        path, _ = ImageFinder(folder).find(text)
    except NotFound as error:
        assert error.code in ("missing_image", "same_name")
    else:
        assert path.is_file()


def test_what_was_odd_is_said(tmp_path: Path) -> None:
    tree(tmp_path / "set", "images/00.jpg")
    (tmp_path / "work").mkdir()
    with Catalogue(tmp_path / "work") as catalogue:
        checks = Checks(catalogue)
        finder = ImageFinder(tmp_path / "set")
        where = Written(tmp_path / "a.json", 7, "image 3: ")
        assert finder.take("images\\00.jpg", where, checks) == tmp_path / "set/images/00.jpg"
        assert finder.take("images/00.jpg", where, checks) == tmp_path / "set/images/00.jpg"
        assert finder.take("images/01.jpg", where, checks) is None
        found = [(f.severity, f.code, f.line, f.message) for f in checks.found()]
    assert found == [
        (
            *("error", "missing_image", 7),
            f"image 3: images/01.jpg does not exist (looked in {tmp_path / 'set'})",
        ),
        (
            *("warning", "mended_name", 7),
            "image 3: images\\00.jpg is called images/00.jpg; it is taken",
        ),
    ]
