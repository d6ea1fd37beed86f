import bench_training
import torch

from fersyn.methods.landmark_label import METHOD


def test_both_ways_step_and_flops_are_counted():
    config = METHOD.preset("smoke")
    with bench_training.kept():
        plain = bench_training.plain(config, torch.device("cpu"))
        ours = bench_training.ours(config, "cpu")
        assert bench_training.seconds(plain, 1, torch.device("cpu")) > 0
        one = bench_training.flops(ours)
        two = bench_training.flops(bench_training.ours(config.replace(batch=8), "cpu"))
        counted = bench_training.flops(plain)
    assert 1.9 < two / one < 2.1 and 0.9 < counted / one < 1.4  # the plain loop also makes gradients it does not use
