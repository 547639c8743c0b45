//===- Peer.h - Other runtimes, reached through Python --------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_TOOLS_WEFT_PEER_H
#define WEFT_TOOLS_WEFT_PEER_H

#include "Tensor/Json.h"
#include "Tensor/TensorProto.h"

#include <vector>

namespace weft {

/// Whether the Python that peers run by has `peer` ("onnxruntime", "openvino").
Status findPeer(const std::string &peer);

/// What a peer computes.
struct PeerOutput {
  std::string name;
  Tensor tensor;
  /// Whether it depends on activations that were rounded to codes of 8 bits or fewer, and what
  /// one of its own codes is worth (0: that is not known).
  bool isQuantized = false;
  double step = 0;
  /// By how much the peer's own results differ, at most and in the mean, where it optimizes
  /// nothing. Of models that quantize only.
  double spread = 0, meanSpread = 0;
};

/// Runs the model in `peer` ("onnxruntime", "openvino") on these inputs; the
/// outputs come in the order of the model.
Result<std::vector<PeerOutput>> runPeer(const std::string &peer, const std::string &model,
                                        const std::vector<NamedTensor> &inputs, int64_t threads);

/// A value inside a model, and what computes it.
struct ExposedValue {
  std::string name, node, op;
  Tensor tensor;
};

/// Writes a copy of the model into `folder` as exposed.onnx with every value
/// that a node of its main graph computes as an output, and returns what ONNX
/// Runtime computes for them, in order of execution.
Result<std::vector<ExposedValue>> exposeValues(const std::string &model,
                                               const std::vector<NamedTensor> &inputs,
                                               const std::string &folder);

/// Measures the peer for `seconds`: the members of the object are those of
/// weft bench --json.
Result<Json> benchPeer(const std::string &peer, const std::string &model,
                       const std::vector<NamedTensor> &inputs, int64_t threads, double seconds);

/// Runs `words` without a shell and returns what it wrote to standard output
/// (at most 64 MB), or its standard error's last line as the error.
Result<std::string> runProgram(const std::vector<std::string> &words);

} // namespace weft

#endif // WEFT_TOOLS_WEFT_PEER_H
