//===- WeftBase.td - The weft dialect and its attributes ---*- tablegen -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_BASE_TD
#define WEFT_BASE_TD

include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/BuiltinAttributeInterfaces.td"
include "mlir/IR/EnumAttr.td"
include "mlir/IR/OpBase.td"

def Weft_Dialect : Dialect {
  let name = "weft";
  let cppNamespace = "::weft";
  let summary = "The core: constants, kernels, contractions and tensor operations";
  let description = [{
    Holds what every Weft module needs: weights that live outside the IR, the
    split of a model into a host function and kernels, and the tensor operations
    that `linalg` lacks.
  }];
  let dependentDialects = [
    "::mlir::affine::AffineDialect", "::mlir::arith::ArithDialect",
    "::mlir::linalg::LinalgDialect", "::mlir::math::MathDialect",
    "::mlir::scf::SCFDialect", "::mlir::tensor::TensorDialect"
  ];
  let useDefaultAttributePrinterParser = 1;
  let useDefaultTypePrinterParser = 1;
  let hasConstantMaterializer = 1;
  let hasOperationAttrVerify = 1;
  let hasRegionArgAttrVerify = 1;
  let hasRegionResultAttrVerify = 1;
  let extraClassDeclaration = [{
    /// The bytes behind `weft.constant`; shared by all modules of the context.
    WeightStore &getWeightStore() { return *weightStore; }

    /// Leading index arguments of an entry function carry the name of their
    /// symbolic dimension under this key.
    static constexpr ::llvm::StringLiteral symbolAttrName = "weft.symbol";
    /// [min, max] of a symbol.
    static constexpr ::llvm::StringLiteral symbolRangeAttrName = "weft.range";
    /// On arguments and results of an entry: the tensor's name in the model.
    static constexpr ::llvm::StringLiteral nameAttrName = "weft.name";
    /// On arguments and results of an entry: the element type in the model, as
    /// the runtime shows it ("u8", "bool"), where the signless type loses it.
    static constexpr ::llvm::StringLiteral dtypeAttrName = "weft.dtype";
    /// On arguments and results of an entry that are the component of a packed
    /// tensor: its type, whose shape is the one that callers see.
    static constexpr ::llvm::StringLiteral packedAttrName = "weft.packed";
    /// On the module: `#weft.target`.
    static constexpr ::llvm::StringLiteral targetAttrName = "weft.target";
    /// On the module: the chips of the target's devices that code is made for, the
    /// names that `--chip=` takes; all of them without it.
    static constexpr ::llvm::StringLiteral chipsAttrName = "weft.chips";
    /// Kernel: names of the operations in it that were lowered by reference.
    static constexpr ::llvm::StringLiteral referenceOpsAttrName = "weft.reference_ops";
    /// Kernel: why it is a fallback.
    static constexpr ::llvm::StringLiteral fallbackAttrName = "weft.fallback";
    /// On the module: the last stage that it has been through.
    static constexpr ::llvm::StringLiteral stageAttrName = "weft.stage";
    /// On the module: name and SHA-256 of the file that it was imported from.
    static constexpr ::llvm::StringLiteral sourceAttrName = "weft.source";
    /// On the module: the files that its weights lie in, when it is printed.
    static constexpr ::llvm::StringLiteral weightFilesAttrName = "weft.weight_files";
    /// On the module: what the source says of itself, as a dictionary.
    static constexpr ::llvm::StringLiteral metadataAttrName = "weft.metadata";
    /// On arguments and results of an entry: the extents as callers see them: a
    /// number, the name of a symbol, or -1 for what only a call knows.
    static constexpr ::llvm::StringLiteral dimsAttrName = "weft.dims";
    /// On an entry whose results are buffers: their attributes and types.
    static constexpr ::llvm::StringLiteral resultsAttrName = "weft.results";
    /// On the function that computes the size of a workspace: whose it is.
    static constexpr ::llvm::StringLiteral workspaceOfAttrName = "weft.workspace_of";
    /// On an entry: bytes of its workspace, the least that any plan needs, and
    /// the extent that free dimensions count as in both.
    static constexpr ::llvm::StringLiteral arenaBytesAttrName = "weft.arena_bytes";
    static constexpr ::llvm::StringLiteral arenaLowerBoundAttrName = "weft.arena_lower_bound";
    static constexpr ::llvm::StringLiteral deviceArenaBytesAttrName = "weft.device_arena_bytes";
    static constexpr ::llvm::StringLiteral arenaAssumedExtentAttrName =
        "weft.arena_assumed_extent";

    // On the module, from the stage 'target' to 'module'.
    /// The names of the kernels, in the order of their table.
    static constexpr ::llvm::StringLiteral kernelsAttrName = "weft.kernels";
    /// The same of each processor in `weft.variants`.
    static constexpr ::llvm::StringLiteral variantKernelsAttrName = "weft.variant_kernels";
    /// Kernels that are fallbacks: the index of the site that says why.
    static constexpr ::llvm::StringLiteral fallbacksAttrName = "weft.fallbacks";
    /// Between the lowering of kernels and that of the host, which knows the
    /// nodes: kernels that are fallbacks, and why.
    static constexpr ::llvm::StringLiteral fallbackReasonsAttrName = "weft.fallback_reasons";
    /// The entry's name, symbols, inputs and outputs.
    static constexpr ::llvm::StringLiteral signatureAttrName = "weft.signature";
    /// Places that messages name: the node, its operator and a text.
    static constexpr ::llvm::StringLiteral sitesAttrName = "weft.sites";
    /// The weights, in the order of their table.
    static constexpr ::llvm::StringLiteral weightsAttrName = "weft.weights";

    /// The device kernels, in the order of their table: name, the `gpu.module` or
    /// `gpu.binary` that they are in, bytes of each argument (0: an address) and,
    /// for the emulation, bytes of shared memory and whether threads cooperate.
    static constexpr ::llvm::StringLiteral deviceKernelsAttrName = "weft.device_kernels";
    /// The transfers between host and device, in the order of their table.
    static constexpr ::llvm::StringLiteral transfersAttrName = "weft.transfers";
    /// Indices of the weights that device kernels read.
    static constexpr ::llvm::StringLiteral deviceWeightsAttrName = "weft.device_weights";

    /// Lanes of a subgroup in the emulation.
    static constexpr ::llvm::StringLiteral subgroupSizeAttrName = "weft.subgroup_size";

    /// On a division of which the frontend knows that nothing is left over.
    static constexpr ::llvm::StringLiteral quotientAttrName = "weft.quotient";

  private:
    /// Defined where their storage is.
    void registerAttributesAndTypes();

    std::shared_ptr<WeightStore> weightStore;
  }];
}

