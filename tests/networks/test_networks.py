"""Other people's networks, as they write them: each way once through the command, and what cannot be used refused."""

import copy
import json
import re
import sys
from dataclasses import astuple

import nbformat
import pytest
from daily import daily
from ways import CANNOT_LEARN, FILES, HEAD, LEARNER, LOG_SOFTMAX, REFUSED

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402

from cellgrad import layers  # noqa: E402
from cellgrad.cli import main  # noqa: E402
from cellgrad.networks import NetworkError, describe, examine, find_network  # noqa: E402
from cellgrad.networks.examination import costs_by_call, rehearse  # noqa: E402
from cellgrad.networks.loading import load_definitions, split  # noqa: E402

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(autouse=True)
def in_a_scratch_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def as_notebook(source):
    """The source as a notebook, cut at its blank lines, with what notebooks have beside code."""
    pieces = ["%matplotlib inline\n!pip install nothing-at-all\n" + HEAD, *re.split(r"\n\n(?=\S)", source)]
    cells = [nbformat.v4.new_code_cell(piece) for piece in pieces]
    cells.insert(1, nbformat.v4.new_markdown_cell("# A network"))
    cells.append(nbformat.v4.new_code_cell("for (not python"))
    cells.append(nbformat.v4.new_code_cell("%%bash\nls"))
    return nbformat.writes(nbformat.v4.new_notebook(cells=cells))


def command(capsys, *arguments):
    """Exit code, what was printed, what was complained of."""
    try:
        code = main(list(arguments))
    except SystemExit as stop:
        code = stop.code
    said = capsys.readouterr()
    return code, said.out, said.err


@pytest.mark.parametrize("kind", ["py", "ipynb"])
@pytest.mark.parametrize("way", FILES)
def test_each_way_to_write_a_network_is_understood(way, kind, tmp_path, capsys):
    source, name, settings = FILES[way]
    (tmp_path / f"mine.{kind}").write_text(source if kind == "py" else as_notebook(source), encoding="utf-8")
    asked = ["network", f"mine.{kind}:{name}", "--json", *(["--set", *settings] if settings else [])]
    code, out, err = command(capsys, *asked)
    assert code == 0, err
    found = json.loads(out)
    assert found["alone_as_together"] and found["seen"] == [28, 28] and found["untraced"] is None
    assert found["parameters"] > 1000 and found["unused_parameters"] == 0
    wanted = {"probabilities": "probabilities", "plain": "log-probabilities", "logits": "logits"}
    assert found["output"] == wanted.get(way, found["output"])
    assert {p.name for p in tmp_path.iterdir()} == {f"mine.{kind}"}, "something ran that should not"


@pytest.mark.parametrize("way", REFUSED)
def test_what_cannot_be_used_is_refused_in_one_line(way, tmp_path, capsys):
    source, name, settings, named = REFUSED[way]
    (tmp_path / "mine.py").write_text(source, encoding="utf-8")
    code, out, err = command(capsys, "network", f"mine.py:{name}", *(["--set", *settings] if settings else []))
    assert (code, out) == (2, "") and len(err.strip().splitlines()) == 1
    for part in named:
        assert part in err


def test_a_network_that_is_right_only_in_company_is_found_out(tmp_path, capsys):
    (tmp_path / "company.py").write_text(LOG_SOFTMAX.replace("dim=1", "dim=0"), encoding="utf-8")
    code, out, _ = command(capsys, "network", "company.py:Net", "--json")
    found = json.loads(out)
    assert code == 1 and found["alone_as_together"] is False and found["output"] == "log-probabilities"
    code, out, _ = command(capsys, "network", "company.py:Net")
    assert code == 1 and "dim=1" in out.splitlines()[0]


ONLY_IN_COMPANY = {
    "squeezed": ("pass", "return F.log_softmax(F.adaptive_avg_pool2d(self.deep(x), 1).squeeze(), dim=1)"),
    "statistics of the batch": (
        "self.norm = nn.BatchNorm1d(8, track_running_stats=False)",
        "return nn.functional.linear(self.norm(self.deep(x)[:, :8, 0, 0]), self.last)",
    ),
    "norms that go on training": ("self.norm = nn.BatchNorm1d(10)", "return self.norm(self.deep(x).mean((2, 3)))"),
}


@pytest.mark.parametrize("way", ONLY_IN_COMPANY)
def test_a_network_that_runs_only_in_company_is_described_all_the_same(way, tmp_path, capsys):
    made, returned = ONLY_IN_COMPANY[way]
    made = f"self.deep = nn.Conv2d(1, 10, 3); self.last = nn.Parameter(torch.rand(10, 8)); {made}"
    stays = "\n    def train(self, mode=True):\n        return super().train(True)\n"
    source = HEAD + LEARNER.format(made=made, returned=returned) + (stays if way == "norms that go on training" else "")
    (tmp_path / "mine.py").write_text(source)
    code, out, err = command(capsys, "network", "mine.py:Net", "--json")
    assert code == 1, err
    found = json.loads(out)
    own = 80 if way == "statistics of the batch" else 0
    assert found["alone_as_together"] is False and found["parameters"] >= 7850 + 100 + 80
    assert found["multiply_adds"] == 26 * 26 * 90 + own
    assert any(remark.startswith("One image at a time it fails (Net: ") for remark in found["remarks"])
    code, out, err = command(capsys, "train", "--network", "mine.py:Net", *QUICK)
    assert (code, out) == (2, "") and len(err.strip().splitlines()) == 1 and "Net: given 1 images" in err
    assert [p.name for p in tmp_path.iterdir()] == ["mine.py"]


