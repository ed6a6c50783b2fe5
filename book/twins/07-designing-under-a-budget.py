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
# treat it as what it is, a small optimisation problem: we count what each choice costs, list *all* networks of the source's kind that
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
    get_ipython().run_line_magic("pip", "install -q git+https://github.com/cells-to-convnets/cells-to-convnets@v0.1.0")

# %%
import itertools

import matplotlib.pyplot as plt
import pandas as pd

from cellgrad import plotting
from cellgrad.convnets import (
    SOURCE, avg_pool, batch_norm, block, conv, count_parameters, depthwise, flatten,
    global_avg_pool, layer_table, linear, max_pool, pixel_unshuffle, relu,
)
from cellgrad.receptive import cost_table, receptive_field

plotting.use_house_style()
budget = 20_000

# %% [markdown]
# ## Where the parameters go
#
# First the source's network, all costs in one table: parameters, of which weights and batch norm, multiplications for one digit, and the field.

# %%
costs = cost_table(SOURCE)
busy = costs[costs["kind"].isin(["conv", "max_pool"])]
busy[["layer", "output_size", "parameters", "multiply_adds", "size"]]

# %% mystnb={"image": {"alt": "Two bars for each convolution of the source's network: its share of the parameters and its share of the multiplications. The first convolutions have few parameters and nearly all multiplications; the last ones have most of the parameters and few multiplications."}}
convs = costs[costs["kind"] == "conv"].set_index("layer")
convs = convs[["parameters", "multiply_adds"]]
(100 * convs / convs.sum()).plot.bar(color=[plotting.BLUE, plotting.ORANGE], rot=30)
plt.ylabel("share of the network (%)")
plt.xlabel("")
plt.legend(["parameters", "multiplications"])
plt.show()


# %% [markdown]
# Parameters and work live at opposite ends. The first layers have few channels and large images: cheap to store, slow to compute. The last ones have many channels and
# small images: the other way round. A budget of parameters is spent at the end; a budget of time at the beginning.
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
table = pd.DataFrame(index=list(heads), columns=[8, 16, 32], dtype=int)
for (name, head), channels in itertools.product(heads.items(), table.columns):
    table.loc[name, channels] = count_parameters([*body(channels), *head])
table.rename_axis(columns="channels up front")

# %%
table <= budget

# %% [markdown]
# The channels decide, not the head: twice the channels are four times the weights in every convolution between them. With 8 up front everything fits; with 16
# nothing does. This is why the advice starts with "8 channels up front".
#
# Among the heads, the 3 × 3 with a 1 × 1 and the dense one cost about the same here, because the image has shrunk to 3 × 3. Where it has not, the dense head is the one that explodes:

# %%
dense_head = heads["dense, 32 hidden"]
for size in (3, 5, 7, 11):
    dense = count_parameters(dense_head, (16, size, size))
    print(f"dense head on 16 channels of {size} × {size}: {dense:6,} parameters")


# %% [markdown]
# ## All networks of this kind
#
# Now take the advice as rules: 3 × 3 convolutions without padding, one pool, a last 3 × 3 to 32 channels and a 1 × 1 to ten scores. Free are the number of convolutions before
# and after the pool, and their channels. We list all combinations and keep those that fit the budget, end on one pixel and see the whole digit.

# %%
def design(before, front, after, back):
    return (
        *block(front) * before, max_pool(2), *block(back) * after,
        conv(32, 3), relu, conv(10, 1), flatten,
    )


# %%
choices = itertools.product(range(1, 8), (4, 8, 12, 16), range(1, 8), (8, 16, 24, 32))
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
# Very few shapes are left. Without padding, every convolution before the pool costs two pixels and every one after it costs the size that is left, so depth and field are tied to each other. The
# source's shape is one of the rows: three convolutions, 7 × 7, then the pool. Its channels?

# %%
of_the_shape = fits[fits["before the pool"] == 3]
columns = ["channels", "channels after", "parameters", "million multiplications"]
of_the_shape[columns].round(2)


# %% [markdown]
# The source's network, 8 and 16 channels, is one of these rows, well inside the budget. What the rules leave open, and no arithmetic can answer, is which of these
# networks reads best. That takes training, and Part III does it.
#
# ## Other ways to spend it
#
# The rules are not laws. Three departures from them, each within the budget and each with a field of at least 28:
#
# - *Pool early*: after one convolution instead of three.
# - *Fold*: cut the image into blocks of 2 × 2 pixels and make each block's four pixels four channels. Nothing is lost, and all layers work on a quarter of the pixels.
# - *Separable*: split each 3 × 3 convolution in two, one that looks around in each channel on its own, and a 1 × 1 that mixes the channels.

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
# The same budget buys quite different things. Pooling early and folding need fewer multiplications and, above all, store smaller images, and that is most of the time that
# training takes. Separable convolutions buy many more channels for the same number of parameters. Here are the first and the last of them, to the same scale:

# %% mystnb={"image": {"alt": "The source's network drawn to scale: large sheets at first, shrinking to 32 channels of one pixel."}}
plotting.draw_convnet(alternatives["the source"])
plt.show()

# %% mystnb={"image": {"alt": "The separable network drawn to scale: the same sizes of images, but stacks of up to 64 channels, twice as many layers."}}
plotting.draw_convnet(alternatives["separable"])
plt.show()

# %% [markdown]
# ## Recap
#
# - Parameters sit at the end of a network, work at its beginning.
# - Twice the channels, four times the parameters. The channels are what a budget buys.
# - With 3 × 3 convolutions without padding, one pool and a field of 28, only a handful of shapes are left, and the source's is one of them.
# - Pooling early, folding and separating are other ways to spend the same budget.
#
# ## Exercises
#
# **1.** Find a stack with a field of at least 28, any kernels and strides, with the fewest parameters, that ends in ten scores. Channels are up to you. How low can you get?
#
# <details>
# <summary>Solution</summary>
#
# As few as you like, if it need not read: the field does not ask for channels. One channel, and pools, which cost nothing:
#
# ```python
# cheapest = [max_pool(2), max_pool(2), conv(10, 7), flatten]
# count_parameters(cheapest), receptive_field(cheapest)["size"].iloc[-1]
# ```
#
# 490 parameters with a field of 28. And `[avg_pool(28), conv(10, 1), flatten]` has 10: it sees everything and can tell the digits apart only by how much ink they have. The
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
# **3.** Give the source's convolutions padding 1, so that no image shrinks but at the pool. What happens to the parameters, the field and the multiplications?
#
# <details>
# <summary>Solution</summary>
#
# ```python
# padded = (*block(8, padding=1) * 3, max_pool(2), *block(16, padding=1) * 4,
#           conv(32, 3, padding=1), relu, conv(10, 1), global_avg_pool, flatten)
# cost_table(padded)[["parameters", "multiply_adds"]].sum(), cost_table(SOURCE)[["parameters", "multiply_adds"]].sum()
# ```
#
# The parameters stay the same, the field at the last convolution too, and the multiplications grow to several times as many: the images stay large.
# </details>
#
# ## What's next
#
# Part III: *The run* trains the source's network, and finds out what all this arithmetic is worth.