class Weft_Attr<string name, string attrMnemonic, list<Trait> traits = []>
    : AttrDef<Weft_Dialect, name, traits> {
  let mnemonic = attrMnemonic;
}

def Weft_WeightAttr : Weft_Attr<"Weight", "weight", [TypedAttrInterface]> {
  let summary = "A tensor whose bytes live in the weight store";
  let description = [{
    `key` is unique in the model; `hash` is the SHA-256 of the bytes in hex, or
    empty where it is not needed yet. Elements are row-major and little-endian.

    ```mlir
    #weft.weight<"encoder.weight", "", tensor<384x384xf32>>
    ```
  }];
  let parameters = (ins StringRefParameter<>:$key, StringRefParameter<>:$hash,
                        "::mlir::Type":$type);
  let assemblyFormat = "`<` $key `,` $hash `,` $type `>`";
}

def Weft_TargetAttr : Weft_Attr<"Target", "target"> {
  let summary = "What the module is compiled for";
  let description = [{
    `name` is a registered target, `cpu` and `features` are LLVM's, resolved:
    never "native". `vectorBits` is the widest vector register in bits: 128,
    256 or 512.
    `optLevel` is 0 to 3.

    ```mlir
    #weft.target<"cpu", cpu = "x86-64-v4", features = "+avx512f", vector_bits = 512, opt_level = 3>
    ```
  }];
  let genVerifyDecl = 1;
  let parameters = (ins StringRefParameter<>:$name, StringRefParameter<>:$cpu,
                        StringRefParameter<>:$features, "int64_t":$vectorBits,
                        "int64_t":$optLevel);
  let assemblyFormat = [{
    `<` $name `,` `cpu` `=` $cpu `,` `features` `=` $features `,`
    `vector_bits` `=` $vectorBits `,` `opt_level` `=` $optLevel `>`
  }];
}

