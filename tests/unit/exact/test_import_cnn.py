"""Sequential networks of images in integers answer as in floats, and layers that are not understood are refused by name."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from bench.exact.float_cnn import FloatCnn
from proofmill.exact import ModelRefused, ModelUnavailable
from proofmill.exact.importers.cnn import ImageInput, import_cnn
from proofmill.exact.importers.cnn_layers import (
    BatchNorm,
    Convolution,
    Flatten,
    Layer,
    Linear,
    Rectifier,
    layers_from_module,
    read_torch_state,
)
from proofmill.exact.program import interpreter
from proofmill.exact.program.model import Model, Profile

GREY = ImageInput(12, 10, (Fraction("0.1307"),), (Fraction("0.3081"),))
COLOUR = ImageInput(
    9, 9, tuple(map(Fraction, ("0.485", "0.456", "0.406"))), tuple(map(Fraction, ("0.229", "0.224", "0.225")))
)
PLAIN = ImageInput(1, 6, (Fraction(0),), (Fraction(1),))


def convolutional() -> nn.Sequential:
    """Every supported kind of layer; channels, height and width all differ, so that no reordering goes unnoticed."""
    return nn.Sequential(
        nn.Sequential(nn.Conv2d(1, 5, 3, padding=1), nn.BatchNorm2d(5), nn.ReLU()),
        nn.MaxPool2d(2),
        nn.Conv2d(5, 7, 2, stride=1, bias=False),
        nn.BatchNorm2d(7, affine=False),
        nn.Dropout(),
        nn.AvgPool2d(2, stride=1),
        nn.Flatten(),
        nn.Linear(84, 11),
        nn.BatchNorm1d(11),
        nn.ReLU(),
        nn.Identity(),
        nn.Linear(11, 4),
    )


def coloured() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(3, 6, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(6, 3),
    )


def perceptron() -> nn.Sequential:
    return nn.Sequential(nn.Flatten(), nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 2))


def with_random_parameters(network: nn.Sequential) -> nn.Sequential:
    generator = torch.Generator().manual_seed(4)
    for name, parameter in [*network.named_parameters(), *network.named_buffers()]:
        if parameter.is_floating_point():
            values = torch.rand(parameter.shape, generator=generator)
            parameter.data.copy_(values + 0.5 if "var" in name else values - 0.4)
    return network.eval()


def images(image: ImageInput, count: int = 5) -> Tensor:
    generator = torch.Generator().manual_seed(6)
    shape = (count, image.height * image.width, image.channels)
    return torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)


def float_logits(network: nn.Sequential, image: ImageInput, batch: Tensor) -> Tensor:
    """By torch itself, in double precision."""
    mean, deviation = (
        torch.tensor([float(v) for v in values], dtype=torch.float64)
        for values in (image.mean, image.deviation)
    )
    x = ((batch.double() / 255 - mean) / deviation).transpose(1, 2)
    x = x.reshape(len(batch), image.channels, image.height, image.width)
    with torch.inference_mode():
        logits: Tensor = network.double()(x)
    return logits


def exact_logits(model: Model, batch: Tensor) -> Tensor:
    rows = [interpreter.run(model, image)[-1] for image in batch]
    assert all(isinstance(row, Tensor) for row in rows)
    return torch.cat([row for row in rows if isinstance(row, Tensor)]).double() / (
        1 << model.description.output_fraction_bits
    )


@pytest.mark.parametrize(("build", "image"), [(convolutional, GREY), (coloured, COLOUR), (perceptron, PLAIN)])
@pytest.mark.parametrize(("profile", "ceiling"), [("E16", 0.02), ("E16x", 0.0005)])
def test_the_integer_logits_are_the_float_logits(
    build: object, image: ImageInput, profile: Profile, ceiling: float
) -> None:
    assert callable(build)
    network = with_random_parameters(build())
    layers, batch = layers_from_module(network), images(image)
    model = import_cnn(layers, image, profile, name="tiny")
    expected = float_logits(network, image, batch)
    found = exact_logits(model, batch)
    assert float((found - expected).abs().max()) < ceiling * float(expected.abs().max())
    baseline = FloatCnn(layers, image, torch.float64).logits(batch)
    assert torch.allclose(baseline, expected, rtol=1e-6, atol=1e-9)


def test_fewer_fraction_bits_are_said_in_the_description() -> None:
    network = with_random_parameters(perceptron())
    model = import_cnn(
        layers_from_module(network), PLAIN, "E16x", name="tiny", labels=("no", "yes"), fraction_bits=12
    )
    assert model.description.output_fraction_bits == 12
    assert model.description.labels == ("no", "yes")
    batch = images(PLAIN)
    expected = float_logits(network, PLAIN, batch)
    assert float((exact_logits(model, batch) - expected).abs().max()) < 0.002


def test_bytes_become_their_exact_normalised_value() -> None:
    table = GREY.table(16)
    assert table.shape == (1, 256)
    for byte in (0, 1, 127, 255):
        exact = (Fraction(byte, 255) - Fraction("0.1307")) / Fraction("0.3081") * 2**16
        assert int(table[0, byte]) == round(exact)


@pytest.mark.parametrize(
    ("layer", "reason"),
    [
        (nn.Conv2d(1, 4, 3, groups=1, dilation=2), "dilation"),
        (nn.Conv2d(1, 4, (3, 2)), r"shape \(4, 1, 3, 2\)"),
        (nn.Conv2d(1, 4, 3, padding="same"), "padding 'same'"),
        (nn.Conv2d(1, 4, 3, padding=1, padding_mode="reflect"), "padding_mode"),
        (nn.Conv2d(2, 4, 3, groups=2), "groups"),
        (nn.Conv2d(1, 4, 3, stride=(1, 2)), "stride"),
        (nn.Conv2d(1, 4, 13), "do not fit"),
        (nn.Conv2d(3, 4, 3), "expected"),
        (nn.MaxPool2d(3, padding=1), "padding"),
        (nn.MaxPool2d(3, ceil_mode=True), "ceil_mode"),
        (nn.AvgPool2d(2, divisor_override=3), "divisor_override"),
        (nn.AdaptiveAvgPool2d(2), "output_size"),
        (nn.AdaptiveAvgPool2d(1), "only squares"),
        (nn.Flatten(2), "start_dim"),
        (nn.Linear(10, 3), "flatten it before"),
        (nn.BatchNorm2d(1), "right behind"),
        (nn.Softmax(dim=1), "Softmax"),
        (nn.LSTM(3, 3), "LSTM"),
        (nn.Sequential(nn.Sequential(nn.GELU())), "0.0"),
    ],
)
def test_layers_that_are_not_understood_are_refused(layer: nn.Module, reason: str) -> None:
    with pytest.raises(ModelRefused, match=reason) as refusal:
        import_cnn(layers_from_module(nn.Sequential(layer)), GREY, "E16", name="tiny")
    assert str(refusal.value).startswith("0")


def test_a_module_with_a_forward_of_its_own_is_refused() -> None:
    class Residual(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x + x

    with pytest.raises(ModelRefused, match="Residual"):
        layers_from_module(Residual())


def linear(outputs: int = 2, inputs: int = 6) -> Linear:
    return Linear("out", torch.ones(outputs, inputs), None)


@pytest.mark.parametrize(
    ("layers", "reason"),
    [
        ([Flatten(), Linear("out", torch.full((2, 6), torch.nan), None)], r"out\.weight: holds"),
        ([Flatten(), Linear("out", torch.ones(2, 6), torch.ones(3))], r"out\.bias: has shape"),
        ([Flatten(), linear(2, 5)], r"out\.weight: has shape"),
        ([Flatten(), linear(), Convolution("late", torch.ones(1, 2, 1, 1), None)], "late: needs an image"),
        ([Flatten(), linear(), BatchNorm("bn", torch.zeros(2), -torch.ones(2), None, None, 1e-5)], r"bn\.running_var"),
        ([Flatten(), linear(), BatchNorm("bn", torch.zeros(3), torch.ones(3), None, None, 1e-5)], r"bn\.running_var"),
        ([Rectifier()], "expected one row"),
        ([], "expected one row"),
    ],
)  # fmt: skip
def test_layers_that_do_not_fit_are_refused(layers: list[Layer], reason: str) -> None:
    with pytest.raises(ModelRefused, match=reason):
        import_cnn(layers, PLAIN, "E16", name="tiny")


def test_inputs_labels_and_fractions_are_checked() -> None:
    layers: list[Layer] = [Flatten(), linear()]
    with pytest.raises(ModelRefused, match="labels"):
        import_cnn(layers, PLAIN, "E16", name="tiny", labels=("only one",))
    with pytest.raises(ModelRefused, match="fraction_bits"):
        import_cnn(layers, PLAIN, "E16", name="tiny", fraction_bits=25)
    with pytest.raises(ModelRefused, match="deviation"):
        ImageInput(1, 1, (Fraction(0),), (Fraction(0),))
    with pytest.raises(ModelRefused, match="each side"):
        ImageInput(0, 1, (Fraction(0),), (Fraction(1),))
    small = ImageInput(1, 6, (Fraction(0),), (Fraction(1, 100000),))
    with pytest.raises(ModelRefused, match="deviation is too small"):
        import_cnn(layers, small, "E16", name="tiny")


def test_a_dead_channel_folds_to_zero() -> None:
    """Batch norms of trained networks often have channels with gains around 1e-30."""
    gain = torch.tensor([1.0, 1e-30])
    norm = BatchNorm("bn", torch.zeros(2), torch.ones(2), gain, torch.tensor([0.5, 0.25]), 1e-5)
    model = import_cnn([Flatten(), linear(), norm], PLAIN, "E16", name="tiny")
    assert model.tensors["linear.0.weight"].tolist() == [[127] * 6, [0] * 6]
    assert model.tensors["linear.0.multiplier"][1] == 1
    assert model.tensors["linear.0.bias"].tolist() == [1 << 15, 1 << 14]


def test_state_dicts_are_read_and_damage_is_named(tmp_path: Path) -> None:
    network = with_random_parameters(perceptron())
    path = tmp_path / "weights.pth"
    torch.save({"state_dict": network.state_dict()}, path)
    state = read_torch_state(path)
    layers: list[Layer] = [
        Flatten(),
        Linear.from_state(state, "1"),
        Rectifier(),
        Linear.from_state(state, "3"),
    ]
    first = import_cnn(layers, PLAIN, "E16", name="tiny")
    second = import_cnn(layers_from_module(network), PLAIN, "E16", name="tiny")
    assert all(torch.equal(first.tensors[name], second.tensors[name]) for name in second.tensors)
    with pytest.raises(ModelRefused, match=r"absent\.weight"):
        Linear.from_state(state, "absent")
    whole = path.read_bytes()
    unhashable = b"\x80\x02}}K\x01s."  # a dictionary as a key
    for content in (b"", whole[:100], whole[:-400], b"\x80\x02N.", unhashable):
        path.write_bytes(content)
        with pytest.raises(ModelUnavailable, match=r"weights\.pth"):
            read_torch_state(path)
    torch.save(network, path)  # a pickled object, which would run code when loaded
    with pytest.raises(ModelUnavailable, match=r"weights\.pth"):
        read_torch_state(path)
