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
# # Designing under a budget
#
# 20,000 parameters, and a unit at the end that can see the whole digit. The source solved this with a few sentences of advice. In this chapter we
# treat it as what it is, a small optimisation problem: we count what each choice costs, list the networks of the source's kind that
# meet the constraints, and see what the advice leaves to decide.
#
# **You will be able to** say where a network's parameters go, trade channels against depth under a budget, and judge a design before training it.
#
# **You need** *The receptive field, step by step*.

# %% tags=["hide-input"]
# Where the book's package is installed, this does nothing. On Colab, it installs it.
try:
    import cellgrad
except ImportError:
    package = "git+https://github.com/your--account/cells-to-convnets@v0.2.0"
    if "--" in package:
        print("Nobody has this address: put your copy's in its place, in this cell.")
    get_ipython().run_line_magic("pip", f"install -q {package}")

# %%
import itertools

import matplotlib.pyplot as plt
import pandas as pd

from cellgrad import plotting
from cellgrad.layers import (
    SOURCE, avg_pool, batch_norm, block, conv, count_parameters, depthwise, flatten,
    global_avg_pool, layer_table, linear, max_pool, pixel_unshuffle, relu,
)
from cellgrad.receptive import cost_table, receptive_field

plotting.use_house_style()
budget = 20_000

# %% [markdown]
# ## Where the parameters go
#
# First the source's network, all costs in one table: the numbers that it learns, weights and batch norm apart; the multiplications for one digit; the memory
# of what each layer gives out, in bytes; and the field.

# %%
costs = cost_table(SOURCE)
columns = ["weights", "batch_norm", "multiply_adds", "activation_bytes", "size"]
shown = costs["kind"].isin(["conv", "batch_norm", "max_pool"])
costs[shown].set_index("layer")[columns]

# %%
print(f"{costs['parameters'].sum():,} parameters,", end=" ")
print(f"{costs['batch_norm'].sum()} of them in batch norm")

# %% mystnb={"image": {"alt": "Two bars for each convolution of the source's network: its share of the weights and its share of the multiplications. The three convolutions before the pool have few of the weights and most of the multiplications; conv5 to conv8 have most of the weights and few multiplications."}}
convs = costs[costs["kind"] == "conv"].set_index("layer")
convs = convs[["parameters", "multiply_adds"]]
(100 * convs / convs.sum()).plot.bar(color=[plotting.BLUE, plotting.ORANGE], rot=30)
plt.gca().set_axisbelow(True)
plt.ylabel("share of all convolutions (%)")
plt.xlabel("")
plt.legend(["parameters", "multiplications"])
plt.show()


# %% [markdown]
# Parameters and work live at opposite ends. The first layers have few channels and large images: cheap to store, slow to compute. The last ones have many channels and
# small images: the other way round. A budget of parameters is spent at the end; a budget of multiplications at the beginning.
#
# ## What a head costs
#
# The *head* turns features into ten scores. Put three kinds of heads on the same body, with the channels scaled to 8, 16 or 32 up front and twice as many behind the pool. The body
# stops at 3 × 3 pixels here, so that a dense head has something to be dense about. Which of the nine fit into the budget?

# %%
def body(channels):
    front, back = block(channels), block(2 * channels)
    return [*front * 3, max_pool(2), *back * 4]


heads = {
    "dense, 32 hidden": [flatten, linear(32), relu, linear(10)],
    "average, then dense": [global_avg_pool, flatten, linear(10)],
    "3 × 3, then 1 × 1": [conv(32, 3), relu, conv(10, 1), flatten],
}
counts = {}
for channels in (8, 16, 32):
    networks = {name: [*body(channels), *head] for name, head in heads.items()}
    counts[channels] = {name: count_parameters(n) for name, n in networks.items()}
table = pd.DataFrame(counts).rename_axis(columns="channels up front")
table

# %%
table <= budget

