"""Receptive fields that papers and repositories state, for networks written here in a few lines each.

Each test names its source. All numbers are the sources'; what is only counted by hand says so.
"""

import pytest

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402
from torch.nn.utils.parametrizations import weight_norm  # noqa: E402

from cellgrad.receptive import box, context, measure_receptive_field, receptive_field  # noqa: E402

pytestmark = pytest.mark.usefixtures("one_thread")


def last_row(module, input_size):
    return receptive_field(module, input_size).iloc[-1]


# ---- images ----------------------------------------------------------------------------------------------------------


def patch_gan(layers, norm=nn.BatchNorm2d):
    strides = [2] * layers + [1, 1]
    stack = [nn.Conv2d(3, 4, 4, strides[0], 1), nn.LeakyReLU(0.2)]
    for stride in strides[1:-1]:
        stack += [nn.Conv2d(4, 4, 4, stride, 1), norm(4), nn.LeakyReLU(0.2)]
    return nn.Sequential(*stack, nn.Conv2d(4, 1, 4, strides[-1], 1))


@pytest.mark.parametrize("layers, published", [(1, 16), (3, 70), (5, 286)])
def test_patch_gan(layers, published):
    # Isola, Zhu, Zhou, Efros: Image-to-Image Translation with Conditional Adversarial Networks, CVPR 2017, section 4.4
    # and appendix 6.1.2: discriminators that see 16 × 16, 70 × 70 and 286 × 286 pixels.
    size = (3, 512, 512)
    row = last_row(patch_gan(layers), size)
    assert row[["size", "local", "jump"]].tolist() == [published, published, 2**layers]
    assert measure_receptive_field(patch_gan(layers), size) == (published, published)


@pytest.mark.parametrize("layers, published", [(1, 16), (3, 70), (5, 286)])
def test_patch_gan_with_instance_norm_keeps_its_patch_as_local_field(layers, published):
    row = last_row(patch_gan(layers, nn.InstanceNorm2d), (3, 512, 512))
    assert row[["size", "local"]].tolist() == ["whole image", published]


class Bottleneck(nn.Module):
    """1 × 1, k × k, 1 × 1, and a shortcut; BagNet crops the shortcut where its window has no padding."""

    def __init__(self, inputs, outputs, kernel, stride, padding):
        super().__init__()
        self.stack = nn.Sequential(
            nn.Conv2d(inputs, 4, 1),
            nn.ReLU(),
            nn.Conv2d(4, 4, kernel, stride, padding),
            nn.ReLU(),
            nn.Conv2d(4, outputs, 1),
        )
        self.shortcut = nn.Conv2d(inputs, outputs, 1, stride) if stride > 1 or inputs != outputs else nn.Identity()

    def forward(self, x):
        x, shortcut = self.stack(x), self.shortcut(x)
        return F.relu(x + shortcut[..., : x.shape[-2], : x.shape[-1]])


def bag_net(threes):
    """A stem of 3 × 3, then [3, 4, 6, 3] bottlenecks: in the first block of some stages 3 × 3, elsewhere 1 × 1."""
    blocks, inputs = [nn.Conv2d(3, 4, 1), nn.Conv2d(4, 4, 3), nn.ReLU()], 4
    for stage, (count, stride) in enumerate(((3, 2), (4, 2), (6, 2), (3, 1))):
        for i in range(count):
            kernel = 3 if i == 0 and stage < threes else 1
            blocks.append(Bottleneck(inputs, 8, kernel, stride if i == 0 else 1, 0))
            inputs = 8
    return nn.Sequential(*blocks)


@pytest.mark.parametrize("threes, published", [(2, 9), (3, 17), (4, 33)])
def test_bag_net(threes, published):
    # Brendel, Bethge: Approximating CNNs with Bag-of-local-Features models works surprisingly well on ImageNet, ICLR
    # 2019, section 3 and the authors' bag-of-local-features-models: patches of 9 × 9, 17 × 17, 33 × 33 pixels.
    module = bag_net(threes)
    assert last_row(module, (3, 224, 224))["size"] == published
    assert measure_receptive_field(module, (3, 96, 96)) == (published, published)


def res_net_50():
    """torchvision's arrangement: a stage's stride is in the 3 × 3 of its first block."""
    stack, inputs = [nn.Conv2d(3, 4, 7, 2, 3), nn.MaxPool2d(3, 2, 1)], 4
    for count, stride in ((3, 1), (4, 2), (6, 2), (3, 2)):
        blocks = [Bottleneck(inputs if i == 0 else 8, 8, 3, stride if i == 0 else 1, 1) for i in range(count)]
        stack, inputs = [*stack, nn.Sequential(*blocks)], 8
    return nn.Sequential(*stack)


