"""One person of a generator's population with one expression: the picture. [ours]"""

from functools import lru_cache

import numpy as np

SIZE = 256  # px
TRUNCATION = 0.75  # of people, where nobody says another: 0 the mean face .. 1 all that the generator knows


@lru_cache(maxsize=1)
def makers():
    """Generator and mapper that come with the kit; raises FersynError where the generator's weights are missing."""
    from fersyn.nets import expression_mapper, generators

    generator = generators.get()
    return generator, expression_mapper.get(generator)


@lru_cache(maxsize=1)  # asked for every frame, and there are megabytes to hash
def drawn_by() -> str:
    """Sixteen hex digits that stand for generator, head and mapper; raises FersynError where their weights are missing."""
    from fersyn.nets import expression_mapper, mobile_stylegan, shipped
    from fersyn.weights.places import sha256_of

    learnt = [sha256_of(shipped.FOLDER / file)[:4] for file in (mobile_stylegan.HEAD, expression_mapper.FILE)]
    return "".join([makers()[0].fingerprint[:8], *learnt])


@lru_cache(maxsize=64)
def portrait(
    seed: int,
    index: int,
    truncation: float,
    expression: str,
    strength: float,
    actions: tuple[tuple[str, float], ...] = (),
    size: int = SIZE,
    draft: bool = True,
) -> np.ndarray:
    """Draw it: uint8 RGB (size, size, 3) in FFHQ's frame.

    Args:
        seed, index: who it is.
        truncation: 0 the mean face .. 1 all that the generator knows.
        expression: one of EXPRESSIONS.
        strength: 0 neutral .. 1 (1.3: exaggerated).
        actions: wanted displacements of single actions beside it, by name.
        size, draft: of the picture, as `Generator.synthesise` takes them.

    Raises:
        FersynError: the generator's weights are missing; strength, action or size is not one that there is.
    """
    import torch

    (generator, mapper), w = makers(), person(seed, index, truncation)
    with torch.inference_mode():
        layers = mapper.edit(w, expression, strength, dict(actions), generator.styles)
        return picture(layers, size, draft)


def person(seed: int, index: int, truncation: float):
    """Somebody's w, (1, width)."""
    import torch

    generator = makers()[0]
    known = np.random.default_rng([seed, index]).standard_normal((1, generator.width), dtype=np.float32)
    with torch.inference_mode():
        return generator.sample(torch.from_numpy(known), truncation)


def picture(layers, size: int = SIZE, draft: bool = True) -> np.ndarray:
    """A W+ (1, styles, width) drawn, the short way if `draft`: uint8 RGB (size, size, 3) in FFHQ's frame."""
    import torch

    from fersyn.pixels import to_bytes, to_images

    with torch.inference_mode():
        return to_images(to_bytes(makers()[0].synthesise(layers, size, draft)))[0]
