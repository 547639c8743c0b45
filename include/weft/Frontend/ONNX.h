//===- ONNX.h - Building IR for the nodes of ONNX models ------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What a builder of an ONNX operator works with: the importer calls it with a
// NodeContext, it reads inputs and attributes and sets the outputs. Built-in
// operators and those of plugins use the same interface.
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_FRONTEND_ONNX_H
#define WEFT_FRONTEND_ONNX_H

#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "llvm/ADT/SmallVector.h"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace weft::onnx {

enum class ElementType : int32_t; // TensorProto.DataType
struct Node;
struct Graph;
struct NodeAttribute;
class Importer;

/// A tensor (or a sequence of tensors known at import) of the model during
/// import.
struct TensorValue {
  /// The tensor. Null while only `elements` are known; NodeContext::value makes it.
  mlir::Value value;
  /// Integers below 8 bits and floats of up to 8: the `!weft.packed`, where
  /// `value`, then a tensor of codes (i8), is null; NodeContext::value makes it.
  mlir::Value packed;
  /// The element type as ONNX has it; signedness and bool are only here.
  ElementType elementType{};
  /// Extents: attributes where static, else index values. The tensor's type is
  /// static in exactly the dimensions whose extent is an attribute.
  llvm::SmallVector<mlir::OpFoldResult> dims;
  /// The contents, where they are known as index arithmetic: integer (and bool)
  /// tensors of rank 0 or 1 with few elements, which is what shapes are made of.
  std::optional<llvm::SmallVector<mlir::OpFoldResult>> elements;
  /// Set for sequences: the tensors in it.
  std::shared_ptr<std::vector<TensorValue>> sequence;
  /// An optional without a value.
  bool isNone = false;

  int64_t rank() const { return static_cast<int64_t>(dims.size()); }
  /// The extent if static, else ShapedType::kDynamic.
  int64_t staticDim(int64_t i) const;
  bool isSequence() const { return sequence != nullptr; }
  /// Whether it is a tensor, and not what an unsupported node should have given.
  bool isTensor() const { return !isSequence() && !isNone && (value || packed || elements); }
};

/// Index arithmetic on extents that folds as it builds, and gives the same value
/// for the same computation, so that equal extents are one SSA value.
class DimBuilder {
public:
  explicit DimBuilder(mlir::ImplicitLocOpBuilder &b) : b(b) { scopes.emplace_back(); }

  mlir::OpFoldResult constant(int64_t value);
  mlir::OpFoldResult add(mlir::OpFoldResult x, mlir::OpFoldResult y);
  mlir::OpFoldResult sub(mlir::OpFoldResult x, mlir::OpFoldResult y);
  mlir::OpFoldResult mul(mlir::OpFoldResult x, mlir::OpFoldResult y);
  /// Division of signed values towards minus infinity, towards plus infinity,
  /// and towards zero. The divisor must not be zero.
  mlir::OpFoldResult floorDiv(mlir::OpFoldResult x, mlir::OpFoldResult y);
  mlir::OpFoldResult ceilDiv(mlir::OpFoldResult x, mlir::OpFoldResult y);
  mlir::OpFoldResult truncDiv(mlir::OpFoldResult x, mlir::OpFoldResult y);
  /// Remainder with the sign of the dividend.
  mlir::OpFoldResult rem(mlir::OpFoldResult x, mlir::OpFoldResult y);
  mlir::OpFoldResult min(mlir::OpFoldResult x, mlir::OpFoldResult y);
  mlir::OpFoldResult max(mlir::OpFoldResult x, mlir::OpFoldResult y);
  /// 1 if `x` equals (is below) `y`, else 0.
  mlir::OpFoldResult equal(mlir::OpFoldResult x, mlir::OpFoldResult y);
  mlir::OpFoldResult less(mlir::OpFoldResult x, mlir::OpFoldResult y);
  /// `x` if `condition` is not 0, else `y`.
  mlir::OpFoldResult select(mlir::OpFoldResult condition, mlir::OpFoldResult x,
                            mlir::OpFoldResult y);
  mlir::OpFoldResult product(llvm::ArrayRef<mlir::OpFoldResult> values);

  /// As an index value.
  mlir::Value value(mlir::OpFoldResult x);
  /// An index value from an integer one.
  mlir::OpFoldResult fromInteger(mlir::Value integer);
  /// Whether the two are certainly equal.
  static bool same(mlir::OpFoldResult x, mlir::OpFoldResult y);
  static std::optional<int64_t> constantOf(mlir::OpFoldResult x);

  /// What is computed inside a region is not used outside of it.
  void pushScope() { scopes.emplace_back(); }
  void popScope() { scopes.pop_back(); }

private:
  enum Kind : int {
    Add,
    Sub,
    Mul,
    FloorDiv,
    CeilDiv,
    TruncDiv,
    Rem,
    Min,
    Max,
    Equal,
    Less,
    Select,
    Cast
  };
  mlir::OpFoldResult cached(Kind kind, llvm::ArrayRef<mlir::OpFoldResult> operands,
                            llvm::function_ref<mlir::Value()> build);
  mlir::OpFoldResult simplify(mlir::Value value);

