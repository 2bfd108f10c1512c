"""A widened network computes what the narrow one did, and its copies can learn apart."""

from __future__ import annotations

import torch

from lightning_modules.sfsnet.module import SfSNet
from lightning_modules.sfsnet.network import SfSNetNetwork
from lightning_modules.sfsnet.widen import widen


def settled(network: SfSNetNetwork) -> SfSNetNetwork:
    """With running statistics of its own, as after some training."""
    generator = torch.Generator().manual_seed(1)
    for _ in range(3):
        network(torch.rand(4, 3, 32, 32, generator=generator))
    return network.eval()


def test_output_is_kept() -> None:
    torch.manual_seed(0)
    narrow = settled(SfSNetNetwork(6, affine=True))
    wide = SfSNetNetwork(12, affine=True).eval()
    wide.load_state_dict(widen(narrow.state_dict(), wide.state_dict()))
    image = torch.rand(2, 3, 24, 30)
    for one, other in zip(narrow(image), wide(image), strict=True):
        torch.testing.assert_close(one, other, atol=2e-5, rtol=1e-4)


def test_copies_learn_apart() -> None:
    narrow, wide = SfSNetNetwork(4), SfSNetNetwork(8)
    wide.load_state_dict(widen(narrow.state_dict(), wide.state_dict()))
    sum(value.abs().mean() for value in wide(torch.rand(2, 3, 16, 16))).backward()
    gradient = wide.conv2.weight.grad
    assert gradient is not None
    assert not torch.allclose(gradient[0::2], gradient[1::2])


def test_training_starts_from_half_the_width_and_from_its_own() -> None:
    narrow, wide = SfSNet(width=4, size=32), SfSNet(width=8, size=32)
    wide.load_state_dict(wide.starting_weights(narrow.state_dict()))
    same = wide.starting_weights(wide.state_dict())
    assert all(torch.equal(same[name], value) for name, value in wide.state_dict().items())
