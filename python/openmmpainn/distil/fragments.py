# SPDX-License-Identifier: MIT
"""What library.py puts molecules together from: SMILES that name no molecule of any data set.

``SCAFFOLDS`` gives hosts by kind, whole molecules that offer each C-H and N-H bond; ``SUBSTITUENTS`` and ``LINKERS``
take the place of a hydrogen with their first atom; a linker offers its last atom to a second host.
"""

from __future__ import annotations

__all__ = ["HELD_OUT_SCAFFOLDS", "LINKERS", "RESIDUES", "SCAFFOLDS", "SUBSTITUENTS", "WHOLE"]


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


SCAFFOLDS = {
    "chain": _words("C CC CCC CCCC CC(C)C CCCCC CC(C)(C)C CCC(C)C CCCCCC"),
    "unsaturated": _words("C=C CC=C CC=CC C=C(C)C C=CC=C C#C CC#C CC#CC C=C=C CC=C(C)C C=CC#C CC#N CC=NC"),
    "carbocycle": _words(
        "C1CC1 C1CCC1 C1CCCC1 C1CCCCC1 C1CCCCCC1 C1=CCCC1 C1=CCCCC1 C1=CC=CC1 C1=CCC=CC1 C1CC2CC2C1 C1CC2CCC1C2 "
        "C1CCC2CCCCC2C1 C1CC12CCCC2"
    ),
    "saturated heterocycle": _words(
        "C1CO1 C1CN1 C1CS1 C1COC1 C1CNC1 C1CSC1 C1CCOC1 C1CCNC1 C1CCSC1 C1COCO1 C1CSCS1 C1CCOCC1 C1CCNCC1 "
        "C1CCSCC1 C1COCCO1 C1COCCN1 C1CNCCN1 C1CSCCN1 C1CCCNCC1 C1CCCOCC1 C1COCCCN1 C1CC2CCC1O2 C1CN2CCC1CC2 "
        "C1OCC2CNCC12 C1=CCOC1 C1=CCNC1 C1=COCCC1 C1CCNNC1 C1CNOC1"
    ),
    "lactam or lactone": _words(
        "O=C1CCN1 O=C1CCCN1 O=C1CCCCN1 O=C1CCCCCN1 O=C1CCO1 O=C1CCCO1 O=C1CCCCO1 O=C1CCC(=O)N1 O=C1NCCN1 "
        "O=C1NCCO1 O=C1CNC(=O)CN1 O=C1CNC(=O)N1 O=C1NCCS1 O=C1C=CC(=O)N1 O=C1CCC(=O)O1 O=S1(=O)CCCN1 "
        "O=S1(=O)CCCC1 O=C1CCCCC1 O=C1CCCC1 O=C1C=CCCC1 O=C1CC(=O)NC(=O)N1 O=C1C=COC=C1 O=C1C=CC=CN1 "
        "O=C1C=CC=CO1"
    ),
    "benzene": _words("c1ccccc1 c1ccccc1 c1ccccc1 Cc1ccccc1 Oc1ccccc1 Nc1ccccc1 Fc1ccccc1 Clc1ccccc1 COc1ccccc1"),
    "azine": _words("c1ccncc1 c1ccncc1 c1ccnnc1 c1cncnc1 c1cnccn1 c1ncncn1 c1cnnnc1"),
    "azole": _words(
        "c1cc[nH]c1 c1ccoc1 c1ccsc1 c1c[nH]cn1 c1cn[nH]c1 c1cocn1 c1cnoc1 c1cscn1 c1cnsc1 c1nc[nH]n1 c1cn[nH]n1 "
        "c1nnc[nH]1 c1nnn[nH]1 c1nnco1 c1ncon1 c1nncs1 c1ncns1 Cn1ccnc1 Cn1cccn1 Cn1cccc1"
    ),
    "fused aromatic": _words(
        "c1ccc2ccccc2c1 c1ccc2[nH]ccc2c1 c1ccc2occc2c1 c1ccc2sccc2c1 c1ccc2[nH]cnc2c1 c1ccc2[nH]ncc2c1 "
        "c1ccc2scnc2c1 c1ccc2ncccc2c1 c1ccc2cnccc2c1 c1ccc2nccnc2c1 c1ccc2ncncc2c1 c1cnc2[nH]ccc2c1 "
        "c1cnc2[nH]cnc2n1 c1ccn2ccnc2c1 c1ccc2OCOc2c1 c1ccc2OCCOc2c1 c1ccc2CCCc2c1 c1ccc2CCCCc2c1 c1ccc2NCCc2c1 "
        "c1ccc2OCCc2c1 c1ccc2CNCCc2c1 O=c1ccc2ccccc2o1 O=C1Nc2ccccc2C1 O=C1NC(=O)c2ccccc12 "
        "c1ccc2c(c1)ccc1ccccc12 c1ccc2c(c1)[nH]c1ccccc12 c1cc2sccc2s1 c1cn2cccc2cn1"
    ),
    "amide or urea": _words(
        "NC=O CC(N)=O CNC=O CC(=O)NC CC(=O)N(C)C CCC(=O)NC NC(N)=O CNC(=O)NC CNC(=O)OC CN(C)C=O CC(=O)NC(C)=O "
        "NC(=S)N CC(=S)NC CC(=N)N NC(=N)N CC(=O)NO CC(=O)NN"
    ),
    "acid or ester": _words(
        "OC=O CC(=O)O CCC(=O)O COC=O CC(=O)OC CCC(=O)OC C=CC(=O)O C=CC(=O)OC CC(=O)OC(C)=O COC(=O)OC CC(=O)SC"
    ),
    "carbonyl": _words("C=O CC=O CC(C)=O CCC(C)=O CC(=O)C(C)=O CC(=O)CC(C)=O C=CC=O C=CC(C)=O CC(=O)Cl CC(=O)F"),
    "amine or ether": _words("CN CNC CN(C)C CCNCC CO COC CCOCC COCOC COCCOC CNCCN CNCCO CON CNN CC=NO"),
    "sulfur": _words(
        "CS CSC CSSC CS(C)=O CS(C)(=O)=O CS(N)(=O)=O CNS(C)(=O)=O CS(=O)(=O)N(C)C COS(C)(=O)=O CS(=O)(=O)O "
        "CCSCC CC(=S)C CS(=O)(=O)F CS(=O)(=O)Cl SCCS"
    ),
    "halide": _words("CF CCl FCF ClCCl FC(F)F ClC(Cl)Cl FC(F)(F)C CCF CCCl FCCF ClCCCl FC=CF ClC=C FC=C FC(F)=C FCCl"),
}
SUBSTITUENTS = _words(
    "C C CC C(C)C C(C)(C)C C1CC1 C=C C#C CC=C O O OC OC OCC OC(F)F OC(F)(F)F OC(C)=O CO COC CCO C=O C(C)=O "
    "C(=O)O C(=O)OC C(N)=O C(=O)NC C(=O)N(C)C NC(C)=O N(C)C(C)=O NC(N)=O NC(=O)OC N N NC N(C)C CN CN(C)C CCN "
    "C#N CC#N [N+](=O)[O-] F F F Cl Cl Cl C(F)F C(F)(F)F CF CCl C(Cl)(Cl)Cl S SC SCC SC(F)(F)F CSC CS S(C)=O "
    "S(C)(=O)=O S(N)(=O)=O S(=O)(=O)NC S(=O)(=O)N(C)C NS(C)(=O)=O S(=O)(=O)O C(=S)N C(=N)N C=NO C=NC N=C(N)N "
    "C=CC(=O)O CC(=O)O CCC(=O)O CC(N)C(=O)O C(O)C(=O)O CC(N)=O c1ccccc1 c1ccncc1 c1ccco1 c1cccs1 [nH]1ccnc1 "
    "[nH]1cccc1 [nH]1cccn1 N1CCOCC1 N1CCCC1 N1CCCCC1 N1CCNCC1 c1nnc[nH]1 Cc1ccccc1 Oc1ccccc1"
)
LINKERS = _words(
    "C CC CCC C=C C#C O OC CO OCC N NC CN N(C) S SC CS S(=O)(=O) S(=O)(=O)N NS(=O)(=O) C(=O) C(=O)N NC(=O) "
    "C(=O)O OC(=O) NC(=O)N CC(=O)N NC(=O)C C(=O)NC CNC(=O) OCC(=O)N OC(=O)N C=N N=C CNC COC CSC C(O) C(=O)C=C "
    "C=NN C(=O)NN S(=O) CCO CCN C(C)"
)
# Side chains, neutral; N is the residue's nitrogen where a ring closes on it.
RESIDUES = {
    "gly": "NCC(=O)",
    "ala": "N[C@@H](C)C(=O)",
    "val": "N[C@@H](C(C)C)C(=O)",
    "leu": "N[C@@H](CC(C)C)C(=O)",
    "ile": "N[C@@H]([C@@H](C)CC)C(=O)",
    "pro": "N1CCC[C@H]1C(=O)",
    "phe": "N[C@@H](Cc1ccccc1)C(=O)",
    "tyr": "N[C@@H](Cc1ccc(O)cc1)C(=O)",
    "trp": "N[C@@H](Cc1c[nH]c2ccccc12)C(=O)",
    "ser": "N[C@@H](CO)C(=O)",
    "thr": "N[C@@H]([C@@H](C)O)C(=O)",
    "cys": "N[C@@H](CS)C(=O)",
    "met": "N[C@@H](CCSC)C(=O)",
    "asn": "N[C@@H](CC(N)=O)C(=O)",
    "gln": "N[C@@H](CCC(N)=O)C(=O)",
    "asp": "N[C@@H](CC(=O)O)C(=O)",
    "glu": "N[C@@H](CCC(=O)O)C(=O)",
    "his": "N[C@@H](Cc1c[nH]cn1)C(=O)",
    "lys": "N[C@@H](CCCCN)C(=O)",
    "arg": "N[C@@H](CCCNC(=N)N)C(=O)",
}
WHOLE = {
    "small": _words(
        "O N [H][H] S Cl F OO NN NO C#N N#N O=C=O S=C=O N=C=O CN=C=O CN=C=S O=S=O C=C=O CC(=O)C#N N#CC#N O=CC=O "
        "OC(=O)C(=O)O OC(=O)O C[N+](=O)[O-] CC[N+](=O)[O-] CO[N+](=O)[O-] COO CN=NC C=NN CN=[N+]=[N-] "
        "[C-]#[N+]C FC(F)(F)F ClC(Cl)(Cl)Cl CSC#N FN=O OCl"
    ),
    "sugar": _words(
        "OCC1OC(O)C(O)C(O)C1O OCC1OC(OC)C(O)C(O)C1O OCC1OC(O)C(O)C1O OCC1OC(O)CC1O OCC1OC(OC)CC1O "
        "OCC1(O)OCC(O)C(O)C1O OCC(O)C(O)C(O)C(O)C=O OCC(O)CO OCC(O)C=O CC(=O)NC1C(O)OC(CO)C(O)C1O "
        "OC(=O)C1OC(O)C(O)C(O)C1O CC1OC(O)C(O)C(O)C1O OCC(O)C(O)C(O)C(O)CO C1OC(OC)CCC1O OC1CCCOC1O "
        "OC1C(O)C(O)C(O)C(O)C1O"
    ),
    "nucleobase": _words(
        "Nc1ncnc2[nH]cnc12 Nc1ncnc2n(C)cnc12 Nc1cc[nH]c(=O)n1 Nc1ccn(C)c(=O)n1 Nc1nc2[nH]cnc2c(=O)[nH]1 "
        "Nc1nc2n(C)cnc2c(=O)[nH]1 Cc1c[nH]c(=O)[nH]c1=O Cc1cn(C)c(=O)[nH]c1=O O=c1cc[nH]c(=O)[nH]1 "
        "Cn1ccc(=O)[nH]c1=O Cn1c(=O)c2c(ncn2C)n(C)c1=O OCC1OC(n2cnc3c(N)ncnc23)C(O)C1O "
        "OCC1OC(n2ccc(=O)[nH]c2=O)C(O)C1O OCC1OC(n2ccc(N)nc2=O)CC1O Cc1cn(C2CC(O)C(CO)O2)c(=O)[nH]c1=O"
    ),
}
HELD_OUT_SCAFFOLDS = _words(
    "c1ccc2ocnc2c1 c1cnc2sccc2c1 C1CC2CCC1N2 C1CC2(C1)COC2 c1cnc2nccnc2n1 C1=CSCCN1 O=C1CSCCN1 c1ccc2c(c1)OCCN2 "
    "c1ccc2nnccc2c1"
)
"""Hosts of their own kind; whatever holds one of them is never learnt from."""
