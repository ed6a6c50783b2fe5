"""Seconds for one epoch of the source's own loop and of the book's, side by side, in turns, in one run.

The source's loop makes each image on its own, through torchvision's transforms; the book's cuts whole batches from one
tensor. The network is the same. Prints each turn, the medians and their ratio.
"""

import argparse
import statistics

from cellgrad import mnist, training

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--turns", type=int, default=3)
parser.add_argument("--data", help="folder that has MNIST's archives, or the word sample")
options = parser.parse_args()

data = mnist.load(options.data)
seconds = {"source": [], "book": []}
for turn in range(1, options.turns + 1):
    for recipe, times in seconds.items():
        run = training.train(recipe, data, epochs=1, seed=turn, progress=False)
        times.append(run.record["seconds"])
        print(f"turn {turn}  {recipe:6}  {times[-1]:6.1f} s for {len(data.train):,} digits", flush=True)

source, book = (statistics.median(times) for times in seconds.values())
print(f"median: source {source:.1f} s, book {book:.1f} s; the book's epoch is {source / book:.2f} times as fast")
