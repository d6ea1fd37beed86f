"""One person of a generator's population with one expression: the picture. [ours]"""

from functools import lru_cache

import numpy as np

SIZE = 256  # px


@lru_cache(maxsize=1)
def _makers():
    from fersyn.nets import expression_mapper, generators

    generator = generators.get()
    return generator, expression_mapper.get(generator)


def drawn_by() -> str:
    """Sixteen hex digits that stand for generator, head and mapper; raises FersynError where their weights are missing."""
    from fersyn.nets import shipped
    from fersyn.weights.places import sha256_of

    learnt = [sha256_of(file)[:4] for file in sorted(shipped.FOLDER.glob("*.safetensors"))]
    return "".join([_makers()[0].fingerprint[:8], *learnt])


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

    from fersyn.pixels import to_bytes, to_images

    generator, mapper = _makers()
    known = np.random.default_rng([seed, index]).standard_normal((1, generator.width), dtype=np.float32)
    with torch.inference_mode():
        w = generator.sample(torch.from_numpy(known), truncation)
        layers = mapper.edit(w, expression, strength, styles=generator.styles)
        return to_images(to_bytes(generator.synthesise(layers, SIZE, draft=True)))[0]
