//===- Methods.cpp - Prints modules of the named methods ------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Usage: weft-ssm-methods METHOD NAME:DIMS... : a module of one method on tensors of these
// names, for example u:BxTx8, where dimensions that are letters are symbols. An element
// type may follow: o:3:i32.
//
//===----------------------------------------------------------------------===//

#include "dialects/SSM/IR/Methods.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Verifier.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/raw_ostream.h"

#include <functional>

using namespace mlir;
using namespace weft::ssm;

namespace {
/// A function that is being built, its tensors by name.
struct Model {
  OpBuilder b;
  Location loc;
  llvm::StringMap<Value> tensors;

  Value operator[](StringRef name) { return tensors.lookup(name); }
  Complex complex(StringRef name) {
    return {tensors.lookup(name), tensors.lookup((name + "im").str())};
  }
  Sequences sequences() {
    Sequences result;
    result.initial = tensors.lookup("initial");
    result.offsets = tensors.lookup("offsets");
    result.direction = tensors.lookup("reverse") ? Direction::Reverse : Direction::Forward;
    return result;
  }
};
using Method = std::function<Result(Model &)>;
} // namespace

static const llvm::MapVector<StringRef, Method> &methods() {
  static const llvm::MapVector<StringRef, Method> all = [] {
    llvm::MapVector<StringRef, Method> m;
    m["mamba"] = [](Model &t) {
      return buildMamba(t.b, t.loc, t["u"], t["delta"], t["rate"], t["inject"], t["read"],
                        t["skip"], t["bias"], t["gate"], t.sequences());
    };
    m["mamba2"] = [](Model &t) {
      return buildMamba2(t.b, t.loc, t["x"], t["delta"], t["rate"], t["bias"], t["inject"],
                         t["read"], t["skip"], t.sequences());
    };
    m["mamba3"] = [](Model &t) {
      return buildMamba3(t.b, t.loc, t["x"], t["delta"], t["gate"], t["rate"], t["inject"],
                         t["read"], t["angle"], t.sequences());
    };
    for (Rule rule : {Rule::ZeroOrderHold, Rule::Bilinear}) {
      bool zoh = rule == Rule::ZeroOrderHold;
      m[zoh ? "s4d-zoh" : "s4d-bilinear"] = [rule](Model &t) {
        return buildS4D(t.b, t.loc, t["u"], t["delta"], t.complex("rate"), t.complex("inject"),
                        t.complex("read"), t["skip"], rule, t.sequences());
      };
      m[zoh ? "s5-zoh" : "s5-bilinear"] = [rule](Model &t) {
        return buildS5(t.b, t.loc, t["u"], t["delta"], t.complex("rate"), t.complex("inject"),
                       t.complex("read"), t["skip"], rule, t.sequences());
      };
    }
    m["lmu-zoh"] = [](Model &t) {
      return buildLMU(t.b, t.loc, t["u"], 6, 11.0, Rule::ZeroOrderHold, t.sequences());
    };
    m["lmu-euler"] = [](Model &t) {
      return buildLMU(t.b, t.loc, t["u"], 4, 40.0, Rule::Euler, t.sequences());
    };
    m["rglru"] = [](Model &t) {
      return buildRGLRU(t.b, t.loc, t["x"], t["recurrence"], t["input"], t["lambda"],
                        t.sequences());
    };
    m["retnet"] = [](Model &t) {
      return buildRetNet(t.b, t.loc, t["query"], t["key"], t["value"], t["decay"], t.sequences());
    };
    m["gla"] = [](Model &t) {
      return buildGLA(t.b, t.loc, t["query"], t["key"], t["value"], t["decay"], t.sequences());
    };
    m["rwkv4"] = [](Model &t) {
      return Result{buildRWKV4(t.b, t.loc, t["key"], t["value"], t["decay"], t["bonus"]), {}};
    };
    m["rwkv6"] = [](Model &t) {
      return buildRWKV6(t.b, t.loc, t["query"], t["key"], t["value"], t["decay"], t["bonus"],
                        t.sequences());
    };
    m["rwkv7"] = [](Model &t) {
      return buildRWKV7(t.b, t.loc, t["query"], t["key"], t["value"], t["decay"], t["removal"],
                        t["rate"], t.sequences());
    };
    m["delta"] = [](Model &t) {
      return buildDeltaRule(t.b, t.loc, t["query"], t["key"], t["value"], t["strength"], t["decay"],
                            t.sequences());
    };
    return m;
  }();
  return all;
}

