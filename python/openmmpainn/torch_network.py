# SPDX-License-Identifier: MIT
"""The network in PyTorch: for training, and as a check of the C++ evaluators that is independent of them.

Written from docs/equations.md, in the units of the model file. Edges are ordered pairs (receiver i, neighbour j) with
r_ij = x_j + shift - x_i. Shapes: N atoms, M molecules, P edges, H channels, K basis functions.

Nothing else in the package may import this module when it is imported itself: running a model needs no PyTorch.
"""

from __future__ import annotations

import copy
import functools
import math
import os
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import silu

from .modelfile import read_model, tensor_shapes

__all__ = ["ENERGY_UNITS", "LENGTH_UNITS", "PaiNNNetwork", "find_edges"]

LENGTH_UNITS = {"angstrom": 0.1, "nm": 1.0, "bohr": 0.0529177210903}
"""Length units of model files, in nm."""
ENERGY_UNITS = {"eV": 96.4853321233, "kJ/mol": 1.0, "kcal/mol": 4.184, "hartree": 2625.4996394799}
"""Energy units of model files, in kJ/mol."""


def find_edges(positions: np.ndarray, cutoff: float, box: np.ndarray | None = None) -> tuple[np.ndarray, ...]:
    """All ordered pairs of atoms closer than the cutoff, by trying every pair.

    Parameters
    ----------
    positions : array [N, 3]
        In any unit of length.
    cutoff : float
        In the same unit.
    box : array [3, 3], optional
        Box vectors as rows. Each box width must be at least twice the cutoff, so that each pair has one image at most.

    Returns
    -------
    receivers, neighbours : int64 array [P]
        Sorted by receiver, then by neighbour.
    shifts : float64 array [P, 3]
        What to add to the neighbour's position.
    """
    positions = np.asarray(positions, dtype=np.float64)
    cells = np.zeros((1, 3))
    if box is not None:
        box = np.asarray(box, dtype=np.float64)
        widths = 1 / np.linalg.norm(np.linalg.inv(box), axis=0)
        if widths.min() < 2 * cutoff:
            raise ValueError(f"the smallest box width is {widths.min():.6g}; it must be at least {2 * cutoff:.6g}")
        # Atoms may lie in any image: bring each pair near first, then try the 27 neighbouring images.
        cells = np.array(np.meshgrid(*[[-1, 0, 1]] * 3, indexing="ij"), dtype=float).reshape(3, -1).T
    difference = positions[None, :, :] - positions[:, None, :]
    near = np.zeros_like(difference) if box is None else -np.round(difference @ np.linalg.inv(box))
    images = near[:, :, None, :] + cells  # [N, N, images, 3]
    shifts = images if box is None else images @ box
    distance = np.linalg.norm(difference[:, :, None, :] + shifts, axis=-1)
    i, j, k = np.nonzero((distance < cutoff) & ~np.eye(len(positions), dtype=bool)[:, :, None])
    return i, j, shifts[i, j, k]


@functools.lru_cache(maxsize=16)
def constant(values: tuple[float, ...], device: torch.device) -> Tensor:
    """Numbers as a float64 tensor [n] that is kept: a CUDA graph may not copy from the host while it is captured."""
    return torch.tensor(values, dtype=torch.float64, device=device)


def cutoff_value(function: Mapping[str, Any], x: Tensor) -> Tensor:
    """F3 at x = d/cutoff: cosine, or the polynomial whose first two derivatives vanish at 1; 0 beyond 1."""
    inside = x < 1
    if function["type"] == "cosine":
        value = (torch.cos(math.pi * x) + 1) / 2
    else:
        p = function["p"]
        value = 1 - x**p * ((p + 1) * (p + 2) / 2 - p * (p + 2) * x + p * (p + 1) / 2 * x**2)
    return torch.where(inside, value, torch.zeros_like(value))


def mlp(*widths: int) -> nn.ModuleList:
    """Linear layers for apply_mlp()."""
    return nn.ModuleList([nn.Linear(a, b) for a, b in zip(widths, widths[1:], strict=False)])


def apply_mlp(layers: nn.ModuleList, x: Tensor) -> Tensor:
    """Linear layers with SiLU between them."""
    for layer in layers[:-1]:
        x = silu(layer(x))
    return layers[-1](x)


