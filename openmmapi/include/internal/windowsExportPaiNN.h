// SPDX-License-Identifier: MIT
#ifndef OPENMM_WINDOWSEXPORTPAINN_H_
#define OPENMM_WINDOWSEXPORTPAINN_H_

// OPENMM_EXPORT_PAINN marks what libOpenMMPaiNN.so shows to the outside; everything else is hidden.
#ifdef _MSC_VER
#if defined(PAINN_BUILDING_SHARED_LIBRARY)
#define OPENMM_EXPORT_PAINN __declspec(dllexport)
#else
#define OPENMM_EXPORT_PAINN __declspec(dllimport)
#endif
#else
#define OPENMM_EXPORT_PAINN __attribute__((visibility("default")))
#endif

#endif