CHANCE = {
    "noise of one image's size": "return self.head(x + torch.randn(28, 28))",
    "dropout that goes on": "return self.head(F.dropout(x, 0.5))",
}


@pytest.mark.parametrize("way", CHANCE)
def test_chance_at_work_while_a_network_evaluates_is_found_out(way, tmp_path, capsys):
    (tmp_path / "mine.py").write_text(HEAD + LEARNER.format(made="pass", returned=CHANCE[way]))
    code, out, _ = command(capsys, "network", "mine.py:Net", "--json")
    found = json.loads(out)
    assert code == 1 and found["alone_as_together"] is False and found["parameters"] == 7850
    (remark,) = found["remarks"]
    assert remark.startswith("Its answer changes from run to run")
    (tmp_path / "mine.py").write_text(
        HEAD + LEARNER.format(made="pass", returned="return self.head(F.dropout(x, 0.5, self.training))")
    )
    code, out, _ = command(capsys, "network", "mine.py:Net", "--json")
    assert code == 0 and json.loads(out)["alone_as_together"] and not json.loads(out)["remarks"]


def test_without_a_name_what_there_is_is_listed(tmp_path, capsys):
    (tmp_path / "two.py").write_text(LOG_SOFTMAX + LOG_SOFTMAX.replace("Net", "Other") + "model = Other()\n")
    code, out, _ = command(capsys, "network", "two.py")
    assert (code, out.split()) == (0, ["two.py:Net", "two.py:Other", "two.py:model"])
    (tmp_path / "none.py").write_text("x = 1\n")
    assert command(capsys, "network", "none.py")[0] == 1
    assert command(capsys, "network", "absent.py")[0] == 2


def test_neighbours_are_read_for_their_definitions_too(tmp_path, capsys):
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "__init__.py").write_text("from .blocks import block\n")
    (tmp_path / "parts" / "blocks.py").write_text(
        HEAD + "open('ran', 'w')\ndef block():\n    return nn.Conv2d(1, 4, 5)\n"
    )
    (tmp_path / "settings.py").write_text("WIDTH = 24\nraise SystemExit\n")
    (tmp_path / "mine.py").write_text(
        HEAD
        + "from parts import *\nimport settings\nfrom settings import WIDTH as wide\n"
        + "Net = lambda: nn.Sequential(block(), nn.Flatten(), nn.Linear(4 * wide * settings.WIDTH, 10))\n"
    )
    code, out, err = command(capsys, "network", "mine.py:Net", "--json")
    assert code == 0, err
    assert json.loads(out)["parameters"] == 4 * 26 + 10 * (4 * 24 * 24 + 1)
    assert not (tmp_path / "ran").exists()


TRIED = {
    "a flag": "try:\n    import absent_one\n    WIDE = True\nexcept ImportError:\n    WIDE = False\n",
    "a flag set before": "WIDE = False\ntry:\n    import absent_one\n    WIDE = True\nexcept:\n    pass\n",
    "a flag set where nothing fails": (
        "try:\n    from absent_one import a\nexcept (OSError, ImportError):\n    WIDE = False\nelse:\n    WIDE = True\n"
    ),
    "nothing fails": "try:\n    import json\nexcept ImportError:\n    WIDE = True\nelse:\n    WIDE = False\n",
    "in the end": "try:\n    import absent_one\nexcept:\n    WIDE = True\nfinally:\n    WIDE = False\n",
    "another error": (
        "try:\n    import absent_one\nexcept OSError:\n    WIDE = True\nexcept Exception:\n    WIDE = False\n"
    ),
    "a base class": (
        "try:\n    from absent_one import Base\nexcept ModuleNotFoundError:\n    Base = nn.Module\nWIDE = False\n"
    ),
    "an import after it": (
        "try:\n    import absent_one\n    from torch import nn\nexcept ImportError:\n    pass\nWIDE = False\n"
    ),
}


TRIED_HEAD = {"an import after it": "import torch\n"}


@pytest.mark.parametrize("way", TRIED)
def test_what_an_import_that_fails_leaves_is_taken(way, tmp_path, capsys):
    base = "Base" if way == "a base class" else "nn.Module"
    made = "self.head = nn.Sequential(nn.Flatten(), nn.Linear(784, 20 if WIDE else 10))"
    network = LEARNER.format(made=made, returned="return self.head(x)").replace("nn.Module", base)
    (tmp_path / "mine.py").write_text(TRIED_HEAD.get(way, HEAD) + TRIED[way] + network)
    code, out, err = command(capsys, "network", "mine.py:Net", "--json")
    assert code == 0, err
    assert json.loads(out)["parameters"] == 7850 and json.loads(out)["output_size"] == [10]


def test_a_missing_package_is_named_where_nothing_takes_its_place(tmp_path, capsys):
    tried = "try:\n    import absent_one\nexcept ImportError:\n    print('install it')\n"
    (tmp_path / "mine.py").write_text(HEAD + tried + LEARNER.format(made="absent_one.f()", returned="return x"))
    code, _, err = command(capsys, "network", "mine.py:Net")
    assert code == 2 and "it needs absent_one, but absent_one is not installed" in err


DENSE = "nn.Sequential(nn.Flatten(), nn.Linear(784, 10))"
WIDTH_NET = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Flatten(), nn.Linear(784, H), nn.Linear(H, 10))

    def forward(self, x):
        return self.net(x)
