"""Bases of functions of one variable, one protocol for all."""
