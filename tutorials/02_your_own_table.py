# %% [markdown]
# # Your own table
#
# Real tables are noisy, hold columns that have nothing to do with the matter, and come with mistakes. This tutorial
# takes such a table from the file to a law, and asks at every step how far the result can be trusted. It takes about
# half a minute.

# %%
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import sympy
from sklearn.ensemble import RandomForestRegressor
from sklearn.feature_selection import VarianceThreshold
from sklearn.model_selection import KFold, cross_validate
from sklearn.pipeline import make_pipeline

from kanlib import InputError
from kanlib.plots import plot_fit, plot_network
from kanlib.symbolic import FormulaRegressor, discover
from kanlib.symbolic.constants import refit
from kanlib.table import read_table

# %% [markdown]
# ## A table from the laboratory
#
# Small spheres sink in water. For 120 of them somebody wrote down the diameter, the density, the temperature of the
# room (which is kept constant, more or less), who measured, and how fast the sphere sank. The table is made here so
# that we know the truth, Stokes' law in the units of the table:
#
# $$v = \frac{g\,d^2\,(\rho - \rho_w)}{18\,\mu} = 0.000545\, d^2 (\rho - 1)$$
#
# A stop watch adds an error of 0.02 mm/s to each speed.

# %%
TRUTH = 0.000545
rng = np.random.default_rng(2)


def speed(d, rho):
    return TRUTH * d**2 * (rho - 1)


d, rho, room = rng.uniform(5, 50, 120), rng.uniform(1.2, 4, 120), rng.normal(21, 0.5, 120)
v = speed(d, rho) + rng.normal(0, 0.02, 120)
people = rng.choice(["Ada", "Bo"], 120)

lines = ["d [µm],rho [g/cm^3],room [°C],who,v [mm/s]"]
lines += [f"{a:.2f},{b:.3f},{c:.1f},{w},{s:.3f}" for a, b, c, w, s in zip(d, rho, room, people, v)]
folder = tempfile.TemporaryDirectory()
file = Path(folder.name) / "sinking.csv"
file.write_text("\n".join(lines) + "\n", encoding="utf-8")
print(*lines[:4], sep="\n")

# %% [markdown]
# ## When the file is wrong
#
# `read_table` takes only what is surely a number. Everything else is an error that says where it stands and what to
# do: a column of text, an empty cell, a table that is too short.


# %%
def complaint(rows, **options):
    """What read_table has to say about a file of these lines."""
    bad = Path(folder.name) / "bad.csv"
    bad.write_text("\n".join(rows) + "\n", encoding="utf-8")
    try:
        read_table(bad, **options)
    except InputError as error:
        return str(error).replace(str(bad), bad.name)
    raise AssertionError("this table should have been refused")


numbers = ["d [µm]", "rho [g/cm^3]", "room [°C]", "v [mm/s]"]
missing = [*lines[:3], "12.1,,21.2,Bo,0.13", *lines[3:]]

print("-", text := complaint(lines))
assert "'who'" in text and "Line 2" in text
print("-", text := complaint(missing, columns=numbers))
assert "Line 4" in text and "missing" in text
print("-", text := complaint(lines[:4], columns=numbers))
assert "3 rows" in text
print("-", text := complaint(lines, columns=["d"]))
assert "d [µm]" in text

# %% [markdown]
# A row with a gap should be removed, or its value measured again; a value that is made up (the mean of the column,
# say) is a wrong measurement. Arrays are checked in the same way:

# %%
X = np.column_stack([d, rho, room])
X[7, 1] = np.nan
try:
    discover(X, v)
except InputError as error:
    print(error)
else:
    raise AssertionError("a NaN must be refused")

# %% [markdown]
# ## The search
#
# We name the columns to read. Names may be anything: a formula needs plain symbols, so kanlib makes some and says
# which symbol is which column.

# %%
table = read_table(file, columns=numbers)
X, v, names = table.split("v [mm/s]")
found = discover(X, v, names=names, target_name="v [mm/s]")
found

# %%
print(found)
print()
for reason in found.reasons:
    print("-", reason)

# %% [markdown]
# The formula reads two of the three columns. The temperature of the room is not in it, and the picture says so as
# well. (Where it adds logarithms and the formula multiplies, both say the same: the exponential of a sum of logarithms
# is a product.)

