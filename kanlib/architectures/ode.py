"""KAN-ODE: a Kolmogorov-Arnold network as the right-hand side of a system of ordinary differential equations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from kanlib.checks import check_choice, check_input
from kanlib.errors import InputError, InputTypeError
from kanlib.network import KAN, Width

from .parts import LayerOptions

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = ["ADAPTIVE", "KANODE", "rk4"]

Field = Callable[[Tensor, Tensor], Tensor]  # (t, y) -> dy/dt

# Methods of torchdiffeq that choose their own steps.
ADAPTIVE = ("dopri5", "dopri8", "bosh3", "fehlberg2", "adaptive_heun")


class KANODE(nn.Module):
    """Solutions of dy/dt = KAN(y), or dy/dt = KAN(y, t), from any starting values, differentiable in everything.

    Parameters
    ----------
    field : KAN or sequence of widths
        The right-hand side: n inputs and n outputs; with `time_dependent` n + 1 inputs, of which time is the last.
    method : str
        "rk4": the classical Runge-Kutta method on fixed steps. It compiles in one piece, and every row of a batch is
        solved on its own. Or an adaptive method of torchdiffeq: "dopri5", "dopri8", "bosh3", "fehlberg2",
        "adaptive_heun"; they need ``pip install "kanlib[ode]"``.
    substeps : int
        Of "rk4": steps between two neighbouring times.
    rtol, atol : float
        Tolerances of an adaptive method.
    per_row : bool
        Of an adaptive method: every row of a batch takes steps of its own, one row after the other. False solves all
        rows at once, which is faster; but then the step is chosen by the error of the whole batch, and a row's
        solution depends, within the tolerance, on which rows are beside it.
    adjoint : bool
        Of an adaptive method: gradients by solving the adjoint equation backwards, in memory that does not grow with
        the number of steps. They are as accurate as the tolerances, not exact for the steps taken.
    **options
        Those of `kanlib.KANLayer`, where `field` is given by widths.

    Examples
    --------
    >>> model = KANODE([2, (2, 1), 2])
    >>> model(torch.ones(5, 2), torch.linspace(0, 1, 11)).shape
    torch.Size([5, 11, 2])

    Sources: arXiv 2407.04192 (KAN-ODEs), arXiv 1806.07366 (neural ODEs and the adjoint).
    """

    def __init__(
        self,
        field: KAN | Sequence[int | Width | Sequence[Any]],
        *,
        method: str = "rk4",
        substeps: int = 1,
        rtol: float = 1e-6,
        atol: float = 1e-8,
        per_row: bool = True,
        adjoint: bool = False,
        time_dependent: bool = False,
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__()
        check_choice("method", method, ("rk4", *ADAPTIVE))
        if substeps < 1:
            raise InputError(f"KANODE got substeps={substeps}; expected at least 1.")
        if adjoint and method == "rk4":
            raise InputError("adjoint needs an adaptive method; expected method='dopri5', or adjoint=False with 'rk4'.")
        if isinstance(field, KAN) and options:
            raise InputError(f"KANODE got a KAN and {', '.join(options)}; expected options with widths only.")
        if method != "rk4":
            _torchdiffeq()
        self.field = field if isinstance(field, KAN) else KAN(field, **options)
        if self.field.in_features != self.field.out_features + time_dependent:
            raise InputError(
                f"the field has {self.field.in_features} inputs and {self.field.out_features} outputs; expected "
                + ("one input more than outputs, for the time." if time_dependent else "the same number.")
            )
        self.method, self.substeps, self.rtol, self.atol = method, substeps, rtol, atol
        self.per_row, self.adjoint, self.time_dependent = per_row, adjoint, time_dependent

    def derivative(self, t: Tensor, y: Tensor) -> Tensor:
        """dy/dt at states (..., n) and one time; same shape."""
        if self.time_dependent:
            y = torch.cat([y, t.expand(*y.shape[:-1], 1)], dim=-1)
        slope: Tensor = self.field(y)
        return slope

    def forward(self, y0: Tensor, t: Tensor) -> Tensor:
        """Solutions at given times.

        Parameters
        ----------
        y0 : Tensor, shape (..., n), the module's dtype
            States at the time t[0], a row for each solution.
        t : Tensor, shape (T,), the same dtype
            Times, increasing or decreasing.

        Returns
        -------
        Tensor, shape (..., T, n)
            The first of the T states is y0.

        Raises
        ------
        InputError, InputTypeError
            When y0 or t has another shape or dtype.
        """
        dtype = self.field.layers[0].coefficients.dtype
        y0 = check_input("KANODE", y0, self.field.out_features, dtype)
        if not isinstance(t, Tensor):
            raise InputTypeError(f"KANODE got t of type {type(t).__name__}; expected a tensor of times.")
        if t.ndim != 1 or len(t) < 1 or t.dtype != y0.dtype:
            raise InputError(
                f"KANODE got t of shape {tuple(t.shape)}, {t.dtype}; expected (T,) with one time at least, {y0.dtype}."
            )
        if self.method == "rk4" or len(t) == 1 or not y0.numel():
            return rk4(self.derivative, y0, t, self.substeps)
        rows = y0.reshape(-1, y0.shape[-1])
        # Each piece is solved with steps chosen for it alone.
        pieces = rows.split(1) if self.per_row else (rows,)
        solved = torch.cat([self._adaptive(piece, t) for piece in pieces])
        return solved.reshape(*y0.shape[:-1], *solved.shape[-2:])

    def _adaptive(self, rows: Tensor, t: Tensor) -> Tensor:
        """Solutions (B, T, n) by torchdiffeq, with steps that all rows share; NaN where one starts from no number."""
        if not bool(torch.isfinite(rows).all()):
            return rows.new_full((len(rows), len(t), rows.shape[-1]), torch.nan)
        settings: dict[str, Any] = {"method": self.method, "rtol": self.rtol, "atol": self.atol}
        if self.adjoint:
            parameters = tuple(p for p in self.field.parameters() if p.requires_grad)
            solution = _torchdiffeq().odeint_adjoint(self.derivative, rows, t, adjoint_params=parameters, **settings)
        else:
            solution = _torchdiffeq().odeint(self.derivative, rows, t, **settings)
        batch_first: Tensor = solution.transpose(0, 1)
        return batch_first

    def extra_repr(self) -> str:
        if self.method == "rk4":
            return f"method='rk4', substeps={self.substeps}"
        return f"method={self.method!r}, rtol={self.rtol:g}, atol={self.atol:g}, adjoint={self.adjoint}"


def rk4(field: Field, y0: Tensor, t: Tensor, substeps: int = 1) -> Tensor:
    """The classical Runge-Kutta method of order four, on fixed steps.

    Written out here because torchdiffeq's fixed steps read the times' values, and so do not compile in one piece.

    Parameters
    ----------
    field : callable
        (t, y) -> dy/dt, of y's shape.
    y0 : Tensor, shape (..., n)
    t : Tensor, shape (T,)
    substeps : int
        Steps between two neighbouring times.

    Returns
    -------
    Tensor, shape (..., T, n)

    Examples
    --------
    >>> decay = rk4(lambda t, y: -y, torch.ones(1, 1), torch.tensor([0.0, 1.0, 2.0]), substeps=8)
    >>> [round(float(v), 4) for v in decay.flatten()]
    [1.0, 0.3679, 0.1353]
    """
    states = [y0]
    for start, end in zip(t[:-1].unbind(), t[1:].unbind()):
        y, h = states[-1], (end - start) / substeps
        for number in range(substeps):
            now = start + number * h
            k1 = field(now, y)
            k2 = field(now + h / 2, y + h / 2 * k1)
            k3 = field(now + h / 2, y + h / 2 * k2)
            k4 = field(now + h, y + h * k3)
            y = y + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        states.append(y)
    return torch.stack(states, dim=-2)


def _torchdiffeq() -> Any:
    try:
        import torchdiffeq
    except ImportError as error:
        raise InputError(
            'an adaptive method was asked for, but torchdiffeq is not installed; run pip install "kanlib[ode]", '
            "or take method='rk4'."
        ) from error
    return torchdiffeq