"""
WIDE = 785 * 20 + 21 * 10
# What is changed after it is made, piece by piece: (source, the network's name, its parameters)
CHANGED = {
    "append": (
        "layers = []\nlayers.append(nn.Conv2d(1, 4, 5))\n\nlayers.append(nn.Flatten())\n"
        "layers.append(nn.Linear(2304, 10))\nmodel = nn.Sequential(*layers)\n",
        "model",
        104 + 23050,
    ),
    "in a loop": (
        "layers = [nn.Flatten()]\n\nfor i in range(2):\n    width = 784\n"
        "    layers.append(nn.Linear(width, 784))\n    layers += [nn.ReLU()]\n\n"
        "model = nn.Sequential(*layers)\n",
        "model",
        2 * 785 * 784,
    ),
    "in another cell": (
        "layers = [nn.Flatten()]\n\nlayers += [nn.Linear(784, 10)]\n\nmodel = nn.Sequential(*layers)\n",
        "model",
        7850,
    ),
    "add_module": (
        "net = nn.Sequential()\n\nnet.add_module('f', nn.Flatten())\nnet.add_module('d', nn.Linear(784, 10))\n",
        "net",
        7850,
    ),
    "a number": (f"H = 16\nH += 4\n{WIDTH_NET}", "Net", WIDE),
    "a number under a condition": (f"H = 16\nif H > 4:\n    H += 4\n{WIDTH_NET}", "Net", WIDE),
    "a number after the class": (f"H = 16\n{WIDTH_NET}\nH += 4\n", "Net", WIDE),
    "a number after the network": (f"H = 20\n{WIDTH_NET}\nmodel = Net()\n\nH += 4\n", "model", WIDE),
    "an item": (f"net = {DENSE}\nnet[1] = nn.Linear(784, 10, bias=False)\n", "net", 7840),
    "an attribute": (f"model = {DENSE}\nmodel.fc = nn.Linear(10, 10)\n", "model", 7850 + 110),
    "of a class of the file": (
        f"H = 20\n{WIDTH_NET}\nmodel = Net().to('cpu')\n\nmodel.net[2] = nn.Linear(20, 10, bias=False)\n",
        "model",
        WIDE - 10,
    ),
    "another head": (
        f"H = 20\n{WIDTH_NET}\nmodel = Net()\nwidth = model.net[2].in_features\n\n"
        "model.net[2] = nn.Linear(width, 5)\nmodel.optimizer = None\n",
        "model",
        785 * 20 + 21 * 5,
    ),
    "another head of a class": (
        f"H = 20\n{WIDTH_NET}\nclass Head(nn.Linear):\n    pass\n\nmodel = Net()\n\nmodel.net[2] = Head(20, 5)\n",
        "model",
        785 * 20 + 21 * 5,
    ),
    "an item of a dictionary": (f"sizes = {{}}\nsizes['h'] = 20\nH = sizes['h']\n{WIDTH_NET}", "Net", WIDE),
    "a list in a class": (
        f"sizes = [4]\nsizes.append(20)\n{WIDTH_NET.replace('H', 'sizes[1]')}\nfor x in data:\n    losses.append(x)\n",
        "Net",
        WIDE,
    ),
    "after another is made of it": (
        "layers = [nn.Flatten(), nn.Linear(784, 10)]\n\nmodel = nn.Sequential(*layers)\n\nlayers.append(nn.ReLU())\n",
        "model",
        7850,
    ),
    "after one of a class is made of it": (
        f"cfg = {{'h': 20}}\n{WIDTH_NET.replace('H', 'h').replace('(self)', '(self, h)', 1)}\n"
        "model = Net(cfg['h'])\n\nfor h in load():\n    cfg['h'] = h\n",
        "model",
        WIDE,
    ),
    "what only one branch gives": (
        "if len('ab') > 1:\n    layers = [nn.Flatten()]\nelse:\n    other, layers = 3, []\n\n"
        "layers.append(nn.Linear(784, 10))\nmodel = nn.Sequential(*layers)\n",
        "model",
        7850,
    ),
    "a comprehension": (
        f"sizes = [5 * 2**i for i in range(2)]\n\nsizes.append(20)\n{WIDTH_NET.replace('H', 'sizes[2]')}",
        "Net",
        WIDE,
    ),
    "numbers alone": (
        f"model = {DENSE}\nwith torch.no_grad():\n    model[1].weight[:] = 1\n    model[1].bias.data = load()\n",
        "model",
        7850,
    ),
    "where it is started": (
        f"H = 20\n{WIDTH_NET}\nif __name__ == '__main__':\n    H += read()\n",
        "Net",
        WIDE,
    ),
}


@pytest.mark.parametrize("kind", ["py", "ipynb"])
@pytest.mark.parametrize("way", CHANGED)
def test_what_is_changed_after_it_is_made_is_taken_as_it_ends(way, kind, tmp_path, capsys):
    source, name, parameters = CHANGED[way]
    content = HEAD + source if kind == "py" else as_notebook(source)
    (tmp_path / f"mine.{kind}").write_text(content, encoding="utf-8")
    code, out, err = command(capsys, "network", f"mine.{kind}:{name}", "--json")
    assert code == 0, err
    assert json.loads(out)["parameters"] == parameters


SETTINGS = {
    "a namespace": "from types import SimpleNamespace\ncfg = SimpleNamespace(h=20)\n",
    "a sum": "cfg = {'h': sum(x for x in [9, 11])}\n",
}


@pytest.mark.parametrize("default", [False, True])
@pytest.mark.parametrize("way", SETTINGS)
def test_settings_in_an_object_of_the_file_are_made(way, default, tmp_path, capsys):
    height = "cfg['h']" if way == "a sum" else "cfg.h"
    network = WIDTH_NET.replace("(self)", f"(self, H={height})", 1) if default else WIDTH_NET.replace("H", height)
    (tmp_path / "mine.py").write_text(HEAD + SETTINGS[way] + network)
    code, out, err = command(capsys, "network", "mine.py:Net", "--json")
    assert code == 0, err
    assert json.loads(out)["parameters"] == WIDE


@pytest.mark.parametrize("network", [WIDTH_NET, WIDTH_NET.replace("(self)", "(self, h=H)", 1)])
def test_what_a_class_needs_and_is_not_run_is_named(network, tmp_path, capsys):
    source = "import argparse\nH = argparse.ArgumentParser().parse_args()\n" + network
    (tmp_path / "mine.py").write_text(HEAD + source)
    code, _, err = command(capsys, "network", "mine.py:Net")
    assert code == 2 and "it needs H, but line 5, which makes it, is not run; make it where it is used" in err


@pytest.mark.parametrize(
    "changes, says",
    [
        ("for size in load():\n    layers.append(nn.ReLU())\n", "line 5 changes it and is not run"),
        ("while len(layers) < 3:\n    layers.append(nn.ReLU())\n", "line 5 changes it and is not run"),
        ("layers.append(load())\n", "line 5 changes it and is not run"),
        ("layers[9] = nn.ReLU()\n", "line 5 changes it and fails (IndexError"),
    ],
)
def test_what_is_changed_by_what_is_not_run_is_refused(changes, says, tmp_path, capsys):
    source = "layers = [nn.Flatten(), nn.Linear(784, 10)]\n" + changes + "model = nn.Sequential(*layers)\n"
    (tmp_path / "mine.py").write_text(HEAD + source)
    code, out, err = command(capsys, "network", "mine.py:model")
    assert (code, out) == (2, "") and len(err.strip().splitlines()) == 1
    assert f"it needs layers, but {says}" in err


def test_a_network_is_not_trained_for_what_it_is_given(tmp_path, capsys):
    trains = "def fit(model):\n    open('trained', 'w')\n\nmodel = Net()\nmodel.history = fit(model)\n"
    (tmp_path / "mine.py").write_text(HEAD + "H = 20\n" + WIDTH_NET + trains)
    code, _, err = command(capsys, "network", "mine.py:model")
    assert code == 2 and "model cannot be made: line 17 changes it and is not run" in err
    assert not (tmp_path / "trained").exists() and command(capsys, "network", "mine.py:Net")[0] == 0


def test_a_change_makes_another_fingerprint(tmp_path):
    (tmp_path / "mine.py").write_text(HEAD + "H = 16\nprint(H)\n")
    before = load_definitions("mine.py").fingerprint
    (tmp_path / "mine.py").write_text(HEAD + "H = 16\nH += 4\nprint(2 * H)\n")
    after = load_definitions("mine.py").fingerprint
    (tmp_path / "mine.py").write_text(HEAD + "H = 16\nprint(2 * H)\n")
    assert load_definitions("mine.py").fingerprint == before != after


def test_a_package_and_a_recipe_can_be_named(capsys):
    code, out, _ = command(capsys, "network", "torchvision.models:resnet18", "--input", "3", "64", "64", "--json")
    found = json.loads(out)
    assert code == 0 and found["parameters"] == 11_689_512 and found["output_size"] == [1000]
    code, out, _ = command(capsys, "network", "source", "--json")
    found = json.loads(out)
    assert (found["parameters"], found["output"], found["seen"]) == (14_392, "logits", [28, 28])
    table = layers.layer_table(layers.SOURCE)
    assert [row["parameters"] for row in found["layers"]] == table["parameters"].tolist()
    assert [row["multiply_adds"] for row in found["layers"]] == table["multiply_adds"].tolist()
    assert found["multiply_adds"] == table["multiply_adds"].sum()


@pytest.mark.parametrize("what", ["quick", "nowhere:Net", "json:Net", "json:loads", ":Net", "a.py:", "", "C:"])
def test_what_names_nothing_is_refused(what, capsys):
    code, out, err = command(capsys, "network", what)
    assert (code, out) == (2, "") and len(err.strip().splitlines()) == 1


def test_parameters_that_nothing_uses_are_named():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.used, self.idle = nn.Linear(784, 10), nn.Linear(3, 5)

        def forward(self, x):
            return self.used(x.flatten(1))

    found = examine(Net())
    assert (found.unused, found.unused_parameters, found.parameters) == (("idle.weight", "idle.bias"), 20, 7870)


def test_a_network_that_does_not_see_the_whole_digit():
    """A remainder is dropped: the pool reads 9 of 10 positions, so that the last pixels never count."""
    net = nn.Sequential(nn.Conv2d(1, 4, 3, stride=3), nn.AvgPool2d(4, 4), nn.Flatten(), nn.Linear(16, 10))
    found = describe(net)
    changed = torch.zeros(1, 1, 28, 28, requires_grad=True)
    net(changed).sum().backward()
    counted = changed.grad[0, 0] != 0
    assert found.seen == (int(counted.any(1).sum()), int(counted.any(0).sum())) == (24, 24)
    assert "24 × 24" in str(found)


def test_layers_that_widen_in_vain_are_named():
    grown = [nn.Conv2d(1, 4, 28, padding=0), nn.Conv2d(4, 10, 3, padding=1), nn.Flatten()]
    said = str(describe(nn.Sequential(*grown)))
    assert "could be saved: 1" in said and "could be saved" not in str(describe(layers.build(layers.SOURCE)))


def test_the_users_network_stays_as_it_is():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(2704, 10))
            self.register_buffer("count", torch.zeros(1))

        def forward(self, x):
            self.count.add_(1)
            return self.net(x)

    net = Net()
    net.net[0].weight.requires_grad_(False)
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    describe(net)
    assert all(torch.equal(before[name], tensor) for name, tensor in net.state_dict().items())
    assert net.training and net.net[0].weight.grad is None and not net.net[0].weight.requires_grad


def test_weights_depend_on_the_seed_alone(tmp_path):
    (tmp_path / "mine.py").write_text(LOG_SOFTMAX)
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first, again, other = (find_network("mine.py:Net", seed=seed).conv1.weight for seed in (1, 1, 2))
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_picture_is_written(tmp_path, capsys):
    assert command(capsys, "network", "source", "--picture", "out.png")[0] == 0
    assert (tmp_path / "out.png").read_bytes().startswith(b"\x89PNG")
    assert command(capsys, "network", "source", "--picture", "absent/out.png")[0] == 2
    assert command(capsys, "network", "source", "--picture", "out.notapicture")[0] == 2
    assert command(capsys, "network", "source", "--picture", "other")[0] == 2 and not (tmp_path / "other.png").exists()


def test_a_file_is_read_without_torch(tmp_path, monkeypatch):
    (tmp_path / "plain.py").write_text("A = 3\ndef f():\n    return A\n")
    assert load_definitions("plain.py").namespace["f"]() == 3


def test_places_and_names():
    assert split("models/a.py:Net") == ("models/a.py", "Net") and split("a.py") == ("a.py", "")
    assert split("pack.mod:make") == ("pack.mod", "make") and split("book") == ("book", "")


@pytest.mark.parametrize(
    "content", [b"\xff\xfe\x00", b'{"cells": 3}', b"{}", b"[", b'{"cells": [{"cell_type": "code"}]}']
)
def test_a_damaged_notebook_is_refused(content, tmp_path, capsys):
    (tmp_path / "mine.ipynb").write_bytes(content)
    code, _, err = command(capsys, "network", "mine.ipynb:Net")
    assert code == 2 and len(err.strip().splitlines()) == 1


def test_deep_code_is_no_crash(tmp_path, capsys):
    (tmp_path / "deep.py").write_text("x = " + "(" * 5000 + ")" * 5000 + "\n")
    assert command(capsys, "network", "deep.py:Net")[0] == 2


def test_an_error_of_ours_is_a_value_error():
    assert issubclass(NetworkError, ValueError) and "torch" in sys.modules


# Trained --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", daily(FILES, 6))
def test_each_way_is_trained_for_an_epoch(way, tmp_path, capsys):
    source, name, settings = FILES[way]
    (tmp_path / "mine.py").write_text(source, encoding="utf-8")
    asked = ["train", "--network", f"mine.py:{name}", "--epochs", "1", "--data", "sample", "--json"]
    code, out, err = command(capsys, *asked, *(["--set", *settings] if settings else []))
    assert code == 0, err
    record = json.loads(out.splitlines()[-1])
    assert (record["recipe"], record["epochs"], record["data"]) == (name, 1, "sample")
    assert record["test_accuracy"] > 0.15, "an epoch of 4,000 digits teaches something"
    assert record["test_accuracy_alone"] == pytest.approx(record["test_accuracy"], abs=0.002)
    assert not (tmp_path / "trained").exists()


@pytest.mark.parametrize("way", REFUSED)
def test_what_cannot_be_trained_is_refused_before_anything_is_written(way, tmp_path, capsys):
    source, name, settings, _ = REFUSED[way]
    (tmp_path / "mine.py").write_text(source, encoding="utf-8")
    asked = ["train", "--network", f"mine.py:{name}", "--epochs", "1", "--data", "sample"]
    code, out, err = command(capsys, *asked, *(["--set", *settings] if settings else []))
    assert (code, out) == (2, "") and len(err.strip().splitlines()) == 1
    assert [p.name for p in tmp_path.iterdir()] == ["mine.py"]


def test_other_outputs_than_ten_scores_are_refused(tmp_path, capsys):
    (tmp_path / "mine.py").write_text(
        HEAD + "net = nn.Sequential(nn.Flatten(), nn.Linear(784, 7))\nNone_ = nn.Flatten()\n"
    )
    code, _, err = command(capsys, "train", "--network", "mine.py:net", "--data", "sample")
    assert code == 2 and "ten scores" in err and " 7 " in err


QUICK = ["--epochs", "1", "--data", "sample", "--validation", "3900"]  # a hundred digits


@pytest.mark.parametrize("way", CANNOT_LEARN)
def test_what_cannot_learn_is_refused_before_anything_is_written(way, tmp_path, capsys):
    made, returned, named = CANNOT_LEARN[way]
    (tmp_path / "mine.py").write_text(HEAD + LEARNER.format(made=made, returned=returned))
    code, out, err = command(capsys, "train", "--network", "mine.py:Net", *QUICK)
    assert (code, out) == (2, "") and len(err.strip().splitlines()) == 1 and named in err
    assert [p.name for p in tmp_path.iterdir()] == ["mine.py"]


ODD = {
    "two answers while it trains": ("pass", "y = self.head(x)\n        return (y, y) if self.training else y"),
    "one layer under two names": ("self.again = self.head[1]", "return self.head(x)"),
    "a buffer that is a part of a weight": (
        'self.register_buffer("part", self.head[1].weight.detach()[:2])',
        "return self.head(x)",
    ),
    "a kernel in three dimensions": (
        "self.deep = nn.Conv3d(1, 1, 1)",
        "return self.head(self.deep(x.unsqueeze(2)).squeeze(2))",
    ),
}


@pytest.mark.parametrize("way", ODD)
def test_what_is_odd_but_learns_is_trained_and_read_back(way, tmp_path, capsys):
    made, returned = ODD[way]
    (tmp_path / "mine.py").write_text(HEAD + LEARNER.format(made=made, returned=returned))
    asked = ["train", "--network", "mine.py:Net", *QUICK, "--json"]
    code, first, err = command(capsys, *asked)
    assert code == 0, err
    assert command(capsys, *asked, "--resume")[:2] == (0, first)


def test_state_that_cannot_be_saved_is_found_before_the_training(tmp_path, capsys):
    extra = (
        "\n    def get_extra_state(self):\n        return 1\n\n    def set_extra_state(self, state):\n        pass\n"
    )
    (tmp_path / "mine.py").write_text(HEAD + LEARNER.format(made="pass", returned="return self.head(x)") + extra)
    code, out, err = command(capsys, "train", "--network", "mine.py:Net", *QUICK)
    assert (code, out) == (2, "") and "only networks of tensors can be saved" in err.splitlines()[-1]


@pytest.mark.parametrize("how", ["beside it", "in the file"])
def test_another_forward_is_another_network(how, tmp_path, capsys):
    """What a network shows of itself has no forward in it; comments and other code change nothing."""
    source = HEAD + LEARNER.format(made="pass", returned="return self.head(x) * 1")
    (tmp_path / "body.py").write_text(source)
    file = "body.py" if how == "in the file" else "mine.py"
    if file == "mine.py":
        (tmp_path / file).write_text("from body import Net\n")
    asked = ["train", "--network", f"{file}:Net", *QUICK, "--seeds", "1", "--json"]
    first = command(capsys, *asked)[1]
    (tmp_path / "body.py").write_text(source + "# a comment\nprint('and code that makes no network')\n")
    assert command(capsys, *asked)[1] == first
    (tmp_path / "body.py").write_text(source.replace("* 1", "* 0"))
    assert command(capsys, *asked)[1] != first
    assert len((tmp_path / "runs" / "Net.jsonl").read_text().splitlines()) == 2


@pytest.mark.parametrize(
    ("what", "content"),
    [
        ("ending.py:Net", "import sys\nsys.exit()\n"),
        ("asking.py:Net", "import argparse\nargparse.ArgumentParser().exit(3)\n"),
    ],
)
def test_a_module_that_ends_the_program_is_refused(what, content, tmp_path, capsys):
    (tmp_path / what.split(":")[0]).write_text(HEAD + content + LEARNER.format(made="sys.exit(0)", returned="return x"))
    (tmp_path / "package_of_mine.py").write_text(content)
    for asked in (what, "package_of_mine:Net"):
        code, out, err = command(capsys, "network", asked)
        assert (code, out) == (2, "") and len(err.strip().splitlines()) == 1
    sys.modules.pop("package_of_mine", None)


def modules_costs(network, input_size):
    return [astuple(cost)[:4] for cost in costs_by_call(network, input_size) if cost.function is None]


def test_a_weight_in_two_parts_has_its_costs(tmp_path):
    layer = nn.utils.parametrizations.weight_norm(nn.Linear(784, 10))
    _, cost = modules_costs(nn.Sequential(nn.Flatten(), layer), (1, 28, 28))
    assert cost[:3] == ("1", sum(p.numel() for p in layer.parameters()), 7840)


def test_what_is_right_only_in_company_is_read_alone_too(tmp_path, capsys):
    (tmp_path / "company.py").write_text(LOG_SOFTMAX.replace("dim=1", "dim=0"), encoding="utf-8")
    asked = ["train", "--network", "company.py:Net", "--epochs", "2", "--data", "sample", "--json"]
    code, out, _ = command(capsys, *asked)
    record = json.loads(out.splitlines()[-1])
    assert code == 0 and record["test_accuracy"] > 0.5 and record["test_accuracy_alone"] < 0.2


def test_seeds_are_recorded_and_not_trained_again(tmp_path, capsys):
    (tmp_path / "mine.py").write_text(LOG_SOFTMAX)
    asked = ["train", "--network", "mine.py:Net", "--epochs", "1", "--data", "sample", "--out", "here"]
    code, out, _ = command(capsys, *asked, "--seeds", "2")
    assert code == 0 and "2 seeds" in out and "worst seed" in out and "with every seed: no" in out
    assert "one digit at a time" in out and "the recipe Net" not in out
    first = (tmp_path / "here" / "Net.jsonl").read_bytes()
    code, out, _ = command(capsys, *asked, "--seeds", "3", "--json")
    told = json.loads(out)
    assert code == 0 and told["seeds"] == 3 and told["over_goal_with_every_seed"] is False
    content = (tmp_path / "here" / "Net.jsonl").read_bytes()
    records = [json.loads(line) for line in content.splitlines()]
    assert content.startswith(first) and [record["seed"] for record in records] == [0, 1, 2]
    assert told["mean"] == pytest.approx(sum(record["test_accuracy"] for record in records) / 3)
    assert {"study", "variant", "seed", "parameters", "epochs", "data", "validation", "seconds"} <= set(records[0])


def test_a_run_goes_on_only_with_the_same_network(tmp_path, capsys):
    asked = ["train", "--network", "mine.py:Net", "--epochs", "1", "--data", "sample"]
    (tmp_path / "mine.py").write_text(LOG_SOFTMAX)
    assert command(capsys, *asked)[0] == 0
    code, out, _ = command(capsys, *asked, "--resume", "--json")
    assert code == 0 and json.loads(out.splitlines()[-1])["epochs"] == 1
    (tmp_path / "mine.py").write_text(
        LOG_SOFTMAX.replace("nn.Conv2d(1, 4, 4", "nn.Conv2d(1, 5, 4").replace("2d(4", "2d(5")
    )
    code, _, err = command(capsys, *asked, "--resume")
    assert code == 2 and len(err.strip().splitlines()) == 1


def test_a_network_that_cannot_be_copied_keeps_no_hooks():
    layer = nn.Conv2d(1, 2, 3)
    network = nn.Sequential(layer)
    layer.kept = layer.weight * 2  # PyTorch copies no results of computations
    with pytest.raises(RuntimeError):
        copy.deepcopy(network)
    ((name, parameters, _, size),) = modules_costs(network, (1, 28, 28))
    assert (name, parameters, size) == ("0", 20, (2, 26, 26))
    assert not layer._forward_hooks and not layer._forward_pre_hooks


class After(nn.Module):
    """A convolution and a dense layer, and then something of the reader's own."""

    def __init__(self, then=lambda scores: scores):
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(1, 1, 5, stride=5), nn.Flatten(), nn.Linear(25, 10))
        self.then = then

    def forward(self, x):
        return self.then(self.layers(x))


