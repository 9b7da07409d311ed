"""The KAN family: each published system of `kanlib.architectures` against honest baselines.

`python -m benchmarks.family` prints every table; benchmarks/README.md says what is compared.
"""
