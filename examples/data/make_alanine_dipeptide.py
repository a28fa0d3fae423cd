# SPDX-License-Identifier: MIT
"""Make alanine_dipeptide.pdb (ACE-ALA-NME, 22 atoms) beside this script, with rdkit."""

from pathlib import Path

from rdkit import Chem
from rdkit.Chem import AllChem

# Heavy atoms in the order of the SMILES: residue number, residue, atom; then what their hydrogens are called.
HEAVY = [
    (1, "ACE", "CH3", ["HH31", "HH32", "HH33"]),
    (1, "ACE", "C", []),
    (1, "ACE", "O", []),
    (2, "ALA", "N", ["H"]),
    (2, "ALA", "CA", ["HA"]),
    (2, "ALA", "CB", ["HB1", "HB2", "HB3"]),
    (2, "ALA", "C", []),
    (2, "ALA", "O", []),
    (3, "NME", "N", ["H"]),
    (3, "NME", "C", ["H1", "H2", "H3"]),
]


def main() -> None:
    """Embed the molecule, relax it with MMFF94 and write it with the usual names."""
    molecule = Chem.AddHs(Chem.MolFromSmiles("CC(=O)N[C@@H](C)C(=O)NC"))
    AllChem.EmbedMolecule(molecule, randomSeed=7)
    AllChem.MMFFOptimizeMolecule(molecule, maxIters=2000)
    conformer = molecule.GetConformer()
    lines = []
    for index, (number, residue, name, hydrogens) in enumerate(HEAVY):
        atom = molecule.GetAtomWithIdx(index)
        bonded = [other for other in atom.GetNeighbors() if other.GetSymbol() == "H"]
        for member, label in zip([atom, *bonded], [name, *hydrogens], strict=True):
            x, y, z = conformer.GetAtomPosition(member.GetIdx())
            column = f" {label:<3}" if len(label) < 4 else label
            lines.append(
                f"ATOM  {len(lines) + 1:>5} {column} {residue} A{number:>4}    "
                f"{x:8.3f}{y:8.3f}{z:8.3f}  1.00  0.00          {member.GetSymbol():>2}"
            )
    lines += ["TER", "END"]
    Path(__file__).with_name("alanine_dipeptide.pdb").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
