# %% [markdown]
# # Anatomy of a KAN
#
# The first two tutorials used kanlib as a black box with a formula at the end. This one opens it: splines, grids,
# training, scores, pruning, and how curves become formulas, each by hand. All of it is ordinary torch.

# %%
import tempfile
from itertools import pairwise
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch

from kanlib import KAN, StorageError, edge_scores, fit, input_scores, load, prune, refine, save, update_grid
from kanlib.plots import plot_edges, plot_network, plot_training
from kanlib.prune import drop_edges
from kanlib.splines import basis, evaluate, fit_coefficients, uniform_grid
from kanlib.splines import refine as refine_splines
from kanlib.symbolic import symbolify

float64 = torch.float64  # formulas need digits

# %% [markdown]
# ## A spline
#
# A Kolmogorov-Arnold network carries a function of one variable on every edge. The function is a spline: a range is
# cut into $G$ cells (the **grid**), and the curve is a sum of $G + k$ bumps, the B-splines of **degree** $k$, each
# with a **coefficient** that is learned.

# %%
grid = uniform_grid(-1.0, 1.0, 5, in_features=1, dtype=float64)  # one row of breakpoints for each input
x = torch.linspace(-1, 1, 401, dtype=float64)[:, None]
bumps = basis(x, grid, degree=3, uniform=True)[:, 0]
print("grid:", grid[0].tolist())
print("points x basis functions:", tuple(bumps.shape))

assert bumps.shape == (401, 5 + 3)
assert torch.allclose(bumps.sum(dim=1), torch.ones(401, dtype=float64))  # they always add up to one
assert int((bumps > 0).sum(dim=1).max()) == 4  # and only k + 1 of them are alive at a point

figure, ax = plt.subplots(figsize=(6, 2.2), layout="constrained")
ax.plot(x, bumps)
ax.vlines(grid[0], 0, 1, color="0.8", linewidth=0.8, zorder=0)
ax.set(xlabel="x", title="eight cubic B-splines on five cells", ylim=(0, 0.75))
plt.show()

# %% [markdown]
# `fit_coefficients` finds the curve nearest to given points, `evaluate` computes it, or any of its derivatives.
# Outside the grid the curve goes on as a straight line, with the value and the slope it had at the end. That is a rule
# anyone can predict; it is not knowledge about what is out there.

# %%
coefficients = fit_coefficients(x, torch.sin(3 * x)[:, None], grid, 3, uniform=True)

far = torch.linspace(-1.6, 1.6, 321, dtype=float64)[:, None]
curve = evaluate(far, grid, coefficients, 3, uniform=True)
slope = evaluate(far, grid, coefficients, 3, derivative=1, uniform=True)

inside = far.abs() <= 1
assert (curve - torch.sin(3 * far))[inside].abs().max() < 0.01
assert (slope - 3 * torch.cos(3 * far))[inside].abs().max() < 0.15
assert slope[far > 1].std() < 1e-12  # a straight line
assert abs(float(curve[-1] - curve[261] - slope[-1] * (far[-1] - far[261]))) < 1e-12

figure, ax = plt.subplots(figsize=(6, 2.6), layout="constrained")
ax.axvspan(-1, 1, color="0.95")
ax.plot(far, torch.sin(3 * far), "--", color="0.5", label="sin(3x)")
ax.plot(far, curve, label="spline")
ax.plot(far, slope / 3, color="C1", linewidth=1, label="its slope / 3")
ax.set(xlabel="x", ylim=(-2.4, 2.4), title="straight on outside the grid (grey)")
ax.legend(loc="upper left", ncols=3, frameon=False)
plt.show()

# %% [markdown]
# ## Finer grids
#
# A cubic spline on cells of width $h$ is off by about $h^4$: halve the cells, and the error falls sixteenfold. This is
# why a KAN can be made more accurate after it has been trained.
#
# When every cell is cut into equal parts, the finer spline can carry the **same** curve: nothing is lost by refining,
# training just goes on with more freedom.

