"""Timings, as ratios measured in one run. Each is a program: `python -m tests.benchmarks.NAME`."""
