"""Discovery on the published problem sets, with noise, irrelevant inputs and negative controls, beside other engines.

`python -m benchmarks.discovery` runs it; benchmarks/README.md says how to read what it writes.
"""