# %%
assert found.status == "found"
assert [names[index] for index in found.formula.used] == ["d [µm]", "rho [g/cm^3]"]
_ = plot_network(found, X)
# %% [markdown]
# The density of water, 1 g/cm³, was in no column. It came out of the data, as did the square.

# %%
symbol_d, symbol_rho, _ = found.formula.symbols
assert sympy.simplify(found.formula.expr / (symbol_d**2 * (symbol_rho - 1))).is_number
_ = plot_fit(found, X, v)
# %% [markdown]
# Two numbers are worth comparing: what the formula leaves over, and how well anybody could do. Here the first is the
# error of the stop watch, and no network predicts unseen rows better. There is nothing left in this table.

# %%
print(f"left over {found.formula.residual_std:.4f} mm/s; the stop watch errs by 0.02")
print(f"on unseen rows: formula {found.rmse:.4f}, best network {found.noise_floor:.4f}")
assert 0.016 < found.formula.residual_std < 0.024
assert found.rmse < 1.2 * found.noise_floor

# %% [markdown]
# ## What a standard error means
#
# The factor comes with a standard error. It promises: if the whole experiment were repeated, the factor would scatter
# by about that much around the truth. We can hold it to that, because we can repeat the experiment: 300 tables with
# fresh noise, the same formula fitted to each.

# %%
(factor,) = [constant for constant in found.formula.constants if constant.exact is None]
print(factor, "- the truth is", TRUTH)
assert abs(factor.value - TRUTH) < 4 * factor.standard_error

parameter = sympy.Symbol("factor", real=True)
structure = parameter * symbol_d**2 * (symbol_rho - 1)
repeats = [
    refit(structure, [parameter], found.formula.symbols, X, speed(X[:, 0], X[:, 1]) + rng.normal(0, 0.02, 120), [1e-3])
    for _ in range(300)
]
values = np.array([repeat.values[0] for repeat in repeats])
errors = np.array([repeat.standard_errors[0] for repeat in repeats])
within = np.mean(np.abs(values - TRUTH) < errors)
print(f"scatter of the factor {values.std():.2e}, promised {errors.mean():.2e}")
print(f"the truth is within one standard error in {within:.0%} of the tables (expected: 68%)")
assert 0.85 < values.std() / errors.mean() < 1.15
assert 0.60 < within < 0.76

figure, ax = plt.subplots(figsize=(5, 2.4), layout="constrained")
ax.hist(values * 1e4, bins=15, color="0.75")
ax.axvline(TRUTH * 1e4, color="C1", label="truth")
ax.axvspan(
    *((values.mean() + errors.mean() * np.array([-1, 1])) * 1e4), color="C0", alpha=0.15, label="± standard error"
)
ax.set(xlabel="factor [$10^{-4}$]", ylabel="tables")
ax.legend(frameon=False)
plt.show()

# %% [markdown]
# Standard errors hold **if the formula is right** and the noise of different rows is independent. They say nothing
# about a wrong formula, nor about a ruler that is too short.
#
# ## When there is no law
#
# Before you believe a result, give the method a chance to fool you. Shuffle the target: whatever law there was is
# gone, and the noise is as rich as before. The answer must be "none".

# %%
nothing = discover(X, rng.permutation(v), names=names, target_name="v [mm/s]")
print(nothing)
assert nothing.status == "none" and nothing.formula is None
assert nothing.r2 < 0.5
for reason in dict.fromkeys(nothing.reasons):
    print("-", reason)

# %% [markdown]
# ## Few rows of real data
#
# Twelve rates of an enzyme at six concentrations: the Puromycin data. Biochemists fit Michaelis and Menten's $V s/(K +
# s)$ to them; the published fit (Bates and Watts, 1988) has $V = 212.7 \pm 6.9$ and $K = 0.0641 \pm 0.0083$. kanlib is
# not told.

# %%
table = read_table("data/puromycin.csv", where={"state": "treated"})
S, rate, s_names = table.split("rate")
enzyme = discover(S, rate, names=s_names, target_name="rate")
print(enzyme)
print("held out:", enzyme.held_out)

published = {212.7: 6.9, 0.0641: 0.0083}
fitted = sorted((c for c in enzyme.formula.constants if c.exact is None), key=lambda c: -c.value)
assert len(fitted) == 2
for constant, (value, error) in zip(fitted, published.items()):
    assert abs(constant.value / value - 1) < 0.01
    assert abs(constant.standard_error / error - 1) < 0.02
