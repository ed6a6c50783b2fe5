# ---
# jupyter:
#   jupytext:
#     notebook_metadata_filter: kernelspec,-jupytext.text_representation.jupytext_version
#     text_representation:
#       extension: .py
#       format_name: percent
#       format_version: '1.3'
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # How small, how fast
#
# The exercise asks for 99.4 % with fewer than 20,000 parameters. Leave the source's advice aside, and three questions remain. How *few* parameters are enough for 99.4 %? How *little time*? And how near to 100 % do 20,000 parameters come?
#
# **You will be able to** read a trade-off from a plot, say what each change of a recipe bought, and compare with published numbers without fooling yourself.
#
# **You need** [The run](10-the-run.ipynb) and [Is the advice true?](11-is-the-advice-true.ipynb)

# %% tags=["hide-input"]
# Where the book's package is installed, this does nothing. On Colab, it installs it.
try:
    import cellgrad
except ImportError:
    package = "git+https://github.com/your--account/cells-to-convnets@v0.2.0"
    if "--" in package:
        print("Nobody has this address: put your copy's in its place, in this cell.")
    get_ipython().run_line_magic("pip", f"install -q {package}")

# %% tags=["hide-input"]
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from scipy import optimize, stats
from torch.nn import functional as F

from cellgrad import check, mnist, plotting, training
from cellgrad.layers import count_parameters
from cellgrad.receptive import cost_table
from cellgrad.training import saving
from cellgrad.training.recipes import RECIPES
from cellgrad.trials.records import shipped_records, summary
from cellgrad.trials.comparison import verdict

plotting.use_house_style()

# %% [markdown]
# ## Six recipes
#
# A recipe is a few lines of data: a list of layers and how to train them. The book has six. `source` and `book` you know. `small` has the fewest parameters with which we reached 99.4 % on average (only just, and with nine readings of each digit), `small-once` the fewest if each digit is read only once, `fast` reaches 99.4 % in the least time that we managed,
# and `best` spends the budget on being right.

# %%
rows = {}
for name, recipe in RECIPES.items():
    rows[name] = {
        "parameters": count_parameters(recipe.network),
        "field": cost_table(recipe.network)["size"].iloc[-1],
        "epochs": recipe.epochs,
        "moves": "all" if recipe.affine else "shift",
        "reads": (2 * recipe.test_shift + 1) ** 2,
    }
pd.DataFrame(rows).T


# %% [markdown]
# *Table 12.1. The recipes: parameters, field at the end in pixels, epochs, how the training digits are moved (*all*: turned, scaled and moved; *shift*: by whole pixels), and how often each test digit is read. Where the field is wider than the image's 28 pixels, the rest of it lies on padding.*
#
# The last column is a trick that costs no parameter. A network may read a digit more than once: as it is, and moved by one pixel to each side and corner, nine readings in all. The logarithms of the
# probabilities are averaged. This is called [test-time augmentation](glossary.md#term-test-time-augmentation). It makes reading nine times as slow and training not at all, and below we always say what a single reading gives. In code:

# %% tags=["core"]
def read_nine_times(network, images):
    """Mean logarithms of the probabilities; images: (n, 1, 28, 28), normalised."""
    framed = F.pad(images, [1] * 4, value=float(images.min()))  # paper around
    corners = [(row, column) for row in range(3) for column in range(3)]
    views = [framed[..., r : r + 28, c : c + 28] for r, c in corners]
    with torch.no_grad():
        return sum(network(view).log_softmax(1) for view in views) / 9


# %%
few = mnist.sample().test[:500]
network = saving.shipped_run("small").model.eval()
ours = read_nine_times(network, mnist.normalise(few.images)).argmax(1)
package = training.predict(network, few, shift=1).argmax(1)
once = training.predict(network, few).argmax(1)
print(f"{(ours == package).sum()} of {len(few)} answers as the package's;", end=" ")
print(f"{(ours != once).sum()} other than at a single reading")

# %% [markdown]
# Few answers change, and whether for the better only many digits can tell.
#
# `book` and `fast` were trained with twenty seeds each, the others, most of which take longer, with ten, so decided before they ran; on all 60,000 training digits, and each network looked at the 10,000 test digits once, after its last epoch (`cellgrad trials recipes`). Only the runs of `source` hold out 5,000 digits to follow their curves, and learn from the other 55,000 (`cellgrad trials source`); so wherever this chapter compares, `source` has had a twelfth fewer digits. What they recorded:

# %%
both = [shipped_records("recipes"), shipped_records("source")]
records = pd.concat(both, ignore_index=True)
once = records["test_accuracy_unshifted"].fillna(records["test_accuracy"])
single = once.groupby(records["variant"], sort=False).agg(["mean", "min", "std"])
single = (100 * single).round(3)
table = summary(records)
shown = table[["seeds"]].copy()
for column in ("mean", "std", "worst"):
    shown[column] = (100 * table[column]).round(3)
shown["read once"] = single["mean"]
gained = 100 * (records["test_accuracy"] - once)
for name, rows in gained.groupby(records["variant"]):
    if rows.any():
        print(f"nine readings, {name}: {rows.mean():+.3f} points,", end=" ")
        print(f"standard error {rows.sem():.3f}")
shown

# %% [markdown]
# *Table 12.2. Accuracy on the test digits in percent, for each recipe over its seeds; *read once*: the mean where each digit is read once. Above it, what nine readings gain on the same networks.*

# %% mystnb={"image": {"alt": "A row for each recipe with a dot for each seed's test accuracy and a bar at the mean. The dots of best lie furthest right, apart from all others. Those of source lie on average furthest left; those of book, small, small-once, fast and source overlap."}} tags=["hide-input"]
plotting.plot_seeds(records)
plt.show()

# %% [markdown]
# *Figure 12.1. A dot for each seed, a bar at their mean. The seeds of one recipe scatter more widely than most neighbouring means lie apart; only `best` stands by itself. `best`, `small` and `fast` read each digit nine times, as their recipes say.*
#
# Did they reach what was asked of them? A goal that is set after the runs is not reached but described. And a recipe that is chosen after a look at the test digits has been chosen by them, a little. So the table says how many runs had read the test digits by then.

# %%
goals = {  # percent, runs seen when the goal was set, and when the recipe was
    ("book", "worst", 1): (99.40, 2, 2),
    ("book", "mean", 1): (99.50, 12, 2),
    ("best", "mean", 1): (99.60, 10, 20),
    ("best", "mean", 9): (99.65, 10, 20),
    ("small", "mean", 9): (99.40, 0, 0),
    ("small-once", "mean", 1): (99.40, 10, 10),
    ("fast", "mean", 9): (99.40, 0, 10),
}
as_recipe = 100 * table.rename(columns={"worst": "min"})[["mean", "min", "std"]]

# %%
rows = []
for (recipe, of, readings), (limit, *seen) in goals.items():
    found = (single if readings == 1 else as_recipe).loc[recipe]
    number = found["min" if of == "worst" else "mean"]
    error = found["std"] / table.loc[recipe, "seeds"] ** 0.5
    off = f" ± {error:.3f}" if of == "mean" else ""
    rows.append({"recipe": recipe + (", nine" if readings == 9 else ""),
                 "met": "yes" if number >= limit else "no",
                 "goal": f"{of} ≥ {limit:.2f}", "found": f"{number:.3f}{off}",
                 "goal after": seen[0], "recipe after": seen[1]})
pd.DataFrame(rows).set_index("recipe")

# %% [markdown]
# *Table 12.3. The goals, in percent of the test digits (*nine*: each read nine times); what was found, a mean with its standard error over the seeds; and how many runs of this or a related recipe had read the test digits when the goal was set, and when today's recipe was: at least so many, the recorded ones and two of `book` (earlier looks at the first `fast` and the first `best`, of which the text tells, left no record).*
#
# A goal reached by nine readings is another feat than one reached by one. `best` reaches both of its goals by several standard errors, `book` that for its mean by little more than one, `small` its own by less than one. And what do the last two columns hide? The runs of recipes that have been replaced come with the book as well, without their weights:

