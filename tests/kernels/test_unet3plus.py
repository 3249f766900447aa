"""The UNet 3+ against its wiring written out, weight by weight."""

import pytest

torch = pytest.importorskip("torch", reason="needs PyTorch")

from torch.nn import functional as f  # noqa: E402

from cryoweave.kernels.unet3plus import build, forward  # noqa: E402


def test_the_published_parts():
    net = build(1, 7)
    shapes = {name: tuple(value.shape) for name, value in net.state_dict().items()}
    assert shapes["conv1.conv1.0.weight"] == (64, 1, 3, 3, 3)
    assert shapes["conv3.conv2.1.running_var"] == (256,)
    assert shapes["hd3_UT_hd1_conv.weight"] == (64, 256, 3, 3, 3)
    assert shapes["hd2_UT_hd1_conv.weight"] == (64, 192, 3, 3, 3)
    assert shapes["conv2d_1.bias"] == (192,)
    assert shapes["outconv3.weight"] == (7, 256, 3, 3, 3)
    assert sum(value.numel() for value in net.parameters()) == 7_205_589
    assert build(1, 5, fed=True)["conv2"]["conv1"][0].weight.shape[1] == 64 + 192


def by_hand(w, x, fed=None):
    """What the names say: h1 pooled to hd2, and so on; ``w`` are the weights by name."""

    def unit(conv, norm, x):
        x = f.conv3d(x, w[f"{conv}.weight"], w[f"{conv}.bias"], padding=1)
        stats = (w[f"{norm}.running_mean"], w[f"{norm}.running_var"], w[f"{norm}.weight"], w[f"{norm}.bias"])
        return f.relu(f.batch_norm(x, *stats))

    def encoder(level, x):
        x = x if fed is None else torch.cat([x, fed[level - 1]], 1)
        return unit(
            f"conv{level}.conv2.0", f"conv{level}.conv2.1", unit(f"conv{level}.conv1.0", f"conv{level}.conv1.1", x)
        )

    def up(x, factor):
        return f.interpolate(x, scale_factor=factor, mode="trilinear")

    h1 = encoder(1, x)
    h2 = encoder(2, f.max_pool3d(h1, 2))
    h3 = encoder(3, f.max_pool3d(h2, 2))
    for_2 = [
        unit("h1_PT_hd2_conv", "h1_PT_hd2_bn", f.max_pool3d(h1, 2)),
        unit("h2_Cat_hd2_conv", "h2_Cat_hd2_bn", h2),
        unit("hd3_UT_hd2_conv", "hd3_UT_hd2_bn", up(h3, 2)),
    ]
    hd2 = unit("conv2d_1", "bn2d_1", torch.cat(for_2, 1))
    for_1 = [
        unit("h1_Cat_hd1_conv", "h1_Cat_hd1_bn", h1),
        unit("hd2_UT_hd1_conv", "hd2_UT_hd1_bn", up(hd2, 2)),
        unit("hd3_UT_hd1_conv", "hd3_UT_hd1_bn", up(h3, 4)),
    ]
    hd1 = unit("conv1d_1", "bn1d_1", torch.cat(for_1, 1))
    return f.conv3d(hd1, w["outconv1.weight"], w["outconv1.bias"], padding=1), (hd1, hd2, h3)


@pytest.mark.parametrize("fed", [False, True])
def test_the_wiring(fed):
    torch.manual_seed(0)
    net, boxes = build(2, 3, fed=fed).eval(), torch.rand(1, 2, 8, 8, 8)
    with torch.no_grad():
        for name, value in net.state_dict().items():
            if "running_var" in name:
                value.uniform_(0.5, 2)
            elif "running_mean" in name or name.endswith("bias"):
                value.uniform_(-0.5, 0.5)
        features = (
            [torch.rand(1, 192, 8, 8, 8), torch.rand(1, 192, 4, 4, 4), torch.rand(1, 256, 2, 2, 2)] if fed else None
        )
        logits, levels = forward(net, boxes, features)
        expected, expected_levels = by_hand(net.state_dict(), boxes, features)
    torch.testing.assert_close(logits, expected)
    for ours, theirs in zip(levels, expected_levels, strict=True):
        torch.testing.assert_close(ours, theirs)
