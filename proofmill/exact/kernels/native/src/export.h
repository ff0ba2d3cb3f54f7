// Functions that Python calls by name: C linkage, visible in the shared library, never throwing.
#pragma once

#define PROOFMILL_EXPORT extern "C" __attribute__((visibility("default")))