class RadialBasis(nn.Module):
    """F2: phi_k(d), [P, K]."""

    def __init__(self, metadata: Mapping[str, Any]) -> None:
        super().__init__()
        K, cutoff = metadata["basis"]["size"], metadata["cutoff"]
        self.exponent = metadata["basis"].get("exponent")
        if metadata["basis"]["type"] == "gaussian":
            spacing = cutoff / K if metadata["family"] == "student" else cutoff / max(K - 1, 1)
            self.register_buffer("centers", torch.linspace(0, cutoff, K))
            self.register_buffer("widths", torch.full((K,), spacing))
        else:
            self.register_buffer("frequencies", torch.arange(1, K + 1) * (math.pi / cutoff))

    def forward(self, d: Tensor) -> Tensor:
        d = d[:, None]
        if self.exponent is not None:
            return torch.exp(-self.exponent * ((d - self.centers) / self.widths) ** 2)
        return torch.sin(self.frequencies * d) / d


class Repulsion(nn.Module):
    """F8: half of the screened nuclear repulsion of each edge, [P]."""

    COEFFICIENTS = (0.1818, 0.5099, 0.2802, 0.02817)
    EXPONENTS = (3.2, 0.9423, 0.4028, 0.2016)

    def __init__(self, metadata: Mapping[str, Any], radii: Any) -> None:
        super().__init__()
        self.function = {"type": "polynomial", "p": metadata["repulsion"]["p"]}
        self.bohr = LENGTH_UNITS["bohr"] / LENGTH_UNITS[metadata["length_unit"]]
        self.coulomb = self.bohr * ENERGY_UNITS["hartree"] / ENERGY_UNITS[metadata["energy_unit"]]
        charges = torch.tensor([float(z) for z in metadata["elements"]])
        self.register_buffer("charges", charges, persistent=False)  # no tensor of the model file
        self.register_buffer("radii", torch.as_tensor(np.asarray(radii)))

    def forward(self, elements_i: Tensor, elements_j: Tensor, d: Tensor) -> Tensor:
        z_i, z_j = self.charges[elements_i].to(d.dtype), self.charges[elements_j].to(d.dtype)
        x = d * (z_i**0.23 + z_j**0.23) / (0.8854 * self.bohr)
        screening = sum(c * torch.exp(-e * x) for c, e in zip(self.COEFFICIENTS, self.EXPONENTS, strict=True))
        envelope = cutoff_value(self.function, d / (self.radii[elements_i] + self.radii[elements_j]))
        return 0.5 * self.coulomb * z_i * z_j / d * screening * envelope