# %%
replaced = shipped_records("replaced")
read_first = replaced["test_accuracy_unshifted"].fillna(replaced["test_accuracy"])
as_read = 100 * replaced["test_accuracy"]
earlier = replaced.assign(once=100 * read_first, nine=as_read).rename(
    columns={"variant": "recipe", "training_version": "version"})
earlier = earlier.groupby(["recipe", "version", "epochs"], sort=False)
print("runs of each:", *set(earlier.size()))
earlier = earlier[["once", "nine"]].mean().round(3)
print(earlier.reset_index().to_string(index=False))

# %% [markdown]
# (The column *nine* is that of nine readings where a recipe asks for them, and else the same as *once*.)
#
# - `book`: two runs of ten epochs had been seen when it was given twelve. At first its mean was asked to be 99.48 %; the stricter 99.50 % was set when the ten runs above had reached it, by an older version of the training. The runs in Table 12.3 are new ones.
# - `source` has no goal; it is the source's own recipe, trained anew.
# - `small` was the first that was tried. The ten runs above, by the older version, came before those in Table 12.3.
# - `small-once` was chosen among networks of 5,478, 4,490 and 4,092 parameters on 10,000 held-out digits, of which it alone read 99.4 % right (one run of each, of which no records were kept; `cellgrad trials search-small` runs these and four others). Ten runs of `small` had been seen, whose network it widens.
# - `fast` was chosen among thirteen candidates on 10,000 held-out digits (`cellgrad trials search-fast`). They start from a first `fast`, whose ten runs above had read the test digits; and that one had been made an epoch longer and been given its nine readings after a look at them.
# - `best` is the third of its name. The first, with twenty epochs and plain momentum, had been given its nine readings after a look at the test digits. When its ten runs were known, *then* the goals were set, just above them. Ten runs of the second, with forty epochs (chosen among twenty, thirty and forty by held-out digits) and [Nesterov's momentum](glossary.md#term-Nesterov-momentum), which takes the gradient where the momentum is about to lead, just reached the one for nine readings and missed the other. So the goals were within sight when they were set, and whoever tries three times has three chances. What it took to get there is told next; what speaks for the third is that it is above both goals by several standard errors over its seeds. That is on these 10,000 digits; others could move the mean by more than that, as a later section says.
#
# For the third `best`, the held-out digits were asked about four changes at once (`cellgrad trials search-best`, one run of each training, twenty epochs): [smoothed labels](glossary.md#term-label-smoothing) (the network is asked for a little less than certainty: a tenth of each target is spread evenly over all ten digits), five times the weight decay, digits that are turned, scaled and moved more, and batches of half the size at half the rate.
#
# Each change by itself, and none: that is five trainings, and each answer hangs on two of them. All sixteen combinations are too many. Between the two lies the [half factorial](glossary.md#term-half-factorial): of the sixteen, the eight with an even number of changes. They are the rows of the first block below. Each change is made in four of them and not in the other four, and in both of these fours each other change is made twice. So the difference between the means of the two fours is the effect of this change: what each other change does by itself cancels, and what two do only together. (What the three others do only when all are made would be mixed in; we take it for nothing.) All eight trainings answer all four questions. Three more differences between two fours can be taken, in which no change stands alone; they say what luck can do (and what changes do only together):

# %%
tried = shipped_records("search-best")
held_out = 100 * tried[["held_out_accuracy", "held_out_accuracy_unshifted"]]
held_out.columns = ["nine", "once"]
changes = {"smooth": "smoothed", "decay": "decay", "moved": "more moved",
           "small": "small batches"}
made = pd.DataFrame({short: tried["variant"].str.contains(change)
                     for short, change in changes.items()})
print(made.replace({True: "yes", False: "-"}).join(held_out).to_string(index=False))

signs = 2 * made - 1  # 1 where it is made, -1 where it is not
effects = signs.T @ held_out / 4
no_change = [signs["smooth"] * signs[other] for other in signs.columns[1:]]
luck_alone = pd.DataFrame(no_change, index=["luck"] * 3) @ held_out / 4
both = pd.concat([effects, luck_alone])
both["mean"] = both.mean(axis=1)
both.loc["error"] = np.sqrt((both.loc["luck"] ** 2).mean())
print("\n" + both.to_string(float_format="{:+.4f}".format))

# %% [markdown]
# *Mean* is that of both readings, *error* the standard error by the three numbers that are luck. By the rule, which had been written down before the first of the eight ran, each change was taken whose effect on this mean is above nothing: the smoothed labels alone. None of the four stands out from luck there, so this is a choice and no finding. (The two readings contradict each other: in nine, digits that are moved more came out best, in one they came out worst. Three numbers say little about how large luck is. And for a single reading, where the goal had been missed, the smoothing made no difference that this search could measure.) That `best` trains for sixty epochs in place of forty was written down, too, and about that the held-out digits were not asked. Which of the two helped, then, or both, no run here tells.
#
# How many trained networks of this book have read the test digits at all? For its record each of them did so once, after its last epoch. (The cells of this book train a few more, and read some test digits again with the networks that come with it; nothing is chosen by that.) These are recorded; the few runs of which no record was kept, such as the two of `book` with ten epochs, come on top:

# %%
studies = ["recipes", "source", "advice", "sentences", "sentences-longer",
           "sentences-tricks", "tricks", "luck", "kinds-of-luck", "frontier",
           "replaced"]
read = pd.concat([shipped_records(study) for study in studies])
read = read.drop_duplicates("key")  # the first runs of luck are those of fast
for study, count in read["study"].value_counts().items():
    print(f"{count:4} {study}")
print("in all:", len(read))

# %% [markdown]
# ## How small
#
# We compare with the published results for small MNIST networks that we found, by name where we could find the place again: [Parameter-Efficient-MNIST](https://github.com/JoshWarn/Parameter-Efficient-MNIST); four exercises of courses, [TSAI-S6](https://github.com/Shwethaamrutha/TSAI-S6) (of another student than our source's), [ERA](https://github.com/snehanshu-raj/ERA), [era-s7](https://github.com/The-School-of-AI/era-s7-ram) and [EfficientMnist](https://github.com/divya-r-kamat/EfficientMnist-Under20K); SimpNet
# ([Hasanpour and others 2018](https://arxiv.org/abs/1802.06205)) and Efficient-CapsNet ([Mazzia and others 2021](https://arxiv.org/abs/2101.12491)). The four without a name are public notebooks of the same exercise whose addresses we no longer have: nobody can look them up, and they are drawn open. There are surely more; we have searched for those with few parameters or many right digits. Beware: they are single numbers, but for the mean of Efficient-CapsNet. Where no more is said than the number of epochs, we know neither of how many runs nor of which epochs the number is the best, and a choice by the test digits flatters. Our points are means over seeds after
# the last epoch, with a line from the worst seed to the best.

# %%
published = pd.DataFrame([
    (697, 99.03, "Parameter-Efficient-MNIST", "best of many models"),
    (1_936, 99.10, "address lost", "75 epochs"),
    (6_174, 99.47, "address lost", "15 epochs"),
    (6_260, 99.44, "TSAI-S6", "epoch 15, the last; tenth trial"),
    (7_918, 99.52, "ERA", "best of 15 epochs, the 11th"),
    (8_900, 99.50, "era-s7", "at epoch 15"),
    (14_372, 99.57, "address lost", "20 epochs"),
    (15_794, 99.59, "EfficientMnist", "at epoch 20, the last"),
    (19_210, 99.60, "address lost", "20 epochs"),
    (161_000, 99.74, "Efficient-CapsNet", "mean, single network"),
    (300_000, 99.73, "SimpNet", "as the paper says"),
], columns=["parameters", "test accuracy (%)", "where", "protocol"])
published

# %% [markdown]
# *Table 12.4. Networks that others have published: parameters, accuracy on the test digits, and what is known of how it was measured. (Efficient-CapsNet's better known 99.84 % is that of several networks that vote.)*

