# SPDX-License-Identifier: MIT
"""The subcommands, one a module: ``add(subparsers)`` declares it, ``run(arguments)`` does it."""
