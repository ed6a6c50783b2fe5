"""The module names of version 0.1.0 go on importing: `cellgrad.convnets` is `cellgrad.layers`, and says so."""

import sys
import warnings
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

MOVED = {
    "_torchvision": "torchvision",
    "audit": "spreadsheet.audit",
    "auditing": "spreadsheet.audit",
    "convnets": "layers",
    "descent": "toynet.descent",
    "engines": "trials.engines",
    "field_operations": "receptive.interval_operations",
    "fields": "receptive.intervals",
    "formulas": "spreadsheet.parser",
    "learning_rates": "toynet.learning_rates",
    "measuring": "receptive.measure",
    "operations": "receptive.operations",
    "recipes": "training.recipes",
    "records": "trials.records",
    "rules": "receptive.rules",
    "saving": "training.saving",
    "studies": "trials.studies",
    "tasks": "trials.tasks",
    "tracing": "receptive.trace",
    "verdicts": "trials.comparison",
    "workbook": "spreadsheet.workbook",
}
# What has another name there, or stands elsewhere than the rest of its old module.
RENAMED = {
    "measuring.effective_receptive_field": "receptive.effective.effective_receptive_field",
    "records.shipped": "trials.records.shipped_records",
    "saving.shipped": "training.saving.shipped_run",
}


class _OldNames(MetaPathFinder, Loader):
    """Stands in front of the other finders, so that a module with two names is loaded once."""

    def find_spec(self, name: str, path: object, target: object = None) -> ModuleSpec | None:
        package, _, rest = name.partition(".")
        old, _, below = rest.partition(".")
        if package != "cellgrad" or old not in MOVED:
            return None
        new = ".".join(filter(None, ["cellgrad", MOVED[old], below]))
        if not below:
            warnings.warn(f"{name} has moved: import {new} instead", DeprecationWarning, stacklevel=2)
        return ModuleSpec(name, self, loader_state=new)

    def exec_module(self, module: ModuleType) -> None:
        """Put the moved module into the place of the new one that Python made for the old name."""
        moved = sys.modules[module.__name__] = import_module(module.__spec__.loader_state)
        for old, new in RENAMED.items():
            if f"cellgrad.{old.partition('.')[0]}" == module.__name__:
                home, _, name = new.rpartition(".")
                setattr(moved, old.partition(".")[2], getattr(import_module(f"cellgrad.{home}"), name))


def install() -> None:
    """Make the old names import. Called once, by the package."""
    sys.meta_path.insert(0, _OldNames())
