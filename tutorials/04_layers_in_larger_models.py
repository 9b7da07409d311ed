# %% [markdown]
# # KAN layers in larger models
#
# A KAN layer is an ordinary torch module: it goes where `nn.Linear` goes, trains in any loop, and can be looked into
# afterwards. This tutorial chooses a basis, puts a layer into a model of one's own, reads a formula from inside of it,
# and finds the equations of motion of a pendulum.

# %%
import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import nn

from kanlib import KAN, KANLayer, fit, prune
from kanlib.architectures import KANODE, fit_grids, inside, rk4, smooth_derivatives
from kanlib.plots import plot_edges
from kanlib.symbolic import symbolify

float64 = torch.float64

# %% [markdown]
# ## Bases
#
# A learned function is a sum of fixed ones. B-splines are the default; nine other bases are a keyword away, and every
# one of them can be trained, pruned, drawn, saved, and read as a formula. Here are twelve functions of each, and what
# they make of a wave with a kink.

# %%
x = torch.linspace(-1, 1, 400, dtype=float64)[:, None]
curve = torch.sin(6 * x[:, 0]) + (x[:, 0] - 0.2).abs()
names = ("bspline", "fourier", "chebyshev", "mexican_hat", "rational", "piecewise_linear")

figure, axes = plt.subplots(2, len(names), figsize=(11, 3.4), layout="constrained", sharex=True)
for name, (above, below) in zip(names, axes.T):
    model = KAN([1, 1], grid_size=9, degree=3, basis=name, base=None, dtype=float64)
    above.plot(x, model.layers[0].features(x)[:, 0].detach(), linewidth=0.9)
    above.set_title(name, fontsize=9)
    result = fit(model, x, curve, progress=False)
    below.plot(x, curve, color="0.75", linewidth=3)
    below.plot(x, model(x).detach(), linewidth=1.2)
    below.set_title(f"error {result.train_loss**0.5:.0e}", fontsize=8, color="0.4")
    assert result.train_loss**0.5 < 0.15
plt.show()

# %% [markdown]
# ## A layer in a model of your own
#
# Two sensors see a mixture of two hidden signals, and what is measured is a curve of each. The mixing is linear, so a
# linear layer stands in front; what the curves are, nobody knows. `fit_grids` sizes the grids of all KAN layers in a
# module by what reaches them: a spline has no detail to offer outside its grid.

# %%
rng = torch.Generator().manual_seed(0)
hidden = 2 * torch.rand(1000, 2, generator=rng, dtype=float64) - 1
mixing = torch.tensor([[1.0, 0.4], [-0.3, 1.0]], dtype=float64)
sensors = hidden @ mixing.T
y = torch.sin(3 * hidden[:, 0]) + torch.exp(-4 * hidden[:, 1] ** 2)

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(2, 2, bias=False), KANLayer(2, 1, grid_size=10)).double()
fit_grids(model, sensors)

optimizer = torch.optim.LBFGS(model.parameters(), max_iter=400, line_search_fn="strong_wolfe")


def closure() -> torch.Tensor:
    optimizer.zero_grad()
    loss = (model(sensors)[:, 0] - y).square().mean()
    loss.backward()
    return loss


optimizer.step(closure)
fit_grids(model, sensors)
optimizer.step(closure)
error = float((model(sensors)[:, 0] - y).detach().square().mean().sqrt())
print(f"root mean square error: {error:.1e}")
assert error < 0.02

# %% [markdown]
# ## Look inside
#
# `inside` takes a layer out of a model as a network of its own, together with the rows that reach it. It is the same
# layer, not a copy; everything that works on a network works on it: `plot_edges`, `prune`, `attribute`, `symbolify`.

# %%
layer, rows = inside(model, "1", sensors)
plot_edges(layer, rows, input_names=["u", "v"], output_names=["y"])

# %%
formula = symbolify(layer, rows, layer(rows), names=["u", "v"])
print("y =", formula)
assert "sin" in str(formula)

# %% [markdown]
# The model has found both signals: each edge carries one of the two curves, and the linear layer undoes the mixing
# (up to the scale and the sign of a signal, which nothing in the data can tell).

# %%
unmixing = model[0].weight.detach() @ mixing
print(np.round((unmixing / unmixing.abs().amax(dim=1, keepdim=True)).numpy(), 2))
largest = unmixing.abs().amax(dim=1)
smallest = unmixing.abs().amin(dim=1)
assert bool((smallest < 0.05 * largest).all())

# %% [markdown]
# ## Equations of motion
#
# A damped pendulum is measured at 150 times: its angle and its angular velocity. `KANODE` is a KAN as the right-hand
# side of a system of differential equations. Slopes from smoothing splines give it a start without solving anything.

# %%


def pendulum(t: torch.Tensor, state: torch.Tensor) -> torch.Tensor:
    """What nature does: gravity and friction."""
    angle, speed = state.unbind(-1)
    return torch.stack([speed, -4.0 * torch.sin(angle) - 0.25 * speed], dim=-1)


t = torch.linspace(0, 12, 150, dtype=float64)
measured = rk4(pendulum, torch.tensor([[2.4, 0.0]], dtype=float64), t, substeps=20)[0]

smooth = smooth_derivatives(t, measured)
ode = KANODE([2, 2], grid_size=8, substeps=4, dtype=float64)
fit(ode.field, smooth.states, smooth.derivatives, progress=False)
small = prune(ode.field, smooth.states, threshold=1e-3)
print(small.report)

# %% [markdown]
# The splines miss the slopes a little, and smoothly, which a formula could take for part of the law. White noise of
# the size of these errors, which `smooth_derivatives` estimates, keeps it from being described.

# %%
noise = smooth.errors * torch.randn(smooth.errors.shape, generator=rng, dtype=float64)
for number, name in enumerate(("angle", "speed")):
    slopes = (smooth.derivatives + noise)[:, number]
    law = symbolify(small.model, smooth.states, slopes, names=["angle", "speed"], output=number)
    print(f"d {name} / dt =", law)
assert "sin" in str(law)  # gravity

# %%
with torch.no_grad():
    solved = ode(measured[:1], t)[0]
figure, ax = plt.subplots(figsize=(7, 2.6), layout="constrained")
ax.plot(t, measured[:, 0], "o", markersize=3, color="0.6", label="measured")
ax.plot(t, solved[:, 0], linewidth=1.2, label="solved with the learned field")
ax.set(xlabel="time", ylabel="angle")
ax.legend(frameon=False)
plt.show()
assert float((solved - measured).abs().max()) < 0.05
