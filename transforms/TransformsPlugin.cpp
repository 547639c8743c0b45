//===- TransformsPlugin.cpp - The generic passes, registered --------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "transforms/Buffer/Passes.h"
#include "transforms/Fuse/Passes.h"
#include "transforms/Model/Passes.h"
#include "transforms/Printing/Passes.h"
#include "transforms/Tile/Passes.h"
#include "transforms/Vector/Passes.h"
#include "weft/Registry.h"

namespace weft {

mlir::LogicalResult registerTransforms(Registrar &registrar) {
  registrar.addPass(createInlineFunctions);
  registrar.addPass(createPrepareEntry);
  registrar.addPass(createInlineComposites);
  registrar.addPass(createVerifyPackedConstants);
  registrar.addPass(createRaiseContractions);
  registrar.addPass(createSimplifyDims);
  registrar.addPass(createFoldScales);
  registrar.addPass(createRewriteTransposedConvolutions);
  registrar.addPass([] { return createRestoreModule(); });
  registrar.addPass([] { return createSaveWeights(); });
  registrar.addPass([] { return createRecordStage(); });
  registrar.addPass(createCheckOperands);
  registrar.addPass(createConvertPacked);
  registrar.addPass(createPadConvolutions);
  registrar.addPass(createFoldUnitExtents);
  registrar.addPass(createFuseElementwise);
  registrar.addPass(createOutlineKernels);
  registrar.addPass(createShareKernels);
  registrar.addPass(createLowerScan);
  registrar.addPass(createLowerSort);
  registrar.addPass(createLowerNonZero);
  registrar.addPass(createLowerScatter);
  registrar.addPass(createLowerToReference);
  registrar.addPass(createLowerConvolutions);
  registrar.addPass(createCloneVariants);
  registrar.addPass(createSelectSchedules);
  registrar.addPass(createTileRows);
  registrar.addPass(createTileKernels);
  registrar.addPass(createVectorizeContractions);
  registrar.addPass(createVectorizeIm2col);
  registrar.addPass(createVectorizeReductions);
  registrar.addPass(createVectorizeElementwise);
  registrar.addPass(createVectorizeTransposes);
  registrar.addPass(createReportFallbacks);
  registrar.addPass(createReassociateReductions);
  registrar.addPass(createExpandMath);
  registrar.addPass(createBufferizeKernels);
  registrar.addPass(createBufferizeHost);
  registrar.addPass(createSwapCarriedBuffers);
  registrar.addPass([] { return createHoistScratch(); });
  registrar.addPass(createPlaceTransfers);
  registrar.addPass(createPlanMemory);
  registrar.addPass(createReleaseMemory);
  return mlir::success();
}

} // namespace weft