# %% mystnb={"image": {"alt": "Test accuracy against the number of parameters, on a logarithmic axis from several hundred to several hundred thousand. Published results are grey squares, open where they cannot be looked up, that rise from left to right up to 20,000 parameters; the two furthest right, far larger networks, are level with each other. Our recipes are blue circles with a line from the worst to the best seed, open where each digit is read nine times; filled dots below those are the same networks with a single reading; a dashed orange line marks 99.4 percent."}} tags=["hide-input"]
ax = plt.subplots()[1]
lost = published["where"] == "address lost"
for part, face in ((published[~lost], plotting.FAINT), (published[lost], "none")):
    ax.semilogx(part["parameters"], part["test accuracy (%)"], "s", mfc=face,
                color=plotting.FAINT, label="published, address lost"
                if face == "none" else "published")
for name, row in table.iterrows():
    ends = [[row["mean"] - row["worst"]], [row["best"] - row["mean"]]]
    face = plotting.PAPER if RECIPES[name].test_shift else plotting.BLUE
    x = row["parameters"] * {"source": 0.93, "book": 1.07}.get(name, 1)
    ax.errorbar(x, 100 * row["mean"], 100 * np.array(ends), fmt="o",
                color=plotting.BLUE, mfc=face, linewidth=1.4, capsize=3)
    right, top = name in ("best", "fast"), name in ("book", "small-once")
    ax.annotate(name, (x, 100 * row["best" if top else "mean"]),
                xytext=(7 if right else 4 if top else -7, 4 if top else -4),
                textcoords="offset points", ha="left" if right else "right")
for name, row in single[single["mean"] < as_recipe["mean"] - 0.001].iterrows():
    ax.plot(table.loc[name, "parameters"], row["mean"], "o", color=plotting.BLUE)
ax.plot([], [], "o", color=plotting.BLUE, label="ours, read once")
ax.plot([], [], "o", mfc="none", color=plotting.BLUE, label="ours, nine readings")
ax.axhline(99.4, color=plotting.RED, linewidth=1, linestyle="--")
ax.set(xlabel="parameters", ylabel="test digits right (%)")
ax.legend(loc="lower right", fontsize=11)
plt.show()

# %% [markdown]
# *Figure 12.2. Accuracy against parameters. Circles: means of our recipes over all seeds, with a line from the worst to the best; open where the recipe reads each digit nine times, and then the filled one below is the same networks, read once. `source` and `book`, which have one network, are drawn a little apart. Squares: published results; open squares cannot be looked up. Dashed: 99.4 %.*

# %%
below = published[published["parameters"] < 20_000]
good = below[below["test accuracy (%)"] >= 99.4]
for kind in ("to be looked up", "address lost"):
    of = good[(good["where"] == "address lost") == (kind == "address lost")]
    fewest, best_of = of["parameters"].min(), of["test accuracy (%)"].max()
    print(f"published, {kind}: best below 20,000 parameters {best_of:.2f} %,")
    print(f"  fewest parameters with 99.4 %: {fewest:,}")
for reading, found in (("as it reads", as_recipe), ("read once", single)):
    print(f"mean of our best recipe, {reading}: {found.loc['best', 'mean']:.2f} %")
for reading, found in (("as it reads", as_recipe), ("read once", single)):
    there = table.loc[found.index[found["mean"] >= 99.4], "parameters"]
    print(f"fewest of ours with a mean of 99.4 %, {reading}: {there.min():,}")

# %% [markdown]
# The last line is the fairer comparison, since a single reading is what the published results presumably have. Read once, `small-once` reaches a mean of 99.4 % with fewer parameters than any network that we found published with as much, whether it can be looked up or not; with nine readings of each digit the mean of `small`, with about half as many as `small-once`, lies above 99.4 %, too, but by less than one standard error. Ours are means over seeds after the last epoch; theirs are single numbers. Would fewer do? Two narrower networks, of 4,490 and 4,092 parameters, which trained as long but on 50,000 digits and once each, stayed below 99.4 % on held-out digits (no records were kept): a hint that they would not, no more. The next section tries it with a shorter training, and ten seeds. Why nine readings help
# `small` most, no cell of this book tests; that they help small networks far more than large ones, the next section shows. At the other end, `best` lies above the best published result below 20,000 parameters that we found: with nine readings, and by less with one, the filled circle. That result is a single number whose address is lost; the best that can be looked up lies next to it.

# %% [markdown]
# Point at a network, and switch between the recipe's own reading and a single one. Which points move, and how far?

# %% tags=["hide-input"]
from cellgrad import figures

figures.frontier(records)

# %% [markdown]
# If you switched, you saw: `source`, `book` and `small-once` are read once anyway and stay; `small` falls furthest, below the 99.4 % that it reaches with nine readings (the dashed line of Figure 12.2).

# %% [markdown]
# The network of `small`, drawn to scale:

# %% mystnb={"image": {"alt": "The small recipe's network drawn in three rows as stacks of sheets: four channels at full size, a max-pool, eight channels at 14 and 12 pixels, another pool, and about a dozen channels of 6 and 4 pixels before the average and the ten scores."}} tags=["hide-input"]
plotting.draw_convnet(RECIPES["small"].network, rows=3)
plt.show()

# %% [markdown]
# *Figure 12.3. The network of `small`: it pools early, and never has more than a dozen channels. The parameters of the batch norms are not among those that are written into it.*

# %% [markdown]
# ## One family, twelve sizes
#
# The recipes differ in everything at once. What does size *alone* buy? For that, one network is made narrower and wider: the one of `small-once`, with the channels of all its layers but the ten scores multiplied by one number, from a quarter to almost two, and rounded. The twelve are trained alike, as `small-once` is but for twelve epochs. Sizes and training were fixed before the first of them ran, and nothing was chosen by what they reached. Ten seeds of each were run, by `cellgrad trials frontier`.

# %%
read_how = ["test_accuracy_unshifted", "test_accuracy"]
family = shipped_records("frontier").pivot(
    index="seed", columns="parameters", values=read_how)
family = 100 * family.dropna()  # the seeds that all twelve have
runs, nine = (family[how] for how in read_how)
means = runs.mean()
print(f"{len(runs)} seeds of each size")
pd.DataFrame({
    "mean": means, "error": runs.sem(), "worst": runs.min(), "best": runs.max(),
    "nine": nine.mean(), "gain": nine.mean() - means,
}).round(2)

# %% [markdown]
# *Table 12.5. Accuracy on the test digits in percent, for each number of parameters: mean over the seeds, its standard error, worst and best seed, each digit read once; *nine*: the mean with nine readings, and what they gain.*
#
# What nine readings gain shrinks with size, from more than a point to under a tenth, and hardly any further in the four largest. And what does a doubling of the parameters buy?

# %%
sizes = runs.columns.to_numpy()
for fewer, more in zip(sizes, sizes[3:]):
    bought = (runs[more] - runs[fewer]) / np.log2(more / fewer)
    print(f"{fewer:6,} to {more:6,}: a doubling buys {bought.mean():+.3f}", end=" ")
    print(f"± {bought.sem():.3f}")


# %% [markdown]
# Points, with their standard errors. Much at first, and less and less, until the last lines, which hardly differ. Can a short formula say how much? A form that is often tried for such curves: the share of wrong digits is a part that no size removes, and a part that shrinks like a power of the number of parameters $N$,
#
# $$
# \text{wrong}(N) = a + b \left(\frac{N}{1000}\right)^{-c} . \tag{12.1}
# $$
#
# Three numbers, fitted to twelve means; on their logarithms, so that a tenth more or less of wrong digits counts the same everywhere. How sure are they, *if* the form is right? For each size, draw as many seeds as there are out of its own, with repetition, and fit again, five hundred times: the spread of these curves is the *band*. That is called the [bootstrap](glossary.md#term-bootstrap).

# %% tags=["core"]
def curve(parameters, a, b, c):
    """Percent of the digits that a network of so many parameters gets wrong."""
    return a + b * (parameters / 1000) ** -c


def fitted(sizes, accuracies):
    """a, b and c for mean accuracies in percent."""
    def logarithm(parameters, *abc):
        return np.log(curve(parameters, *abc))

    found, _ = optimize.curve_fit(logarithm, sizes, np.log(100 - accuracies),
                                  p0=(0.4, 1, 1), bounds=(0, np.inf))
    return found