def Weft_ComputeAttr : Weft_Attr<"Compute", "compute"> {
  let summary = "The types that a contraction computes in";
  let description = [{
    Factors are rounded to `multiply`, if they are wider; products are exact in
    `accumulate`, in which they are added, and the sum is rounded to the result's
    type at the end. Both are floats or both integers.

    ```mlir
    #weft.compute<multiply = bf16, accumulate = f32>
    ```
  }];
  let parameters = (ins "::mlir::Type":$multiply, "::mlir::Type":$accumulate);
  let assemblyFormat = "`<` struct(params) `>`";
  let genVerifyDecl = 1;
}

def Weft_DeviceMemoryAttr : Weft_Attr<"DeviceMemory", "device"> {
  let summary = "Memory of the device, which the host cannot read or write";
  let description = [{
    The memory space of buffers in host functions: only dispatches of kernels that
    run on the device, and `weft.transfer`, access what lies there. Inside of such
    kernels all memory is the device's, and types do not say so.

    ```mlir
    memref<?x64xf32, #weft.device>
    ```
  }];
}

def Weft_ScheduleAttr : Weft_Attr<"Schedule", "schedule"> {
  let summary = "How a kernel is tiled";
  let description = [{
    Chosen by the target (`selectSchedule`), executed by generic passes.
    `parallel` tiles the parallel dimensions of the kernel's root into
    independent work items, one entry a loop of the root; it is [0] where the kernel
    has loops of its own. `reduction` takes the reduced loops of the kernel's
    contraction in pieces, one entry a loop of it, so that the part of a factor
    that is decoded or packed at a time stays in the cache. Entries are at most
    2^24; 0 leaves a loop whole. `vector` is the register tile of a contraction: rows, columns, and the lanes of a
    vector, of which columns are a multiple; at most 256 vectors. `few` has
    pairs of rows and columns, ascending in rows: register tiles for matrices of
    so few rows that packing the columns does not pay, told apart at run time, and
    for rows that are left over.
    `cost` estimates one work item in nanoseconds on one core, with which the
    runtime decides whether and into how many pieces to divide a loop; 0 is
    unknown.

    ```mlir
    #weft.schedule<parallel = [8, 0] cost = 1200>
    #weft.schedule<parallel = [240, 64, 0] vector = [12, 32, 16]>
    #weft.schedule<parallel = [240, 64, 0] vector = [12, 32, 16] few = [1, 128, 4, 96, 8, 48]>
    #weft.schedule<parallel = [0, 128, 0] reduction = [0, 0, 128] vector = [1, 128, 16]>
    #weft.schedule<parallel = [0] vector = [12, 32, 16] few = [1, 64, 4, 64, 8, 32]>
    ```
  }];
  let genVerifyDecl = 1;
  let parameters = (ins ArrayRefParameter<"int64_t">:$parallel,
                        OptionalArrayRefParameter<"int64_t">:$reduction,
                        OptionalArrayRefParameter<"int64_t">:$vector,
                        OptionalArrayRefParameter<"int64_t">:$few,
                        DefaultValuedParameter<"int64_t", "0">:$cost);
  let builders = [
    AttrBuilder<(ins "::llvm::ArrayRef<int64_t>":$parallel,
                     "::llvm::ArrayRef<int64_t>":$reduction,
                     "::llvm::ArrayRef<int64_t>":$vector), [{
      return $_get($_ctxt, parallel, reduction, vector, /*few=*/::llvm::ArrayRef<int64_t>(),
                   /*cost=*/int64_t(0));
    }]>
  ];
  let assemblyFormat = [{
    `<` `parallel` `=` `[` $parallel `]`
    (`reduction` `=` `[` $reduction^ `]`)?
    (`vector` `=` `[` $vector^ `]`)?
    (`few` `=` `[` $few^ `]`)?
    (`cost` `=` $cost^)? `>`
  }];
  let extraClassDeclaration = [{
    /// The same schedule with another estimate.
    ScheduleAttr withCost(int64_t cost) const {
      return get(getContext(), getParallel(), getReduction(), getVector(), getFew(), cost);
    }
  }];
}

#endif // WEFT_BASE_TD
