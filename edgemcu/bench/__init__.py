"""Benchmarks: networks to measure, builds of them, and what the emulator counts."""