# %%
sizes = [5, 10, 20, 40, 80]
errors = []
for size in sizes:
    cells = uniform_grid(-1.0, 1.0, size, in_features=1, dtype=float64)
    best = fit_coefficients(x, torch.sin(3 * x)[:, None], cells, 3, uniform=True)
    errors.append(float((evaluate(x, cells, best, 3, uniform=True) - torch.sin(3 * x)).abs().max()))
gains = [before / after for before, after in pairwise(errors)]
print("each halving of the cells divides the error by", [round(gain, 1) for gain in gains])
assert all(10 < gain < 30 for gain in gains)

fine, fine_grid = refine_splines(coefficients, grid, 3, factor=4)
same = evaluate(x, fine_grid, fine, 3, uniform=True) - evaluate(x, grid, coefficients, 3, uniform=True)
print(
    f"{coefficients.shape[-1]} coefficients became {fine.shape[-1]}; the curve moved by {float(same.abs().max()):.0e}"
)
assert same.abs().max() < 1e-13

figure, ax = plt.subplots(figsize=(4, 2.6), layout="constrained")
ax.loglog(sizes, errors, "o-", label="largest error")
ax.loglog(sizes, [errors[0] * (5 / size) ** 4 for size in sizes], ":", color="0.5", label="proportional to $G^{-4}$")
ax.set(xlabel="grid size G", xticks=sizes, xticklabels=sizes)
ax.minorticks_off()
ax.legend(frameon=False)
plt.show()

# %% [markdown]
# ## A network
#
# `KAN([2, 5, 1])` has two inputs, five nodes that add, and one output. Every input is joined to every node by an edge
# with its own spline: $2 \cdot 5 + 5 \cdot 1 = 15$ curves. Each edge also carries a smooth **base function** (SiLU by
# default) with one weight, so that a fresh network already passes signals on.
#
# Grids have a range. Where data fall outside, splines are blind, so look before you train (or let `fit` do it, as it
# does by default).

# %%
generator = torch.Generator().manual_seed(0)
X = 2 * torch.rand(500, 2, generator=generator, dtype=float64) - 1
a, b = X.unbind(dim=1)
y = torch.exp(torch.sin(torch.pi * a) + b**2)

model = KAN([2, 5, 1], dtype=float64)
print(sum(parameter.numel() for parameter in model.layers[0].parameters()), "numbers in the first layer")
print("outside the grid, inputs as they are:   ", model.out_of_grid_fraction(X)[0].tolist())
print("outside the grid, inputs times three:   ", [round(v, 2) for v in model.out_of_grid_fraction(3 * X)[0].tolist()])
assert 0.6 < float(model.out_of_grid_fraction(3 * X)[0].mean()) < 0.75

update_grid(model, 3 * X)  # in place; the curves stay as near to what they were as the new grid allows
print("after update_grid:                      ", model.out_of_grid_fraction(3 * X)[0].tolist())
assert all(float(fraction.max()) == 0 for fraction in model.out_of_grid_fraction(3 * X))

# %% [markdown]
# ## Training
#
# `fit` has three methods. Gauss-Newton uses the curvature of the squared error and is made for small networks; L-BFGS
# estimates curvature as it goes; Adam only needs gradients of some rows at a time, and is for large networks and large
# data. By default `fit` chooses. Here they are on the same network from the same start.

# %%
results = {}
for method, steps in [("gauss-newton", 40), ("lbfgs", 150), ("adam", 150)]:
    result = fit(KAN([2, 5, 1], dtype=float64), X, y, method=method, steps=steps, progress=False)
    results[method] = result
    print(f"{method:13s} {result.n_steps:3d} steps, root mean square error {result.train_loss**0.5:.1e}")

losses = {method: result.train_loss for method, result in results.items()}
assert losses["gauss-newton"] < losses["lbfgs"] / 10 < losses["adam"] / 10

figure, ax = plt.subplots(figsize=(6, 3), layout="constrained")
for method, result in results.items():
    ax.semilogy(result.history["step"], result.history["train_loss"], label=method)
