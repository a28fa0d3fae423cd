// SPDX-License-Identifier: MIT
#ifndef OPENMM_OPENMMPAINN_H_
#define OPENMM_OPENMMPAINN_H_

#include "PaiNNReplicaContexts.h"
#include "PaiNNStudentForce.h"
#include "PaiNNStudentModel.h"

#endif
