"""Take what the long runs measured into the package: `ship.py [FOLDER]`, the folder that they wrote to (`runs`).

Of each study, the finished trials of the present code and recipes, with those that were shipped before, in the study's
order; of each recipe, the weights of seed 0, whichever they are (`cellgrad trials recipes --weights`).
"""

import json
import shutil
import sys
from pathlib import Path

from cellgrad.training.recipes import RECIPES
from cellgrad.trials.records import recorded
from cellgrad.trials.studies import STUDIES
from cellgrad.trials.tasks import study_tasks

RESULTS = Path(__file__).parents[1] / "src" / "cellgrad" / "results"

folder = Path(sys.argv[1] if len(sys.argv) > 1 else "runs")
RESULTS.mkdir(exist_ok=True)
for study in STUDIES.values():
    file = RESULTS / f"{study.name}.jsonl"
    found = recorded(file) | recorded(folder / file.name)
    seeds = max((record["seed"] + 1 for record in found.values()), default=study.seeds)
    tasks = study_tasks(study, "full", seeds=seeds)
    lines = [json.dumps(found[task.key]) for task in tasks if "error" not in found.get(task.key, {"error": ""})]
    file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    print(f"{study.name}: {len(lines)} of {len(tasks)} trials, {file.stat().st_size:,} bytes")
for recipe in RECIPES.values():
    study = next(study for study in STUDIES.values() if recipe in study.variants)
    (task,) = study_tasks(study, "full", seeds=1, only=[recipe.name], out=str(folder / "weights"))
    weights = task.weights
    if weights.exists():
        shutil.copyfile(weights, RESULTS / f"{recipe.name}.safetensors")
        print(f"{recipe.name}: {weights.stat().st_size:,} bytes of weights")
    else:
        print(f"{recipe.name}: {weights} is not there")
