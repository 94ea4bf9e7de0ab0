"""``data.yaml`` as other programs and people write it: names, folders, lists."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from segtrack.base.errors import DataError
from segtrack.dataset import YoloSettings
from segtrack.dataset.checks import ChecksFailed
from segtrack.dataset.sources.yolo.config import read_config
from tests.dataset.conftest import SQUARE, Prepare, YoloFolder, write_image

HEAD = "train: images\n"


def config(folder: Path, text: str, encoding: str = "utf-8") -> Any:
    (folder / "images").mkdir(exist_ok=True)
    (folder / "data.yaml").write_bytes(text.encode(encoding))
    return read_config(folder)


NAMES = [  # what is written, the names, the kinds of remarks
    ("[off, on, red]", ("off", "on", "red"), ["yaml_name"]),
    ("[yes, No, TRUE, n]", ("yes", "No", "TRUE", "n"), ["yaml_name"]),
    ("[010, 1_0, 1:30, 1e3, 0x1F, 1.50]", ("010", "1_0", "1:30", "1e3", "0x1F", "1.50"), ["yaml"]),
    ("[0, 1, 2]", ("0", "1", "2"), []),
    ("[2024-01-01, car]", ("2024-01-01", "car"), []),
    ("[2024-01-01 10:00:00.5, .inf]", ("2024-01-01 10:00:00.5", ".inf"), ["yaml_name"]),
    ("[null, Null]", ("null", "Null"), ["yaml_name"]),
    ("['off', \"1\", 'null']", ("off", "1", "null"), []),
    ("{0: off, 1: 010}", ("off", "010"), ["yaml_name"]),
    ("{'0': person, '1': car}", ("person", "car"), []),
    ("{1: car, 0: person}", ("person", "car"), []),
    ("{0.0: person, 1.0: car}", ("person", "car"), []),
    ("{'1.0': car, '0': person}", ("person", "car"), []),
    ("{person: 0, car: 1}", ("person", "car"), ["names_turned"]),
    ("{car: 1, person: 0}", ("person", "car"), ["names_turned"]),
    ("['person ', '  car']", ("person", "car"), ["name_blanks"]),
    ("[straße, 人, '🚗 car', \"a/b.c[d]\"]", ("straße", "人", "🚗 car", "a/b.c[d]"), []),
    ("\n- person\n- car", ("person", "car"), []),
    ("\n  0: person\n  1: car", ("person", "car"), []),
    ("&n [person, car]\nother: *n", ("person", "car"), []),
]


@pytest.mark.parametrize(("written", "names", "kinds"), NAMES)
def test_names_are_what_is_written(
    tmp_path: Path, written: str, names: tuple[str, ...], kinds: list[str]
) -> None:
    found = config(tmp_path, f"{HEAD}names: {written}\n")
    assert found.names == names
    assert [r.code.startswith(k) for r, k in zip(found.remarks, kinds, strict=True)] == [
        True for _ in kinds
    ]


@pytest.mark.parametrize("written", ["[person, '']", "[person, '  ']", "{0: person, 1: }"])
def test_an_empty_name_is_a_class_and_said(tmp_path: Path, written: str) -> None:
    found = config(tmp_path, f"{HEAD}names: {written}\n")
    assert found.names == ("person", "")
    assert "class 1 has no name" in found.remarks[0].message


def test_names_as_json_writes_them(tmp_path: Path) -> None:
    found = config(tmp_path, f'{HEAD}names: ["\\ud83d\\ude97", "\\u6c7d\\u8f66"]\n')
    assert found.names == ("🚗", "汽车")


def test_many_odd_names_are_one_remark(tmp_path: Path) -> None:
    (remark,) = config(tmp_path, f"{HEAD}names: [off, on, 010]\n").remarks
    assert "off (False), on (True), 010 (8) are taken as they are written" in remark.message


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("[[person], car]", r"the name of class 0 is \['person'\], not a text"),
        ("[{id: 0}, car]", "the name of class 0 is .*not a text"),
        ("[person, ~]", "class 1 has no name"),
        ("['', ' ']", "names holds  twice"),
        ("person, car", "names is 'person, car'; allowed is a list"),
        ("off", "names is 'off'; allowed is a list"),
        ("null", "names is missing or empty"),
        ("{0: person, 2: car}", r"names has the ids \[0, 2\]; they must be 0 to 1"),
        ("{-1: person, 0: car}", r"names has the ids \[-1, 0\]"),
        ("{0: person, 0: car}", "names has the id 0 twice"),
        ("{0: person, '0': car}", "names has the id 0 twice"),
        ("{0: person, 0.0: car}", r"names has the ids \[0, 0\.0\]"),
        ("{a: person, b: car}", r"names has the ids \[a, b\]"),
        ("{0.5: person, 1: car}", r"names has the ids \[0\.5, 1\]"),
        ("[car, 'car ']", "names holds car twice"),
    ],
)
def test_names_that_are_none(tmp_path: Path, written: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        config(tmp_path, f"{HEAD}names: {written}\n")


@pytest.mark.parametrize(
    ("nc", "said"),
    [("2", False), ("'2'", False), ("2.0", False), ("5", True), ("x", True), ("1", True)],
)
def test_a_number_of_classes_that_is_another_is_said(tmp_path: Path, nc: str, said: bool) -> None:
    found = config(tmp_path, f"{HEAD}nc: {nc}\nnames: [person, car]\n")
    assert [r.code for r in found.remarks] == ["class_count"] * said


@pytest.mark.parametrize(
    ("text", "encoding", "message"),
    [
        ('path: "C:\\Users\\me"\ntrain: images\nnames: [a]', "utf-8", "write / in paths"),
        ("train: images\nnames: [größe]", "cp1252", "save it as UTF-8"),
        ("train: images\nnames: [a]\nkpt_shape: [17, 3]", "utf-8", r"kpt_shape is \[17, 3\]"),
        ("train: images\nnames: !!python/object:os.x {}", "utf-8", "cannot be read as YAML"),
        ("", "utf-8", "holds NoneType, not keys"),
        ("train: a\ntrain: images\nnames: [a]", "utf-8", "train is there twice"),
        ("Train: a\ntrain: images\nnames: [a]", "utf-8", "train is there twice"),
        ("train: images\nval: images\nvalid: images\nnames: [a]", "utf-8", "val is there twice"),
        ("train: images\nnames: [a]\nnames: [b]", "utf-8", "names is there twice"),
    ],
)
def test_files_that_are_refused(tmp_path: Path, text: str, encoding: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        config(tmp_path, text, encoding)


@pytest.mark.parametrize("key", ["val", "valid", "validation", "Val", "VALID"])
def test_keys_are_known_by_other_words_and_cases(tmp_path: Path, key: str) -> None:
    found = config(tmp_path, f"TRAIN: images\n{key}: images\nNames: [off]\nNC: 1\n")
    assert found.names == ("off",)
    assert set(found.splits["train"]) == set(found.splits["val"]) == {tmp_path / "images"}


def test_a_byte_order_mark_and_windows_line_ends(tmp_path: Path) -> None:
    found = config(tmp_path, "train: images\r\nnames:\r\n  - off\r\n", "utf-8-sig")
    assert found.names == ("off",)


PLACES = [  # what is written, folders that are there, the one that is meant, whether it is said
    ("train/images", ["train/images"], "train/images", False),
    ("../train/images", ["train/images"], "train/images", False),
    ("./train/images/", ["train/images"], "train/images", False),
    ("images\\train", ["images/train"], "images/train", True),
    ("..\\train\\images", ["train/images"], "train/images", True),
    ("C:\\Users\\me\\set\\images\\train", ["images/train"], "images/train", True),
    ("/home/other/set/train/images", ["train/images"], "train/images", True),
    ("/content/drive/MyDrive/set/train", ["train"], "train", True),
    ("file:///home/other/set/train/images", ["train/images"], "train/images", True),
    ("set/images/train", ["images/train"], "images/train", True),
    ("my%20set/train", ["my set/train"], "my set/train", True),
    ("Train/Images", ["train/images"], "train/images", True),
    ("train/images", ["Train/Images"], "Train/Images", True),
    ("training/images", ["train/images"], "train/images", True),
    ("[../train/images]", ["train/images"], "train/images", False),
]


@pytest.mark.parametrize(("written", "there", "meant", "said"), PLACES)
def test_the_folder_that_is_meant(
    tmp_path: Path, written: str, there: list[str], meant: str, said: bool
) -> None:
    for folder in there:
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "data.yaml").write_text(f"train: {written}\nnames: [a]\n")
    found = read_config(tmp_path)
    assert found.splits["train"] == (tmp_path / meant,)
    assert [r.code for r in found.remarks] == ["mended_name"] * said


@pytest.mark.parametrize(
    ("written", "there", "message"),
    [
        ("train: ../train/images", ["images"], r"train: \.\./train/images does not exist"),
        ("train: train/images", ["images", "val/images"], "train: train/images does not exist"),
        ("train: [a, b]", ["a"], "train: b does not exist"),
        ("train: a\nval: [b, c]", ["a", "b"], "val: c does not exist"),
        ("train: a\nval: {b: c}", ["a"], "val is {'b': 'c'}; allowed is a folder"),
        ("train: a\nval: [1]", ["a"], r"val is \[1\]; allowed is a folder"),
        ("train: Train", ["train", "TRAIN"], "train: Train does not exist"),
        ("train: C:\\a\\images\nval: C:\\b\\images", ["images"], "both seem to be"),
        ("train: ''", ["images"], "names no images"),
        ("pool: nowhere", ["images"], "pool: nowhere does not exist"),
    ],
)
def test_folders_that_are_not_guessed(
    tmp_path: Path, written: str, there: list[str], message: str
) -> None:
    for folder in there:
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "data.yaml").write_text(f"{written}\nnames: [a]\n")
    with pytest.raises(DataError, match=message):
        read_config(tmp_path)


@pytest.mark.parametrize(("written", "there"), [("val", "valid"), ("valid", "val")])
def test_val_may_be_called_valid(tmp_path: Path, written: str, there: str) -> None:
    for folder in ("train", there):
        (tmp_path / folder / "images").mkdir(parents=True)
    text = f"train: ../train/images\nval: ../{written}/images\ntest: ../test/images\nnames: [a]\n"
    (tmp_path / "data.yaml").write_text(text)
    found = read_config(tmp_path)
    assert found.splits["val"] == (tmp_path / there / "images",)
    assert found.splits["test"] == ()
    assert {r.code for r in found.remarks} == {"mended_name", "missing_split"}


def test_a_folder_of_the_same_name_outside_is_not_taken(tmp_path: Path) -> None:
    """Roboflow's ``../train/images`` lies inside; another data set may lie beside this one."""
    for folder in ("one/train/images", "train/images", "shared/images"):
        (tmp_path / folder).mkdir(parents=True)
    text = "train: ../train/images\nval: ../shared/images\nnames: [a]\n"
    (tmp_path / "one" / "data.yaml").write_text(text)
    found = read_config(tmp_path / "one")
    assert found.splits["train"] == (tmp_path / "one/train/images",)
    assert found.splits["val"] == (tmp_path / "shared/images",)  # only there, so it is meant
    (remark,) = found.remarks
    assert f"not {tmp_path / 'train/images'} outside of the folder" in remark.message