class Block(nn.Module):
    """F4 to F6: one interaction block of either family.

    Parts of the filters and updates are taken by tensor_split(): TorchScript, which TorchForce runs, fails in the
    backward pass of chunk() where a part is used by nothing.
    """

    def __init__(self, metadata: Mapping[str, Any], last: bool) -> None:
        super().__init__()
        H, K = metadata["hidden"], metadata["basis"]["size"]
        self.student = metadata["family"] == "student"
        self.norm_epsilon = metadata["norm_epsilon"]
        if self.student:
            self.filter = mlp(K, H, 3 * H)
            if not last:
                self.mixing = nn.Parameter(torch.eye(3))
        else:
            self.filter = mlp(K, 3 * H)
            self.context = mlp(H, H, 3 * H)
            self.vector_mix = nn.Linear(H, 2 * H, bias=False)
        self.update = mlp(2 * H, H, 3 * H)

    def make_filter(self, phi: Tensor, fc: Tensor, envelope: Tensor, softening: Tensor) -> Tensor:
        """F4: [P, 3H]; phi [P, K], the others [P]."""
        if self.student:
            a, b, c = (apply_mlp(self.filter, phi * fc[:, None]) * envelope[:, None]).tensor_split(3, dim=-1)
            return torch.cat([a, b, c * softening[:, None]], dim=-1)
        return apply_mlp(self.filter, phi) * (fc * envelope)[:, None]

    def message(self, s: Tensor, v: Tensor, f: Tensor, u: Tensor, i: Tensor, j: Tensor) -> tuple[Tensor, Tensor]:
        """F5: s [N, H], v [N, 3, H], f [P, 3H], u [P, 3]."""
        if self.student:
            a, b, c = f.tensor_split(3, dim=-1)
            ds = s[j] * a
        else:
            ds, c, b = (apply_mlp(self.context, s)[j] * f).tensor_split(3, dim=-1)
        dv = v[j] * b[:, None, :] + u[:, :, None] * c[:, None, :]
        return s.index_add(0, i, ds), v.index_add(0, i, dv)

    def mix(self, s: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """F6."""
        if self.student:
            p, q, r = apply_mlp(self.update, torch.cat([s, vector_norm(v, 0.0)], dim=-1)).tensor_split(3, dim=-1)
            v_new = v * q[:, None, :]
            # The vectors of the last block reach no energy, so published files lack its matrix.
            if hasattr(self, "mixing"):
                v_new = v_new + torch.einsum("xy,nyh->nxh", self.mixing, v) * r[:, None, :]
            return s + p, v_new
        V, W = self.vector_mix(v).tensor_split(2, dim=-1)
        x = torch.cat([s, vector_norm(V, self.norm_epsilon)], dim=-1)
        p, g, h = apply_mlp(self.update, x).tensor_split(3, dim=-1)
        return s + p + h * (V * W).sum(dim=1), v + W * g[:, None, :]


def vector_norm(v: Tensor, epsilon: float) -> Tensor:
    """sqrt(|v|^2 + epsilon) over x, y, z; [N, H]. Its derivative at 0 is taken as 0, not NaN."""
    square = (v**2).sum(dim=1) + epsilon
    # At a symmetric site |v| < 1e-15 is what rounding in PyTorch's products leaves of an exact 0.
    zero = square < 1e-30
    return torch.where(zero, torch.zeros_like(square), torch.sqrt(torch.where(zero, torch.ones_like(square), square)))


class PaiNNNetwork(nn.Module):
    """A PaiNN network of either family. Its state_dict() has the tensor names of the model file.

    Parameters
    ----------
    metadata : mapping
        The metadata of docs/model-format.md.
    tensors : mapping, optional
        Arrays by tensor name; what is absent keeps its random (weights) or usual (basis) initial value.
        ``repulsion.radii`` has none and must be given if the metadata names a repulsion.

    Raises
    ------
    ValueError
        If the metadata or a tensor does not fit the format.
    """

    def __init__(self, metadata: Mapping[str, Any], tensors: Mapping[str, Any] | None = None) -> None:
        super().__init__()
        self.metadata = copy.deepcopy(dict(metadata))
        self.cutoff = float(metadata["cutoff"])
        # The published student divides r_ij by d + 1e-8 angstrom, which its forces show in the 7th digit. This is the
        # same as a factor d/(d + 1e-8 angstrom) on those rows of the filter that multiply the direction.
        self.direction_epsilon = 1e-9 / LENGTH_UNITS[metadata["length_unit"]]
        E, H, L = len(metadata["elements"]), metadata["hidden"], metadata["blocks"]
        self.embedding = nn.Embedding(E, H)
        self.basis = RadialBasis(metadata)
        self.blocks = nn.ModuleList([Block(metadata, last=block == L - 1) for block in range(L)])
        self.readout = mlp(*metadata["readout"])
        self.repulsion = None
        if metadata.get("repulsion") is not None:
            if tensors is None or "repulsion.radii" not in tensors:
                raise ValueError("tensors lack 'repulsion.radii', which the metadata's repulsion needs")
            self.repulsion = Repulsion(metadata, tensors["repulsion.radii"])
        for name, parameter in self.named_parameters():
            if name.endswith(".bias"):
                nn.init.zeros_(parameter)
            elif name.endswith(".weight") and name != "embedding.weight":
                nn.init.xavier_uniform_(parameter)
        shapes = tensor_shapes(metadata)
        for name, value in self.state_dict().items():
            if tensors is not None and name in tensors:
                if tuple(tensors[name].shape) != shapes[name]:
                    raise ValueError(f"tensor '{name}' has the shape {list(tensors[name].shape)}, not {shapes[name]}")
                value.copy_(torch.as_tensor(np.asarray(tensors[name])))

    @classmethod
    def from_model_file(cls, path: str | os.PathLike[str], dtype: torch.dtype = torch.float64) -> PaiNNNetwork:
        """Load a model file, in double precision unless told otherwise."""
        metadata, tensors = read_model(path)
        return cls(metadata, tensors).to(dtype)

    def to_model_tensors(self) -> dict[str, np.ndarray]:
        """The weights as float32 arrays, ready for ``modelfile.write_model(path, network.metadata, ...)``."""
        return {name: value.detach().cpu().numpy().astype(np.float32) for name, value in self.state_dict().items()}

    def interaction_energies(
        self,
        elements: Tensor,
        positions: Tensor,
        receivers: Tensor,
        neighbours: Tensor,
        shifts: Tensor,
        stages: dict[str, Tensor] | None = None,
    ) -> Tensor:
        """The energy of each atom without atom references, in the network's own precision.

        Parameters
        ----------
        elements : int64 tensor [N]
            Index into the metadata's ``elements``.
        positions : tensor [N, 3]
            In the model's length unit.
        receivers, neighbours : int64 tensor [P]
            The edges; every pair closer than the cutoff, in both directions. Longer ones add exactly 0.
        shifts : tensor [P, 3]
            Added to the neighbour's position.
        stages : dict, optional
            Receives the arrays between the stages: ``basis``, ``blocks.l.filter``, ``blocks.l.message.s`` and so on.

        Returns
        -------
        tensor [N]
            In the model's energy unit.
        """
        stages = {} if stages is None else stages
        r = positions[neighbours] + shifts - positions[receivers]
        d = torch.sqrt((r**2).sum(dim=-1))
        u = r / d[:, None]
        phi = stages["basis"] = self.basis(d)
        x, softening = d / self.cutoff, d / (d + self.direction_epsilon)
        fc = cutoff_value(self.metadata["cutoff_function"], x)
        envelope = self.metadata.get("envelope")
        # Without an envelope filters do not vanish at the cutoff: pairs beyond it are shut out here.
        envelope = (x < 1).to(x.dtype) if envelope is None else cutoff_value(envelope, x)
        s = self.embedding(elements)
        v = s.new_zeros(s.shape[0], 3, s.shape[1])
        for index, block in enumerate(self.blocks):
            f = stages[f"blocks.{index}.filter"] = block.make_filter(phi, fc, envelope, softening)
            s, v = block.message(s, v, f, u, receivers, neighbours)
            stages[f"blocks.{index}.message.s"], stages[f"blocks.{index}.message.v"] = s, v
            s, v = block.mix(s, v)
            stages[f"blocks.{index}.update.s"], stages[f"blocks.{index}.update.v"] = s, v
        energies = stages["readout"] = apply_mlp(self.readout, s)[:, 0]
        if self.repulsion is not None:
            pairs = self.repulsion(elements[receivers], elements[neighbours], d)
            energies = energies.index_add(0, receivers, pairs)
        return energies

    def atom_references(self, elements: Tensor) -> Tensor:
        """The atom reference of each atom, float64 [N]; zeros if the model has none."""
        references = self.metadata.get("atom_references") or [0.0] * len(self.metadata["elements"])
        return constant(tuple(references), elements.device)[elements]

    def forward(
        self,
        elements: Tensor,
        positions: Tensor,
        molecules: Tensor,
        receivers: Tensor,
        neighbours: Tensor,
        shifts: Tensor,
        num_molecules: int | None = None,
    ) -> Tensor:
        """Energies of whole molecules with atom references, float64 [M]; molecules: int64 [N], the rest as above."""
        energies = self.interaction_energies(elements, positions, receivers, neighbours, shifts).double()
        energies = energies + self.atom_references(elements)
        count = int(molecules.max()) + 1 if num_molecules is None else num_molecules
        return energies.new_zeros(count).index_add(0, molecules, energies)

    def energies_and_forces(
        self,
        elements: Tensor,
        positions: Tensor,
        molecules: Tensor,
        receivers: Tensor,
        neighbours: Tensor,
        shifts: Tensor,
        create_graph: bool = False,
        num_molecules: int | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Energies [M] as of forward(), and forces [N, 3] = -dE/dx; create_graph allows training on forces."""
        positions = positions.detach().requires_grad_(True)
        energies = self(elements, positions, molecules, receivers, neighbours, shifts, num_molecules)
        (gradient,) = torch.autograd.grad(energies.sum(), positions, create_graph=create_graph, materialize_grads=True)
        return energies if create_graph else energies.detach(), -gradient
