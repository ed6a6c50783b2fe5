"""Import torchvision, also where its compiled operators were built for another torch than the one installed."""

import importlib
import sys
from types import ModuleType


def import_torchvision() -> ModuleType:
    """Return torchvision; its data sets, transforms and models work even where its compiled operators do not load.

    pip happily installs torchvision's CUDA build beside a CPU-only torch. The plain import then fails, because
    the two operators that it decorates do not exist; declaring their signatures is enough for all that we use.
    """
    try:
        return importlib.import_module("torchvision")
    except RuntimeError as error:
        if "operator torchvision::nms does not exist" not in str(error):
            raise
    import torch

    for module in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
        del sys.modules[module]
    torch.library.define("torchvision::nms", "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    torch.library.define("torchvision::qnms", "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    return importlib.import_module("torchvision")