@pytest.mark.parametrize(
    "path", ["/home/other/set", "C:\\Users\\me\\set", "../datasets/set", "set"]
)
def test_the_path_of_another_machine_is_said(tmp_path: Path, path: str) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "data.yaml").write_text(f"path: {path}\ntrain: images\nnames: [a]\n")
    found = read_config(tmp_path)
    assert found.root == tmp_path
    assert [r.message for r in found.remarks] == [f"path: {path} is not there; {tmp_path} is taken"]


def test_a_split_that_is_not_there_is_said(yolo: YoloFolder, run: Prepare) -> None:
    yolo.write_yaml(
        "train: images\nval: ../valid/images\ntest: ../test/images\nnames: [car, person]\n"
    )
    found = run(YoloSettings(path=str(yolo.root)))
    assert sum(found.dataset.counts.values()) == 12
    assert found.codes()["missing_split"] == 2
    assert found.codes()["no_val"] == 1


LISTS = [  # the bytes of train.txt, what is said
    (b"images/00.jpg\nimages/01.jpg\n", {}),
    (b"./images/00.jpg\r\n\r\n  images/01.jpg  \r\n", {}),
    (b"\xef\xbb\xbfimages/00.jpg\nimages/01.jpg", {}),
    ("images/00.jpg\nimages/01.jpg\n".encode("utf-16"), {}),
    (b"# of camera 1\nimages/00.jpg\nimages/01.jpg\n", {"list_comment": 1}),
    (b"\"images/00.jpg\"\n'images/01.jpg'\n", {}),
    (b"images\\00.jpg\nC:\\set\\images\\01.jpg\n", {"mended_name": 2}),
    (b"/home/other/set/images/00.jpg\ndata/images/01.JPG\n", {"mended_name": 2}),
    (b"images/00.jpg\nimages/00.jpg\nimages/01.jpg\n", {}),
]