def test_delfs_res_net_50():
    # Issue 15 of github.com/nashory/DeLF-pytorch, the value of receptive field: for torchvision's ResNet-50 layer3 has
    # field 267, stride 16, padding 133, and layer4 has 427, 32, 213; not the 483 of TensorFlow's.
    module, size = res_net_50(), (3, 896, 896)
    for stage, published in (("4", (267, 16, 133)), ("5", (427, 32, 213))):
        until = nn.Sequential(*list(module.children())[: int(stage) + 1])
        row = last_row(until, size)
        assert (row["size"], row["jump"], row["size"] / 2 - row["start"]) == published
    ((first, last), _) = box(module, size)
    assert last - first + 1 == 427


class UNet(nn.Module):
    """Ronneberger's: two 3 × 3 without padding at each level, 2 × 2 pools down, 2 × 2 up-convolutions, crops."""

    def __init__(self, pool=F.max_pool2d):
        super().__init__()
        self.pool = pool
        self.down = nn.ModuleList(self.two(1 if level == 0 else 2) for level in range(5))
        self.ups = nn.ModuleList(nn.ConvTranspose2d(2, 2, 2, 2) for _ in range(4))
        self.up = nn.ModuleList(self.two(4) for _ in range(4))
        self.classes = nn.Conv2d(2, 2, 1)

    def two(self, inputs):
        return nn.Sequential(nn.Conv2d(inputs, 2, 3), nn.ReLU(), nn.Conv2d(2, 2, 3), nn.ReLU())

    def forward(self, x):
        kept = []
        for block in self.down[:-1]:
            kept.append(block(x))
            x = self.pool(kept[-1], 2)
        x = self.down[-1](x)
        for block, up in zip(self.up, self.ups, strict=True):
            x, side = up(x), kept.pop()
            crop = (side.shape[-1] - x.shape[-1]) // 2
            x = block(torch.cat([side[..., crop:-crop, crop:-crop], x], dim=1))
        return self.classes(x)


def test_u_net_by_phase():
    # Ronneberger, Fischer, Brox: U-Net, MICCAI 2015, figure 1: 572 pixels in, 388 out. The field at the lowest level,
    # counted by hand: 5, pool 6, 14, pool 16, 32, pool 36, 68, pool 76, 140. The phases: by gradients, below.
    table = receptive_field(UNet(), (1, 572, 572)).set_index("layer")
    assert table.loc["down.4.3", ["size", "jump"]].tolist() == [140, 16]
    assert table.loc["classes", "output_size"] == (2, 388, 388)
    assert table.loc["classes", ["kind", "size", "jump"]].tolist() == ["conv, 188–204 by phase", 204, 1]


def test_u_net_of_each_phase_by_gradients():
    # Nothing cancels where all weights are positive and a mean stands for the maximum; 204 pixels give 20 × 20 units.
    module = UNet(F.avg_pool2d).double()
    for parameter in module.parameters():
        nn.init.uniform_(parameter, 0.1, 0.3)
    image = torch.rand(1, 1, 204, 204, dtype=torch.float64, requires_grad=True)
    output, seen = module(image)[0, 0], []
    for phase in range(16):
        (gradient,) = torch.autograd.grad(output[phase, phase], image, retain_graph=True)
        rows = gradient[0, 0].sum(1).nonzero()
        seen.append((int(rows[0]), int(rows[-1])))
    assert sorted(last - first + 1 for first, last in seen) == [188] * 4 + [204] * 12
    assert [box(UNet(), (1, 204, 204), unit=(phase, phase))[0] for phase in range(16)] == seen


def s3fd():
    """VGG-16 with its two dense layers as convolutions, two more stages, and at each a head of 3 × 3."""

    class Detector(nn.Module):
        def __init__(self):
            super().__init__()
            stages, inputs = [], 3
            for count in (2, 2, 3, 3, 3):
                convs = [nn.Conv2d(inputs if i == 0 else 4, 4, 3, padding=1) for i in range(count)]
                stages, inputs = [*stages, nn.Sequential(*convs)], 4
            stages.append(nn.Sequential(nn.Conv2d(4, 4, 3, padding=1), nn.Conv2d(4, 4, 1)))
            stages += [nn.Sequential(nn.Conv2d(4, 4, 1), nn.Conv2d(4, 4, 3, 2, 1)) for _ in range(2)]
            self.stages = nn.ModuleList(stages)
            self.heads = nn.ModuleList(nn.Conv2d(4, 6, 3, padding=1) for _ in range(6))

        def forward(self, x):
            found = []
            for place, stage in enumerate(self.stages):
                x = stage(x if place == 0 or place > 5 else F.max_pool2d(x, 2, ceil_mode=True))
                if place > 1:
                    found.append(self.heads[place - 2](x))
            return found

    return Detector()