  mlir::ImplicitLocOpBuilder &b;
  using Key = std::pair<int, llvm::SmallVector<void *, 3>>;
  std::vector<std::map<Key, mlir::Value>> scopes;
};

/// One node during its import.
class NodeContext {
public:
  NodeContext(Importer &importer, const Node &node, int64_t opset);

  /// Builds operations; the location is the node's.
  mlir::ImplicitLocOpBuilder &b;
  /// Builds index arithmetic.
  DimBuilder &dims;

  mlir::MLIRContext *context() const { return b.getContext(); }
  /// The version of the node's domain that the model imports.
  int64_t opset() const { return opsetVersion; }
  llvm::StringRef opType() const;
  std::string name() const;

  //===--------------------------------------------------------------------===//
  // Inputs and outputs
  //===--------------------------------------------------------------------===//

  size_t inputCount() const;
  size_t outputCount() const;
  /// Whether the input is there: optional ones may be left out.
  bool hasInput(size_t i) const;
  bool hasOutput(size_t i) const;
  /// The input, which must be there.
  const TensorValue &input(size_t i);
  /// The tensor of input `i`, with all its known contents in the IR.
  mlir::Value value(size_t i) { return value(input(i)); }
  mlir::Value value(const TensorValue &tensor);
  void setOutput(size_t i, TensorValue value);
  /// From now on input i is value: the builder of an older version of an
  /// operator brings its inputs to the form of a newer one and calls that one's.
  void replaceInput(size_t i, TensorValue value) { replacedInputs[i] = std::move(value); }
  /// The rank that the model declares for an output, if it does: all there is
  /// where the length of a tensor decides the rank.
  std::optional<int64_t> declaredRank(size_t output) const;

  //===--------------------------------------------------------------------===//
  // Attributes: a value of the wrong kind is an error of the node.
  //===--------------------------------------------------------------------===//

  bool hasAttribute(llvm::StringRef name) const;
  int64_t getInt(llvm::StringRef name, int64_t defaultValue);
  float getFloat(llvm::StringRef name, float defaultValue);
  std::string getString(llvm::StringRef name, llvm::StringRef defaultValue);
  llvm::SmallVector<int64_t> getInts(llvm::StringRef name);
  llvm::SmallVector<float> getFloats(llvm::StringRef name);
  std::vector<std::string> getStrings(llvm::StringRef name);
  /// A tensor attribute as a constant; fails if it is not there.
  mlir::FailureOr<TensorValue> getTensor(llvm::StringRef name);
  /// A subgraph; null if it is not there.
  const Graph *getGraph(llvm::StringRef name) const;
  /// The attribute as read, or null.
  const NodeAttribute *getAttribute(llvm::StringRef name) const;

  //===--------------------------------------------------------------------===//
  // Subgraphs
  //===--------------------------------------------------------------------===//

  /// Imports `graph` at the insertion point with `arguments` for its inputs and
  /// gives its outputs. Values of outer graphs are visible.
  mlir::FailureOr<llvm::SmallVector<TensorValue>>
  importGraph(const Graph &graph, llvm::ArrayRef<TensorValue> arguments);

  //===--------------------------------------------------------------------===//
  // Problems
  //===--------------------------------------------------------------------===//

  /// The node is invalid: "<file>: node 'x' (Op): <message>".
  mlir::LogicalResult error(const llvm::Twine &message);
  /// The node is valid, but Weft cannot import it; gathered, so that all such
  /// nodes are reported at once.
  mlir::LogicalResult unsupported(const llvm::Twine &message);
  /// Whether an error was recorded (a wrong attribute, say).
  bool failed() const { return hasFailed; }

  Importer &getImporter() { return importer; }
  const Node &getNode() const { return node; }

private:
  const NodeAttribute *expect(llvm::StringRef name, int kind);

  Importer &importer;
  const Node &node;
  int64_t opsetVersion;
  bool hasFailed = false;
  std::map<size_t, TensorValue> replacedInputs;
};

using NodeBuilder = std::function<mlir::LogicalResult(NodeContext &)>;

//===----------------------------------------------------------------------===//
// Types
//===----------------------------------------------------------------------===//

/// The type of an element in tensors (bool is i8, and so are codes of less than
/// 8 bits and of small floats; a string is the i64 that is its address), or null
/// if there is none (complex numbers).
mlir::Type storageType(mlir::MLIRContext *context, ElementType type);
bool isUnsigned(ElementType type); ///< unsigned integers and bool
bool isInteger(ElementType type);  ///< integers, without bool
bool isFloat(ElementType type);
bool isBool(ElementType type);
/// The type that the numbers are computed in by default: f32 for f16 and bf16.
mlir::Type computeType(mlir::MLIRContext *context, ElementType type);

/// tensor<dims x storage type>.
mlir::RankedTensorType tensorType(mlir::MLIRContext *context, ElementType type,
                                  llvm::ArrayRef<mlir::OpFoldResult> dims);

} // namespace weft::onnx

#endif // WEFT_FRONTEND_ONNX_H