# %%
rng = np.random.default_rng(0)
abc = fitted(sizes, means.to_numpy())
again = []
for _ in range(500):
    drawn = rng.integers(len(runs), size=runs.shape)
    redrawn = np.take_along_axis(runs.to_numpy(), drawn, axis=0)
    again.append(fitted(sizes, redrawn.mean(axis=0)))
low, high = np.percentile(again, [2.5, 97.5], axis=0)
for name, *numbers in zip("abc", abc, low, high):
    print("{} = {:.2f}, 95 % redrawn: {:.2f} to {:.2f}".format(name, *numbers))


# %%
def misses(runs, abc):
    """How far the mean of each size is from the curve, in its standard errors."""
    wrong = 100 - runs.mean(axis=0)
    error = runs.std(axis=0, ddof=1) / len(runs) ** 0.5 / wrong  # of the logarithm
    return np.log(wrong / curve(sizes, *abc)) / error


off = pd.Series(misses(runs.to_numpy(), abc), sizes)
more = 100 * ((100 - means.to_numpy()) / curve(sizes, *abc) - 1)
for size, percent_more in zip(sizes, more):
    if size in off.abs().nlargest(3):
        print(f"{size:,}: {percent_more:+.1f} % more wrong than by the curve,")
        print(f"  {off[size]:+.1f} standard errors")

# %%
made_up = []
for _ in range(500):
    drawn = rng.normal(100 - curve(sizes, *abc), runs.std(), runs.shape)
    refitted = fitted(sizes, drawn.mean(axis=0))
    made_up.append(np.square(misses(drawn, refitted)).sum())
squares = np.square(off).sum()
print(f"their squares add up to {squares:.0f};", end=" ")
print(f"in made-up studies to {np.mean(made_up):.0f} on average,")
print(f"and to as much as ours in {np.mean(made_up >= squares):.1%} of 500")

# %% mystnb={"image": {"alt": "Test accuracy against the number of parameters, on a logarithmic axis from 400 to 20,000. Blue dots with lines from the worst to the best seed rise steeply at first, from below 94 percent, and then level off at about 99.5; a curve with a narrow band runs close to the dots, and below the last one; an open circle above each dot is the mean with nine readings. Grey squares, the published results, lie above the curve. A panel at the right shows the same from 98.6 percent upwards."}} tags=["hide-input"]
figure, panels = plt.subplots(1, 2, figsize=(8.4, 3.8))
grid = np.geomspace(sizes[0], sizes[-1], 200)
inner = [100 - curve(grid, *three) for three in again]
for ax, (lowest, highest) in zip(panels, [(92, 100), (98.6, 99.7)]):
    ax.fill_between(grid, *np.percentile(inner, [2.5, 97.5], axis=0),
                    color=plotting.BLUE, alpha=0.2, linewidth=0)
    ax.semilogx(grid, 100 - curve(grid, *abc), color=plotting.BLUE, linewidth=1)
    ax.vlines(sizes, runs.min(), runs.max(), color=plotting.BLUE, linewidth=1.4)
    ax.plot(means, "o", color=plotting.BLUE, markersize=5, label="ours, read once")
    ax.plot(nine.mean(), "o", mfc="none", color=plotting.BLUE, markersize=5,
            label="ours, nine readings")
    for was_lost, part in below.groupby(lost):
        ax.plot(part["parameters"], part["test accuracy (%)"], "s", markersize=5,
                color=plotting.FAINT, mfc="none" if was_lost else plotting.FAINT,
                label="published, address lost" if was_lost else "published")
    ax.axhline(99.4, color=plotting.RED, linewidth=1, linestyle="--")
    ax.set(xlabel="parameters", ylim=(lowest, highest))
    ax.set_xticks([1000, 10_000], ["1,000", "10,000"])
panels[0].set_ylabel("test digits right (%)")
panels[0].legend(loc="lower right", fontsize=11)
plt.show()

# %% [markdown]
# *Figure 12.4. The family of twelve, whole and, at the right, its upper end. Dots: means, each digit read once, with a line from the worst seed to the best; open circles: nine readings. The curve is equation (12.1) with its band, which is probably too narrow, as the text below says; squares are the published results of Table 12.4 below 20,000 parameters. Lines that leave the right panel go on below it. Dashed: 99.4 %.*

# %%
for _, row in below.iterrows():
    above = row["test accuracy (%)"] - (100 - curve(row["parameters"], *abc))
    print(f"published, {row['parameters']:,} parameters: {above:+.2f}", end=" ")
    print(f"points off our curve ({row['protocol']})")
needed = [1000 * ((0.6 - a) / b) ** (-1 / c) for a, b, c in [abc, *again]]
low, high = np.percentile(needed[1:], [2.5, 97.5])
print(f"99.4 % on average, read once: {needed[0]:,.0f} parameters by the curve,")
print(f"  {low:,.0f} to {high:,.0f} by 95 % of the redrawn")
twin = RECIPES["small-once"]
as_many = count_parameters(twin.network)
print(f"{as_many:,} parameters, 12 epochs: {means[as_many]:.2f} %,", end=" ")
print(f"{twin.epochs} epochs: {single.loc['small-once', 'mean']:.2f} %")

# %% [markdown]
# What do they say, and what not?
#
# - The curve is a description. Equation (12.1) has three numbers for twelve dots, and the dots miss it by more than the luck of their seeds: the squares of the distances, each in units of its standard error, add up to more than twice what they do, on average, in made-up studies of networks that follow the curve; about one in a hundred of these misses as badly. So the formula is probably not quite the right one, and its band, which knows of the seeds only, probably too narrow; so are the intervals of $a$, $b$, $c$ and of the parameters for 99.4 %. The widest network, well above the curve, is already as good as $a$, the part that no size is to remove.
# - It is no limit. The same network trained longer reads more, as the last line says. So each point tells what so many parameters do at least, and none what they could do at best.
# - All published results below 20,000 parameters lie above the curve. The one with 697 does so by far: it is the best of many networks looked for at that size, while ours of that size is a plan for wider ones, made thin. One other lies above by two tenths of a point, the rest by about a tenth or less. Theirs are single numbers, of the best epoch perhaps; ours are means after the last. What such a choice would add, [What one number is worth](12-how-small-how-fast.ipynb#what-one-number-is-worth) measures on our own runs, at a constant rate and on 5,000 digits: it is as large as most of these distances, or larger. So whether those recipes are better than our twelve epochs, or only luckier in what they report, nobody can tell from one number each.
# - The honest comparison at *equal* protocol, one reading of each digit, last epoch, mean over seeds, would need such means from others. Below 20,000 parameters we found none to put beside ours.
#
# ## How fast
#
# The live run: `fast`, here and now. As its recipe says, it reads each test digit nine times, and so do the recorded runs that we compare it with.

# %% tags=["nbval-ignore-output"]
data = mnist.load()
run = training.train("fast", data)
print("{seconds:.1f} s for {epochs} epochs on {device}".format(**run.record))
print(f"test accuracy {run.record['test_accuracy']:.2%}{data.note}")

# %% tags=["nbval-ignore-output"]
luck = shipped_records("luck")  # two hundred seeds of fast
percent = 100 * luck["test_accuracy"]
here = 100 * run.record["test_accuracy"]
print(f"recorded: {percent.min():.2f} to {percent.max():.2f} %,", end=" ")
print(f"standard deviation {percent.std():.3f}")
away = (here - percent.mean()) / percent.std()
print(f"this run: {here:.2f} %, {away:+.1f} of these from their mean")

# %%
print("as good as it should be:", away > -4 if data.kind == "full" else here > 90)

# %% [markdown]
# With all the digits, a live run two standard deviations from the mean would be unusual; at three we would look for an error, and at four below the book's tests fail.

# %% [markdown]
# How long would the source's own run take on the same machine? One epoch of it, times its twenty epochs, with a tenth of the digits, times ten. That is an estimate from a few seconds, and on a machine that has other things to do it says little but the ratio; `python benchmarks/recipes.py` measures all recipes
# side by side.