# %% [markdown]
# The channels decide, not the head: twice the channels are four times the weights in every convolution between them. With 8 up front and 16 behind the pool
# everything fits; with 16 and 32 nothing does. If the channels double at the pool, 8 is the largest of the three that we can afford. The expensive ones are those
# behind the pool; below, the two vary separately.
#
# Among the heads, the 3 × 3 with a 1 × 1 and the dense one cost about the same here, because the image has shrunk to 3 × 3. Where it has not, the dense head is the one that explodes:

# %%
dense_head = heads["dense, 32 hidden"]
for size in (3, 5, 7, 11):
    dense = count_parameters(dense_head, (16, size, size))
    print(f"dense head on 16 channels of {size} × {size}: {dense:6,} parameters")


# %% [markdown]
# ## Networks of this kind
#
# Now take the advice as rules: 3 × 3 convolutions without padding, one pool, a last 3 × 3 to 32 channels and a 1 × 1 to ten scores. Free are the number of convolutions before
# and after the pool, one to seven each, and their channels, 4, 8, 12 or 16 before and 8, 16, 24 or 32 after it. We list all combinations and keep those that fit the
# budget, end on one pixel and see the whole digit. ("After it" does not count the last 3 × 3.)

# %%
def design(before, front, after, back):
    return (
        *block(front) * before, max_pool(2), *block(back) * after,
        conv(32, 3), relu, conv(10, 1), flatten,
    )


# %%
depths = range(1, 8)
choices = itertools.product(depths, (4, 8, 12, 16), depths, (8, 16, 24, 32))
rows = []
for before, front, after, back in choices:
    try:
        costs = cost_table(design(before, front, after, back))
    except ValueError:  # a window does not fit
        continue
    pool = costs.index[costs["kind"] == "max_pool"][0]
    rows.append({
        "before the pool": before, "channels": front,
        "after it": after, "channels after": back,
        "parameters": costs["parameters"].sum(),
        "field before the pool": costs["size"][pool - 1],
        "field": costs["size"].iloc[-2],
        "ends on": costs["output_size"].iloc[-2][1],
        "million multiplications": costs["multiply_adds"].sum() / 1e6,
    })
designs = pd.DataFrame(rows)
print(f"{len(designs)} networks can be built")

# %%
fits = designs.query(f"parameters <= {budget} and `ends on` == 1 and field >= 28")
shapes = fits.groupby(["before the pool", "after it"])
summary = shapes[["field before the pool", "field"]].first()
summary["networks"] = shapes.size()
summary

# %% [markdown]
# Very few shapes are left. Each convolution before the pool takes two pixels off 28, each one after it takes two off the pooled image. To end on exactly one pixel, the pooled
# size must be odd, and so must the number of convolutions before the pool. And a unit that is left alone has seen the whole digit: here the two conditions are the same.
# The source's shape is one of the rows: three convolutions, 7 × 7, then the pool. Its channels?

# %%
of_the_shape = fits[fits["before the pool"] == 3]
columns = ["channels", "channels after", "parameters", "million multiplications"]
of_the_shape[columns].round(2)


# %% [markdown]
# The source's network, 8 and 16 channels, is one of these rows, well inside the budget. What the rules leave open, and no arithmetic can answer, is which of these
# networks reads best. That takes training.
#
# ## Other ways to spend it
#
# The rules are not laws. Three departures from them, each within the budget and each with a field of at least 28:
#
# - *Pool early*: after one convolution instead of three.
# - *Fold*: cut the image into blocks of 2 × 2 pixels and make each block's four pixels four channels. Nothing is lost, and all layers work on a quarter of the pixels.
# - *Separable*: split each 3 × 3 convolution in two, one that looks around in each channel on its own, and a 1 × 1 that mixes the channels.
#
# The rest of each network is adjusted so that it ends on one pixel.

# %%
def separable(channels_in, channels):
    return [depthwise(channels_in, 3), conv(channels, 1), relu, batch_norm]


