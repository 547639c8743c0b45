//===- WeftOps.td - The weft dialect's operations ----------*- tablegen -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_OPS_TD
#define WEFT_OPS_TD

include "dialects/Weft/IR/WeftBase.td"
include "dialects/Weft/IR/WeftInterfaces.td"
include "dialects/Weft/IR/WeftDeviceOps.td"
include "dialects/Weft/IR/WeftPackedOps.td"
include "dialects/Weft/IR/WeftStringOps.td"
include "dialects/Weft/IR/WeftTiling.td"
include "mlir/IR/OpAsmInterface.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/IR/RegionKindInterface.td"
include "mlir/Interfaces/ControlFlowInterfaces.td"
include "mlir/Interfaces/DestinationStyleOpInterface.td"
include "mlir/Interfaces/FunctionInterfaces.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

class Weft_Op<string mnemonic, list<Trait> traits = []>
    : Op<Weft_Dialect, mnemonic, traits>;

//===----------------------------------------------------------------------===//
// Constants and composites
//===----------------------------------------------------------------------===//

def Weft_ConstantOp : Weft_Op<"constant", [Pure, ConstantLike,
    DeclareOpInterfaceMethods<OpAsmOpInterface, ["getAsmResultNames"]>]> {
  let summary = "A weight";
  let description = [{
    A constant above 1 KiB. Its bytes lie in the weight store, never in the IR.

    ```mlir
    func.func @weight() -> tensor<16x32xf32> {
      %w = weft.constant <"fc.weight", "", tensor<16x32xf32>> : tensor<16x32xf32>
      return %w : tensor<16x32xf32>
    }
    ```
  }];
  let arguments = (ins Weft_WeightAttr:$value);
  let results = (outs AnyStaticShapeTensor:$result);
  let hasFolder = 1;
  let hasVerifier = 1;
  let builders = [OpBuilder<(ins "WeightAttr":$value), [{
    build($_builder, $_state, value.getType(), value);
  }]>];
  let assemblyFormat = "$value attr-dict `:` type($result)";
}

def Weft_CompositeOp : Weft_Op<"composite", [
    SingleBlockImplicitTerminator<"::weft::YieldOp">, RecursiveMemoryEffects]> {
  let summary = "An operation that the source named, with its meaning";
  let description = [{
    Keeps what a source format calls an operation (`"onnx.LayerNormalization"`),
    with its attributes, around a body that computes it. Later stages match the
    name and replace the whole; what is left is inlined by `weft-inline-composites`.
    The inputs are what the node was given; the body may also use extents from
    around it.

    ```mlir
    func.func @relu(%x: tensor<4xf32>, %init: tensor<4xf32>) -> tensor<4xf32> {
      %zero = arith.constant 0.0 : f32
      %y = weft.composite "onnx.Relu" {} ins(%x : tensor<4xf32>) {
      ^bb0(%arg0: tensor<4xf32>):
        %max = linalg.map ins(%arg0 : tensor<4xf32>) outs(%init : tensor<4xf32>)
          (%e: f32, %old: f32) {
            %m = arith.maximumf %e, %zero : f32
            linalg.yield %m : f32
          }
        weft.yield %max : tensor<4xf32>
      } -> tensor<4xf32>
      return %y : tensor<4xf32>
    }
    ```
  }];
  let arguments = (ins StrAttr:$name, DictionaryAttr:$config,
                       Variadic<AnyType>:$inputs);
  let results = (outs Variadic<AnyType>:$outputs);
  let regions = (region SizedRegion<1>:$body);
  let hasVerifier = 1;
  let assemblyFormat = [{
    $name $config (`ins` `(` $inputs^ `:` type($inputs) `)`)? attr-dict-with-keyword
    $body (`->` type($outputs)^)?
  }];
}

def Weft_YieldOp : Weft_Op<"yield", [Pure, ReturnLike, Terminator,
    ParentOneOf<["CompositeOp", "KernelOp", "ScatterOp"]>]> {
  let summary = "Ends the body of a composite, a kernel or a combiner";
  let arguments = (ins Variadic<AnyType>:$values);
  let builders = [OpBuilder<(ins), [{ build($_builder, $_state, ::mlir::ValueRange()); }]>];
  let assemblyFormat = "($values^ `:` type($values))? attr-dict";
}

