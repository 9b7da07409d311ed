"""Which training method suits a problem, and which combinations make no sense."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .errors import InputError, InputTypeError
from .first_order import SCHEDULES, Schedule
from .fixed_edges import has_frozen
from .jacobian import n_constants
from .losses import Loss
from .network import KAN
from .problem import Loader, Rows
from .regularizers import Penalties

__all__ = ["Method", "choose_method", "is_small", "positive_int"]

# The Jacobian of a Gauss-Newton step in numbers: 160 MB in float64.
JACOBIAN_LIMIT = 20_000_000
# The side of the matrix it factors.
CONSTANTS_LIMIT = 2_000
# Rows times constants of one L-BFGS evaluation: some tenths of a second on two cores.
BATCH_LIMIT = 200_000_000
# Rows times constants of one step that one core does in about a millisecond.
SMALL = 1_000_000

STEPS = {"gauss-newton": 100, "lbfgs": 200, "adam": 200}
LEARNING_RATE = {"gauss-newton": 1.0, "lbfgs": 1.0, "adam": 1e-2}
BATCH_SIZE = 256


@dataclass(frozen=True)
class Method:
    """A method with all its settings filled in, and why it was chosen."""

    name: str
    reason: str
    steps: int
    starts: int
    learning_rate: float
    batch_size: int
    schedule: str | Schedule


def choose_method(
    method: str,
    model: KAN,
    train: Rows | Loader,
    loss: Loss,
    penalties: Penalties,
    *,
    steps: int | None,
    learning_rate: float | None,
    batch_size: int | None,
    schedule: str | Schedule | None,
    starts: int,
) -> Method:
    """Resolve "auto", fill in defaults, and refuse settings the method cannot use.

    Raises
    ------
    InputError
        If the method is unknown, a setting is out of range, or the method does not take it.
    """
    if method != "auto" and method not in STEPS:
        raise InputError(f"method is {method!r}; expected 'auto' or one of {sorted(STEPS)}.")
    hindrance = _why_not_gauss_newton(model, train, loss, penalties)
    wants_adam = batch_size is not None or schedule is not None
    if method == "auto":
        name, reason = _automatic(model, train, hindrance, wants_adam)
    else:
        name, reason = method, ""
    if name == "gauss-newton" and hindrance:
        raise InputError(f"method 'gauss-newton' {hindrance}. Use method='lbfgs' or 'adam', or leave it at 'auto'.")
    if name == "lbfgs" and isinstance(train, Loader):
        raise InputError("method 'lbfgs' wants all rows at once, X is a loader. Use method='adam', or pass tensors.")
    if name != "adam" and wants_adam:
        raise InputError(f"batch_size and schedule belong to method 'adam', not to {name!r}; leave them out.")
    if positive_int("starts", starts) > 1 and name != "gauss-newton":
        why = f" ({reason})" if reason else ""
        raise InputError(f"starts is {starts}, but the method is {name!r}{why}; only 'gauss-newton' tries several.")
    if name == "gauss-newton" and learning_rate is not None:
        raise InputError("method 'gauss-newton' sets its own step length; leave learning_rate out.")
    rows = len(train) if isinstance(train, Rows) else 0
    if batch_size is None:
        # Small data need no more than one batch; larger ones at least four steps a pass.
        batch_size = max(1, min(BATCH_SIZE, -(-rows // 4))) if rows > 64 else max(1, rows)
    return Method(
        name,
        reason,
        positive_int("steps", STEPS[name] if steps is None else steps),
        starts,
        _positive("learning_rate", LEARNING_RATE[name] if learning_rate is None else learning_rate),
        positive_int("batch_size", batch_size),
        _check_schedule("cosine" if schedule is None else schedule),
    )


def is_small(model: KAN, train: Rows | Loader, method: Method) -> bool:
    """Whether a step is so little work for a processor that several threads would mostly wait for each other."""
    if isinstance(train, Loader) or model.layers[0].grid.device.type != "cpu":
        return False
    rows = min(len(train), method.batch_size) if method.name == "adam" else len(train)
    return rows * n_constants(model) <= SMALL


def _automatic(model: KAN, train: Rows | Loader, hindrance: str, wants_adam: bool) -> tuple[str, str]:
    if isinstance(train, Loader):
        return "adam", "the rows come in batches"
    if wants_adam:
        return "adam", "batch_size or schedule was given"
    size = f"{len(train)} rows x {n_constants(model)} constants"
    if not hindrance and _jacobian_fits(model, len(train)):
        return "gauss-newton", f"squared error, {size}"
    if len(train) * n_constants(model) <= BATCH_LIMIT:
        return "lbfgs", f"{size}; 'gauss-newton' {hindrance or 'would need too large a Jacobian'}"
    return "adam", f"{size} are too many for a full batch"


def _why_not_gauss_newton(model: KAN, train: Rows | Loader, loss: Loss, penalties: Penalties) -> str:
    """What keeps the Gauss-Newton solver from this problem, or an empty string."""
    if isinstance(train, Loader):
        return "wants all rows at once, X is a loader"
    if loss.name != "mse":
        kind = "a callable" if loss.name == "custom" else repr(loss.name)
        return f"minimises the squared error, the loss is {kind}"
    if penalties.on_edges:
        return "takes the roughness penalty only (it is quadratic), l1 or entropy was asked for"
    if has_frozen(model):
        return "adjusts all constants, some parameters have requires_grad=False"
    if model.layers[0].grid.device.type == "mps":
        return "needs float64, which the device 'mps' does not have"
    return ""


def _jacobian_fits(model: KAN, n_rows: int) -> bool:
    n = n_constants(model)
    return n <= CONSTANTS_LIMIT and n * n_rows * model.out_features <= JACOBIAN_LIMIT


def _check_schedule(schedule: Any) -> str | Schedule:
    if isinstance(schedule, str) and schedule not in SCHEDULES:
        raise InputError(
            f"schedule is {schedule!r}; expected one of {sorted(SCHEDULES)}, or a callable that takes the optimizer "
            "and returns a torch learning-rate scheduler (stepped once a pass)."
        )
    if not isinstance(schedule, str) and not callable(schedule):
        raise InputTypeError(f"schedule is a {type(schedule).__name__}; expected a name or a callable (optimizer).")
    return schedule


def positive_int(name: str, value: Any) -> int:
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise InputTypeError(f"{name} is {value!r}; expected a whole number of at least one.")
    if value < 1:
        raise InputError(f"{name} is {value}; expected a whole number of at least one.")
    return int(value)


def _positive(name: str, value: Any) -> float:
    if not 0 < value < float("inf"):
        raise InputError(f"{name} is {value}; expected a finite positive number.")
    return float(value)
