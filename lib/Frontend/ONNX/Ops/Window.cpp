//===- Window.cpp - Windows that slide over spatial dimensions ------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Frontend/ONNX/Ops/Window.h"
#include "Frontend/ONNX/Ops/ScalarMath.h"

using namespace mlir;
using namespace weft::onnx;

bool Window::hasStaticPads() const {
  return llvm::all_of(llvm::concat<const OpFoldResult>(low, high),
                      [](OpFoldResult p) { return DimBuilder::constantOf(p).has_value(); });
}

bool Window::hasNoPads() const {
  return llvm::all_of(llvm::concat<const OpFoldResult>(low, high),
                      [](OpFoldResult p) { return DimBuilder::constantOf(p) == 0; });
}

SmallVector<int64_t> Window::staticPads() const {
  SmallVector<int64_t> pads;
  for (OpFoldResult pad : llvm::concat<const OpFoldResult>(low, high))
    pads.push_back(*DimBuilder::constantOf(pad));
  return pads;
}

SmallVector<OpFoldResult> Window::neededHigh(NodeContext &node, const TensorValue &x) const {
  DimBuilder &d = node.dims;
  SmallVector<OpFoldResult> needed;
  for (size_t i = 0; i < rank(); ++i) {
    OpFoldResult last = d.mul(d.sub(extents[i], d.constant(1)), d.constant(strides[i]));
    OpFoldResult end = d.add(last, reach[i]);
    OpFoldResult have = d.add(x.dims[2 + i], low[i]);
    needed.push_back(d.max(d.sub(end, have), d.constant(0)));
  }
  return needed;
}

FailureOr<SmallVector<int64_t>> weft::onnx::readSpatial(NodeContext &node, StringRef name,
                                                        size_t count, int64_t initial,
                                                        int64_t minimum) {
  SmallVector<int64_t> values = node.getInts(name);
  if (node.failed())
    return failure();
  if (!node.hasAttribute(name))
    values.assign(count, initial);
  if (values.size() != count)
    return node.error("has " + Twine(values.size()) + " values in attribute '" + name +
                      "', expected " + Twine(count));
  for (int64_t value : values)
    if (value < minimum || value > INT32_MAX)
      return node.error("has " + Twine(value) + " in attribute '" + name + "', expected " +
                        Twine(minimum) + " to " + Twine(INT32_MAX));
  return values;
}

FailureOr<Dims> weft::onnx::readKernelShape(NodeContext &node, size_t count) {
  if (!node.hasAttribute("kernel_shape"))
    return node.error("has no attribute 'kernel_shape'");
  FailureOr<SmallVector<int64_t>> values = readSpatial(node, "kernel_shape", count, 1, 1);
  if (failed(values))
    return failure();
  Dims kernel;
  for (int64_t value : *values)
    kernel.push_back(node.dims.constant(value));
  return kernel;
}

FailureOr<Window> weft::onnx::readWindow(NodeContext &node, const TensorValue &x,
                                         ArrayRef<OpFoldResult> kernel, bool ceilMode) {
  DimBuilder &d = node.dims;
  size_t count = kernel.size();
  auto strides = readSpatial(node, "strides", count, 1, 1);
  auto dilations = readSpatial(node, "dilations", count, 1, 1);
  std::string autoPad = node.getString("auto_pad", "NOTSET");
  if (failed(strides) || failed(dilations) || node.failed())
    return failure();
  Window window;
  window.strides = *strides;
  window.dilations = *dilations;
  window.kernel.assign(kernel.begin(), kernel.end());
  OpFoldResult zero = d.constant(0), one = d.constant(1), two = d.constant(2);
  for (size_t i = 0; i < count; ++i)
    window.reach.push_back(d.add(d.mul(d.sub(kernel[i], one), d.constant((*dilations)[i])), one));

  bool same = autoPad == "SAME_UPPER" || autoPad == "SAME_LOWER";
  if (same) {
    for (size_t i = 0; i < count; ++i) {
      OpFoldResult stride = d.constant((*strides)[i]), in = x.dims[2 + i];
      OpFoldResult out = d.ceilDiv(in, stride);
      OpFoldResult total = d.sub(d.add(d.mul(d.sub(out, one), stride), window.reach[i]), in);
      total = d.max(total, zero);
      OpFoldResult half = d.floorDiv(total, two), rest = d.sub(total, half);
      window.low.push_back(autoPad == "SAME_UPPER" ? half : rest);
      window.high.push_back(autoPad == "SAME_UPPER" ? rest : half);
      window.extents.push_back(out);
    }
    return window;
  }
  if (autoPad != "NOTSET" && autoPad != "VALID" && !autoPad.empty())
    return node.error("has attribute 'auto_pad' \"" + autoPad +
                      "\", expected NOTSET, SAME_UPPER, SAME_LOWER or VALID");
  SmallVector<int64_t> pads(2 * count, 0);
  if (autoPad != "VALID") {
    auto given = readSpatial(node, "pads", 2 * count, 0, 0);
    if (failed(given))
      return failure();
    pads = *given;
  }
  for (size_t i = 0; i < count; ++i) {
    window.low.push_back(d.constant(pads[i]));
    window.high.push_back(d.constant(pads[count + i]));
    OpFoldResult stride = d.constant((*strides)[i]);
    OpFoldResult padded = d.add(x.dims[2 + i], d.constant(pads[i] + pads[count + i]));
    if (failed(
            requireAtMost(node, window.reach[i], padded,
                          "has a window of extent {0} for an input of extent {1} with its pads")))
      return failure();
    OpFoldResult room = d.sub(padded, window.reach[i]);
    OpFoldResult out;
    if (ceilMode) {
      out = d.add(d.ceilDiv(room, stride), one);
      // A last window that would start in the padding behind does not count.
      OpFoldResult start = d.mul(d.sub(out, one), stride);
      OpFoldResult inside = d.less(start, d.add(x.dims[2 + i], d.constant(pads[i])));
      out = d.select(inside, out, d.sub(out, one));
    } else {
      out = d.add(d.floorDiv(room, stride), one);
    }
    window.extents.push_back(out);
  }
  return window;
}
