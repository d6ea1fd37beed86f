"""One person of a generator's population with one expression: the picture. [ours]"""

from functools import lru_cache

import numpy as np

SIZE = 256  # px


@lru_cache(maxsize=1)
def makers():
    """Generator and mapper that come with the kit; raises FersynError where the generator's weights are missing."""
    from fersyn.nets import expression_mapper, generators

    generator = generators.get()
    return generator, expression_mapper.get(generator)


@lru_cache(maxsize=1)  # asked for every frame, and there are megabytes to hash
def drawn_by() -> str:
    """Sixteen hex digits that stand for generator, head and mapper; raises FersynError where their weights are missing."""
    from fersyn.nets import shipped
    from fersyn.weights.places import sha256_of

    learnt = [sha256_of(file)[:4] for file in sorted(shipped.FOLDER.glob("*.safetensors"))]
    return "".join([makers()[0].fingerprint[:8], *learnt])


@lru_cache(maxsize=64)
def portrait(seed: int, index: int, truncation: float, expression: str, strength: float) -> np.ndarray:
    """Draw it: uint8 RGB (256, 256, 3) in FFHQ's frame.

    Args:
        seed, index: who it is.
        truncation: 0 the mean face .. 1 all that the generator knows.
        expression: one of EXPRESSIONS.
        strength: 0 neutral .. 1 (1.3: exaggerated).

    Raises:
        FersynError: the generator's weights are missing; the strength is out of range.
    """
    import torch

    generator, mapper = makers()
    with torch.inference_mode():
        return picture(mapper.edit(person(seed, index, truncation), expression, strength, styles=generator.styles))


def person(seed: int, index: int, truncation: float):
    """Somebody's w, (1, width)."""
    import torch

    generator = makers()[0]
    known = np.random.default_rng([seed, index]).standard_normal((1, generator.width), dtype=np.float32)
    with torch.inference_mode():
        return generator.sample(torch.from_numpy(known), truncation)


def picture(layers) -> np.ndarray:
    """A W+ (1, styles, width) drawn the short way: uint8 RGB (256, 256, 3) in FFHQ's frame."""
    import torch

    from fersyn.pixels import to_bytes, to_images

    with torch.inference_mode():
        return to_images(to_bytes(makers()[0].synthesise(layers, SIZE, draft=True)))[0]
