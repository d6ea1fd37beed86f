"""The generators of faces that the kit knows, by where their weights come from."""

from pathlib import Path

from fersyn.devices import default_device
from fersyn.nets import mobile_stylegan, stylegan2
from fersyn.nets.stylegan import Generator


def get(file: str | Path = "") -> Generator:
    """A generator, on the device of the kit's rule: MobileStyleGAN-FFHQ of the registered weights, or StyleGAN2 of the user's own file.

    Args:
        file: weights (.pt) of StyleGAN2 as `stylegan2.load` takes them; empty: MobileStyleGAN.

    Raises:
        FersynError: the weights are missing, damaged, or another network's; the message says what to do.
    """
    return (stylegan2.load(file) if str(file) else mobile_stylegan.load()).to(default_device())


def available() -> bool:
    """Whether MobileStyleGAN's weights are on this machine."""
    return not mobile_stylegan.missing()
