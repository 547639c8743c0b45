//===- AudioPlugin.cpp - What the plugin contributes ----------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Audio.h"
#include "weft/Frontend/ONNX.h"
#include "weft/Plugin.h"

#include "mlir/Transforms/Passes.h"

using namespace mlir;

namespace {
/// Options of the named pipeline: `audio-lower{use-cosine=true}`.
struct LowerOptions : PassPipelineOptions<LowerOptions> {
  Option<bool> useCosine{*this, "use-cosine",
                         llvm::cl::desc("Compute the square of a sine by a cosine"),
                         llvm::cl::init(false)};
};
} // namespace

static void buildLowerPipeline(OpPassManager &passManager, const LowerOptions &options) {
  passManager.addPass(audio::createLowerToLinalg({options.useCosine}));
  passManager.addPass(createCanonicalizerPass());
  passManager.addPass(createCSEPass());
}

/// Once the model is final, before operations are gathered into kernels: from
/// here on the plugin's operations are linalg like any other.
static void extendModelStage(OpPassManager &passManager, const weft::StageContext &context) {
  passManager.addPass(audio::createLowerToLinalg({context.option("use-cosine") == "true"}));
}

/// `Snake` of domain com.example.audio, version 1: inputs X [N, C, ...] and
/// alpha [C] of one float type, output Y like X.
static LogicalResult importSnake(weft::onnx::NodeContext &node) {
  if (node.inputCount() != 2 || !node.hasInput(0) || !node.hasInput(1))
    return node.error("expects the inputs X and alpha");
  const weft::onnx::TensorValue &x = node.input(0), &alpha = node.input(1);
  if (x.isSequence() || alpha.isSequence() || !weft::onnx::isFloat(x.elementType) ||
      x.elementType != alpha.elementType)
    return node.error("expects X and alpha of the same float type");
  if (x.rank() < 2 || alpha.rank() != 1)
    return node.error("expects X of rank 2 or more and alpha of rank 1, "
                      "found ranks " +
                      Twine(x.rank()) + " and " + Twine(alpha.rank()));
  int64_t channels = x.staticDim(1), extent = alpha.staticDim(0);
  if (!ShapedType::isDynamic(channels) && !ShapedType::isDynamic(extent) && channels != extent)
    return node.error("expects an alpha for each of " + Twine(channels) + " channels, found " +
                      Twine(extent));
  weft::onnx::TensorValue y;
  y.elementType = x.elementType;
  y.dims = x.dims;
  y.value = audio::SnakeOp::create(node.b, node.value(0), node.value(1));
  node.setOutput(0, std::move(y));
  return success();
}

static LogicalResult registerAudio(weft::Registrar &registrar) {
  registrar.addDialect<audio::AudioDialect>();
  registrar.addPass([] { return audio::createLowerToLinalg(); });
  registrar.addPipeline<LowerOptions>(
      "audio-lower", "Replace audio operations by linalg and clean up", buildLowerPipeline);
  registrar.addImporterOp({.domain = "com.example.audio",
                           .name = "Snake",
                           .sinceVersion = 1,
                           .untilVersion = 1,
                           .builder = importSnake});
  registrar.addOption({"use-cosine", "true or false", "false",
                       [](StringRef value) { return value == "true" || value == "false"; }});
  registrar.addStageCallback(weft::Stage::Model, weft::StagePosition::After, extendModelStage);
  return success();
}

WEFT_PLUGIN("audio", "1.0", registerAudio);
