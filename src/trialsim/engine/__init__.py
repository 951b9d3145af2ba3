"""Replicates in, results out: blocks, plan, workers and the run folder."""
