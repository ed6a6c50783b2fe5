"""What each recipe costs, side by side in one run: parameters, seconds an epoch, seconds to 99.4 %, ratio to `source`.

The recipes take turns, one epoch each and a turn; a recipe's figure is the median of its turns. Its seconds to 99.4 %
are those of its whole run, where that ends at 99.4 % of the test digits or more: on average over the seeds recorded in
the package or, with --whole, in the one run that is then made here of each recipe but `source`. Times are of training
alone. Nothing else should run meanwhile.
"""

import argparse
import statistics

import pandas as pd

from cellgrad import mnist, training
from cellgrad.convnets import count_parameters
from cellgrad.recipes import RECIPES
from cellgrad.records import shipped

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--turns", type=int, default=3)
parser.add_argument("--whole", action="store_true", help="run the recipes whole, too, with seed 0")
parser.add_argument("--data", help="folder that has MNIST's archives, or the word sample")
options = parser.parse_args()

data = mnist.load(options.data)
times = {name: [] for name in RECIPES}
for turn in range(options.turns):
    for name in RECIPES:
        run = training.train(name, data, epochs=1, seed=turn, progress=False)
        times[name].append(run.record["seconds"])
        print(f"turn {turn + 1}  {name:6}  {times[name][-1]:6.2f} s", flush=True)

records = pd.concat([shipped("recipes"), shipped("source")])
accuracies = records.groupby("variant")["test_accuracy"].mean()
rows = {}
for name, recipe in RECIPES.items():
    an_epoch = statistics.median(times[name])
    seconds, accuracy = an_epoch * recipe.epochs, accuracies[name]
    if options.whole and name != "source":
        run = training.train(name, data, progress=False)
        seconds, accuracy = run.record["seconds"], run.record["test_accuracy"]
    rows[name] = {
        "parameters": count_parameters(recipe.network),
        "epochs": recipe.epochs,
        "seconds per epoch": round(an_epoch, 2),
        "seconds": round(seconds, 1),
        "test accuracy": f"{accuracy:.2%}",
        "seconds to 99.4 %": round(seconds, 1) if accuracy >= 0.994 else "–",
    }
table = pd.DataFrame(rows).T
table["of source's time"] = [f"1/{table.loc['source', 'seconds'] / seconds:.1f}" for seconds in table["seconds"]]
print(f"\n{len(data.train):,} digits{data.note}, {run.record['device']}, {run.record['threads']} threads")
print(table.to_string())
