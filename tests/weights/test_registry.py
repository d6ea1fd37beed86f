import re

from fersyn import weights
from fersyn.weights.registry import Address, Package


def test_every_file_is_known_by_its_hash():
    files = {}
    for item in weights.ENTRIES.values():
        assert item.use and item.licence and item.instead
        assert bool(item.forms) != bool(item.by_hand)
        for form in item.forms:
            assert re.fullmatch("[0-9a-f]{64}", form.sha256) and form.bytes > 0 and form.sources
            files.setdefault(form.file, form)
            assert files[form.file] is form  # no two share a name in the cache
            if form.hub:  # torch hub itself checks a file by the digits in its name
                assert form.sha256.startswith(form.file.removesuffix(".pth").rsplit("-", 1)[1])
            for source in form.sources:
                if isinstance(source, Address):
                    assert source.url.startswith("https://") and bool(source.member) == bool(source.sha256)
                if isinstance(source, Package):
                    assert bool(source.archive) == bool(source.sha256)


def test_the_libraries_own_addresses():
    from pytorch_fid.inception import FID_WEIGHTS_URL
    from torchvision.models import AlexNet_Weights, VGG16_Weights, VGG19_Weights

    for name, kind in (("lpips-alex", AlexNet_Weights), ("lpips-vgg", VGG16_Weights), ("vgg19", VGG19_Weights)):
        assert str(weights.entry(name).forms[0].sources[0]) == kind.IMAGENET1K_V1.url
    assert str(weights.entry("fid-inception").forms[0].sources[0]) == FID_WEIGHTS_URL
