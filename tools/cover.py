"""Draw the picture on the landing page: the spreadsheet's network, and digits that are hard to read.

A network that `cellgrad train` saved says which digits are hard:
python tools/cover.py runs/book-seed0-epochs10.safetensors
"""

import sys
from pathlib import Path

import matplotlib.pyplot as plt

from cellgrad import mnist, plotting, training
from cellgrad.toynet import ToyNetwork

COVER = Path(__file__).parents[1] / "book" / "_static" / "cover.png"

plotting.use_house_style()
test = mnist.load().test
scores = training.predict(training.load_run(sys.argv[1]).model, test).softmax(1)
right = scores[range(len(test)), test.labels]
hardest = right.argsort()[:15]

figure = plt.figure(figsize=(11, 3.4))
left, grid = figure.subfigures(1, 2, width_ratios=[2.3, 1])
plotting.draw_toy_network(ToyNetwork(), left.subplots())
for ax, row in zip(grid.subplots(3, 5).flat, hardest, strict=True):
    ax.imshow(test.images[row], cmap=plotting.INK_ON_PAPER)
    ax.axis("off")
figure.savefig(COVER)
print(COVER.name, f"{COVER.stat().st_size:,} bytes")
