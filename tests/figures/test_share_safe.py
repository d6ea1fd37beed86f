"""Nobody who did not agree is pictured, by any figure that shows faces: their pictures are painted in a colour that no face
has, and the figures are searched for it.
"""

import io
import json
import shutil

import numpy as np
import pytest
from PIL import Image

from fersyn.evaluation import lineup, measure, protocol, verifiers
from fersyn.evaluation.verification import Faces
from fersyn.figures import identity, pictured, preprocessing, synthesis
from fersyn.figures.picture import Picture
from fersyn.methods.copy import CopySource
from fersyn.methods.warp import Warp
from fersyn.table import FaceTable

PAINT = (255, 0, 255)
OPEN = ("P001", "P002")


class Motion:
    """Moves nothing; knows two expressions."""

    expressions = ("neutral", "surprise", "anger")

    def without(self, people):
        return self

    def predict(self, landmarks, label, intensity=1.0, source_label=None, size=128):
        return landmarks.clone()


def paint(file):
    with Image.open(file) as image:
        Image.new("RGB", image.size, PAINT).save(file)


@pytest.fixture(scope="module")
def table(small_table, tmp_path_factory):
    """Four people, two of whom did not agree; their faces and the pictures before preprocessing are painted."""
    folder = tmp_path_factory.mktemp("share") / "table"
    shutil.copytree(small_table.path, folder)
    found = FaceTable.open(folder)
    found.rows["publishable"] = found.rows["subject"].isin(OPEN)
    assert 0 < found.rows["publishable"].sum() < len(found)
    closed = set(found.rows["file_name"][~found.rows["publishable"]])
    for name in closed:
        paint(folder / name)
    for entry in json.loads((folder / ".fersyn" / "previews.json").read_text()):
        if entry["file_name"] in closed:
            paint(folder / ".fersyn" / "previews" / entry["preview"])
    return found


@pytest.fixture(scope="module")
def draw(table):
    """A function that draws all figures with faces, of the rows that may be shown."""
    pairs, chosen = protocol.measured_pairs(table, everybody=True)
    methods = {
        "copy": CopySource(
            table.size,
        ),
        "warp": Warp(table.size, Motion()),
    }
    true = measure.truth(pairs, chosen, sets=False)
    measured = measure.evaluate(methods, true)
    line = lineup.line_up(table, everybody=True)
    # Without a network: the faces of line-up and probes, and distances by chance.
    sides = {"untouched": 1, "copy": 0}
    landmarks = table.landmarks(line.chosen[:, 0])
    probes = {name: Faces(table.images(line.chosen[:, side]), landmarks) for name, side in sides.items()}
    apart = np.random.default_rng(0).uniform(0, 1, (len(line.chosen), len(line.gallery)))
    from fersyn.evaluation.verification import Trial

    rows = {name: Trial(apart, line.people, line.gallery_people) for name in sides}
    known = np.ones(len(table), bool)
    error = np.random.default_rng(0).uniform(1, 5, (len(table), 68))

    def drawn(shown):
        motion = methods["warp"]
        return {
            "samples": preprocessing.samples(table, shown),
            "people": preprocessing.people(table, shown),
            "thumbnail of 01": preprocessing.thumbnail(table, shown),
            "landmarks": preprocessing.landmarks(table, shown),
            "heatmaps": preprocessing.heatmap_rows(table, shown, 2.0),
            "means": preprocessing.means(table, shown),
            "landmark errors": preprocessing.landmark_error_face(table, shown, known, error),
            "another person": synthesis.another_person(methods, pairs, chosen, shown, 100),
            "sweep": synthesis.sweep(motion, table, shown),
            "photographs": synthesis.photographs(motion, table, shown, 100),
            "thumbnail of 02": synthesis.thumbnail(true, measured, "warp", shown),
            "results of 02 to 04": synthesis.results(true, measured, shown, 100),
            "people of 03": synthesis.people(true, measured, "warp", shown, 100),
            "cases": synthesis.cases(true, measured, "warp", shown, 100),
            "line-up": identity.examples(line, probes, shown, 100),
            "furthest": identity.furthest(line, probes, rows, verifiers.get("dlib"), shown),
            "thumbnail of 05": identity.thumbnail(line, probes, ["copy"], shown),
        }

    return drawn


def painted(figure):
    """Share of a picture in the colour of those who did not agree."""
    pixels = np.asarray(Image.open(io.BytesIO(figure.data)).convert("RGB")).astype(int)
    return float(((pixels[..., 0] > 200) & (pixels[..., 1] < 90) & (pixels[..., 2] > 200)).mean())


def test_no_figure_shows_who_did_not_agree(table, draw):
    pictures = {name: figure for name, figure in draw(pictured(table.rows)).items() if isinstance(figure, Picture)}
    assert len(pictures) >= 12, "most figures have somebody to show"
    assert {name: painted(figure) for name, figure in pictures.items() if painted(figure)} == {}


def test_a_private_page_shows_everybody(table, draw):
    """That the search above can find them."""
    pictures = draw(pictured(table.rows, private=True))
    found = {name for name, figure in pictures.items() if isinstance(figure, Picture) and painted(figure) > 0.001}
    assert {"people", "landmarks", "results of 02 to 04", "line-up", "photographs"} <= found
