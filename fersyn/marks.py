"""What a picture that the kit writes says of itself: that it was made, with what, and what was asked for.

It stands where programs look: XMP (with IPTC's digital source type, as C2PA has it), EXIF's software and description, PNG's
texts, a GIF's comment. Whoever writes a picture is not asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from fersyn import __version__

SOFTWARE = f"fersyn {__version__}"
EDITED, GENERATED = "AI-edited", "AI-generated"
# IPTC NewsCodes, digital source type: "edited using generative AI", and made by it alone.
_SOURCES = {EDITED: "compositeWithTrainedAlgorithmicMedia", GENERATED: "trainedAlgorithmicMedia"}
_DESCRIPTION, _SOFTWARE = 0x010E, 0x0131  # EXIF
_XMP = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:xmp="http://ns.adobe.com/xap/1.0/"
 xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" xmlns:fersyn="urn:fersyn:made"
 Iptc4xmpExt:DigitalSourceType="http://cv.iptc.org/newscodes/digitalsourcetype/{source}" xmp:CreatorTool={software}{own}>
<dc:description><rdf:Alt><rdf:li xml:lang="x-default">{text}</rdf:li></rdf:Alt></dc:description>
</rdf:Description></rdf:RDF></x:xmpmeta>
<?xpacket end="w"?>"""


def words(
    expression: str,
    intensity: float = 1.0,
    second: str = "",
    share: float = 0.0,
    beside: Mapping[str, float] | None = None,
) -> str:
    """What a face is asked for: `happiness at 60%`, `happiness and surprise (30%) at 60%, mouth open +0.20`.

    Args:
        expression, intensity: as `Synthesiser.edit` takes them; neutral alone knows no degrees.
        second, share: expression that is mixed in, and its share 0..1.
        beside: handles or single actions, and how far each is pulled.
    """
    blended = bool(second and share)
    text = f"{expression} and {second} ({share:.0%})" if blended else expression
    text += f" at {intensity:.0%}" if blended or expression != "neutral" else ""
    pulled = [f"{name.replace('_', ' ')} {amount:+.2f}" for name, amount in (beside or {}).items() if amount]
    return ", ".join([text, *pulled])


@dataclass(frozen=True)
class Mark:
    """What is to be said of a picture.

    Attributes:
        asked: `words`: expression and strength, of a blend of both.
        method: name of what made it.
        weights: name and hash of its weights; empty: it has none.
        kind: EDITED, or GENERATED where no photograph was there.
    """

    asked: str
    method: str
    weights: str = ""
    kind: str = EDITED

    @property
    def fields(self) -> dict[str, str]:
        """By name; those that are empty are left out."""
        expression, _, strength = self.asked.partition(" at ")
        found = {"Method": self.method, "Weights": self.weights, "Expression": expression, "Strength": strength}
        return {name: value for name, value in found.items() if value}

    @property
    def text(self) -> str:
        """In a sentence."""
        weights = f", weights {self.weights}" if self.weights else ""
        return f"{self.kind}: {self.asked}; {SOFTWARE}, method {self.method}{weights}"

    @property
    def xmp(self) -> bytes:
        """As an XMP packet."""
        own = "".join(f" fersyn:{name}={quoteattr(value)}" for name, value in self.fields.items())
        about = {"source": _SOURCES[self.kind], "software": quoteattr(SOFTWARE), "text": escape(self.text)}
        return _XMP.format(own=own, **about).encode()

    def options(self, suffix: str, exif: Image.Exif | None = None) -> dict[str, Any]:
        """How Pillow is to save a picture of that suffix so that it says this, beside the `exif` of what it was made of."""
        exif = Image.Exif() if exif is None else exif
        before = str(exif.get(_DESCRIPTION) or "").strip()
        exif[_DESCRIPTION] = f"{before}; {self.text}" if before else self.text
        exif[_SOFTWARE] = SOFTWARE
        if suffix in (".tif", ".tiff"):
            exif[700] = self.xmp
            return {"exif": exif.tobytes()}
        if suffix == ".gif":
            return {"comment": self.text.encode()}
        found: dict[str, Any] = {"exif": exif.tobytes()}
        if suffix == ".png":
            found["pnginfo"] = info = PngInfo()
            for name, value in {"Software": SOFTWARE, "Description": self.text, **self.fields}.items():
                info.add_itxt(name, value)
            info.add_itxt("XML:com.adobe.xmp", self.xmp.decode())
        else:
            found["xmp"] = self.xmp
        return found


class Marked(Image.Image):
    """A picture that says what it is wherever it is saved (`marked` makes it)."""

    mark: Mark

    def save(self, fp, format=None, **params):
        """See `PIL.Image.Image.save`."""
        name = fp if isinstance(fp, (str, Path)) else getattr(fp, "name", "")
        suffix = f".{format.lower()}" if format else Path(str(name)).suffix.lower()
        exif = params.pop("exif", None)
        super().save(fp, format, **(self.mark.options({".jpeg": ".jpg"}.get(suffix, suffix), exif) | params))


def marked(picture: np.ndarray | Image.Image, mark: Mark) -> Marked:
    """A picture, uint8 (H, W, 3 or 4) or Pillow's, that is saved with a mark."""
    image = Image.fromarray(picture) if isinstance(picture, np.ndarray) else picture.copy()
    image.__class__ = Marked
    image.mark = mark
    return image
