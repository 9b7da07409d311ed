"""What the foundation must reach: exact laws, accurate fits and fast layers, each beside its peer, in one run.

`python -m benchmarks.foundation` prints the tables and writes them as CSV; benchmarks/README.md says how to read them.
"""
