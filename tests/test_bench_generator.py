import bench_generator
import torch


def test_sharpness_and_psnr_are_what_they_say():
    random = torch.Generator().manual_seed(0)
    noise = torch.rand(2, 3, 256, 256, generator=random) - 0.5
    soft = torch.nn.functional.avg_pool2d(noise, 3, 1, 1)
    assert (bench_generator.sharpness(soft) < 0.3 * bench_generator.sharpness(noise)).all()
    torch.testing.assert_close(bench_generator.sharpness(2 * noise), 4 * bench_generator.sharpness(noise))
    torch.testing.assert_close(bench_generator.psnr(noise, noise + 0.2), torch.full((2,), 20.0))
