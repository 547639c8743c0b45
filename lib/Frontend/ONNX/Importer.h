//===- Importer.h - ONNX graphs become IR ---------------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_FRONTEND_ONNX_IMPORTER_H
#define WEFT_FRONTEND_ONNX_IMPORTER_H

#include "Frontend/ONNX/Reader/Model.h"
#include "weft/Frontend/Import.h"
#include "weft/Frontend/ONNX.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"

namespace weft::onnx {

/// Nodes that cannot be imported, by "domain op, opset, reason, types".
struct UnsupportedNodes {
  int64_t count = 0;
  std::string firstNode;
};
using UnsupportedMap =
    llvm::MapVector<std::string, UnsupportedNodes, std::map<std::string, unsigned>>;

/// What came of an import that may fail.
struct Attempt {
  mlir::FailureOr<llvm::SmallVector<TensorValue>> values = mlir::failure();
  /// Where there are no values: what is wrong with the model, ...
  llvm::SmallVector<std::pair<mlir::Location, std::string>> errors;
  /// ... or what cannot be imported. Without either, a value is missing that a
  /// node before this, which cannot be imported, would have given.
  UnsupportedMap unsupported;

  bool succeeded() const { return mlir::succeeded(values); }
  /// The first problem in one sentence; empty where a value is missing.
  std::string reason() const;
};

/// Imports one model. Nodes are visited in order; each is built by the builder
/// that the registry has for its domain, name and opset version, or inlined if
/// it calls a function of the model. Nodes that cannot be imported are gathered
/// and reported together.
class Importer {
public:
  Importer(ImportContext &context, Model model);
  mlir::OwningOpRef<mlir::ModuleOp> run();

  ImportContext &getContext() { return context; }
  const Model &getModel() const { return *model; }

  /// The value called `name` in the graphs around; null if there is none.
  const TensorValue *lookup(llvm::StringRef name);
  mlir::LogicalResult importNodes(llvm::ArrayRef<Node> nodes);
  mlir::FailureOr<llvm::SmallVector<TensorValue>>
  importGraph(const Graph &graph, llvm::ArrayRef<TensorValue> arguments);

  /// A tensor of the file as a constant; `name` is for its key in the weight
  /// store.
  mlir::FailureOr<TensorValue> importConstant(const Tensor &tensor, llvm::StringRef name);
  /// A constant from bytes in canonical form.
  mlir::FailureOr<TensorValue> makeConstant(ElementType type, llvm::ArrayRef<int64_t> shape,
                                            llvm::ArrayRef<uint8_t> bytes, llvm::StringRef name);

  /// Imports something that may fail without the model failing: what is wrong
  /// is not reported, but given. Nodes that cannot be imported are withdrawn.
  Attempt attempt(llvm::function_ref<mlir::FailureOr<llvm::SmallVector<TensorValue>>()> build);
  /// Reports what was wrong in an attempt after all.
  void report(const Attempt &attempt);

  /// The outputs of the innermost graph that nothing has computed yet.
  llvm::SmallVector<llvm::StringRef> pendingOutputs();
  /// The rank that the innermost graph declares for one of its outputs.
  std::optional<int64_t> declaredOutputRank(llvm::StringRef name) const;
  /// Imports the rest of the innermost graph, the nodes after `node`, for one of
  /// several values that the node's outputs may have; gives those of `names`.
  mlir::FailureOr<llvm::SmallVector<TensorValue>> importRest(const Node &node,
                                                             llvm::ArrayRef<TensorValue> outputs,
                                                             llvm::ArrayRef<llvm::StringRef> names);
  /// Ends the innermost graph, the rest of which was imported: `values` are
  /// those of `names`.
  void finishGraph(llvm::ArrayRef<llvm::StringRef> names, llvm::ArrayRef<TensorValue> values);
  /// How many calls of `importRest` are going on, one within the other.
  unsigned restDepth() const { return depthOfRest; }

  /// The graph whose nodes are imported now; null in functions.
  const Graph *innermostGraph() const;
  /// Computes `nodes`, in order, for the values that `values` has for some of
  /// their names, and adds all their inputs and outputs. Names that are defined
  /// already keep their values elsewhere.
  mlir::LogicalResult importNodesFor(llvm::ArrayRef<const Node *> nodes,
                                     llvm::StringMap<TensorValue> &values);

  /// Conditions that hold, or do not hold, where nodes are imported now.
  llvm::SmallDenseMap<mlir::Value, bool> decidedConditions;

  mlir::LogicalResult error(mlir::Location loc, const llvm::Twine &message);
  /// Warns, once of everything: bodies of loops may be imported several times.
  void warn(mlir::Location loc, const llvm::Twine &message);
  void recordUnsupported(const Node &node, int64_t opset, const llvm::Twine &reason,
                         llvm::StringRef dtypes);

  mlir::ImplicitLocOpBuilder b;
  DimBuilder dims;

private:
  friend class NodeContext;

  /// Names of one graph. Initializers are imported at their first use.
  struct Scope {
    llvm::StringMap<TensorValue> values;
    llvm::StringMap<const Tensor *> initializers;
    /// The graph of the names; null in functions.
    const Graph *graph = nullptr;
    /// The names that are read in the end.
    llvm::SmallVector<llvm::StringRef> outputs;
    /// The nodes after the present one.
    llvm::ArrayRef<Node> rest;
  };
  /// A function of the model being inlined.
  struct FunctionFrame {
    const Function *function;
    const Node *call;
  };

  mlir::LogicalResult importNode(const Node &node);
  mlir::LogicalResult importCall(const Function &function, const Node &node);
  const Function *findFunction(const Node &node) const;
  std::optional<int64_t> opsetOf(llvm::StringRef domain) const;
  mlir::Location locationOf(const Node &node);
  void addSymbols(llvm::ArrayRef<std::string> names);
  mlir::LogicalResult addInput(unsigned argument, const ValueInfo &info,
                               llvm::ArrayRef<std::variant<int64_t, std::string>> extents);
  mlir::ArrayAttr dimNames(const TensorValue &value);
  mlir::LogicalResult createFunction();
  mlir::LogicalResult finishFunction();
  void addInitializers(const Graph &graph, Scope &scope);
  mlir::LogicalResult reportUnsupported();
  mlir::RankedTensorType constantType(ElementType type, llvm::ArrayRef<mlir::OpFoldResult> dims);
  void setConstant(TensorValue &value, mlir::Value bytes);
  mlir::FailureOr<TensorValue> constantInput(size_t index, const ValueInfo &input);

  ImportContext &context;
  std::shared_ptr<Model> model;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  mlir::func::FuncOp function;
  std::vector<Scope> scopes;
  std::vector<FunctionFrame> frames;
  /// By position in the entry's arguments: symbols' names.
  llvm::StringMap<mlir::Value> symbols;
  /// Where constants are created: the start of the entry.
  mlir::Operation *constantAnchor = nullptr;
  unsigned unnamedNodes = 0;
  unsigned depthOfRest = 0, depthOfAttempts = 0;
  llvm::StringSet<> warnings;

  UnsupportedMap unsupported;
};

/// Results of unsupported nodes have no value, and what depends on them is
/// skipped silently: only the cause is reported.
bool isAvailable(const TensorValue &value);

/// The names of element types of a list of values, for messages.
std::string describe(const TensorValue &value);

} // namespace weft::onnx

#endif // WEFT_FRONTEND_ONNX_IMPORTER_H
