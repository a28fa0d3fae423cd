# SPDX-License-Identifier: MIT
"""Distilling a student: structures, labels from a teacher, training, and a model card.

The order of work is ``molecules`` and ``distortions`` (structures), ``teacher`` and ``label`` (energies and forces, by
many processes, resumable), ``dataset`` (splitting, references), ``train``, ``judge`` (errors, free dynamics) and
``card``; ``distil`` does it all. A ``recipe`` holds every choice.

Units throughout: angstrom, eV, eV/angstrom, fs, atomic mass units, kelvin.

Nothing here is imported by the rest of the package, and running a model needs none of it.
"""
