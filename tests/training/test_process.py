import subprocess
import sys


def test_fabric_comes_without_torchmetrics_and_hides_it_from_nobody():
    code = (
        "import sys, fersyn.training.loop; print('torchvision' in sys.modules, 'torchmetrics' in sys.modules);"
        "import torchmetrics; print(torchmetrics.__name__)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False", "torchmetrics"]
