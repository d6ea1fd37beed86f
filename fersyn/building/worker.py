"""What a worker process does: frames in, aligned pictures on disk and facts for the table out. Imports no torch."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np

from fersyn.building.folder import file_name, source_key
from fersyn.datasets.frames import TRUTH, Frame, Picture
from fersyn.errors import FersynError, NoFace, UnreadablePhoto
from fersyn.faces.crop import Face, crop_face
from fersyn.files import pixel_hash, write_atomic

PREVIEW_PX = 320


def work(chunk: list[tuple[int, Frame, bool]], folder: str, size: int) -> list[dict[str, Any]]:
    """Process frames, each (number, frame, whether to keep a preview), one after the other; return their journal
    entries.
    """
    return [_one(number, frame, preview, Path(folder), size) for number, frame, preview in chunk]


def _one(number: int, frame: Frame, preview: bool, folder: Path, size: int) -> dict[str, Any]:
    entry: dict[str, Any] = {"source": frame.source}
    try:
        entry["stamp"] = frame.stamp()  # before reading: a file that changes meanwhile is read again next time
        picture = frame.picture()
        face = crop_face(picture.image, size)
    except (UnreadablePhoto, NoFace) as error:
        entry["reason"] = str(error)
        return entry
    except FersynError:  # a missing model, a rig that cannot be built: no picture would fare better
        raise
    except MemoryError:
        raise FersynError(f"out of memory at {frame.source}; run the same command again with fewer --workers") from None
    except Exception as error:
        if frame.made_here:
            raise RuntimeError(f"{frame.source} could not be drawn") from error
        # One odd picture must not end a run of thousands: it is skipped, named, and tried again next time.
        text = " ".join(str(error).split())
        entry["reason"] = f"unexpected {type(error).__name__}: {text}"
        entry["stamp"] = None
        return entry
    data = _encode(".png", face.crop, cv2.IMWRITE_PNG_COMPRESSION, 3)
    _write(folder / file_name(number, frame.source), data)
    entry["face"] = {"bytes": len(data), **_facts(picture, face)}
    if preview:
        entry["preview"] = _preview(picture.image, face, frame.source, folder)
    return entry


def _write(path: Path, data: bytes) -> None:
    try:
        write_atomic(path, lambda temporary: temporary.write_bytes(data))
    except OSError as error:  # a full disk, no permission: the next picture would fare no better
        reason = error.strerror or type(error).__name__
        raise FersynError(f"{path}: cannot be written ({reason}); mend that and run the same command again") from None


def _facts(picture: Picture, face: Face) -> dict[str, Any]:
    truth, points = picture.truth, picture.truth.get("landmarks")
    facts: dict[str, Any] = {
        "landmarks": np.round(face.landmarks, 2).tolist(),
        "align": np.round(face.alignment.matrix, 6).ravel().tolist(),
        "width": picture.image.shape[1],
        "height": picture.image.shape[0],
        "sha256": pixel_hash(face.crop),
        "truth_landmarks": None if points is None else np.round(face.alignment.apply(points), 2).tolist(),
        "truth_glasses": None if truth.get("glasses") is None else bool(truth["glasses"]),
    }
    for name in TRUTH:
        value = truth.get(name)
        facts[f"truth_{name}"] = None if value is None else round(float(value), 6)
    return facts


def _preview(image: np.ndarray, face: Face, source: str, folder: Path) -> dict[str, Any]:
    scale = min(1.0, PREVIEW_PX / max(image.shape[:2]))
    size = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
    small = image if scale == 1 else cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    name = f"{source_key(source)}.jpg"
    data = _encode(".jpg", small, cv2.IMWRITE_JPEG_QUALITY, 90)
    _write(folder / ".fersyn" / "previews" / name, data)
    points = (face.alignment.apply_inverse(face.landmarks) + 0.5) * scale - 0.5
    box = (np.array(face.box[:4]) + 0.5) * scale - 0.5
    return {"preview": name, "box": np.round(box, 2).tolist(), "landmarks": np.round(points, 2).tolist()}


def _encode(kind: str, image: np.ndarray, option: int, value: int) -> bytes:
    ok, data = cv2.imencode(kind, np.ascontiguousarray(image[..., ::-1]), [option, value])
    if not ok:
        raise OSError(f"the picture cannot be written as {kind}")
    return data.tobytes()
