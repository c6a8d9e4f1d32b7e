from colocalization.hints import ImageHints
from colocalization.listing import ImageFile
from scoring.engines.set_parts import SetPart, cut_set

FILES = [ImageFile(f"p{number}.jpg", f"/set/p{number}.jpg", number, 7) for number in range(200)]
HINTS = {"p3.jpg": ImageHints(((1.0, 2.0, 3.0, 4.0),)), "p150.jpg": ImageHints(())}


def cut(files: list[ImageFile], settings: str = "") -> list[SetPart]:
    return list(cut_set(files, HINTS, settings, images=8))


def test_parts_are_the_set_in_its_order() -> None:
    parts = cut(FILES)
    assert [file for part in parts for file in part.files] == FILES
    assert max(len(part.files) for part in parts) <= 32
    assert 200 / 16 < len(parts) < 200 / 4
    assert {name for part in parts for name in part.hints} == set(HINTS)


def test_a_new_image_changes_one_part_alone() -> None:
    before = {part.name for part in cut(FILES)}
    grown = [*FILES[:90], ImageFile("p89a.jpg", "/set/p89a.jpg", 1, 1), *FILES[90:]]
    assert len({part.name for part in cut(grown)} - before) <= 2  # two, if the new one happens to end a part


def test_a_part_is_called_by_all_that_its_content_depends_on() -> None:
    names = [part.name for part in cut(FILES)]
    assert names == [part.name for part in cut(FILES)]
    assert not {part.name for part in cut(FILES, "other")} & set(names)
    touched = [ImageFile("p0.jpg", "/set/p0.jpg", 0, 8), *FILES[1:]]
    assert [part.name for part in cut(touched)][1:] == names[1:]
    assert cut(touched)[0].name != names[0]


def test_a_part_is_itself_again_after_the_way_to_a_worker() -> None:
    odd = ImageFile("a\udcff.jpg", "/set/a\udcff.jpg", None, None)
    for part in cut([*FILES, odd]):
        assert SetPart.from_json(part.to_json()) == part
