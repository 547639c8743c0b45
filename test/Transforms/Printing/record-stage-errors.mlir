// A stage has to have a name that there is.

// RUN: not weft-opt %s --weft-record-stage 2>&1 | FileCheck %s --check-prefix=NONE
// RUN: not weft-opt %s --weft-record-stage=stage=linking 2>&1 | FileCheck %s --check-prefix=FOREIGN

// NONE: error: '' is no stage; expected one of input, model, fuse, tile, vector, buffer, target, module
// FOREIGN: error: 'linking' is no stage; expected one of input, model
module {
}