def test_s3fd():
    # Zhang, Zhu, Lei, Shi, Wang, Li: S³FD: Single Shot Scale-invariant Face Detector, ICCV 2017, table 1: stride and
    # receptive field of the detection layers conv3_3, conv4_3, conv5_3, conv_fc7, conv6_2, conv7_2.
    published = [(4, 48), (8, 108), (16, 228), (32, 340), (64, 468), (128, 724)]
    table = receptive_field(s3fd(), (3, 640, 640)).set_index("layer")
    assert [tuple(table.loc[f"heads.{i}", ["jump", "size"]]) for i in range(6)] == published


# ---- sound and sequences ---------------------------------------------------------------------------------------------


class Causal(nn.Module):
    def __init__(self, conv):
        super().__init__()
        self.conv, self.before = conv, conv.dilation[0] * (conv.kernel_size[0] - 1)

    def forward(self, x):
        return self.conv(F.pad(x, (self.before, 0)))


class Gated(nn.Module):
    """WaveNet's unit: a filter and a gate with dilation, 1 × 1, and a shortcut."""

    def __init__(self, dilation):
        super().__init__()
        self.filter, self.gate = (Causal(nn.Conv1d(4, 4, 2, dilation=dilation)) for _ in range(2))
        self.mix = nn.Conv1d(4, 4, 1)

    def forward(self, x):
        return x + self.mix(torch.tanh(self.filter(x)) * torch.sigmoid(self.gate(x)))


def test_wave_net():
    # Van den Oord et al.: WaveNet, 2016, section 2.1: "each 1, 2, 4, …, 512 block has receptive field of size 1024".
    module = nn.Sequential(*[Gated(2**i) for i in range(10)])
    assert last_row(module, (4, 4000))["size"] == 1024
    assert measure_receptive_field(module, (4, 4000)) == (1024,)
    assert context(module, (4, 4000)) == (1023, 0)


class Temporal(nn.Module):
    """A TCN's block: two dilated causal convolutions with weight norm, cut at the end, and a shortcut."""

    def __init__(self, inputs, outputs, kernel, dilation):
        super().__init__()
        self.cut = (kernel - 1) * dilation
        self.first, self.second = (
            weight_norm(nn.Conv1d(channels, outputs, kernel, padding=self.cut, dilation=dilation))
            for channels in (inputs, outputs)
        )
        self.shortcut = nn.Conv1d(inputs, outputs, 1) if inputs != outputs else nn.Identity()

    def forward(self, x):
        y = F.dropout(F.relu(self.first(x)[:, :, : -self.cut].contiguous()), 0.2, self.training)
        y = F.dropout(F.relu(self.second(y)[:, :, : -self.cut].contiguous()), 0.2, self.training)
        return F.relu(y + self.shortcut(x))


@pytest.mark.parametrize("kernel, levels, published", [(6, 6, 631), (4, 7, 763)])
def test_tcn_with_weight_norm(kernel, levels, published):
    # Bai, Kolter, Koltun: An Empirical Evaluation of Generic Convolutional and Recurrent Networks for Sequence
    # Modeling, 2018, section 3: two convolutions a block, dilation 2^i; so 1 + 2 (k − 1) (2^n − 1), as in the README of
    # github.com/philipperemy/keras-tcn. The 763 is stated in issue 13 of github.com/paul-krug/pytorch-tcn.
    module = nn.Sequential(*[Temporal(1 if i == 0 else 3, 3, kernel, 2**i) for i in range(levels)])
    assert last_row(module, (1, 2000))["size"] == published
    assert measure_receptive_field(module, (1, 2000)) == (published,)
    assert context(module, (1, 2000)) == (published - 1, 0)


def feature_encoder(norm_in_the_first):
    kernels, strides = (10, 3, 3, 3, 3, 2, 2), (5, 2, 2, 2, 2, 2, 2)
    stack = []
    for place, (kernel, stride) in enumerate(zip(kernels, strides, strict=True)):
        stack.append(nn.Conv1d(1 if place == 0 else 8, 8, kernel, stride, bias=False))
        stack += [nn.GroupNorm(8, 8)] if place == 0 and norm_in_the_first else []
        stack.append(nn.GELU())
    return nn.Sequential(*stack)


def test_wav2vec_2():
    # Baevski, Zhou, Mohamed, Auli: wav2vec 2.0, NeurIPS 2020, section 4.2: "a receptive field of 400 input samples or
    # 25ms of audio", and a stride of about 20 ms, which is 320 samples at 16 kHz. The base model's first layer has a
    # group norm over all samples, which the paper's count leaves out.
    plain = last_row(feature_encoder(False), (1, 16_000))
    assert plain[["size", "jump", "local"]].tolist() == [400, 320, 400]
    base = last_row(feature_encoder(True), (1, 16_000))
    assert base[["size", "jump", "local"]].tolist() == ["whole image", None, 400]
    assert measure_receptive_field(feature_encoder(False), (1, 16_000)) == (400,)
