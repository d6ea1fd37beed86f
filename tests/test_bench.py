import bench
import numpy as np
from PIL import Image


def test_plain_loop_and_ours_find_the_same_faces(portraits, tmp_path, capsys):
    from fersyn.datasets.folder import read_folder

    for (person, expression), image in list(portraits.items())[:4]:
        (tmp_path / "in" / person / expression).mkdir(parents=True)
        Image.fromarray(image).save(tmp_path / "in" / person / expression / "x.png")
    frame_set = read_folder(tmp_path / "in")
    files = [str(frame.path) for frame in frame_set.frames]
    rates = bench.compare(
        "title",
        {
            "plain": lambda out: bench.in_one_process(bench.plain_loop, files, str(out)),
            "ours": lambda out: bench.ours(frame_set, out, 1),
        },
        1,
    )
    assert set(rates) == {"plain", "ours"} and min(rates.values()) > 0
    said = capsys.readouterr().out
    assert said.count(" 4 faces ") == 2 and "1.00 x" in said
    assert np.all([float(line.split(" MB")[0].split()[-1]) > 20 for line in said.splitlines() if " MB" in line])


def test_the_machine_line_names_versions_and_no_host():
    import platform

    text = bench.machine()
    assert "dlib-bin" in text and "cores in use" in text
    assert platform.node() not in text or len(platform.node()) < 4