@pytest.mark.parametrize(("data", "said"), LISTS)
def test_lists_of_images(yolo: YoloFolder, run: Prepare, data: bytes, said: dict[str, int]) -> None:
    (yolo.root / "train.txt").write_bytes(data)
    yolo.write_yaml("train: train.txt\ntest: images/02.jpg\nnames: [car, person]\n")
    found = run(YoloSettings(path=str(yolo.root)))
    assert found.splits()["train"] == ["images/00.jpg", "images/01.jpg"]
    assert found.splits()["test"] == ["images/02.jpg"]  # one image is a place too
    own = {"mended_name", "list_comment", "missing_image"}
    assert {k: n for k, n in found.codes().items() if k in own} == said


def test_a_list_in_a_folder_of_its_own(yolo: YoloFolder, run: Prepare) -> None:
    write_image(yolo.root / "lists" / "x.jpg", 50)
    (yolo.root / "lists" / "x.txt").write_text(SQUARE)
    (yolo.root / "lists" / "train.txt").write_text("x.jpg\n../images/00.jpg\nimages/01.jpg\n")
    yolo.write_yaml("train: lists/train.txt\ntest: images/02.jpg\nnames: [car, person]\n")
    found = run(YoloSettings(path=str(yolo.root)))
    assert found.splits()["train"] == ["images/00.jpg", "images/01.jpg", "lists/x.jpg"]


