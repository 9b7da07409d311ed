"""The tables of the KAN paper (arXiv 2404.19756), made anew with kanlib beside pykan, MLPs and the published numbers.

`python -m benchmarks.paper` prints the tables and writes them as CSV and pictures; benchmarks/README.md says how to
read them.
"""