@pytest.mark.parametrize(
    ("then", "says"),
    [
        (lambda scores: scores[:, :0], "empty"),
        (lambda scores: scores.to_sparse(), "sparse"),
        (lambda scores: scores.argmax(1), "argmax"),
    ],
)
def test_answers_that_are_no_scores_are_named(then, says):
    with pytest.raises(NetworkError, match=says):
        examine(After(then))


def test_an_answer_that_is_no_number_is_no_matter_of_company():
    found = examine(After(lambda scores: scores * float("nan")))
    assert found.alone_as_together and any("NaN" in remark for remark in found.remarks)


def test_parameters_that_are_hidden_from_autograd_are_not_called_useless():
    assert not examine(After(lambda scores: scores.detach())).unused
    unused = examine(After(lambda scores: torch.zeros(len(scores), 10))).unused
    assert len(unused) == 4


def test_what_cannot_be_copied_keeps_its_numbers_and_its_frozen_layers():
    network = After(lambda scores: scores.detach())
    network.layers[0].weight.requires_grad_(False)
    network.kept = network.layers[0].weight * 1.0 + network.layers[2].weight.sum()  # torch copies no such tensor
    with pytest.raises(RuntimeError):
        copy.deepcopy(network)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    examine(network)
    assert not network.layers[0].weight.requires_grad and network.layers[2].weight.requires_grad
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_a_scripted_module_has_no_costs_of_its_own():
    calls = modules_costs(nn.Sequential(torch.jit.script(nn.Conv2d(1, 2, 3)), nn.Flatten()), (1, 9, 9))
    assert [name for name, *_ in calls] == ["1"]


