// SPDX-License-Identifier: MIT
// Docstrings in numpydoc form. Errors of these methods are openmm.OpenMMException, unless something else is said.

%feature("docstring") PaiNNPlugin::PaiNNStudentModel
"A trained PaiNN network, read from a .safetensors file and checked completely.

It cannot be changed after that. Copies share the weights, and models with the same bytes share them too, however
they were loaded; such models are equal. The file holds no code, and no path or address that it names is ever followed.
The format is in docs/model-format.md, the network in docs/equations.md.

Parameters
----------
path : str or os.PathLike
    A .safetensors file, at most 256 MiB. Models that come with the package are read by PaiNNStudentModel.bundled().

Raises
------
openmm.OpenMMException
    If the file cannot be read or is not a valid model; the message names what was found and what is allowed.";
%feature("docstring") PaiNNPlugin::PaiNNStudentModel::fromBytes
"Make a model of the contents of a model file.

Parameters
----------
bytes : bytes, bytearray or memoryview
    The whole file.

Returns
-------
PaiNNStudentModel

Raises
------
openmm.OpenMMException
    As for reading a file.";
%feature("docstring") PaiNNPlugin::PaiNNStudentModel::getName
"Get the model's name.

Returns
-------
str
    '' if it has none.";
%feature("docstring") PaiNNPlugin::PaiNNStudentModel::getArchitecture
"Get the architecture in one line: family, channels, blocks, basis, cutoff function.

Returns
-------
str";
%feature("docstring") PaiNNPlugin::PaiNNStudentModel::getCutoff
"Get the distance beyond which two atoms do not see each other (equation F3).

Returns
-------
openmm.unit.Quantity
    A float in nm.";
%feature("docstring") PaiNNPlugin::PaiNNStudentModel::getNumParameters
"Get the number of weights, all tensors of the file counted.

Returns
-------
int";
%feature("docstring") PaiNNPlugin::PaiNNStudentModel::getElements
"Get the elements that the model accepts.

Returns
-------
tuple of int
    Atomic numbers, ascending.";
%feature("docstring") PaiNNPlugin::PaiNNStudentModel::getMetadata
"Get the metadata of the file.

Returns
-------
str
    A JSON text, for json.loads(); its keys are in docs/model-format.md.";
%feature("docstring") PaiNNPlugin::PaiNNStudentModel::getWarnings
"Get what a user must know before trusting results, found by looking at the network, not at what the file claims.

Returns
-------
tuple of str
    One sentence each, none for a flawless model.";
%feature("docstring") PaiNNPlugin::PaiNNStudentModel::getHash
"Get the SHA-256 of the file's bytes.

Returns
-------
str
    64 hexadecimal digits.";
%feature("docstring") PaiNNPlugin::PaiNNStudentModel::getBytes
"Get the bytes of the file. PaiNNStudentModel.fromBytes() of them gives an equal model.

Returns
-------
bytes";

%feature("docstring") PaiNNPlugin::PaiNNStudentForce
"This class computes energies and forces with a PaiNN neural network (docs/equations.md).

Add one entry per particle that the network describes, with its element. The entries may be any subset of the System's
particles in any order, virtual sites included. Each entry belongs to a subsystem; particles of different subsystems do
not see each other, so one Context can hold many replicas of a molecule, or many molecules, in one batch. The energy of
a subsystem may be multiplied by a global parameter (setSubsystemScale()), and derivatives with respect to that
parameter are available through addEnergyParameterDerivative().

Without periodic boundary conditions the particles of a subsystem are kept together as one molecule. With them,
distances are to the nearest periodic image, and only the pairs given to addBond() are kept together.

Positions that have no energy (not finite, or two particles at the same place), and energies or forces that do not fit
into the platform's numbers, end an evaluation with an OpenMMException that names the particle. The Context can be used
again with other positions. On the CUDA platform nothing in a step waits for the GPU, so an evaluation without energy
reports a problem once the device has got there: at the next evaluation after it, or when an energy is asked for.

Parameters
----------
model : PaiNNStudentModel
    The network to evaluate.

See Also
--------
PaiNNStudentForce.fromTopology : adds the particles of a Topology.";
%feature("docstring") PaiNNPlugin::PaiNNStudentForce::getModel
"Get the network that this force evaluates.