def test_a_list_does_not_lead_out_of_the_folder(
    yolo: YoloFolder, run: Prepare, tmp_path: Path
) -> None:
    write_image(tmp_path / "other" / "x.jpg", 50)
    (yolo.root / "train.txt").write_text("images/../../other/x.jpg\n../data/images/00.jpg\n")
    yolo.write_yaml("train: train.txt\nval: images\nnames: [car, person]\n")
    with pytest.raises(ChecksFailed, match=r"train\.txt:1: .* leads by \.\. to .*x\.jpg, out of"):
        run(YoloSettings(path=str(yolo.root)))


def test_a_place_without_images_is_said(yolo: YoloFolder, run: Prepare) -> None:
    (yolo.root / "test").mkdir()
    (yolo.root / "val.txt").write_text("# none yet\n")
    yolo.write_yaml("train: images\nval: val.txt\ntest: test\nnames: [car, person]\n")
    found = run(YoloSettings(path=str(yolo.root)))
    said = [f["message"] for f in found.findings() if f["code"] == "empty_place"]
    places = [("val", yolo.root / "val.txt"), ("test", yolo.root / "test")]
    assert said == [f"{split}: {place} holds no image" for split, place in places]


def test_a_list_that_is_no_text(yolo: YoloFolder, run: Prepare) -> None:
    (yolo.root / "train.txt").write_bytes("images/größe.jpg".encode("cp1252"))
    yolo.write_yaml("train: train.txt\nval: images\nnames: [car, person]\n")
    with pytest.raises(ChecksFailed, match=r"train\.txt: is no UTF-8 text .*save it as UTF-8"):
        run(YoloSettings(path=str(yolo.root)))