//===----------------------------------------------------------------------===//
// Host and kernels
//===----------------------------------------------------------------------===//

def Weft_KernelOp : Weft_Op<"kernel", [
    FunctionOpInterface, IsolatedFromAbove, Symbol, SingleBlock,
    AutomaticAllocationScope]> {
  let summary = "A computation that the host dispatches";
  let description = [{
    The arguments are index values (extents and offsets), tensors read, and
    tensors written, in this order; `outs` counts the last kind. On tensors the
    body yields one value for each written tensor; after bufferization the
    arguments are memrefs and it yields nothing. Equal kernels are one: names of
    nodes live at the dispatches.

    ```mlir
    weft.kernel @negate(%n: index, %x: tensor<?xf32>, %out: tensor<?xf32>) outs 1 {
      %y = linalg.map { arith.negf } ins(%x : tensor<?xf32>) outs(%out : tensor<?xf32>)
      weft.yield %y : tensor<?xf32>
    }
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name,
                       TypeAttrOf<FunctionType>:$function_type,
                       I64Attr:$outs,
                       OptionalAttr<Weft_ScheduleAttr>:$schedule,
                       OptionalAttr<DictArrayAttr>:$arg_attrs,
                       OptionalAttr<DictArrayAttr>:$res_attrs);
  let regions = (region SizedRegion<1>:$body);
  let hasCustomAssemblyFormat = 1;
  let hasVerifier = 1;
  let skipDefaultBuilders = 1;
  let builders = [OpBuilder<(ins "::llvm::StringRef":$name,
                                 "::mlir::TypeRange":$arguments, "int64_t":$outs)>];
  let extraClassDeclaration = [{
    ::mlir::ArrayRef<::mlir::Type> getArgumentTypes() { return getFunctionType().getInputs(); }
    ::mlir::ArrayRef<::mlir::Type> getResultTypes() { return getFunctionType().getResults(); }
    ::mlir::Region *getCallableRegion() { return &getBody(); }
    /// The arguments that are written.
    ::mlir::MutableArrayRef<::mlir::BlockArgument> getOutArguments() {
      return getBody().getArguments().take_back(getOuts());
    }
    YieldOp getYield();
  }];
}

def Weft_DispatchOp : Weft_Op<"dispatch", [AttrSizedOperandSegments,
    DeclareOpInterfaceMethods<SymbolUserOpInterface>,
    DeclareOpInterfaceMethods<ReifyRankedShapedTypeOpInterface, ["reifyResultShapes"]>,
    DeclareOpInterfaceMethods<MemoryEffectsOpInterface>,
    DestinationStyleOpInterface]> {
  let summary = "Runs a kernel";
  let description = [{
    `sizes` are the kernel's index arguments. On tensors each of `outs` gives
    one result; on memrefs there are none. The location names the nodes that the
    kernel computes here.

    ```mlir
    weft.kernel @negate(%n: index, %x: tensor<?xf32>, %out: tensor<?xf32>) outs 1 {
      %y = linalg.map { arith.negf } ins(%x : tensor<?xf32>) outs(%out : tensor<?xf32>)
      weft.yield %y : tensor<?xf32>
    }

    func.func @main(%n: index, %x: tensor<?xf32>) -> tensor<?xf32> {
      %init = tensor.empty(%n) : tensor<?xf32>
      %y = weft.dispatch @negate[%n] ins(%x : tensor<?xf32>) outs(%init : tensor<?xf32>)
        -> tensor<?xf32>
      return %y : tensor<?xf32>
    }
    ```
  }];
  let arguments = (ins FlatSymbolRefAttr:$kernel, Variadic<Index>:$sizes,
                       Variadic<AnyShaped>:$inputs, Variadic<AnyShaped>:$outs);
  let results = (outs Variadic<AnyRankedTensor>:$results);
  let hasVerifier = 1;
  let assemblyFormat = [{
    $kernel (`[` $sizes^ `]`)? (`ins` `(` $inputs^ `:` type($inputs) `)`)?
    (`outs` `(` $outs^ `:` type($outs) `)`)? attr-dict (`->` type($results)^)?
  }];
  let extraClassDeclaration = [{
    ::mlir::MutableOperandRange getDpsInitsMutable() { return getOutsMutable(); }
  }];
}

def Weft_AssertOp : Weft_Op<"assert", [MemoryEffects<[MemWrite]>]> {
  let summary = "Fails the call unless a condition holds";
  let description = [{
    A host operation. `code` is one of the runtime's status codes; in `message`,
    "{0}" and "{1}" stand for the values. The location names the node.

    ```mlir
    func.func @element(%x: tensor<8xf32>, %i: tensor<i64>) -> tensor<f32> {
      %bound = arith.constant 8 : index
      %value = tensor.extract %i[] : tensor<i64>
      %index = arith.index_cast %value : i64 to index
      %ok = arith.cmpi ult, %index, %bound : index
      weft.assert %ok, 11, "index {0} is out of range [0, {1})"(%index, %bound)
      %y = tensor.extract_slice %x[%index] [1] [1] : tensor<8xf32> to tensor<f32>
      return %y : tensor<f32>
    }
    ```
  }];
  let arguments = (ins I1:$condition, I32Attr:$code, StrAttr:$message,
                       Variadic<Index>:$values);
  let hasVerifier = 1;
  let hasCanonicalizeMethod = 1;
  let assemblyFormat = "$condition `,` $code `,` $message (`(` $values^ `)`)? attr-dict";
}

def Weft_PollOp : Weft_Op<"poll", [MemoryEffects<[MemWrite]>]> {
  let summary = "Ends the call if the caller asked for it";
  let description = [{
    A host operation: loops whose number of iterations depends on data have one
    in their body, so that they end soon after a cancellation, also where an
    iteration dispatches nothing.

    ```mlir
    func.func @halve(%x: tensor<f32>) -> tensor<f32> {
      %one = arith.constant 1.0 : f32
      %half = arith.constant 0.5 : f32
      %y = scf.while (%a = %x) : (tensor<f32>) -> tensor<f32> {
        weft.poll
        %e = tensor.extract %a[] : tensor<f32>
        %large = arith.cmpf ogt, %e, %one : f32
        scf.condition(%large) %a : tensor<f32>
      } do {
      ^bb0(%a: tensor<f32>):
        %e = tensor.extract %a[] : tensor<f32>
        %h = arith.mulf %e, %half : f32
        %next = tensor.from_elements %h : tensor<f32>
        scf.yield %next : tensor<f32>
      }
      return %y : tensor<f32>
    }
    ```
  }];
  let assemblyFormat = "attr-dict";
}

def Weft_OutputBufferOp : Weft_Op<"output_buffer", [MemoryEffects<[MemWrite]>]> {
  let summary = "The memory of a result of the entry";
  let description = [{
    After bufferization: asks the environment for the buffer of output `index`
    with the given dynamic extents. For the component of a packed tensor,
    `packed` is its type and the extents are that type's.

    ```mlir
    func.func @copy(%n: index, %x: memref<?xf32>) {
      %y = weft.output_buffer 0(%n) : memref<?xf32>
      memref.copy %x, %y : memref<?xf32> to memref<?xf32>
      return
    }
    ```
  }];
  let arguments = (ins I64Attr:$index, Variadic<Index>:$sizes,
                       OptionalAttr<TypeAttrOf<Weft_PackedType>>:$packed);
  let results = (outs AnyMemRef:$buffer);
  let builders = [OpBuilder<(ins "::mlir::Type":$buffer, "int64_t":$index,
      "::mlir::ValueRange":$sizes, CArg<"::mlir::TypeAttr", "{}">:$packed), [{
    build($_builder, $_state, buffer, $_builder.getI64IntegerAttr(index), sizes, packed);
  }]>];
  let assemblyFormat = "$index `(` $sizes `)` (`packed` $packed^)? attr-dict `:` type($buffer)";
}

def Weft_WeightBufferOp : Weft_Op<"weight_buffer", [Pure]> {
  let summary = "The memory of a weight";
  let description = [{
    What `weft.constant` becomes by bufferization. Read-only.

    ```mlir
    func.func @bias(%y: memref<32xf32>) {
      %b = weft.weight_buffer <"fc.bias", "", tensor<32xf32>> : memref<32xf32>
      memref.copy %b, %y : memref<32xf32> to memref<32xf32>
      return
    }
    ```
  }];
  let arguments = (ins Weft_WeightAttr:$value);
  let results = (outs AnyMemRef:$buffer);
  let assemblyFormat = "$value attr-dict `:` type($buffer)";
}

def Weft_ArenaOp : Weft_Op<"arena", [Pure]> {
  let summary = "The workspace of the call";
  let description = [{
    The planned memory of the entry function as bytes; its needed size is
    computed by the function that the entry names in `weft.workspace`.

    ```mlir
    func.func @temporary(%n: index, %offset: index) -> memref<?xf32> {
      %arena = weft.arena : memref<?xi8>
      %t = memref.view %arena[%offset][%n] : memref<?xi8> to memref<?xf32>
      return %t : memref<?xf32>
    }
    ```
  }];
  let results = (outs AnyMemRef:$buffer);
  let assemblyFormat = "attr-dict `:` type($buffer)";
}

def Weft_MaxWorkersOp : Weft_Op<"max_workers", [Pure]> {
  let summary = "How many workers the call may use, at least 1";
  let description = [{
    ```mlir
    func.func @scratch() -> memref<?x64xf32> {
      %workers = weft.max_workers
      %scratch = weft.alloc(%workers) : memref<?x64xf32>
      return %scratch : memref<?x64xf32>
    }
    ```
  }];
  let results = (outs Index:$result);
  let assemblyFormat = "attr-dict";
}

def Weft_WorkerIndexOp : Weft_Op<"worker_index", [MemoryEffects<[MemRead]>]> {
  let summary = "The number of the worker that runs this iteration";
  let description = [{
    In [0, weft.max_workers); 0 outside of parallel loops.

    ```mlir
    weft.kernel @fill(%n: index, %scratch: memref<?xf32>, %out: memref<?xf32>) outs 1 {
      scf.forall (%i) in (%n) {
        %worker = weft.worker_index
        %e = memref.load %scratch[%worker] : memref<?xf32>
        memref.store %e, %out[%i] : memref<?xf32>
      }
      weft.yield
    }
    ```
  }];
  let results = (outs Index:$result);
  let assemblyFormat = "attr-dict";
}

def Weft_AllocOp : Weft_Op<"alloc", [MemoryEffects<[MemAlloc]>]> {
  let summary = "Memory of a size that no symbol bounds";
  let description = [{
    Asks the environment (size class c); lives until it is released or the call
    ends.

    ```mlir
    func.func @ones(%n: index) {
      %one = arith.constant 1.0 : f32
      %a = weft.alloc(%n) : memref<?xf32>
      linalg.fill ins(%one : f32) outs(%a : memref<?xf32>)
      weft.release %a : memref<?xf32>
      return
    }
    ```
  }];
  let arguments = (ins Variadic<Index>:$sizes);
  let results = (outs AnyMemRef:$buffer);
  let assemblyFormat = "`(` $sizes `)` attr-dict `:` type($buffer)";
}

def Weft_ReleaseOp : Weft_Op<"release", [MemoryEffects<[MemFree]>, AttrSizedOperandSegments]> {
  let summary = "Gives memory of weft.alloc back";
  let description = [{
    A host operation, on buffers. Each of `buffers` was allocated by `weft.alloc`
    unless it is one of `kept`. It is released unless its memory is also that of
    one of `kept`, or of one of `buffers` before it.

    ```mlir
    func.func @step(%state: memref<?xf32>, %next: memref<?xf32>) -> memref<?xf32> {
      weft.release %state keeping %next : memref<?xf32> keeping memref<?xf32>
      return %next : memref<?xf32>
    }
    ```
  }];
  let arguments = (ins Variadic<AnyMemRef>:$buffers, Variadic<AnyMemRef>:$kept);
  let assemblyFormat = [{
    $buffers (`keeping` $kept^)? attr-dict `:` type($buffers) (`keeping` type($kept)^)?
  }];
}

//===----------------------------------------------------------------------===//
// Tensor operations
//===----------------------------------------------------------------------===//

// Destination-style operations on tensors; `outs` are the initial values, whose
// shape is the results'.
class Weft_TensorOp<string mnemonic, list<Trait> traits = []>
    : Weft_Op<mnemonic, !listconcat([
        Pure, DestinationStyleOpInterface, Weft_LoopTiling,
        DeclareOpInterfaceMethods<Weft_ReferenceOpInterface>,
        DeclareOpInterfaceMethods<ReifyRankedShapedTypeOpInterface, ["reifyResultShapes"]>], traits)> {
  code dpsDeclaration = !strconcat([{
    ::mlir::MutableOperandRange getDpsInitsMutable() { return getInitMutable(); }
  }], tilingDeclaration);
  let extraClassDeclaration = dpsDeclaration;
  let extraClassDefinition = tilingDefinitions;
}

def Weft_ConvOp : Weft_TensorOp<"conv"> {
  let summary = "Convolution of any rank, with groups, pads and dilation, or its transpose";
  let description = [{
    `input` is [N, C, spatial...], `filter` is [M, C/groups, kernel...] (for
    `transposed`: [C, M/groups, kernel...]), `init` and the result are
    [N, M, spatial...]; the result is `init` plus the convolution. `pads` are
    begins then ends, one each a spatial dimension, and may be negative.

    For `transposed` the result has extent
    `(in - 1) * stride + dilation * (k - 1) + 1 - begin - end`; an end below 0 is
    what ONNX calls output padding.

    The filter can be packed, if its extents are static.

    Loops of tiles: N, M and, unless `transposed`, the positions of the result; a tile reads
    all channels of its groups, the whole kernel, and its windows only, around which it writes
    zeros where there are pads. A tile of M is one output, or as many as its static size where
    each group has one output, unless there is one group or it has all.

    ```mlir
    func.func @conv(%x: tensor<1x3x8x8xf32>, %w: tensor<4x3x3x3xf32>, %init: tensor<1x4x4x4xf32>)
        -> tensor<1x4x4x4xf32> {
      %y = weft.conv strides = [2, 2] dilations = [1, 1] pads = [1, 1, 1, 1] groups = 1
             ins(%x, %w : tensor<1x3x8x8xf32>, tensor<4x3x3x3xf32>)
             outs(%init : tensor<1x4x4x4xf32>) -> tensor<1x4x4x4xf32>
      return %y : tensor<1x4x4x4xf32>
    }
    ```
  }];
  let arguments = (ins AnyRankedTensor:$input,
                       AnyTypeOf<[AnyRankedTensor, Weft_PackedType]>:$filter,
                       AnyRankedTensor:$init,
                       DenseI64ArrayAttr:$strides, DenseI64ArrayAttr:$dilations,
                       DenseI64ArrayAttr:$pads, I64Attr:$groups,
                       UnitAttr:$transposed);
  let results = (outs AnyRankedTensor:$result);
  let hasVerifier = 1;
  let extraClassDefinition = tilingQueries;
  let extraClassDeclaration = dpsDeclaration # [{
    ::mlir::ShapedType getFilterType() {
      return ::mlir::cast<::mlir::ShapedType>(getFilter().getType());
    }
    bool hasPackedFilter() { return ::mlir::isa<PackedType>(getFilter().getType()); }
    /// Whether this is a contraction of the filter with the columns of
    /// `weft.im2col`: not transposed, kernel and groups of static extents, and a
    /// packed filter nothing but codes.
    bool isContraction();
  }];
  let assemblyFormat = [{
    (`transposed` $transposed^)? `strides` `=` $strides `dilations` `=` $dilations
    `pads` `=` $pads `groups` `=` $groups
    `ins` `(` $input `,` $filter `:` type($input) `,` type($filter) `)`
    `outs` `(` $init `:` type($init) `)` attr-dict `->` type($result)
  }];
}

include "dialects/Weft/IR/WeftContractOp.td"

def Weft_Im2colOp : Weft_Op<"im2col", [
    Pure, DestinationStyleOpInterface,
    DeclareOpInterfaceMethods<ReifyRankedShapedTypeOpInterface, ["reifyResultShapes"]>,
    DeclareOpInterfaceMethods<TilingInterface, [
      "getLoopIteratorTypes", "getIterationDomain", "getTiledImplementation",
      "getResultTilePosition", "generateResultTileValue"]>]> {
  let summary = "The windows of a convolution as columns of matrices";
  let description = [{
    `input` is [N, C, spatial...], the result [N, groups, K, Q]: column `q` of
    matrix (n, g) holds the window of output position `offset + q`, counted in
    row-major order over `extents`, the spatial extents of the convolution's
    result. Row `k` is channel `k / kernel size` of the group at the kernel
    position `k % kernel size`. What lies outside of the input is 0. `init` gives
    the result's extents only.

    It exists from stage `tile`, where convolutions become contractions, to stage
    `vector`, where it becomes copies of rows, or disappears into a contraction
    that reads each of its elements once. `weft.conv` has the reference.

    ```mlir
    func.func @windows(%x: tensor<1x8x16x16xf32>, %q: index, %init: tensor<1x1x72x64xf32>)
        -> tensor<1x1x72x64xf32> {
      %extent = arith.constant 8 : index
      %columns = weft.im2col kernel = [3, 3] strides = [2, 2] dilations = [1, 1] pads = [1, 1, 1, 1]
                 offset(%q) extents(%extent, %extent)
                 ins(%x : tensor<1x8x16x16xf32>) outs(%init : tensor<1x1x72x64xf32>)
                 -> tensor<1x1x72x64xf32>
      return %columns : tensor<1x1x72x64xf32>
    }
    ```
  }];
  let arguments = (ins AnyRankedTensor:$input, Index:$offset, Variadic<Index>:$extents,
                       AnyRankedTensor:$init,
                       DenseI64ArrayAttr:$kernel, DenseI64ArrayAttr:$strides,
                       DenseI64ArrayAttr:$dilations, DenseI64ArrayAttr:$pads);
  let results = (outs AnyRankedTensor:$result);
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    ::mlir::MutableOperandRange getDpsInitsMutable() { return getInitMutable(); }
  }];
  let assemblyFormat = [{
    `kernel` `=` $kernel `strides` `=` $strides `dilations` `=` $dilations `pads` `=` $pads
    `offset` `(` $offset `)` `extents` `(` $extents `)`
    `ins` `(` $input `:` type($input) `)`
    `outs` `(` $init `:` type($init) `)` attr-dict `->` type($result)
  }];
}

def Weft_GatherOp : Weft_TensorOp<"gather"> {
  let summary = "Reads slices of a tensor at index tuples";
  let description = [{
    `indices` is [B..., K]: each of its rows addresses the first K dimensions
    after `batchDims` of `data`; negative indices count from the end, and indices
    out of range fail the call (with `weft.checked` they are clamped).
    The result is [batch..., B..., rest of data], as ONNX GatherND has it. Loops of tiles:
    the dimensions of the result.

    ```mlir
    func.func @rows(%data: tensor<100x8xf32>, %ids: tensor<5x1xi64>, %init: tensor<5x8xf32>)
        -> tensor<5x8xf32> {
      %y = weft.gather batch_dims = 0 ins(%data, %ids : tensor<100x8xf32>, tensor<5x1xi64>)
             outs(%init : tensor<5x8xf32>) -> tensor<5x8xf32>
      return %y : tensor<5x8xf32>
    }
    ```
  }];
  let arguments = (ins AnyRankedTensor:$data, AnyRankedTensor:$indices,
                       AnyRankedTensor:$init, I64Attr:$batchDims);
  let results = (outs AnyRankedTensor:$result);
  let hasVerifier = 1;
  let assemblyFormat = [{
    `batch_dims` `=` $batchDims
    `ins` `(` $data `,` $indices `:` type($data) `,` type($indices) `)`
    `outs` `(` $init `:` type($init) `)` attr-dict `->` type($result)
  }];
}

def Weft_EmbedOp : Weft_TensorOp<"embed"> {
  let summary = "Rows of a table, dense or packed";
  let description = [{
    `table` is [V, D...], `ids` has any shape [B...] of integers, the result is
    [B..., D...]: the numbers of the table's rows in their (expressed) element type,
    widened to the result's. A packed table has static extents, and only the rows
    that are read are decoded. Negative ids count from the end; ids out of range fail
    the call (with `weft.checked` they are clamped, and of an empty table all numbers
    are 0).

    Loops of tiles: the dimensions of the result. Rows of a packed table stay whole.

    ```mlir
    !table = !weft.packed<100x64xf32, #weft.format<elem = #lowp.int<4, signed>,
                                                   scales = [#lowp.scale<multiply, [1, 32], f16>]>>

    func.func @embed(%codes: tensor<3200xi8>, %scales: tensor<100x2xf16>, %ids: tensor<?xi64>,
                     %init: tensor<?x64xf32>) -> tensor<?x64xf32> {
      %table = weft.assemble %codes, %scales : tensor<3200xi8>, tensor<100x2xf16> -> !table
      %y = weft.embed ins(%table, %ids : !table, tensor<?xi64>)
             outs(%init : tensor<?x64xf32>) -> tensor<?x64xf32>
      return %y : tensor<?x64xf32>
    }
    ```
  }];
  let arguments = (ins AnyTypeOf<[AnyRankedTensor, Weft_PackedType]>:$table,
                       AnyRankedTensor:$ids, AnyRankedTensor:$init);
  let results = (outs AnyRankedTensor:$result);
  let hasVerifier = 1;
  let assemblyFormat = [{
    `ins` `(` $table `,` $ids `:` type($table) `,` type($ids) `)`
    `outs` `(` $init `:` type($init) `)` attr-dict `->` type($result)
  }];
}

def Weft_ScatterOp : Weft_TensorOp<"scatter", [SingleBlock]> {
  let summary = "Combines slices into a tensor at index tuples, in order";
  let description = [{
    `init` is the tensor written into; `indices` is [B..., K] and `updates` is
    [B..., rest of init after K dimensions]. Updates are applied in row-major
    order of B: the result is defined also where indices repeat. The region
    gets the element present and the update, and yields the new element.
    Negative indices count from the end, others out of range fail the call (with
    `weft.checked` they are clamped).

    Loops of tiles: the dimensions of the init after the first K.

    ```mlir
    func.func @add_rows(%x: tensor<100x8xf32>, %ids: tensor<5x1xi64>, %rows: tensor<5x8xf32>)
        -> tensor<100x8xf32> {
      %y = weft.scatter ins(%ids, %rows : tensor<5x1xi64>, tensor<5x8xf32>)
             outs(%x : tensor<100x8xf32>) {
      ^bb0(%old: f32, %update: f32):
        %sum = arith.addf %old, %update : f32
        weft.yield %sum : f32
      } -> tensor<100x8xf32>
      return %y : tensor<100x8xf32>
    }
    ```
  }];
  let arguments = (ins AnyRankedTensor:$indices, AnyRankedTensor:$updates,
                       AnyRankedTensor:$init);
  let results = (outs AnyRankedTensor:$result);
  let regions = (region SizedRegion<1>:$combiner);
  let hasVerifier = 1;
  let assemblyFormat = [{
    `ins` `(` $indices `,` $updates `:` type($indices) `,` type($updates) `)`
    `outs` `(` $init `:` type($init) `)` attr-dict-with-keyword $combiner `->` type($result)
  }];
}

def Weft_ScanKind : I32EnumAttr<"ScanKind", "how a scan combines elements", [
    I32EnumAttrCase<"Sum", 0, "sum">, I32EnumAttrCase<"Product", 1, "product">]> {
  let cppNamespace = "::weft";
}

def Weft_ScanOp : Weft_TensorOp<"scan"> {
  let summary = "Sums or products of the elements up to each position";
  let description = [{
    Along `dimension`, element i of the result combines the input's elements 0
    to i (`exclusive`: to i - 1, so that the first one is 0 or 1); `reverse`
    counts from the end. Accumulates in the element type, in order. Loops of tiles: the
    other dimensions.

    ```mlir
    func.func @running_sum(%x: tensor<3x8xf32>, %init: tensor<3x8xf32>) -> tensor<3x8xf32> {
      %y = weft.scan sum dimension = 1 ins(%x : tensor<3x8xf32>)
             outs(%init : tensor<3x8xf32>) -> tensor<3x8xf32>
      return %y : tensor<3x8xf32>
    }
    ```
  }];
  let arguments = (ins Weft_ScanKind:$kind, AnyRankedTensor:$input, AnyRankedTensor:$init,
                       I64Attr:$dimension, UnitAttr:$exclusive, UnitAttr:$reverse);
  let results = (outs AnyRankedTensor:$result);
  let hasVerifier = 1;
  let assemblyFormat = [{
    $kind (`exclusive` $exclusive^)? (`reverse` $reverse^)? `dimension` `=` $dimension
    `ins` `(` $input `:` type($input) `)` `outs` `(` $init `:` type($init) `)`
    attr-dict `->` type($result)
  }];
}

def Weft_SortOp : Weft_Op<"sort", [Pure, DestinationStyleOpInterface,
    DeclareOpInterfaceMethods<Weft_ReferenceOpInterface>,
    DeclareOpInterfaceMethods<ReifyRankedShapedTypeOpInterface, ["reifyResultShapes"]>]> {
  let summary = "Sorts along a dimension and keeps the first k";
  let description = [{
    Along `dimension`, gives the values and their positions (i64), in descending
    order if `descending`, ties to the lowest position, NaN as the largest. The
    inits have extent k there: k smaller than the input's is a top-k.
    `isUnsigned` says how integers compare.

    ```mlir
    func.func @top3(%x: tensor<2x8xf32>, %v: tensor<2x3xf32>, %i: tensor<2x3xi64>)
        -> (tensor<2x3xf32>, tensor<2x3xi64>) {
      %values, %indices = weft.sort descending dimension = 1 ins(%x : tensor<2x8xf32>)
             outs(%v, %i : tensor<2x3xf32>, tensor<2x3xi64>) -> tensor<2x3xf32>, tensor<2x3xi64>
      return %values, %indices : tensor<2x3xf32>, tensor<2x3xi64>
    }
    ```
  }];
  let arguments = (ins AnyRankedTensor:$input, AnyRankedTensor:$valuesInit,
                       AnyRankedTensor:$indicesInit, I64Attr:$dimension,
                       UnitAttr:$descending, UnitAttr:$isUnsigned);
  let results = (outs AnyRankedTensor:$values, AnyRankedTensor:$indices);
  let hasVerifier = 1;
  let assemblyFormat = [{
    (`descending` $descending^)? (`unsigned` $isUnsigned^)? `dimension` `=` $dimension
    `ins` `(` $input `:` type($input) `)`
    `outs` `(` $valuesInit `,` $indicesInit `:` type($valuesInit) `,` type($indicesInit) `)`
    attr-dict `->` type($values) `,` type($indices)
  }];
  let extraClassDeclaration = [{
    ::mlir::MutableOperandRange getDpsInitsMutable();
  }];
}

def Weft_NonZeroOp : Weft_Op<"nonzero", [Pure, DestinationStyleOpInterface,
    DeclareOpInterfaceMethods<Weft_ReferenceOpInterface>,
    DeclareOpInterfaceMethods<ReifyRankedShapedTypeOpInterface, ["reifyResultShapes"]>]> {
  let summary = "The index tuples of elements that are not zero";
  let description = [{
    `indices` is [rank, N] (i64) where N is the number of elements of the input:
    column j holds the j-th tuple in row-major order. `count` is a tensor<i64>
    with the number of tuples; columns from there on are unspecified.

    ```mlir
    func.func @nonzero(%x: tensor<3x4xf32>, %i: tensor<2x12xi64>, %n: tensor<i64>) -> tensor<i64> {
      %indices, %count = weft.nonzero ins(%x : tensor<3x4xf32>)
             outs(%i, %n : tensor<2x12xi64>, tensor<i64>) -> tensor<2x12xi64>, tensor<i64>
      return %count : tensor<i64>
    }
    ```
  }];
  let arguments = (ins AnyRankedTensor:$input, AnyRankedTensor:$indicesInit,
                       AnyRankedTensor:$countInit);
  let results = (outs AnyRankedTensor:$indices, AnyRankedTensor:$count);
  let hasVerifier = 1;
  let assemblyFormat = [{
    `ins` `(` $input `:` type($input) `)`
    `outs` `(` $indicesInit `,` $countInit `:` type($indicesInit) `,` type($countInit) `)`
    attr-dict `->` type($indices) `,` type($count)
  }];
  let extraClassDeclaration = [{
    ::mlir::MutableOperandRange getDpsInitsMutable();
  }];
}

#endif // WEFT_OPS_TD
