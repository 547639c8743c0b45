//===- onnx-reader.cpp - Fuzz target of the ONNX reader -------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Frontend/ONNX/Reader/Reader.h"
#include "Frontend/ONNX/Reader/Verify.h"

#include <cstdlib>

using namespace weft;
using namespace weft::onnx;

/// What is read is used; nothing of it may fail with a value that breaks a
/// promise.
static void check(bool promise) {
  if (!promise)
    std::abort();
}

static void use(const Tensor &tensor, const ExternalFiles &files) {
  Result<TensorBytes> contents = tensor.contents(files);
  if (!contents) {
    check(!contents.error().message.empty());
    return;
  }
  Result<int64_t> size = tensor.byteSize();
  check(size && static_cast<uint64_t>(*size) == contents->bytes().size());
  if (contents->getSource() == TensorBytes::Source::Model && !contents->bytes().empty())
    check(contents->getOffset() + contents->bytes().size() <= files.getModel().size());
  // Reads each byte, for the address sanitizer.
  uint64_t sum = 0;
  for (uint8_t byte : contents->bytes())
    sum += byte;
  volatile uint64_t sink = sum;
  (void)sink;
}

static void use(const Graph &graph, const ExternalFiles &files);

static void use(const NodeAttribute &attribute, const ExternalFiles &files) {
  check(attribute.ints.values().size() == attribute.ints.size());
  check(attribute.floats.values().size() == attribute.floats.size());
  for (const Tensor &tensor : attribute.tensors)
    use(tensor, files);
  for (const SparseTensor &tensor : attribute.sparseTensors)
    use(tensor.values, files);
  for (const Graph &graph : attribute.graphs)
    use(graph, files);
}

static void use(const Graph &graph, const ExternalFiles &files) {
  for (const Tensor &tensor : graph.initializers)
    use(tensor, files);
  for (const Node &node : graph.nodes)
    for (const NodeAttribute &attribute : node.attributes)
      use(attribute, files);
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  std::span<const uint8_t> bytes(data, size);
  if (Result<Model> model = readModel(bytes, "m.onnx")) {
    use(model->graph, *model->files);
    if (Status status = verify(*model); !status)
      check(!status.error().message.empty());
  } else {
    check(!model.error().message.empty());
  }
  if (Result<Tensor> tensor = readTensor(bytes, "t.pb"))
    use(*tensor, ExternalFiles("", "t.pb", bytes));
  return 0;
}
