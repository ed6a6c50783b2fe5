"""How people write the networks of this exercise, one small file a way; made for the tests, no one's work."""

HEAD = "import torch\nimport torch.nn as nn\nimport torch.nn.functional as F\n"

BODY = """
class Net(nn.Module):
    def __init__(self):
        super(Net, self).__init__()
        self.conv1 = nn.Conv2d(1, 4, 4, stride=2)
        self.conv2 = nn.Conv2d(4, 10, 13)

    def forward(self, x):
        x = F.relu(self.conv1(x))
        x = self.conv2(x).view(-1, 10)
        return {returned}
"""

LOG_SOFTMAX = HEAD + BODY.format(returned="F.log_softmax(x, dim=1)")

# name: (source, the object's name, settings)
FILES = {
    "plain": (LOG_SOFTMAX, "Net", []),
    "log_softmax without dim": (HEAD + BODY.format(returned="F.log_softmax(x)"), "Net", []),
    "logits": (HEAD + BODY.format(returned="x"), "Net", []),
    "probabilities": (HEAD + BODY.format(returned="F.softmax(x, dim=1)"), "Net", []),
    "a missing torchsummary": (
        "from torchsummary import summary_that_is_not_there as summary\n"
        + LOG_SOFTMAX
        + "\nsummary(Net(), input_size=(1, 28, 28))\n",
        "Net",
        [],
    ),
    "training at the top": (
        "from torchvision import datasets\n"
        + LOG_SOFTMAX
        + "\nmodel = Net()\nopen('trained', 'w').write('yes')\nfor epoch in range(10**9):\n    open('trained', 'a')\n",
        "Net",
        [],
    ),
    "a global device": (
        HEAD
        + "use_cuda = torch.cuda.is_available()\ndevice = torch.device('cuda' if use_cuda else 'cpu')\n"
        + BODY.format(returned="F.log_softmax(x, dim=1)").replace(
            "def forward(self, x):", "def forward(self, x):\n        x = x.to(device)"
        ),
        "Net",
        [],
    ),
    "a module's constant": (
        HEAD + "drop = 0.1\nrate = drop / 2\n" + BODY.format(returned="F.dropout(x, rate, self.training)"),
        "Net",
        [],
    ),
    "a helper function and another class": (
        HEAD
        + "def block(i, o):\n    return nn.Sequential(nn.Conv2d(i, o, 4, stride=2), Swish())\n\n"
        + "class Swish(nn.Module):\n    def forward(self, x):\n        return x * torch.sigmoid(x)\n\n"
        + "class Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        + "        self.body = nn.Sequential(block(1, 4), nn.Flatten(), nn.Linear(676, 10))\n"
        + "    def forward(self, x):\n        return self.body(x)\n",
        "Net",
        [],
    ),
    "the same name again": (
        LOG_SOFTMAX.replace("nn.Conv2d(1, 4, 4, stride=2)", "nn.Conv2d(1, 40, 4, stride=2)") + LOG_SOFTMAX,
        "Net",
        [],
    ),
    "arguments": (
        HEAD
        + BODY.format(returned="self.norm(x)")
        .replace("def __init__(self)", "def __init__(self, norm, classes=10, dropout=0.0)")
        .replace(
            "self.conv2 =",
            "self.norm = nn.BatchNorm1d(10) if norm == 'bn' else nn.Dropout(dropout)\n        self.conv2 =",
        ),
        "Net",
        ["norm=bn", "dropout=0.1"],
    ),
    "a function that makes one": (
        HEAD
        + "def make(width=4):\n    return nn.Sequential(nn.Conv2d(1, width, 4, 2), nn.Flatten(), nn.LazyLinear(10))\n",
        "make",
        ["width=3"],
    ),
    "an instance": (LOG_SOFTMAX + "\nmodel = Net().to('cpu')\nraise RuntimeError('training begins')\n", "model", []),
    "a sequence": (
        HEAD + "network = nn.Sequential(nn.Conv2d(1, 4, 4, 2), nn.ReLU(), nn.Flatten(), nn.Linear(676, 10))\n",
        "network",
        [],
    ),
    "a print in forward": (
        HEAD + BODY.format(returned="x").replace("x = F.relu", "print('shape', x.shape)\n        x = F.relu"),
        "Net",
        [],
    ),
    "a tuple comes back": (HEAD + BODY.format(returned="F.log_softmax(x, dim=1), x"), "Net", []),
    "positions of 1 x 1 are left": (HEAD + BODY.format(returned="x[:, :, None, None]"), "Net", []),
    "shapes decide": (
        HEAD
        + BODY.format(returned="F.log_softmax(x, dim=1)").replace(
            "x = F.relu",
            "assert x.shape[1] == 1\n        if x.size(2) != 28:\n            x = x[..., :28]\n        x = F.relu",
        ),
        "Net",
        [],
    ),
    "inplace and functional": (
        HEAD
        + BODY.format(returned="x.reshape(x.shape[0], -1)").replace(
            "F.relu(self.conv1(x))", "F.relu_(self.conv1(x)) * 1"
        ),
        "Net",
        [],
    ),
}

