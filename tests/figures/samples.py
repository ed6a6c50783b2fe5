"""Figures with data, as the chapters make them."""

from importlib.resources import as_file, files

import numpy as np
import pandas as pd

from cellgrad import figures, mnist
from cellgrad.trials.records import read_records


def records(name="recipes"):
    with as_file(files("cellgrad") / "results" / f"{name}.jsonl") as path:
        return read_records(path)


def seeds():
    return figures.seeds(records(), "book", "small")


def frontier():
    return figures.frontier(pd.concat([records(), records("source")], ignore_index=True))


def hard_digits():
    test = mnist.sample().test
    answers = [{(int(label) + 1) % 10: 30 + k, (int(label) + 5) % 10: 2} for k, label in enumerate(test.labels[:12])]
    return figures.hard_digits(test.images[:12].numpy(), test.labels[:12].tolist(), answers, networks=60)


def made_up(differences):
    """Records of two variants whose accuracies differ by so many points, seed by seed."""
    rows = [{"variant": "base", "seed": seed, "test_accuracy": 0.99} for seed in range(len(differences))]
    rows += [
        {"variant": "ours", "seed": s, "test_accuracy": 0.99 + d / 100} for s, d in enumerate(np.asarray(differences))
    ]
    return pd.DataFrame(rows)
