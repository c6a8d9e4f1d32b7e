"""Content of images that lie in a store, asked for ahead of the work: a request takes longer than decoding."""

from collections.abc import Callable, Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import PurePath

from colocalization.errors import ImageError
from colocalization.images import ImageLimits
from colocalization.listing import ImageFile
from scoring.pipeline import ordered_map
from scoring.plan import PlannedImage
from scoring.stores.remote_store import SIDE_BY_SIDE, store_of
from scoring.stores.urls import is_url

__all__ = ["FetchedImage", "fetched"]


@dataclass(frozen=True, slots=True)
class FetchedImage:
    """An image, and its content where that was asked for.

    Attributes:
        planned: The image.
        content: Its encoded bytes, or why they cannot be had; None for a file of this machine, which is read where it
            is decoded.
    """

    planned: PlannedImage
    content: bytes | ImageError | None = None


def fetched(
    images: Iterable[PlannedImage],
    limits: ImageLimits,
    needed: Callable[[PlannedImage], bool] = lambda _image: True,
) -> Generator[FetchedImage, None, None]:
    """Images with the content of those that lie in a store, several of which are asked for at the same time.

    Args:
        images: The images; read no further than a few ahead of what is taken.
        limits: What one may cost: larger files are not asked for.
        needed: Whether the content of an image is needed at all.

    Yields:
        The images, in order.
    """

    def fetch(image: PlannedImage) -> FetchedImage:
        if not is_url(image.file.path) or not needed(image):
            return FetchedImage(image)
        return FetchedImage(image, _content(image.file, limits))

    with (
        ThreadPoolExecutor(SIDE_BY_SIDE, "fetch") as pool,
        closing(ordered_map(pool, fetch, images, ahead=SIDE_BY_SIDE)) as found,
    ):
        yield from found


def _content(file: ImageFile, limits: ImageLimits) -> bytes | ImageError:
    name = PurePath(file.path).name
    try:
        if file.size is not None:
            limits.check_bytes(file.size)
        return store_of(file.path).read(file.path)
    except ImageError as error:
        return error
    except FileNotFoundError:
        return ImageError("not_found", f"there is no file {name!r}")
    except OSError as error:
        return ImageError("not_readable", f"cannot read {name!r}: {error.strerror or error}")
    except MemoryError:
        return ImageError("image_too_large", "not enough memory to read the file")