Returns
-------
PaiNNStudentModel";
%feature("docstring") PaiNNPlugin::PaiNNStudentForce::getNumParticles
"Get the number of particles that the network describes.

Returns
-------
int";
%feature("docstring") PaiNNPlugin::PaiNNStudentForce::addParticle
"Add a particle to the network.

Parameters
----------
particle : int
    The index of the particle in the System.
atomicNumber : int
    Its element, one of PaiNNStudentModel.getElements().
subsystem : int
    The subsystem it belongs to, counted from 0.

Returns
-------
int
    The index of the entry that was added.

Raises
------
openmm.OpenMMException
    If the particle or the subsystem is negative, or the model does not know the element.";
%feature("docstring") PaiNNPlugin::PaiNNStudentForce::getParticleParameters
"Get the parameters of an entry.

Parameters
----------
index : int
    The index of the entry.

Returns
-------
list of int
    The index of the particle in the System, its atomic number, its subsystem.";
%feature("docstring") PaiNNPlugin::PaiNNStudentForce::setParticleParameters
"Set the parameters of an entry.

Parameters
----------
index : int
    The index of the entry.
particle : int
    The index of the particle in the System.
atomicNumber : int
    Its element, one of PaiNNStudentModel.getElements().
subsystem : int
    The subsystem it belongs to, counted from 0.";
%feature("docstring") PaiNNPlugin::PaiNNStudentForce::getNumBonds
"Get the number of bonds that were added.

Returns
-------
int";
%feature("docstring") PaiNNPlugin::PaiNNStudentForce::addBond
"Say that two particles belong to one molecule: a barostat and the wrapping of periodic images move them together.

It does not change the energy. Only used with periodic boundary conditions.

Parameters
----------
particle1, particle2 : int
    The indices of the particles in the System.

Returns
-------
int
    The index of the bond that was added.";
%feature("docstring") PaiNNPlugin::PaiNNStudentForce::getBondParameters
"Get the particles of a bond.

Parameters
----------
index : int
    The index of the bond.

Returns
-------
list of int
    The indices of the two particles in the System.";
%feature("docstring") PaiNNPlugin::PaiNNStudentForce::setBondParameters
"Set the particles of a bond; see addBond().

Parameters
----------
index : int
    The index of the bond.
particle1, particle2 : int
    The indices of the particles in the System.";
%feature("docstring") PaiNNPlugin::PaiNNStudentForce::getNumSubsystems
"Get the number of subsystems: one more than the largest subsystem of any particle.

Returns
-------
int";
%feature("docstring") PaiNNPlugin::PaiNNStudentForce::setSubsystemScale
"Multiply the energy of a subsystem by a global parameter.

Parameters
----------
subsystem : int
    The subsystem.
globalParameter : str
    A name given to addGlobalParameter(), or '' to take the scale away again.";
%feature("docstring") PaiNNPlugin::PaiNNStudentForce::getSubsystemScale
"Get the name of the global parameter that scales a subsystem.

Parameters
----------
subsystem : int
    The subsystem.

Returns
-------
str
    '' if none does.";
%feature("docstring") PaiNNPlugin::PaiNNStudentForce::getNumGlobalParameters
"Get the number of global parameters.

Returns
-------
int";
%feature("docstring") PaiNNPlugin::PaiNNStudentForce::addGlobalParameter
"Add a global parameter, which subsystems may be scaled by.

Parameters
----------
name : str
    The name of the parameter.
defaultValue : float
    Its value in a new Context, dimensionless.

Returns
-------
int
    The index of the parameter that was added.";
%feature("docstring") PaiNNPlugin::PaiNNStudentForce::getGlobalParameterName
"Get the name of a global parameter.

Parameters
----------
index : int
    The index of the parameter.

Returns
-------
str";
%feature("docstring") PaiNNPlugin::PaiNNStudentForce::setGlobalParameterName
"Set the name of a global parameter.

Parameters
----------
index : int
    The index of the parameter.
name : str
    The new name.";
%feature("docstring") PaiNNPlugin::PaiNNStudentForce::getGlobalParameterDefaultValue
"Get the value that a global parameter has in a new Context.

Parameters
----------
index : int
    The index of the parameter.

Returns
-------
float
    Dimensionless.";
