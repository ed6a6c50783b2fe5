"""Import torchvision, also beside a build of torch for which its compiled operators were not made."""

from __future__ import annotations

import importlib
import sys
from types import ModuleType


def import_torchvision() -> ModuleType:
    """Return torchvision; beside a torch of another build, declare the two operators whose absence stops its import.

    Data sets, transforms and models need no compiled operator, but torchvision describes two of them to torch as it is
    imported. Raises ImportError where torchvision is not installed.
    """
    try:
        return importlib.import_module("torchvision")
    except RuntimeError as error:
        if "operator torchvision::nms does not exist" not in str(error):
            raise
    for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
        del sys.modules[name]
    import torch

    torch.library.define("torchvision::nms", "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    torch.library.define("torchvision::qnms", "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    return importlib.import_module("torchvision")