ax.set(xlabel="step", ylabel="mean squared error", title="the same network, three methods")
ax.legend(frameon=False)
plt.show()

# %% [markdown]
# The right shape beats a larger network. The law here is a function of a sum, $g(f_1(a) + f_2(b))$, which is exactly
# what `KAN([2, 1, 1])` can say with three edges. With grids that are refined on the way, each stage starts where the
# last one ended, and the error falls in steps.

# %%
small = KAN([2, 1, 1], dtype=float64, input_names=["a", "b"])
result = fit(small, X, y, grid_schedule=[5, 10, 20, 40], progress=False)
print(result.message)
print(f"root mean square error {result.train_loss**0.5:.0e} on grids of {small.layers[0].grid_size} cells")
assert result.train_loss < 1e-11
_ = plot_training(result)

# %% [markdown]
# ## Who matters
#
# Now a table with two more columns: $c$ has a hundredth of an effect, $d$ has none. Scores say what share of the
# spread of the output is lost when an edge or an input is replaced by its mean.

# %%
X4 = 2 * torch.rand(500, 4, generator=generator, dtype=float64) - 1
y4 = torch.exp(torch.sin(torch.pi * X4[:, 0]) + X4[:, 1] ** 2) + 0.03 * X4[:, 2]

wide = KAN([4, 3, 1], grid_size=4, dtype=float64, input_names=["a", "b", "c", "d"])
print(fit(wide, X4, y4, method="lbfgs", steps=150, entropy=2e-4, l1=1e-4, progress=False))
scores = input_scores(wide, X4)
for name, score in zip("abcd", scores.tolist()):
    print(f"{name}: {score:.3f}")
assert scores[0] > scores[1] > 10 * scores[2]
assert scores[3] < 0.02

# %% [markdown]
# A score must not depend on where a constant sits. Lift one curve and lower the node's bias by the same amount: the
# network computes the same, and the scores stay.

# %%
moved = KAN.from_config(wide.config())
moved.load_state_dict(wide.state_dict())
with torch.no_grad():
    moved.layers[0].coefficients[0, 0] += 7.0  # all coefficients of a spline: the curve moves up by 7
    moved.layers[0].bias[0] -= 7.0
assert torch.allclose(moved(X4), wide(X4), atol=1e-9)
assert all(torch.allclose(p, q, atol=1e-6) for p, q in zip(edge_scores(moved, X4), edge_scores(wide, X4)))

# %%
_ = plot_network(wide, X4)
# %% [markdown]
# ## Pruning
#
# `prune` drops edges with small scores, and nodes and inputs that have nothing left to do. What it returns is a
# smaller network, not a mask: it computes what the masked one computes, with fewer numbers. It still takes all four
# columns and knows which of them it reads.

# %%
pruned = prune(wide, X4, threshold=0.03)
print(pruned.report)

masked = drop_edges(wide, X4, [score > 0.03 for score in edge_scores(wide, X4)])
assert torch.allclose(pruned.model(X4), masked(X4), atol=1e-10)
assert set(pruned.model.used_inputs) == {0, 1}
assert pruned.report.edges_after < pruned.report.edges_before

refit = fit(pruned.model, X4, y4, progress=False)
print(f"after training once more: root mean square error {refit.train_loss**0.5:.3f}")
_ = plot_network(pruned.model, X4)
# %% [markdown]
# The inputs that do not matter are gone, but three nodes share what one could say: a hidden layer is not unique, and a
# large network that is pruned rarely ends in the smallest one. This is why `discover` grows through small shapes
# first.
#
# ## From curves to a formula, by hand
#
# Back to the network with three edges. Its curves have shapes one knows.

# %%
plot_edges(small, X)

# %% [markdown]
# `edge_curve` gives the points of a curve. The first looks like a sine. Is it? A sine is its own second derivative, up
# to a factor; or simply: fit $c \sin(\pi a) + d$ to it and see what is left.

