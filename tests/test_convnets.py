import subprocess
import sys

import pytest
import torch

from cellgrad import convnets
from cellgrad.convnets import SOURCE, build, conv, count_parameters, flatten, layer_table, linear, max_pool


def test_the_sources_network_has_the_sources_numbers():
    assert count_parameters(SOURCE) == 14_392 == sum(p.numel() for p in build(SOURCE).parameters())
    table = layer_table(SOURCE)
    sizes = table[table["kind"].isin(["conv", "max_pool"])]["output_size"].tolist()
    assert [size[1] for size in sizes] == [26, 24, 22, 11, 9, 7, 5, 3, 1, 1]
    assert [size[0] for size in sizes] == [8, 8, 8, 8, 16, 16, 16, 16, 32, 10]


@pytest.mark.parametrize(
    "layers", [SOURCE, (conv(4, 5, stride=2, padding=1, dilation=2, bias=True), max_pool(3, 2), flatten, linear(3))]
)
def test_the_table_says_what_the_module_does(layers):
    images, table, module = torch.zeros(2, 1, 28, 28), layer_table(layers), build(layers).eval()
    for row, (name, layer) in zip(table.itertuples(), module.named_children(), strict=True):
        images = layer(images)
        assert (row.layer, row.output_size) == (name, tuple(images.shape[1:]))
        assert row.parameters == sum(p.numel() for p in layer.parameters())


def test_errors_name_the_layer():
    with pytest.raises(ValueError, match="conv2: its window is 30 pixels wide, but its input with padding is only 26"):
        layer_table((conv(8, 3), conv(8, 30)))
    with pytest.raises(ValueError, match="empty"):
        layer_table(())
    with pytest.raises(ValueError, match="unknown kind 'magic'"):
        layer_table((convnets.Layer("magic"),))


def test_tables_need_no_torch():
    code = "import sys; from cellgrad.convnets import *; layer_table(SOURCE); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
