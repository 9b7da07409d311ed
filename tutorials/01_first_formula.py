# %% [markdown]
# # A first formula
#
# kanlib reads a table of numbers and looks for a law: one column as a formula of the others. This tutorial goes from
# eight rows about the planets to Kepler's third law, then to a law we make up ourselves, where we know what must come
# out. It takes about half a minute.

# %%
import json
import tempfile
from pathlib import Path

import numpy as np
import sympy

from kanlib import load, save
from kanlib.plots import plot_edges, plot_fit, plot_front, plot_network, write_report
from kanlib.symbolic import discover
from kanlib.table import read_table

# %% [markdown]
# ## Eight planets
#
# The table holds the distance of each planet from the Sun, in astronomical units, and the time it takes to go round,
# in years. `read_table` reads a CSV file, and `split` sets the column to be explained apart from the others.

# %%
table = read_table("data/planets.csv")
X, y, names = table.split("T_years")
print(names, X.shape, y.shape)
print(np.column_stack([X, y]).round(2))

# %% [markdown]
# One call does the search. It trains small networks of growing shape, reads formulas off the best of them, and keeps a
# formula only if it predicts rows it has not seen.

# %%
found = discover(X, y, names=names, target_name="T_years")
found

# %%
print(found.status, "-", found.message)
print(found)

# %% [markdown]
# This is Kepler's third law: the square of the period is the cube of the distance. Kepler worked on it for years.
#
# `found.formula` is an object, not a text. Its `expr` is a SymPy expression, so that equality can be asked as a
# mathematician would.

# %%
distance = found.formula.symbols[0]
assert found.status == "found"
assert sympy.simplify(found.formula.expr - distance ** sympy.Rational(3, 2)) == 0

# %% [markdown]
# A picture of the law with the data, and below it what the law leaves over. Both axes are logarithmic because the data
# span decades.

# %%
_ = plot_fit(found, X, y)
# %% [markdown]
# How can eight rows support anything? The search says what it did: every row was left out once and predicted from the
# seven others.

# %%
print("held out:", found.held_out)
for note in found.notes:
    print("-", note)

# %% [markdown]
# ## Predict what was not in the table
#
# A formula may be asked about places where there were no data. Halley's comet moves at 17.83 au on average and is seen
# every 75 years or so; Pluto, at 39.48 au, is farther away than any of the eight, and its year has 247.9 of ours.

# %%
halley, pluto = found.formula.predict([[17.83], [39.48]])
print(f"Halley: {halley:.1f} years, Pluto: {pluto:.1f} years")
assert abs(halley - 75.3) < 0.5
assert abs(pluto - 247.9) < 1.0

# %% [markdown]
# ## A law we know
#
# The planets were kind: one input, no noise to speak of. Now a table of our own making, with two inputs,
#
# $$y = 1.83\,e^{\sin(\pi a) + b^2}$$
#
# and an error of 0.05 on each of 200 measurements. The factor 1.83 stands for the gain of some instrument; nobody
# tells kanlib about it.

# %%
rng = np.random.default_rng(0)
X = rng.uniform(-1, 1, (200, 2))
law = 1.83 * np.exp(np.sin(np.pi * X[:, 0]) + X[:, 1] ** 2)
y = law + rng.normal(0, 0.05, 200)

found = discover(X, y, names=["a", "b"], target_name="y")
print(found)

# %% [markdown]
# Three constants come out exactly: $\pi$, the exponent 2, and a plain factor of one before $b^2$. The data single them
# out, so they are not estimates any more. The gain is one: it has a **standard error**, the distance from the truth
# that is to be expected. About two times in three the truth lies within one standard error, and almost always within
# three.

# %%
a, b = found.formula.symbols
shape = found.formula.expr / sympy.exp(sympy.sin(sympy.pi * a) + b**2)
(gain,) = [constant for constant in found.formula.constants if constant.exact is None]
print(gain, "- the truth is 1.83")
assert sympy.simplify(shape).is_number  # the law up to its factor
assert abs(gain.value - 1.83) < 4 * gain.standard_error
assert gain.standard_error < 0.005

# %% [markdown]
# ## Why this formula
#
# Three things speak for a formula: it beats the mean of y on rows it has not seen, no network does better on them, and
# what it leaves over looks like noise. If one of them fails, the status is `"none"`.

# %%
for reason in found.reasons:
    print("-", reason)
noise = float(np.sqrt(np.mean((found.formula.predict(X) - y) ** 2)))
print(f"left over: {noise:.3f} (we put in 0.05), R2 on held-out rows: {found.r2:.5f}")
assert 0.04 < noise < 0.06
assert found.r2 > 0.99

# %% [markdown]
# The formula was read off a small network. Each edge carries a curve, the node in the middle adds. On the left the two
# inputs each go through a curve of their own, a sine and a parabola; their sum goes through a third, the exponential.
# How large the sum is drawn is a matter of taste (twice the inner curves and half the outer argument are the same
# law); in the formula this factor has gone.

# %%
_ = plot_network(found, X)
# %% [markdown]
# The same curves with their axes. The ticks at the bottom show where the data are.

# %%
plot_edges(found, X)

# %% [markdown]
# The search looks at other formulas too. The **front** holds the best of them by length and by error on rows they have
# not seen, the chosen one in orange; a formula may be there twice, with constants fitted for errors of equal size and
# for errors that grow with y. The dashed line is the error of the best network. A longer formula that hardly lowers
# the error is not worth its length.

# %%
for point in found.front:
    print(f"{point.complexity:3d} nodes, error {point.rmse:.4f}: {point.formula.text()}")
_ = plot_front(found)
# %%
_ = plot_fit(found, X, y)
# %% [markdown]
# ## Take it along
#
# For a paper, LaTeX; for another program, a NumPy function that needs nothing of kanlib, or plain numbers as JSON.

# %%
print(found.formula.latex())
print()
print(found.formula.to_python())
print(json.dumps(found.formula.to_dict()))

# %% [markdown]
# For colleagues, a report: one HTML file with the formula, the pictures, and what was done. And the network itself can
# be saved and loaded; it computes the same afterwards.

# %%
folder = tempfile.TemporaryDirectory()  # yours would have a name
report = write_report(found, Path(folder.name) / "report.html", X, y)
page = report.read_text(encoding="utf-8")
print(report.name, f"{len(page) / 1e3:.0f} kB")
assert "image/svg+xml" in page  # the pictures are inside
assert "<script" not in page and 'src="http' not in page  # and it loads nothing

path = save(found.network, Path(folder.name) / "law.kan")
copy = load(path)
points = copy.layers[0].grid.new_tensor(X)
assert bool((copy(points) == found.network(points)).all())
folder.cleanup()

# %% [markdown]
# From a shell, `kanlib discover planets.csv --target T_years --report report` does the same.
#
# The next tutorial takes a table as it comes from a laboratory: noise, columns that do not matter, mistakes in the
# file, and the question when to believe what comes out.