# %%
u, v = small.edge_curve(layer=0, i=0, j=0)
columns = torch.stack([torch.sin(torch.pi * u), torch.ones_like(u)], dim=1)
(c, d), *_ = torch.linalg.lstsq(columns, v[:, None])
left_over = v - columns @ torch.cat([c, d])
print(f"left over of the spread: {float(left_over.std() / v.std()):.0e}")
assert left_over.std() < 1e-3 * v.std()

# %% [markdown]
# An edge can be **fixed** to a primitive $f$: it then carries $c\,f(a x + b) + d$, and training moves these constants
# together with the splines that are left. We fix all three, from rough starts, and train again.

# %%
by_hand = refine(small, 5)  # a copy on a coarser grid will do
by_hand.layers[0].fix_edge(0, 0, "sin", (3.0, 0.1, float(c), float(d), 1))
loss = [fit(by_hand, X, y, progress=False).train_loss]
by_hand.layers[0].fix_edge(1, 0, "square", (1.0, 0.0, float(c), 0.0, 1))
loss.append(fit(by_hand, X, y, progress=False).train_loss)
by_hand.layers[1].fix_edge(0, 0, "exp", (1 / float(c), 0.0, 1.0, 0.0, 1))
loss.append(fit(by_hand, X, y, steps=300, progress=False).train_loss)
print("root mean square error after each:", [f"{value**0.5:.0e}" for value in loss])

frequency, phase = by_hand.layers[0].edge_constants[0, 0, :2].tolist()
print(f"frequency {frequency:.6f}, phase {phase:.6f}")
assert loss[-1] < 1e-16
assert abs(abs(frequency) - np.pi) < 1e-6
_ = plot_network(by_hand, X)
# %% [markdown]
# `symbolify` does this for all edges at once: it compares every curve with every primitive, fits the constants of the
# best assignments to y together, and writes down the shortest formula that fits.

# %%
formula = symbolify(small, X, y)
print("y =", formula)
assert str(formula) == "exp(b**2 + sin(pi*a))"

# %% [markdown]
# ## Nodes that multiply
#
# A product is hard to say with sums of curves, and easy with a node that multiplies. `(0, 1)` stands for no node that
# adds and one that multiplies two sums. Where the structure is known, edges can be taken out by hand: here one sum
# reads $a$ alone and the other reads $b$ alone.

# %%
z = torch.sin(2 * a) * (b**2 + 0.5)

sums = fit(KAN([2, 1], grid_size=10, dtype=float64), X, z, progress=False)
product = KAN([2, (0, 1)], grid_size=10, dtype=float64, input_names=["a", "b"])
product.layers[0].mask_edge(1, 0)  # from input 1, which is b, to sum 0
product.layers[0].mask_edge(0, 1)
result = fit(product, X, z, progress=False)
print(
    f"root mean square error of a sum of curves {sums.train_loss**0.5:.0e}, of a product {result.train_loss**0.5:.0e}"
)
assert result.train_loss < 1e-8 < 1e-3 < sums.train_loss

_ = plot_network(product, X, output_names=["z"])
law = symbolify(product, X, z)
print("z =", law)
assert np.allclose(law.predict(X.numpy()), z.numpy(), atol=1e-10)

# %% [markdown]
# ## Storage
#
# A network in a file: numbers as safetensors, structure as JSON, no pickle. Masks, fixed edges and names come back,
# and a damaged file says so instead of giving a damaged network.

# %%
with tempfile.TemporaryDirectory() as folder:
    path = save(by_hand, Path(folder) / "law.kan")
    again = load(path)
    assert torch.equal(again(X), by_hand(X))
    assert again.layers[0].fixed_edges() == {(0, 0): "sin", (1, 0): "square"}
    assert again.input_names == ("a", "b")

    path.write_bytes(path.read_bytes()[:-100])
    try:
        load(path)
    except StorageError as error:
        print(error)
    else:
        raise AssertionError("a truncated file must not load")

# %% [markdown]
# Every layer here, `KANLayer`, is an ordinary torch module: it goes wherever `nn.Linear` went, in any model, with any
# optimizer.