# %% tags=["nbval-ignore-output"]
tenth = data.train[: len(data.train) // 10]
few = mnist.Mnist(tenth, data.test[:100], data.kind, "a tenth")
part = training.train("source", few, epochs=1)
whole = 10 * part.record["seconds"] * RECIPES["source"].epochs
print(f"source: about {whole:.0f} s,", end=" ")
print(f"{whole / run.record['seconds']:.0f} times as long")

# %% [markdown]
# What `benchmarks/recipes.py` measured on our machine, with nothing else running, comes with the book: the seconds of one epoch, in turns of all recipes and of the variants of a later section. (`best` ran for it with unsmoothed labels, as it then was.)

# %%
turns = shipped_records("seconds")
machine = turns.iloc[0]
print(f"{turns['turn'].max()} turns, {machine['threads']} threads,", end=" ")
print(f"torch {machine['versions']['torch']}")
by_variant = turns.groupby("variant", sort=False)["seconds"]
an_epoch = by_variant.median()
apart = by_variant.max() / by_variant.min() - 1
longest = apart[list(RECIPES)].max()
print(f"a recipe's slower turn took up to {longest:.0%} longer than the other")
seconds = pd.DataFrame({"seconds per epoch": an_epoch[list(RECIPES)]})
seconds["epochs"] = [recipe.epochs for recipe in RECIPES.values()]
seconds["seconds"] = seconds["seconds per epoch"] * seconds["epochs"]
seconds["source takes"] = seconds.loc["source", "seconds"] / seconds["seconds"]
shown = seconds.round({"seconds per epoch": 1, "seconds": 0, "source takes": 1})
shown.astype({"seconds": int})

# %% [markdown]
# *Table 12.6. Seconds of training on our machine, for one epoch and for all, and how many times as long the source's training takes.*
#
# Where does the ratio of `fast` to `source` come from? Three changes, one after the other: how the same network is fed (`book` has the source's network, and shifts its digits in place of turning and scaling them, all of a batch at once), another network (in larger batches, with smoothed labels), and the number of epochs. Their factors multiply.

# %%
epoch, epochs = seconds["seconds per epoch"], seconds["epochs"]
factors = pd.Series({
    "feeding from one tensor": epoch["source"] / epoch["book"],
    "another network": epoch["book"] / epoch["fast"],
    "fewer epochs": epochs["source"] / epochs["fast"],
})
print(factors.round(2).to_string())
print(f"together: {factors.prod():.1f}")

# %% mystnb={"image": {"alt": "Test accuracy against the seconds of training on two cores, on a logarithmic axis: a dot or an open circle for the mean of each recipe, with a line from its worst seed to its best. The fast recipe lies far to the left of all others, the source's and the best furthest right, one lowest and one highest; a dashed line marks 99.4 percent."}} tags=["hide-input"]
ax = plt.subplots()[1]
for name, row in table.iterrows():
    x = seconds.loc[name, "seconds"]
    ends = [100 * row["worst"], 100 * row["best"]]
    ax.semilogx([x, x], ends, color=plotting.BLUE)
    face = plotting.PAPER if RECIPES[name].test_shift else plotting.BLUE
    ax.plot(x, 100 * row["mean"], "o", color=plotting.BLUE, mfc=face)
    right, top = name in ("fast", "small-once"), name in ("book", "small-once")
    ax.annotate(name, (x, 100 * row["best" if top else "mean"]),
                xytext=(-2 if top and right else 7 if right else 4 if top else -7,
                        4 if top else -4),
                textcoords="offset points", ha="left" if right else "right")
ax.axhline(99.4, color=plotting.RED, linewidth=1, linestyle="--")
ax.set(xlabel="seconds of training on two cores", ylabel="test digits right (%)")
ax.set_xticks([10, 30, 100, 300, 600], ["10", "30", "100", "300", "600"])
ax.minorticks_off()
ax.margins(x=0.15)
plt.show()

# %% [markdown]
# *Figure 12.5. Accuracy against the seconds of training; a line from the worst seed to the best. Open circles, `best`, `small` and `fast`: with nine readings of each digit, whose seconds are not counted. Dashed: 99.4 %.*
#
# ## What one number is worth
#
# A run of `fast` takes seconds, so we could afford many: two hundred, with the seeds 0 to 199 and nothing else changed (`cellgrad trials luck`). What does the accuracy of one of them tell?

# %%
print(f"{len(luck)} seeds: mean {percent.mean():.3f} %,", end=" ")
print(f"standard deviation {percent.std():.3f} points,", end=" ")
print(f"from {percent.min():.2f} to {percent.max():.2f} %")

# %% mystnb={"image": {"alt": "A histogram of the test accuracies of two hundred runs of the recipe fast, shaped roughly like a bell, with ragged bars. The dark part at the foot of the bars is the first twenty seeds, which are scattered over its whole width."}} tags=["hide-input"]
first = (luck["seed"] < 20).to_numpy()
ax = plt.subplots(figsize=(7.2, 3.4))[1]
edges = np.arange(percent.min() - 0.005, percent.max() + 0.01, 0.01)
ax.hist([percent[first], percent[~first]], bins=edges, stacked=True, rwidth=0.9,
        color=[plotting.INK, plotting.BLUE],
        label=["the first twenty", "the others"])
ax.axvline(percent.mean(), color=plotting.RED, linewidth=1.5)
ax.set(xlabel="test digits right (%)", ylabel="runs")
ax.legend()
plt.show()

# %% [markdown]
# *Figure 12.6. Two hundred runs that differ by chance alone. A bar for each number of right digits; the line is the mean. Each digit is read nine times.*
#
# Nothing but the seed stands between the worst and the best of them. Who publishes the best of two hundred publishes a lucky number, and who runs once has drawn one run from this picture without knowing which.
#
# Where does the spread come from? There are two sources, whose *variances*, the squares of their standard deviations, add up. Some of the trained networks really are better than others: they would also read *other* digits better. And some only happen to suit these 10,000. Here is how to tell. Deal the test digits into two halves
# at random. A network that is really better makes fewer mistakes in both; mere luck with the digits is dealt out independently. So look at what the two halves *share*: take the distance of each network from the mean in the one half times its distance in the other, and the mean of these products over all networks. It is called their [covariance](glossary.md#term-covariance). Luck with the digits adds as often to it as it takes away. What is left is the variance of the true differences; the rest of the whole variance is luck with the digits.

# %%
wrong = np.zeros((len(luck), 10_000))
for network, mistakes in enumerate(luck["mistakes"]):
    wrong[network, [digit for digit, answer in mistakes]] = 100

rng = np.random.default_rng(0)
shared = []
for deal in range(200):
    half = rng.permutation(10_000) < 5_000
    left, right = wrong[:, half].mean(axis=1), wrong[:, ~half].mean(axis=1)
    shared.append(np.cov(left, right)[0, 1])

# %%
total, between = percent.var(), np.mean(shared)
print(f"all of the spread:           {total**0.5:.3f} points")
print(f"the networks truly differ by {max(between, 0)**0.5:.3f}")
print(f"luck with 10,000 digits:     {(total - between)**0.5:.3f}")
print(f"share of the variance that is true: {between / total:.0%}")
share = wrong.mean() / 100
coins = 100 * (share * (1 - share) / 10_000) ** 0.5
print(f"luck with digits that all share: {(coins**2 - total + between)**0.5:.3f}")


# %% [markdown]
# How sure is this share? Draw two hundred networks from ours, with replacement, again and again, and see how it changes (a [bootstrap](glossary.md#term-bootstrap)). Instead of dealing halves, what luck with single digits would give is computed at once: the sum of the variances of all digits.

# %%
def true_share(rows):
    """Of the networks' variance, what luck with single digits does not give."""
    by_luck = rows.var(axis=0, ddof=1).sum() / 10_000**2
    return 1 - by_luck / (rows.sum(axis=1) / 10_000).var(ddof=1)


missed = wrong[:, wrong.any(axis=0)]  # a digit that all get right adds nothing
parts = {"all": missed, "all but the first twenty": missed[~first]}
for name, rows in parts.items():
    draws = rng.integers(len(rows), size=(200, len(rows)))
    shares = [true_share(rows[drawn]) for drawn in draws]
    low, high = np.percentile(shares, [2.5, 97.5])
    print(f"{name}: true share {true_share(rows):.0%},", end=" ")
    print(f"95 % of the draws from {low:.0%} to {high:.0%}")

# %%
print(f"standard deviation of the first twenty seeds {percent[first].std():.3f},")
print(f"of the other {len(luck) - 20} {percent[~first].std():.3f}:", end=" ")
print(f"p = {stats.levene(percent[first], percent[~first]).pvalue:.3f}")
ended = pd.to_datetime(luck["finished"])
gap = ended[~first].min() - ended[first].max()
print(f"the twenty ended {gap.seconds // 60} minutes before the others' first")


# %% [markdown]
# The first twenty, those of Table 12.2, scatter more than the rest, and without them the share is smaller. [Levene's test](glossary.md#term-Levene-test), which needs no bell shape, asks how often chance alone would make two such groups scatter so differently; its p is small. That these twenty are a group was fixed before any of them ran. But we looked because their standard deviation struck us, and it is one of many numbers in this book; the p does not know that. They were run on their own, before the others, with the same version and number of threads, and on x86_64 processors, which is all that the records say of them; one of them, which we trained again by hand, made the recorded mistakes to the last digit. So we know no reason but chance. And whoever has only twenty runs may take such a spread for the truth.
#
# Most of what makes one seed look better than another would be gone on another 10,000 digits. Averaging over seeds makes both smaller, the true differences and the luck of single networks. It leaves what all networks share: these 10,000 digits may be easier or harder than others. Against that only more test digits help. So there are two kinds of luck with digits: the one in the cell above, of *this* network with these ten thousand, and the one of *all* networks with another ten thousand, which all our runs share, and which no seed can average out. *The run*, exercise 3, counts both together, for one run. Variances add up; so the second kind alone is a little less, as the line *luck with digits that all share* says further up.
#
# And which chance is it? A training draws three things: the first weights, the order of the digits, and their movements. Each has a random generator of its own, so one can be varied and the other two kept as seed 0 draws them (`cellgrad trials kinds-of-luck`, fifty runs of each kind). Besides the spread we count what it hides: two runs with
# the same accuracy need not be wrong on the same digits. On how many of the 10,000 does one of them answer right and the other wrong? Guess first: which of the three matters most, and do the three variances add up to that of all three together?

# %%
def disagreement(runs):
    """Digits right for one of two runs only, on average, and the standard error."""
    wrong = np.zeros((len(runs), 10_000))
    for place, mistakes in enumerate(runs):
        wrong[place, [digit for digit, _ in mistakes]] = 1
    misses, n = wrong.sum(axis=0), len(runs)
    pairs = lambda k, n: (2 * k * (n - k)).sum(axis=-1) / (n * (n - 1))
    left_out = pairs(misses - wrong, n - 1)  # each in turn, the jackknife
    return pairs(misses, n), left_out.std() * (n - 1) ** 0.5


# %% tags=["hide-output"]
kinds = dict(list(shipped_records("kinds-of-luck").groupby("variant", sort=False)))
rows = {}
for name, runs in {"all three": luck, **kinds}.items():
    n, spread = len(runs), 100 * runs["test_accuracy"].std()
    chi = stats.chi2.ppf([0.975, 0.025], n - 1)
    low, high = spread * np.sqrt((n - 1) / chi)
    differ, off = disagreement(runs["mistakes"])
    name = f"{name.split()[-1]} only" if runs is not luck else name
    rows[name] = {"runs": n, "mean": 100 * runs["test_accuracy"].mean(),
                  "std": spread, "from": low, "to": high,
                  "of variance": (spread / percent.std()) ** 2,
                  "disagree": f"{differ:.1f} ± {off:.1f}"}
chances = pd.DataFrame.from_dict(rows, orient="index")
chances.round(3)


# %% [markdown]
# *Table 12.7. Mean of the test accuracy in percent, its standard deviation in points with a 95 % interval, which supposes that the runs are bell-shaped; its square as a share of that of all three; *disagree*: how many of the 10,000 digits one of two runs has right and the other wrong, on average, with the standard error, by the [jackknife](glossary.md#term-jackknife).*
#
# Do the three variances add up to that of all three together? If each chance did its part whatever the others do, their sum would be one times it:

# %%
def times(*groups):
    """The variances of all groups but the first, added, over that of the first."""
    whole, *parts = (np.var(group, ddof=1) for group in groups)
    return sum(parts) / whole


alone = [100 * runs["test_accuracy"].to_numpy() for runs in kinds.values()]
wholes = {"all": percent, "all but the first twenty": percent[~first]}
for name, whole in wholes.items():
    groups = [whole.to_numpy(), *alone]
    again = [times(*(rng.choice(group, len(group)) for group in groups))
             for _ in range(1000)]
    low, high = np.percentile(again, [2.5, 97.5])
    print(f"against {name}: {times(*groups):.2f} times,", end=" ")
    print(f"95 % of the redrawn from {low:.2f} to {high:.2f}")
order = kinds["only the order"]["test_accuracy"]
p = stats.ttest_ind(100 * order, percent, equal_var=False).pvalue
print(f"order only against all three, their means: p = {p:.4f}")

# %% [markdown]
# Of the spread none of the three is *the* cause: each alone, with the other two held, gives a little less than half of the variance, and their intervals overlap. So it looks as if three chances did not simply share the luck, a third each, but *any* of them, left alone, brought nearly half. It is not certain: together they make more than the variance of all, but against all runs the interval begins at about one, the second leaves out runs that struck us by their spread, and a third lies inside the interval of each share. (Less than one it cannot be, on average over what is held: Efron and Stein 1981.) In the column *disagree* the first weights do stand out. New first weights alone make two runs disagree on nearly as many digits as all three together do, a new order or new
# movements on three quarters as many. A training is like the weather: whatever gives the first small push, the days after it are others. So with two of the three kinds held, nearly half of the variance is left, and most of the disagreement. (One thing is held in all of these runs: what seed 0 draws for the other two. Where only the order varies, the mean is higher than that of all, by more than luck explains, as the last line says, even if it is the most striking of three: with seed 0's weights and movements networks are better than usual, or suit these digits. So each of the spreads is one around seed 0, and another seed might give others.)
#
# So now we can say what *one published number* is worth. Suppose a recipe whose runs have a mean of 99.35 % and scatter as these do. How often does one run read 99.42 % or more, the source's own number? And if its author looks at the test digits after each epoch and reports the best of the last fifteen? How much that adds we take from the ten runs of `source`, which recorded their accuracy on 5,000 held-out digits after each epoch.

# %%
one = 99.35 + (percent - percent.mean()).to_numpy()[:, None]
histories = records.loc[records["variant"] == "source", "history"]
curves = 100 * np.array([h["validation_accuracy"][-15:] for h in histories])


def best_of_fifteen(curves):
    """Each of our runs with what the picking adds in each of these curves.

    A curve that ends low gains more, so a line through the curves says how much
    a run gains by where it ends; each curve's distance from the line is added.
    """
    last = curves[:, -1]
    gain = curves.max(axis=1) - last
    slope, middle = np.polyfit(last - last.mean(), gain, 1)
    rest = gain - middle - slope * (last - last.mean())
    return one + np.maximum(0, middle + slope * (one - 99.35) + rest)


# %%
best, n = best_of_fifteen(curves), len(curves)
again = [np.mean(best_of_fifteen(curves[rng.integers(n, size=n)]) >= 99.42)
         for _ in range(500)]
low, high = np.percentile(again, [2.5, 97.5])
print(f"one run, last epoch: mean {one.mean():.2f} %,", end=" ")
print(f"{np.mean(one >= 99.42):.0%} reach 99.42 %")
own = 100 * records.loc[records["variant"] == "source", "test_accuracy"]
print(f"  with the scatter of our runs of source, {own.std():.3f} points:", end=" ")
print(f"{stats.norm.sf((99.42 - 99.35) / own.std()):.0%};", end=" ")
print(f"{(own >= 99.42).sum()} of these {n} did")
print(f"best of fifteen: mean {best.mean():.2f} %,", end=" ")
print(f"somewhere from {low:.0%} to {high:.0%} reach 99.42 %, from redrawn curves")

# %% [markdown]
# Picking helps, but how often it lifts such a run over 99.42 % is hardly known: whose last epoch is unlucky gains more by picking another, and how much more, a straight line through ten runs has to say. Besides, the held-out digits are half as many as the test digits; on 10,000 there would be less luck to choose from. And these are curves of a constant rate: where it falls to nothing, as in all our recipes but `source`, we would expect less to choose, but have not measured it. (And the source? In its run the last epoch was the best, together with two before it. How often its recipe gets there, nobody can say from one run.) A single number at the second decimal is not wrong, but it is one draw. Ask for the seeds.

# %% [markdown]
# ## What each trick bought
#
# The recipe `fast` is a handful of tricks. What is each of them worth? We take them away one at a time, and leave the rest as it is:
#
# - the source's network instead of `fast`'s own; or a first convolution at full size with a pool behind it instead of one that moves by two pixels; or batch norm behind the ReLU, not before it;
# - half the batch and half the rate; or a constant learning rate;
# - no shifts, or the source's movements;
# - no weight decay; or plain momentum in place of Nesterov's;
# - labels as they are in place of [smoothed](glossary.md#term-label-smoothing) ones.
#
# As in the chapter before, all have the same seeds, and 10,000 training digits are held out
# and measured on together with the test digits, read once. `cellgrad trials tricks` ran it. We judge with two remedies of [Is the advice true?](11-is-the-advice-true.ipynb). There the verdict is by Welch's test with Holm's correction, and Dunnett's stands beside it. Here it is the other way round, since we want intervals, which say how large a difference could hide: [Dunnett's](glossary.md#term-Dunnett-test) hold for all ten comparisons at once, if the groups have one common spread, which they hardly have. So beside them stands [Welch's](glossary.md#term-Welch-test) p with [Holm's correction](glossary.md#term-Holm-correction), which does without. (No rule for these verdicts stood before the runs.)

# %%
tricks = shipped_records("tricks")
both = tricks["test_accuracy"] + tricks["validation_accuracy"]
tricks["unseen"] = both / 2


def judged(column):
    """What taking each trick away changes: Dunnett's interval, Welch-Holm's p."""
    groups = tricks.groupby("variant", sort=False)[column]
    runs = {name: 100 * rows for name, rows in groups}
    fast = runs.pop("fast, read once")
    test = stats.dunnett(*runs.values(), control=fast, rng=0)
    test = test.confidence_interval(0.95)
    welch = {name: stats.ttest_ind(rows, fast, equal_var=False)
             for name, rows in runs.items()}
    p = pd.Series({name: test.pvalue for name, test in welch.items()}).sort_values()
    p = (p * np.arange(len(p), 0, -1)).cummax().clip(upper=1)
    change = [r.mean() - fast.mean() for r in runs.values()]
    columns = {"difference": change, "low": test.low, "high": test.high}
    found = pd.DataFrame(columns, index=list(runs))
    return found.assign(p=p, verdict=[verdict(*ends) for ends in zip(*test)])


# %%
without, on_test = judged("unseen"), judged("test_accuracy")
n = len(tricks) // tricks["variant"].nunique()
half = (without["high"] - without["low"]).mean() / 2
print(f"{n} seeds of each; half an interval is {half:.3f} points, and would be")
print(f"0.05 with {np.ceil(n * (half / 0.05) ** 2):.0f} seeds, 0.025 with", end=" ")
print(f"{np.ceil(n * (half / 0.025) ** 2):.0f}")
spread = 100 * tricks.groupby("variant")["unseen"].std()
least, *_, second, widest = spread.sort_values()
print(f"standard deviations {least:.3f} to {second:.3f},", end=" ")
print(f"and {widest:.3f}, {spread.idxmax()}")
kept = (spread[spread < widest] ** 2).mean() / (spread ** 2).mean()
print(f"without it half an interval would be about {half * kept ** 0.5:.3f},")
print(f"  and 0.05 with {np.ceil(n * kept * (half / 0.05) ** 2):.0f} seeds")
uneven = apart[without.index].max()
print(f"seconds: two turns of a variant differ by up to {uneven:.0%}")

# %%
long = "no difference we could measure"
words = without["verdict"].str.replace(f"{long}.*", "undecided", regex=True)
say = lambda p: f"{p:.3f}" if p >= 0.001 else "< 0.001"  # a p is never 0
pd.DataFrame({
    "verdict": words, "points": without["difference"].round(2) + 0.0,  # no −0
    "p": without["p"].map(say), "test p": on_test["p"].map(say),
    "time": (an_epoch[without.index] / an_epoch["fast"]).round(2),
})

# %% [markdown]
# *Table 12.8. What taking each trick away from `fast` changes: Dunnett's verdict and the difference in points on all unseen digits, Welch's p-value after Holm's correction, the same on the test digits alone, and how many times as long an epoch takes. Figure 12.7 has the intervals.*

# %% mystnb={"image": {"alt": "A row for each trick that was taken away, with the difference from the recipe fast and its interval. Two rows at the bottom, rotated, scaled, moved and constant rate, have orange triangles that point down, with intervals below zero. The other eight have black dots, with intervals that hold zero; a grey band marks differences below 0.05 points."}} tags=["hide-input"]
in_order = without.sort_values("difference", ascending=False)
plotting.plot_intervals(in_order, base="fast")
plt.show()

# %% [markdown]
# *Figure 12.7. What is lost when one trick is taken away. The grey band reaches 0.05 points to each side, five test digits: so small a difference would not change what we recommend.*
#
# Welch's test with Holm's correction calls the same two certain as Dunnett's. (One group, as is printed above, scatters much more widely than all others, and by the common spread it widens the intervals of all, by as much as is printed there.) One caveat: half of the unseen digits are the held-out ones by which `fast` was chosen among its candidates, and that may flatter it a little against what is taken away from it here. So the column *test p* judges again on the test digits alone, which did not choose among the thirteen: the same two. And no rival had its own search for a rate: what is taken away is taken away at the rates of `fast`. Two verdicts survive: a run as short as this is worse at a constant rate, the one that was tried, a quarter of the cycle's peak; and it is worse with digits turned and scaled, as the source does it, in place of shifted ones. All others are undecided, and *no difference of 0.05 or more* was not among the verdicts that this study could reach: half an interval is longer than that, as is printed above, and even a measured difference of exactly nothing would have needed more seeds than these. So nothing here says that a trick is worthless; and whether shifting pays at all is among the undecided:
# the row *digits as they are* came out lower, which is not certain; in the network of the chapter before it made no difference of 0.05 points. What the last column says about time comes from two turns of each variant, as in Table 12.6, which differ by more than most of these rows do, as is printed below the spreads; the source's network, with almost four times as long an epoch, and the convolution at full size stand out clearly.
#
# ## Recap
#
# - How few? With one reading of each digit the 5,478 parameters of `small-once` reach 99.4 % on average; with nine the 2,904 of `small` just do, by less than a standard error. How little time? On our two cores `fast` trains for eleven seconds, and reads each digit nine times. How near to 100 %? `best`, with 19,432 parameters, reads 99.64 % right in one reading, 99.69 % in nine.
# - What the exercise asks for needs neither 20,000 parameters nor the source's twenty epochs, on average over the seeds (Table 12.5 has four networks that make do with less of both, read once); a single seed may still fall below.
# - Of one family, trained alike, the first thousands of parameters buy much and the last ones little. Such a curve says what so many parameters do at least.
# - Reading each digit nine times raised the accuracy of all three recipes that do it. It costs nine times the computing when reading, and no parameter. Of one family, the small networks gained far more than the large ones. Say so when you report it.
# - The source's run takes about forty times as long as `fast`, for fewer right digits on average, also where both are read once (it had a twelfth fewer digits to learn from): mostly by its many epochs and by its network, and the rest by how it is fed.
# - One number is one draw. Of the spread between two hundred runs of one recipe, most was luck with these 10,000 digits, the rest true differences between the networks. First weights, order or movement: whichever two of them are held, somewhere between a quarter and three quarters of the variance stays (our estimates: a little less than half), and most of the disagreement (around seed 0).
# - A trick is worth what taking it away costs, with an interval that allows for the number of tricks. With ten seeds, two of ten were decided, and *no difference* could not have been found at all.
# - Before two published numbers are compared, ask of each: how many seeds, which epoch, chosen on what, and how many readings?
#
# ## Exercises
#
# Give your answers to `check` in a cell of your own. It says whether one is right, and gives a hint where it is not yet.
#
# **1.** *On paper.* A recipe takes 5 epochs of 3.4 seconds. Which saves more, halving the seconds of an epoch or halving the number of epochs? And what do both together give?
#
# *Check:* `check("12.1", …)` with the seconds with both halved.
#
# <details>
# <summary>Hint</summary>
#
# Seconds are a product of the two.
# </details>
#
# <details>
# <summary>Solution</summary>
#
# ```python
# whole = 5 * 3.4
# print(f"either: {whole:.1f} s become {whole / 2:.1f} s; both: {whole / 4:.2f} s")
# check("12.1", whole / 4)
# ```
#
# It prints:
#
# ```text
# either: 17.0 s become 8.5 s; both: 4.25 s
# Right.
# ```
#
# For time they are the same; for the accuracy they need not be.
# </details>
#
# **2.** Read the first 2,000 of the 10,000 test digits (the sample has too few) once and nine times, with the shipped network of `fast` and with that of `small`. Which gains more, and would you bet on it?
#
# *Check:* `check("12.2", …)` with how many more of the 2,000 digits are right with nine readings, for `fast` and for `small`.
#
# <details>
# <summary>Hint</summary>
#
# `training.accuracy` takes the shift as its third argument: 0 reads once, 1 reads nine times.
# </details>
#
# <details>
# <summary>Solution</summary>
#
# ```python
# from cellgrad.training import saving
#
# few, gained = data.test[:2000], []
# for name in ("fast", "small"):
#     network = saving.shipped_run(name).model
#     once_, nine = (training.accuracy(network, few, shift) for shift in (0, 1))
#     gained.append(len(few) * (nine - once_))
#     print(f"{name}: {once_:.2%} once, {nine:.2%} nine times, of {len(few):,} digits")
# check("12.2", gained)
# ```
#
# With us, it prints:
#
# ```text
# fast: 99.10% once, 99.10% nine times, of 2,000 digits
# small: 98.90% once, 99.05% nine times, of 2,000 digits
# Right.
# ```
#
# No digit against three, of one network each. On that alone, do not bet; but above Table 12.2 stands what nine readings gain over all seeds and all test digits, with standard errors: there `small` gains more, by three standard errors of the difference. Bet, but not the house. (The first 2,000 are harder than the rest, as the next chapter counts.)
# </details>
#
# **3.** A published result says "99.50 %, best of 15 epochs, one run". How much may the picking have added? Simulate: fifteen epochs with the same true accuracy of 99.45 %, each measured on 10,000 digits with independent luck. What is the best? Then look at what the records say.
#
# *Check:* `check("12.3", …)` with how many points the picking adds in your simulation.
#
# <details>
# <summary>Hint</summary>
#
# `rng.binomial(10_000, 0.9945, size=(1000, 15))` draws a thousand such runs. The records of `source` hold the accuracy after each epoch in `history`.
# </details>
#
# <details>
# <summary>Solution</summary>
#
# ```python
# import numpy as np
#
# rng = np.random.default_rng(0)
# right = rng.binomial(10_000, 0.9945, size=(1000, 15)) / 100
# print(f"simulated: {right.max(axis=1).mean():.3f}, {right.max(axis=1).mean() - 99.45:+.3f}")
# source_runs = records.loc[records["variant"] == "source", "history"]
# curves = [100 * np.array(history["validation_accuracy"]) for history in source_runs]
# gains = [curve[-15:].max() - curve[-1] for curve in curves]
# print(f"recorded: best epoch minus last, mean of {len(gains)} runs: {np.mean(gains):+.3f}")
# check("12.3", right.max(axis=1).mean() - 99.45)
# ```
#
# It prints:
#
# ```text
# simulated: 99.577, +0.127
# recorded: best epoch minus last, mean of 10 runs: +0.102
# Right.
# ```
#
# Real epochs are not independent: neighbours make mostly the same mistakes. So the simulation says too much about what luck adds; and in the records, which were watched on 5,000 digits, real progress and luck are mixed.
# </details>
#
# **4.** Which recipe is the best buy? Give the points above 99 % for each second of training.
#
# *Check:* `check("12.4", …)` with the recipe's name.
#
# <details>
# <summary>Hint</summary>
#
# `as_recipe["mean"]` and `seconds["seconds"]` are indexed by the recipe's name.
# </details>
#
# <details>
# <summary>Solution</summary>
#
# ```python
# value = (as_recipe["mean"] - 99) / seconds["seconds"]
# print((1000 * value).round(1).sort_values(ascending=False).to_string())
# check("12.4", value.idxmax())
# ```
#
# It prints:
#
# ```text
# variant
# fast          42.0
# book           2.9
# small          2.6
# small-once     2.2
# best           1.3
# source         0.8
# Right.
# ```
#
# In thousandths of a point a second. The number says nothing about what the last tenth of a point is worth to you, nor of the seconds that nine readings take.
# </details>
#
# **5.** Halve the channels of `small` (`dataclasses.replace`, and a network of your own). How far does the accuracy fall, with two epochs on the sample?
#
# *Check:* `check("12.5", …)` with the number of parameters with half the channels; the accuracy depends on your machine.
#
# <details>
# <summary>Hint</summary>
#
# A layer is changed by `replace(layer, channels=…)`; leave the layer named `scores` as it is.
# </details>
#
# <details>
# <summary>Solution</summary>
#
# ```python
# from dataclasses import replace
#
# small = RECIPES["small"]
# tiny = replace(small, name="tiny", epochs=2, network=tuple(
#     replace(layer, channels=layer.channels // 2)
#     if layer.kind == "conv" and layer.name != "scores" else layer
#     for layer in small.network))
# for recipe in (replace(small, epochs=2), tiny):
#     record = training.train(recipe, mnist.sample(), progress=False).record
#     print(f"{record['parameters']:,} parameters: {record['test_accuracy']:.1%}")
# check("12.5", count_parameters(tiny.network))
# ```
#
# With us, it prints:
#
# ```text
# 2,904 parameters: 89.0%
# 786 parameters: 59.1%
# Right.
# ```
#
# By thirty points, but with one seed each, after two epochs on few digits: that is how fast they learn, not how far they get.
# </details>
#
# **6.** *Design.* Find a network with fewer than 1,500 parameters that sees the whole digit. You need not train it; let `cost_table` and `count_parameters` judge it.
#
# *Check:* `check("12.6", …)` with your layer list, or a PyTorch module.
#
# <details>
# <summary>Hint</summary>
#
# Start from the layers of `small`, and remember what costs: channels in times channels out. A depthwise convolution (`cellgrad.layers.depthwise`) followed by a 1 × 1 is cheaper.
# </details>
#
# <details>
# <summary>Solution</summary>
#
# ```python
# from cellgrad.layers import batch_norm, conv, flatten, global_avg_pool, max_pool, relu
#
# def step(channels, **options):
#     return (conv(channels, 3, **options), batch_norm, relu)
#
# net = (*step(4, padding=1), max_pool(2), *step(6), *step(6), max_pool(2), *step(6), *step(6),
#        conv(10, 1), global_avg_pool, flatten)
# print(count_parameters(net), "parameters, field", cost_table(net)["size"].iloc[-1])
# check("12.6", net)
# ```
#
# It prints:
#
# ```text
# 1340 parameters, field 30
# Right.
# ```
# </details>
#
# ## What's next
#
# [Inside the network](13-inside-the-network.ipynb): what it looks at, and what it cannot read.