_ = plot_fit(enzyme, S, rate)
# %% [markdown]
# The band is the 95% confidence of the curve: narrow where there are data, wide where there are none.
#
# So few rows cannot settle everything. A logarithm fits them as well as Michaelis and Menten's law; what speaks
# against it is not in the table: without substrate it would be minus infinity. Look at the front, and think of the
# limits.

# %%
V, K, s = sympy.symbols("V K s", real=True)
hyperbola = refit(V * s / (K + s), [V, K], [s], S, rate, [200, 0.1])
logarithm = refit(V + K * sympy.log(s), [V, K], [s], S, rate, [200, 40])
print(f"left over: hyperbola {hyperbola.residual_std:.1f}, logarithm {logarithm.residual_std:.1f}")
assert 0.9 < hyperbola.residual_std / logarithm.residual_std < 1.1

# %% [markdown]
# ## Among the tools of scikit-learn
#
# `FormulaRegressor` is the same search as an estimator: it goes into pipelines and cross-validation, where every fold
# searches anew and is asked about rows it has never seen. Do not standardise before it: the constants would lose their
# units, and the search does not need it.
#
# Twelve rows are too few to be divided. Suppose the laboratory had measured ninety, with an error of 5.

# %%
conc = np.exp(rng.uniform(np.log(0.02), np.log(1.1), (90, 1)))
many = 212.7 * conc[:, 0] / (0.0641 + conc[:, 0]) + rng.normal(0, 5, 90)

law = make_pipeline(VarianceThreshold(), FormulaRegressor())  # the first step drops constant columns
folds = cross_validate(law, conc, many, cv=KFold(3, shuffle=True, random_state=0), return_estimator=True)
for score, model in zip(folds["test_score"], folds["estimator"]):
    regressor = model[-1]
    print(f"R2 {score:.3f}, predicted by the {regressor.predicts_with_}: {regressor.formula_.text()}")
    assert regressor.predicts_with_ == "formula"
assert folds["test_score"].min() > 0.95

# %% [markdown]
# The formulas of the folds are worth more than their scores. If every part of the table tells the same law, with
# nearly the same constants, it is in the data and not in the accident of the rows. (The same hyperbola may be written
# in two ways, as $V s/(K + s)$ or as $V - c/(K + s)$.) Where a fold finds no law, the network predicts, and
# `predicts_with_` says so.
#
# ## Beyond the table
#
# Inside the range of the data any good fit will do. The difference shows outside. Spheres of 60 to 90 µm are larger
# than any in the table; a forest can only repeat what it has seen, a law goes on.

# %%
large = np.column_stack([rng.uniform(60, 90, 200), rng.uniform(1.2, 4, 200), rng.normal(21, 0.5, 200)])
truth = speed(large[:, 0], large[:, 1])
by_law = found.formula.predict(large)
by_forest = RandomForestRegressor(100, random_state=0).fit(X, v).predict(large)
print(f"largest error: law {np.abs(by_law / truth - 1).max():.2%}, forest {np.abs(by_forest / truth - 1).max():.0%}")
assert np.abs(by_law / truth - 1).max() < 0.05
assert np.abs(by_forest / truth - 1).max() > 0.3

figure, ax = plt.subplots(figsize=(4, 3), layout="constrained")
ax.axline((0, 0), slope=1, color="0.7", linewidth=1)
ax.plot(truth, by_forest, ".", color="0.5", label="forest")
ax.plot(truth, by_law, ".", color="C1", label="law")
ax.set(xlabel="true speed [mm/s]", ylabel="predicted [mm/s]", title="spheres larger than any in the table")
ax.legend(frameon=False)
plt.show()

# %% [markdown]
# That is a warning as much as an advertisement: outside the data the formula is an assumption. (Stokes' law itself
# ends where the flow becomes turbulent.)
#
# ## When to trust it
#
# - The status is "found", and the reasons are good ones: compare the error on unseen rows with what your instruments
#   can do.
# - The constants are many standard errors away from zero, and mean something in your units.
# - A shuffled target gives "none"; another `seed`, or a part of the rows, gives the same formula.
# - The front holds no shorter formula that is nearly as good.
# - Inside the range of your columns it is a description; outside it is a prediction, to be tested by measuring there.

# %%
folder.cleanup()