# What cannot be used: (source, name, settings, what the one line must name)
REFUSED = {
    "two inputs": (
        HEAD + BODY.format(returned="x").replace("forward(self, x)", "forward(self, x, number)"),
        "Net",
        [],
        ["2 inputs", "number"],
    ),
    "no return": (HEAD + BODY.format(returned="x").replace("return x", "x = x"), "Net", [], ["return"]),
    "another device": (
        HEAD + BODY.format(returned="x").replace("x = F.relu", "x = x.to('cuda')\n        x = F.relu"),
        "Net",
        [],
        ["x.device"],
    ),
    "leftover positions": (
        HEAD
        + "class Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        + "        self.c = nn.Conv2d(1, 10, 3)\n"
        + "    def forward(self, x):\n        return self.c(x).view(-1, 10)\n",
        "Net",
        [],
        ["1,352 rows"],
    ),
    "an argument is missing": (
        HEAD + BODY.format(returned="x").replace("def __init__(self)", "def __init__(self, norm, groups)"),
        "Net",
        [],
        ["--set norm=", "--set groups="],
    ),
    "an argument that is none": (LOG_SOFTMAX, "Net", ["depth=3"], ["depth"]),
    "no such name": (LOG_SOFTMAX, "Nett", [], ["Nett", "Net"]),
    "no network": (HEAD + "class Net:\n    pass\n", "Net", [], ["torch.nn.Module"]),
    "a number": (HEAD + "Net = 7\n", "Net", [], ["int"]),
    "a shape that does not fit": (
        HEAD + BODY.format(returned="x").replace("nn.Conv2d(4, 10, 13)", "nn.Conv2d(5, 10, 13)"),
        "Net",
        [],
        ["1 × 28 × 28"],
    ),
    "a base class that is missing": (
        "import lightning_that_is_not_there as pl\n" + HEAD + "class Net(pl.LightningModule):\n    pass\n",
        "Net",
        [],
        ["lightning_that_is_not_there is not installed"],
    ),
    "an import that failed, needed when it is made": (
        "from helpers_that_are_not_there import head\n"
        + HEAD
        + BODY.format(returned="x").replace("super(Net, self).__init__()", "super().__init__(); head()"),
        "Net",
        [],
        ["it needs head", "helpers_that_are_not_there is not installed"],
    ),
    "an import that failed, needed when it runs": (
        "import helpers_that_are_not_there as helpers\n" + HEAD + BODY.format(returned="helpers.head(x)"),
        "Net",
        [],
        ["it needs helpers", "helpers_that_are_not_there is not installed"],
    ),
    "an import of everything that failed": (
        "from helpers_that_are_not_there import *\n" + HEAD + BODY.format(returned="head(x)"),
        "Net",
        [],
        ["it needs head", "helpers_that_are_not_there is not installed"],
    ),
    "no Python": ("class Net(:\n", "Net", [], ["line 1"]),
}

# What can be made and cannot learn: (last line of __init__, end of forward, a part of what is said)
CANNOT_LEARN = {
    "frozen": ("self.requires_grad_(False)", "return self.head(x)", "no parameter of it can learn"),
    "under no_grad": ("pass", "with torch.no_grad():\n            return self.head(x)", "no parameter of it can learn"),
    "fails while it trains": ("pass", "return self.head(x.view(2, -1) if self.training else x)", "while it trains"),
    "whole numbers": ("pass", "return self.head(x).round().long()", "no parameter of it can learn"),
    "complex numbers": ("pass", "return self.head(x) + 0j", "complex"),
    "ends the program": ("pass", "raise SystemExit(0)", "ends the program"),
}
LEARNER = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Sequential(nn.Flatten(), nn.Linear(784, 10))
        {made}

    def forward(self, x):
        {returned}
"""