%feature("docstring") PaiNNPlugin::PaiNNStudentForce::setGlobalParameterDefaultValue
"Set the value that a global parameter has in a new Context.

Parameters
----------
index : int
    The index of the parameter.
defaultValue : float
    Dimensionless.";
%feature("docstring") PaiNNPlugin::PaiNNStudentForce::getNumEnergyParameterDerivatives
"Get the number of global parameters that the energy is differentiated by.

Returns
-------
int";
%feature("docstring") PaiNNPlugin::PaiNNStudentForce::addEnergyParameterDerivative
"Request that the derivative of the energy with respect to a global parameter be computed.

Read it with State.getEnergyParameterDerivatives().

Parameters
----------
name : str
    A name given to addGlobalParameter() before.";
%feature("docstring") PaiNNPlugin::PaiNNStudentForce::getEnergyParameterDerivativeName
"Get the name of a global parameter that the energy is differentiated by.

Parameters
----------
index : int
    The index of the derivative, from 0 to getNumEnergyParameterDerivatives() - 1.

Returns
-------
str";
%feature("docstring") PaiNNPlugin::PaiNNStudentForce::usesPeriodicBoundaryConditions
"Get whether distances are to the nearest periodic image.

Returns
-------
bool";
%feature("docstring") PaiNNPlugin::PaiNNStudentForce::setUsesPeriodicBoundaryConditions
"Set whether distances are to the nearest periodic image (default: False).

Parameters
----------
periodic : bool
    Whether they are.";
%feature("docstring") PaiNNPlugin::PaiNNStudentForce::getEvaluationMethod
"Get what evaluates the network.

Returns
-------
int
    PaiNNStudentForce.Kernels or PaiNNStudentForce.LibTorch.";
%feature("docstring") PaiNNPlugin::PaiNNStudentForce::setEvaluationMethod
"Set what evaluates the network.

Kernels, the default, are this plugin's own, with forces derived by hand. LibTorch is the same network in PyTorch's
operations, with forces by PyTorch's automatic differentiation: an independent check, and something to fall back on;
slower. It needs the PyTorch that the plugin was built for, which is loaded when the first Context needs it
(docs/libtorch.md). The method holds for Contexts that are made after that.

Parameters
----------
method : int
    PaiNNStudentForce.Kernels or PaiNNStudentForce.LibTorch.

Raises
------
openmm.OpenMMException
    If it is neither. Making a Context raises it if PyTorch is missing or of another version.";
%feature("docstring") PaiNNPlugin::PaiNNStudentForce::updateParametersInContext
"Copy the elements of the particles into an existing Context.

Only elements can change in this way; the particles, their subsystems, the bonds, scales and parameters cannot.

Parameters
----------
context : openmm.Context
    The Context, made of a System that holds this force.";
%feature("docstring") PaiNNPlugin::PaiNNStudentForce::getSubsystemEnergies
"Compute the unscaled energy of every subsystem at the Context's present positions (equation F9).

Other Python threads run meanwhile.

Parameters
----------
context : openmm.Context
    The Context, made of a System that holds this force.

Returns
-------
openmm.unit.Quantity
    A NumPy array [getNumSubsystems()] in kJ/mol.";
%feature("docstring") PaiNNPlugin::PaiNNStudentForce::getParticleEnergies
"Compute the unscaled energy of every particle entry at the Context's present positions (equation F9).

Other Python threads run meanwhile.

Parameters
----------
context : openmm.Context
    The Context, made of a System that holds this force.

Returns
-------
openmm.unit.Quantity
    A NumPy array [getNumParticles()] in kJ/mol, in the order of the force's entries.";
%feature("docstring") PaiNNPlugin::PaiNNStudentForce::cast
"Get a PaiNNStudentForce out of a System: System.getForce() returns a plain openmm.Force for forces of plugins.

Parameters
----------
force : openmm.Force
    A force for which isinstance() is true.

Returns
-------
PaiNNStudentForce
    The same C++ object. If Python owned it through the argument, it now does through the result.";
%feature("docstring") PaiNNPlugin::PaiNNStudentForce::isinstance
"Find out whether a force, for example one returned by System.getForce(), is a PaiNNStudentForce.

Parameters
----------
force : openmm.Force
    Any force.

Returns
-------
bool";