OUTLINE = "1 0.1 0.1 0.5 0.1 0.5 0.5"
LAYOUTS = {  # files besides images and labels, folders of images, counts by split
    "classes.txt": ({"classes.txt": "car\nperson\n\n"}, {"images": "train"}),
    "labelimg": ({"classes.txt": "car\nperson"}, {"": "train"}),
    "folders": ({"classes.txt": "car\nperson"}, {"images/train": "train", "images/val": "val"}),
    "parts": ({"classes.txt": "car\nperson"}, {"train/images": "train", "valid/images": "val"}),
    "obj.data": (
        {
            "obj.names": "car\nperson\n",
            "obj.data": "classes = 2\ntrain = data/train.txt\nvalid=data/valid.txt\nbackup = b/",
            "train.txt": "data/obj_train_data/0.jpg\ndata/obj_train_data/1.jpg\n",
            "valid.txt": "data/obj_valid_data/0.jpg\ndata/obj_valid_data/1.jpg\n",
        },
        {"obj_train_data": "train", "obj_valid_data": "val"},
    ),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_exports_without_a_yaml(tmp_path: Path, run: Prepare, layout: str) -> None:
    files, places = LAYOUTS[layout]
    root = tmp_path / "data"
    for number, place in enumerate(places):
        for i in range(2):
            image = write_image(root / place / f"{i}.jpg", 10 * number + i)
            label = Path(str(image).replace("/images/", "/labels/")).with_suffix(".txt")
            label.parent.mkdir(parents=True, exist_ok=True)
            label.write_text(OUTLINE)
    for name, text in files.items():
        (root / name).write_text(text)
    done = run(YoloSettings(path=str(root)))
    assert done.dataset.names == ("car", "person")
    assert done.codes()["no_yaml"] == 1
    assert "label_without_image" not in done.codes()
    assert sum(done.dataset.counts.values()) == 2 * len(places)
    if len(places) > 1:
        assert done.dataset.counts == {"train": 2, "val": 2, "test": 0, "pool": 0}


def test_a_file_or_an_archive_is_no_folder(tmp_path: Path) -> None:
    for name, says in (("data.yaml", f"dataset.path={tmp_path}"), ("a.zip", "unpack it")):
        (tmp_path / name).touch()
        (problem,) = YoloSettings(path=str(tmp_path / name)).problems()
        assert says in str(problem)


@pytest.mark.parametrize("labels", ["Labels", "labels", "LABELS"])
def test_folders_in_other_letters(tmp_path: Path, run: Prepare, labels: str) -> None:
    root = tmp_path / "data"
    write_image(root / "Images" / "train" / "0.jpg", 0)
    (root / labels / "train").mkdir(parents=True)
    (root / labels / "train" / "0.txt").write_text(SQUARE)
    (root / "data.yaml").write_text("train: Images/train\nnames: [car]\n")
    done = run(YoloSettings(path=str(root)))
    assert len(done.dataset.coco("train")["annotations"]) == 1
    assert "image_without_label" not in done.codes()


def test_pictures_that_nothing_names(
    yolo: YoloFolder, run: Prepare, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("more/a.jpg", "more/b.png", "cover.jpg"):
        write_image(yolo.root / name, 90 + len(name))
    monkeypatch.chdir(yolo.root / "more")
    done = run(YoloSettings(path=".."))
    (said,) = [f["message"] for f in done.findings() if f["code"] == "unnamed_images"]
    assert said == "3 pictures are left out, not named in data.yaml, such as cover.jpg"
    assert sum(done.dataset.counts.values()) == 12


def test_two_yaml_files_are_named(yolo: YoloFolder) -> None:
    (yolo.root / "data.yaml").rename(yolo.root / "a.yaml")
    (yolo.root / "b.yaml").write_text("names: [x]\n")
    with pytest.raises(DataError, match=r"name that of a\.yaml, b\.yaml data\.yaml"):
        read_config(yolo.root)
