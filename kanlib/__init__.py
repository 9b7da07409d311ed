"""kanlib: Kolmogorov-Arnold networks that end in a formula."""

__version__ = "0.1.0"
