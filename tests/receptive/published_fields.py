"""Published receptive fields, copied number by number, and the networks they belong to as layer lists.

TF-Slim's networks: size, effective stride and effective padding from the table that accompanies Araujo, Norris, Sim:
Computing Receptive Fields of Convolutional Neural Networks, Distill 2019 (rows that do not depend on the image's size).
The effective field's widths: Luo, Li, Urtasun, Zemel: Understanding the Effective Receptive Field, 2016.
"""

from cellgrad.layers import conv, max_pool

ALEXNET = (
    conv(64, 11, stride=4, name="conv1"),
    max_pool(3, 2, name="pool1"),
    conv(192, 5, padding=2, name="conv2"),
    max_pool(3, 2, name="pool2"),
    *(conv(channels, 3, padding=1, name=f"conv{i}") for i, channels in ((3, 384), (4, 384), (5, 256))),
    max_pool(3, 2, name="pool5"),
)
ALEXNET_PUBLISHED = {
    "conv1": (11, 4, 0),
    "pool1": (19, 8, 0),
    "conv2": (51, 8, 16),
    "conv3": (99, 16, 32),
    "conv4": (131, 16, 48),
    "conv5": (163, 16, 64),
    "pool5": (195, 32, 64),
}

VGG_16 = tuple(
    layer
    for block, (count, channels) in enumerate(((2, 64), (2, 128), (3, 256), (3, 512), (3, 512)), start=1)
    for layer in (
        *(conv(channels, 3, padding=1, name=f"conv{block}_{i}") for i in range(1, count + 1)),
        max_pool(2, name=f"pool{block}"),
    )
)
VGG_16_PUBLISHED = {
    "conv1_1": (3, 1, 1),
    "pool1": (6, 2, 2),
    "conv2_1": (10, 2, 4),
    "pool2": (16, 4, 6),
    "conv3_1": (24, 4, 10),
    "conv3_2": (32, 4, 14),
    "pool3": (44, 8, 18),
    "conv4_1": (60, 8, 26),
    "conv4_2": (76, 8, 34),
    "pool4": (100, 16, 42),
    "conv5_1": (132, 16, 58),
    "conv5_2": (164, 16, 74),
    "pool5": (212, 32, 90),
}

# The source's own account of its network: size after each layer that widens the field.
SOURCE_SIZES = {
    "conv1": 3,
    "conv2": 5,
    "conv3": 7,
    "pool1": 8,
    "conv4": 12,
    "conv5": 16,
    "conv6": 20,
    "conv7": 24,
    "conv8": 28,
    "scores": 28,
}

# Layers, size of the theoretical field, sigma of the effective one, for 3×3 convolutions with stride 1.
EFFECTIVE = ((5, 11, 1.8257), (10, 21, 2.582), (20, 41, 3.6515), (40, 81, 5.164))