# %%
end = [conv(10, 1), flatten]
alternatives = {
    "the source": SOURCE,
    "pool early": [
        *block(8), max_pool(2), *block(16) * 4, conv(24, 5), relu, *end,
    ],
    "fold": [
        pixel_unshuffle(2), *block(16) * 4, *block(20) * 2, conv(10, 2), flatten,
    ],
    "separable": [
        *block(16), *separable(16, 16), *separable(16, 16), max_pool(2),
        *separable(16, 32), *separable(32, 48), *separable(48, 64),
        *separable(64, 64), *separable(64, 64), *end,
    ],
}

# %%
rows = {}
for name, layers in alternatives.items():
    costs = cost_table(layers)
    rows[name] = {
        "parameters": costs["parameters"].sum(),
        "million multiplications": costs["multiply_adds"].sum() / 1e6,
        "activations (kB)": costs["activation_bytes"].sum() / 1e3,
        "field": costs["size"].iloc[-1],
    }
chosen = pd.DataFrame(rows).T.round(2)
print("all within the budget:", bool((chosen["parameters"] <= budget).all()))
chosen.astype({"parameters": int, "field": int})

# %% [markdown]
# The same budget buys quite different things. Pooling early and folding need fewer multiplications and much less memory for their images. The separable network
# affords up to 64 channels, for a few more parameters and much more memory. Here are the source's network and the one that folds:

# %% mystnb={"image": {"alt": "The source's network drawn as stacks of sheets: large ones at first, shrinking to 32 channels of one pixel."}}
plotting.draw_convnet(alternatives["the source"])
plt.show()

# %% mystnb={"image": {"alt": "The folding network drawn as stacks of sheets: the input of 28 by 28 pixels becomes four sheets of 14 by 14, and stacks of 16 and 20 channels shrink from there to ten scores."}}
plotting.draw_convnet(alternatives["fold"])
plt.show()

# %% [markdown]
# ## Recap
#
# - Parameters sit at the end of a network, work at its beginning.
# - Twice the channels, nearly four times the parameters. The channels are what a budget buys.
# - With 3 × 3 convolutions without padding, one pool and a field of 28, only a handful of shapes are left, and the source's is one of them.
# - Pooling early, folding and separating are other ways to spend the same budget.
#
# ## Exercises
#
# **1.** Find a stack that starts from one channel, has a field of at least 28 without padding, and whose ten scores come from a convolution: the one with the fewest
# parameters. Any kernels, strides and pools are allowed. How low can you get?
#
# <details>
# <summary>Solution</summary>
#
# Few, if it does not have to read anything: the field does not ask for channels, and pools cost nothing. A first try:
#
# ```python
# cheapest = [max_pool(2), max_pool(2), conv(10, 7), flatten]
# count_parameters(cheapest), receptive_field(cheapest)["size"].iloc[-1]
# ```
#
# The fewest are ten, one weight for each score: `[avg_pool(28), conv(10, 1), flatten]` sees everything and can tell the digits apart only by how much ink they have. The
# field is necessary, not sufficient.
# </details>
#
# **2.** How many channels can the source's design have up front, with twice as many after the pool and 32 at the end, within the budget?
#
# <details>
# <summary>Solution</summary>
#
# ```python
# for front in range(8, 14):
#     print(front, count_parameters(design(3, front, 4, 2 * front)))
# ```
#
# 9 fit. Small steps in the channels are large steps in the parameters.
# </details>
#
# **3.** Give the source's convolutions padding 1, so that no image shrinks except at the pool. What happens to the parameters, the field and the multiplications?
#
# <details>
# <summary>Solution</summary>
#
# ```python
# padded = (*block(8, padding=1) * 3, max_pool(2), *block(16, padding=1) * 4,
#           conv(32, 3, padding=1), relu, conv(10, 1), global_avg_pool, flatten)
# for layers in (SOURCE, padded):
#     costs = cost_table(layers)
#     print(costs[["parameters", "multiply_adds"]].sum().tolist())
#     print(costs[["layer", "size"]].tail(4))
# ```
#
# The parameters stay the same, and the last convolution still sees 28 pixels. The multiplications grow to between three and four times as many, because the images stay large. And the average over all
# positions at the end sees more than the image has.
# </details>
#
# ## What's next
#
# Part III: *The run* trains the source's network.
