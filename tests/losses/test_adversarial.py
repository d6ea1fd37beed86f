import math

import pytest
import torch

from fersyn.losses import adversarial

LOGITS = torch.tensor([[0.5, -2.0], [3.0, 0.0]], dtype=torch.float32)
KINDS = ["minimax", "non-saturating", "least-squares", "hinge"]


def of_real(logits, kind="minimax"):
    return adversarial.verdict(logits, True, kind)


def of_fake(logits, kind="minimax"):
    return adversarial.verdict(logits, False, kind)


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def mean(values):
    values = list(values)
    return sum(values) / len(values)


FLAT = [0.5, -2.0, 3.0, 0.0]
BY_HAND = {
    "minimax": (
        lambda x: -math.log(sigmoid(x)),
        lambda x: -math.log(1 - sigmoid(x)),
        lambda x: math.log(1 - sigmoid(x)),
    ),
    "non-saturating": (
        lambda x: -math.log(sigmoid(x)),
        lambda x: -math.log(1 - sigmoid(x)),
        lambda x: -math.log(sigmoid(x)),
    ),
    "least-squares": (lambda x: (x - 1) ** 2, lambda x: x**2, lambda x: (x - 1) ** 2),
    "hinge": (lambda x: max(0, 1 - x), lambda x: max(0, 1 + x), lambda x: -x),
}


@pytest.mark.parametrize("kind", KINDS)
def test_values_by_hand(kind):
    real, fake, of_generator = BY_HAND[kind]
    assert adversarial.verdict(LOGITS, True, kind).item() == pytest.approx(mean(map(real, FLAT)), rel=1e-5)
    assert adversarial.verdict(LOGITS, False, kind).item() == pytest.approx(mean(map(fake, FLAT)), rel=1e-5)
    assert adversarial.generator(LOGITS, kind).item() == pytest.approx(mean(map(of_generator, FLAT)), rel=1e-5)
    both = (mean(map(real, FLAT)) + mean(map(fake, [-x for x in FLAT]))) / 2
    assert adversarial.discriminator(LOGITS, -LOGITS, kind).item() == pytest.approx(both, rel=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_push_the_right_way(kind):
    for loss, sign in (
        (of_real, -1), (of_fake, 1), (adversarial.generator, -1),
    ):  # fmt: skip
        logits = torch.full((3,), 0.3, requires_grad=True)
        loss(logits, kind).backward()
        assert (logits.grad.sign() == sign).all()


@pytest.mark.parametrize(("kind", "value", "slope"), [("non-saturating", 80, -1), ("minimax", 0, 0)])
def test_only_one_form_has_a_gradient_where_the_discriminator_is_sure(kind, value, slope):
    logits = torch.tensor([-80.0], requires_grad=True)
    loss = adversarial.generator(logits, kind)
    loss.backward()
    assert loss.item() == pytest.approx(value, abs=1e-6) and logits.grad.item() == pytest.approx(slope, abs=1e-6)


def test_minimax_is_finite_at_huge_logits_and_half_precision():
    huge = torch.tensor([-1e4, 1e4], dtype=torch.bfloat16)
    for loss in (of_real, of_fake, adversarial.generator):
        assert loss(huge).dtype == torch.float32 and torch.isfinite(loss(huge))


def test_accuracy():
    assert adversarial.accuracy(torch.tensor([1.0, -1.0]), torch.tensor([-1.0, -2.0])).item() == 0.75


def test_unknown_kind():
    for loss in (of_real, of_fake, adversarial.generator):
        with pytest.raises(ValueError, match="wasserstein"):
            loss(LOGITS, "wasserstein")


def test_accuracy_counts_from_the_middle_that_the_loss_draws_to():
    real, fake = torch.tensor([0.9, 0.6, 0.4]), torch.tensor([0.1, 0.4, 0.6])
    assert adversarial.accuracy(real, fake, "least-squares") == pytest.approx(4 / 6)
    assert adversarial.accuracy(real, fake, "hinge") == 0.5, "its middle is 0, and all of these lie above"
