"""What each recipe costs, side by side in one run: parameters, seconds an epoch, seconds to 99.4 %, ratio to `source`.

Recipes, and `fast` without one of its tricks each, take turns: one epoch each, then all again. A figure is the median
of its turns. A recipe's seconds to 99.4 % are those of all its epochs, where the recorded seeds reach that accuracy on
average. Times are of training alone. Nothing else should run meanwhile.
"""

import argparse
import json
import statistics
from pathlib import Path

import pandas as pd
from tqdm import tqdm

from cellgrad import mnist, training
from cellgrad.layers import count_parameters
from cellgrad.training.recipes import RECIPES
from cellgrad.trials.records import shipped_records
from cellgrad.trials.studies import find_study

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--turns", type=int, default=3)
parser.add_argument("--data", help="folder that has MNIST's archives, or the word sample")
parser.add_argument("--out", type=Path, help="a file for what was measured, one JSON line an epoch")
options = parser.parse_args()

data = mnist.load(options.data)
contestants = [*RECIPES.values(), *find_study("tricks").variants[1:]]  # its first is `fast` again
times, lines = {recipe.name: [] for recipe in contestants}, []
for turn, recipe in tqdm([(turn, recipe) for turn in range(1, options.turns + 1) for recipe in contestants]):
    record = training.train(recipe, data, epochs=1, seed=turn, progress=False).record
    times[recipe.name].append(record["seconds"])
    kept = {name: record[name] for name in ("seconds", "device", "threads", "processor", "versions", "data")}
    lines.append(json.dumps({"key": f"{recipe.name}, turn {turn}", "variant": recipe.name, "turn": turn} | kept))

source_takes = statistics.median(times["source"]) * RECIPES["source"].epochs
accuracy = pd.concat([shipped_records("recipes"), shipped_records("source")]).groupby("variant")["test_accuracy"].mean()
rows = {}
for recipe in contestants:
    an_epoch = statistics.median(times[recipe.name])
    reached = accuracy.get(recipe.name, 0) >= 0.994
    rows[recipe.name] = {
        "parameters": count_parameters(recipe.network),
        "epochs": recipe.epochs,
        "seconds per epoch": f"{an_epoch:.2f}",
        "seconds": f"{an_epoch * recipe.epochs:.1f}",
        "seconds to 99.4 %": f"{an_epoch * recipe.epochs:.1f}" if reached else "–",
        "of source's time": f"1/{source_takes / (an_epoch * recipe.epochs):.1f}",
    }
print(f"\n{len(data.train):,} digits{data.note}, {record['device']}, {record['threads']} threads")
print(pd.DataFrame(rows).T.to_string())
if options.out:
    options.out.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