namespace {
/// A tensor of the command line.
struct Argument {
  StringRef name;
  SmallVector<StringRef> dims;
  Type element;
};
} // namespace

static Argument parseArgument(Builder &b, StringRef text) {
  Argument result;
  auto [name, rest] = text.split(':');
  auto [dims, element] = rest.split(':');
  result.name = name;
  dims.split(result.dims, 'x');
  result.element = b.getF32Type();
  if (element == "i32")
    result.element = b.getI32Type();
  if (element == "f64")
    result.element = b.getF64Type();
  if (element == "f16")
    result.element = b.getF16Type();
  return result;
}

int main(int count, char **words) {
  MLIRContext context;
  context.loadDialect<SSMDialect, arith::ArithDialect, func::FuncDialect, linalg::LinalgDialect,
                      math::MathDialect, scf::SCFDialect, tensor::TensorDialect>();
  Builder builder(&context);
  auto method = count > 1 ? methods().find(words[1]) : methods().end();
  if (method == methods().end()) {
    llvm::errs() << "unknown method\n";
    return 1;
  }
  SmallVector<Argument> arguments;
  llvm::MapVector<StringRef, unsigned> symbols;
  for (int i = 2; i < count; ++i) {
    arguments.push_back(parseArgument(builder, words[i]));
    for (StringRef dim : arguments.back().dims)
      if (!llvm::isDigit(dim[0]))
        symbols.insert({dim, symbols.size()});
  }
  SmallVector<Type> types(symbols.size(), builder.getIndexType());
  for (const Argument &argument : arguments) {
    SmallVector<int64_t> shape;
    for (StringRef dim : argument.dims) {
      int64_t extent = ShapedType::kDynamic;
      dim.getAsInteger(10, extent);
      shape.push_back(extent);
    }
    types.push_back(RankedTensorType::get(shape, argument.element));
  }
  Location loc = builder.getUnknownLoc();
  OwningOpRef<ModuleOp> module = ModuleOp::create(loc);
  OpBuilder b = OpBuilder::atBlockEnd(module->getBody());
  auto function = func::FuncOp::create(b, loc, "main", b.getFunctionType(types, {}));
  for (auto [name, number] : symbols)
    function.setArgAttr(number, "weft.symbol", b.getStringAttr(name));
  Block *body = function.addEntryBlock();
  Model model{OpBuilder::atBlockEnd(body), loc, {}};
  for (auto [i, argument] : llvm::enumerate(arguments)) {
    unsigned number = symbols.size() + i;
    SmallVector<Attribute> dims;
    for (StringRef dim : argument.dims) {
      int64_t extent;
      dims.push_back(dim.getAsInteger(10, extent) ? Attribute(b.getStringAttr(dim))
                                                  : Attribute(b.getI64IntegerAttr(extent)));
    }
    function.setArgAttr(number, "weft.name", b.getStringAttr(argument.name));
    function.setArgAttr(number, "weft.dims", b.getArrayAttr(dims));
    model.tensors[argument.name] = body->getArgument(number);
  }
  Result result = method->second(model);
  SmallVector<Value> values{result.output};
  if (result.state)
    values.push_back(result.state);
  func::ReturnOp::create(model.b, loc, values);
  function.setType(b.getFunctionType(types, TypeRange(ValueRange(values))));
  for (unsigned i = 0; i < values.size(); ++i)
    function.setResultAttr(i, "weft.name", b.getStringAttr("r" + std::to_string(i)));
  if (failed(verify(*module)))
    return 1;
  module->print(llvm::outs());
  return 0;
}
