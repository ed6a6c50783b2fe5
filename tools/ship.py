"""Take what the long runs measured into the package: `ship.py [FOLDER [STUDY …]]`; FOLDER is where they wrote (`runs`).

Of each study (all, if none is named), the finished trials of its recipes, with those that were shipped before, in the
study's order; of each recipe, the weights of seed 0, whichever they are (`cellgrad trials recipes --weights`). Where
there are trials of two versions of the training, a variant's are those of the newer one once there are as many.
"""

import json
import shutil
import sys
from pathlib import Path

from cellgrad.training.loop import VERSION
from cellgrad.training.recipes import RECIPES
from cellgrad.trials.records import Record, recorded
from cellgrad.trials.studies import STUDIES, Study, find_study
from cellgrad.trials.tasks import study_tasks

RESULTS = Path(__file__).parents[1] / "src" / "cellgrad" / "results"


def chosen_records(study: Study, found: dict[str, Record]) -> list[Record]:
    """Of each variant the trials of one version of the training, all variants with one seed before the next seed."""
    seeds = max((record["seed"] + 1 for record in found.values()), default=study.seeds)
    best = {}
    for variant in study.variants:
        for version in range(1, VERSION + 1):
            tasks = study_tasks(study, "full", seeds=seeds, only=[variant.name], version=version)
            finished = {task.seed: found[task.key] for task in tasks if "error" not in found.get(task.key, ["error"])}
            # From seed 0 on, with none left out: who could leave one out could choose.
            gap = next(seed for seed in range(seeds + 1) if seed not in finished)
            finished = {seed: finished[seed] for seed in range(gap)}
            if len(finished) >= len(best.get(variant.name, ())):
                best[variant.name] = finished
    return [finished[seed] for seed in range(seeds) for finished in best.values() if seed in finished]


folder = Path(sys.argv[1] if len(sys.argv) > 1 else "runs")
RESULTS.mkdir(exist_ok=True)
shipped = set()
for study in map(find_study, sys.argv[2:] or STUDIES):
    file = RESULTS / f"{study.name}.jsonl"
    new = {key: record for key, record in recorded(folder / file.name).items() if "error" not in record}
    records = chosen_records(study, recorded(file) | new)
    file.write_text("".join(f"{json.dumps(record)}\n" for record in records), encoding="utf-8")
    shipped |= {record["key"] for record in records}
    print(f"{study.name}: {len(records)} trials, {file.stat().st_size:,} bytes")
for recipe in RECIPES.values():
    study = next(study for study in STUDIES.values() if recipe in study.variants)
    (task,) = study_tasks(study, "full", seeds=1, only=[recipe.name], out=str(folder / "weights"))
    if task.key in shipped and task.weights.exists():
        shutil.copyfile(task.weights, RESULTS / f"{recipe.name}.safetensors")
        print(f"{recipe.name}: {task.weights.stat().st_size:,} bytes of weights")
    else:
        print(f"{recipe.name}: no new weights")