@pytest.mark.parametrize("layer", [nn.MultiheadAttention, nn.TransformerEncoderLayer])
def test_the_rows_of_attention_add_up_to_the_whole(layer):
    class Tokens(nn.Module):
        def __init__(self):
            super().__init__()
            self.patches, self.mixing, self.scores = (
                nn.Conv2d(1, 4, 7, 7),
                layer(4, 2, batch_first=True),
                nn.Linear(4, 10),
            )

        def forward(self, x):
            tokens = self.patches(x).flatten(2).transpose(1, 2)
            mixed = self.mixing(tokens, tokens, tokens)[0] if layer is nn.MultiheadAttention else self.mixing(tokens)
            return self.scores(mixed.mean(1))

    found = describe(Tokens())
    assert found.table["parameters"].sum() == found.examination.parameters
    assert found.table["multiply_adds"].sum() == found.examination.multiply_adds
    products = 2 * 16 * 16 * 4  # queries with keys, and weights with values
    assert found.examination.multiply_adds >= 16 * 49 * 4 + 4 * 16 * 4 * 4 + products + 40


@pytest.mark.parametrize("kind", [torch.float64, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("output, then", [("logits", nn.Identity()), ("probabilities", nn.Softmax(1))])
def test_a_network_in_another_precision_is_given_images_in_it(kind, output, then):
    network = nn.Sequential(nn.Conv2d(1, 4, 9, stride=4), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(100, 10), then)
    found = describe(network.to(kind))
    assert (found.examination.output, found.examination.alone_as_together) == (output, True)
    assert found.table["multiply_adds"].sum() == found.examination.multiply_adds == 100 * 81 + 1000


def test_a_network_in_another_precision_is_trained(tmp_path, capsys):
    made, returned = "self.double()", "return self.head(x)"
    (tmp_path / "mine.py").write_text(HEAD + LEARNER.format(made=made, returned=returned), encoding="utf-8")
    code, out, err = command(capsys, "train", "--network", "mine.py:Net", *QUICK, "--json")
    assert code == 0 and json.loads(out)["epochs"] == 1, err


class Rows(nn.Module):
    """The rows of a digit read one after the other."""

    def __init__(self, reader, width):
        super().__init__()
        self.reader, self.scores = reader, nn.Linear(width, 10)

    def forward(self, x):
        return self.scores(self.reader(x.flatten(1, 2))[0][:, -1])


class Pairs(nn.Module):
    def __init__(self):
        super().__init__()
        self.pairs = nn.Bilinear(4, 5, 10)

    def forward(self, x):
        return self.pairs(x[:, 0, 0, :4], x[:, 0, 0, :5])


@pytest.mark.parametrize(
    "network, spent",
    [
        (Rows(nn.LSTM(28, 64, batch_first=True), 64), [28 * 4 * 64 * (28 + 64), 640]),
        (Rows(nn.LSTM(28, 8, 2, batch_first=True, bidirectional=True), 16), [28 * 2 * 4 * 8 * (36 + 24), 160]),
        (Rows(nn.GRU(28, 64, batch_first=True), 64), [28 * 3 * 64 * (28 + 64), 640]),
        (Pairs(), [4 * 5 * 10]),
    ],
)
@pytest.mark.parametrize("by_onednn", [True, False])
def test_what_torch_hides_from_its_counter_is_counted(network, spent, by_onednn):
    with torch.backends.mkldnn.flags(enabled=by_onednn):
        assert examine(network).multiply_adds == sum(spent)
        assert [cost for _, _, cost, _ in modules_costs(network, (1, 28, 28))] == spent


class Functions(nn.Module):
    """What multiplies is no module of its own."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(1, 4, 3)
        self.up, self.down = nn.Parameter(torch.rand(4, 2, 3, 3)), nn.Parameter(torch.rand(2, 2, 3, 3))
        self.mixing = nn.Parameter(torch.rand(2, 2))

    def forward(self, x):
        x = nn.functional.conv_transpose2d(self.first(x), self.up, stride=2)
        x = nn.functional.conv2d(nn.functional.conv2d(x, self.down), self.down)
        return x.mean((2, 3)) @ self.mixing


def test_functions_have_their_costs_in_their_rows():
    table, found = (description := describe(Functions())).table.set_index("layer"), description.examination
    assert table.loc["conv_transpose2d", ["parameters", "multiply_adds"]].tolist() == [72, 26 * 26 * 72]
    assert table.loc["conv2d", "parameters"] == 36 and table.loc["conv2d_1", "parameters"] == 0
    assert table["parameters"].sum() == found.parameters and table["multiply_adds"].sum() == found.multiply_adds


class Several(nn.Module):
    """Scores that see a little of the image, and after them something else that sees all of it."""

    def __init__(self, answer):
        super().__init__()
        self.answer = answer
        self.features, self.scores, self.rest = nn.Conv2d(1, 4, 3), nn.Linear(4, 10), nn.Linear(2704, 3)

    def forward(self, x):
        x = self.features(x)
        return self.answer(self.scores(x[:, :, 13, 13]), self.rest(x.flatten(1)))


@pytest.mark.parametrize(
    "answer, seen",
    [
        (lambda scores, rest: (scores, rest), (3, 3)),
        (lambda scores, rest: {"rest": rest.sum(), "scores": scores, "all": rest}, (3, 3)),
        (lambda scores, rest: [rest, scores], (28, 28)),
        (lambda scores, rest: (scores,), (3, 3)),
    ],
)
def test_of_several_answers_that_of_the_scores_counts(answer, seen):
    description = describe(Several(answer))
    assert description.seen == seen and ("no, 3 × 3 of it" in str(description)) == (seen == (3, 3))


@pytest.mark.parametrize(
    "convolution, size, shapes",
    [(nn.Conv1d, (2, 48), [(6, 48), (6, 44)]), (nn.Conv3d, (2, 8, 12, 16), [(12, 16), (8, 12)])],
)
def test_a_picture_of_a_sequence_and_of_a_volume(convolution, size, shapes):
    from matplotlib.patches import Rectangle

    from cellgrad.networks.picture import draw_network

    network = nn.Sequential(convolution(2, 3, 5), nn.Flatten(), nn.LazyLinear(4))
    figure = draw_network(describe(network, size))
    drawn = [[patch for patch in ax.patches if isinstance(patch, Rectangle)] for ax in figure.axes]
    heights = {(patch.get_height(), patch.get_width()) for patches in drawn for patch in patches}
    assert set(shapes) <= heights and len([patches for patches in drawn if patches]) == 2 + 1 + 2


def test_a_network_that_keeps_a_result_stays_as_it_is():
    class Keeps(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Sequential(nn.Flatten(), nn.Linear(784, 10))

        def forward(self, images):
            self.kept = self.layer(images)
            return self.kept

    network = Keeps()
    kept = network(torch.zeros(1, 1, 28, 28))
    examine(network)
    rehearse(network)
    assert network.training and network.kept is kept
    assert all(parameter.grad is None for parameter in network.parameters())


@pytest.mark.parametrize("size", [28, (), "1,28,28", (1, -28, 28)])
def test_what_is_no_size_is_refused(size):
    with pytest.raises(ValueError, match=r"^input_size: "):
        describe(nn.Flatten(), size)
