"""Makes thumbnails (Pillow)."""

import io

from PIL import Image


def thumbnail(data, size):
    image = Image.open(io.BytesIO(data))
    image.thumbnail(size)
    return image


def save(image, name):
    image.save(name)


def run_no_image(rng):
    """An upload that is no image."""
    return thumbnail(bytes(rng.randrange(256) for _ in range(64)), (64, 64))


def run_no_format(rng):
    """A name that says no format."""
    return save(Image.new("RGB", (8, 8)), f"thumb-{rng.randrange(10**5)}.{'xyz'}")
