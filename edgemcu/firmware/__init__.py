"""Generating firmware: a PlatformIO project from a model and a board."""

from edgemcu.firmware.generate import GeneratedProject, generate_project

__all__ = ["GeneratedProject", "generate_project"]
