"""Progress bars on stderr, or in a notebook where ipywidgets can draw them."""

from __future__ import annotations

import warnings
from typing import Any

__all__ = ["progress_bar"]


def progress_bar(**options: Any) -> Any:
    """A bar of `tqdm.auto`, with its options.

    Without ipywidgets a notebook gets the plain bar of a terminal; that tqdm warns of it, even where no bar is shown,
    helps nobody.

    Examples
    --------
    >>> with progress_bar(total=2, disable=True) as bar:
    ...     _ = bar.update()
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="IProgress not found")
        from tqdm.auto import tqdm
    return tqdm(**options)
