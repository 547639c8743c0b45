//===- SparseBase.td - The sparse dialect and its structures -*- tablegen -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef SPARSE_BASE_TD
#define SPARSE_BASE_TD

include "dialects/Weft/IR/WeftFormatInterfaces.td"
include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/OpBase.td"

def Sparse_Dialect : Dialect {
  let name = "sparse";
  let cppNamespace = "::weft::sparse";
  let summary = "Numbers that are not stored because they are 0";
  let description = [{
    The attributes say which numbers of a tensor are stored, and where; each is a
    field of `#weft.format`, which combines it with any element, scales and packing.
    They act on the last one or two dimensions; leading ones are a batch (experts).

    What is not stored is 0. Components that only a call knows are looked at
    before kernels run (`weft-check-operands`); kernels limit the positions that they give to
    the stored numbers besides, so that no data makes them read anything else.
  }];
  let dependentDialects = ["::mlir::sparse_tensor::SparseTensorDialect", "::weft::WeftDialect"];
  let useDefaultAttributePrinterParser = 1;
}

class Sparse_Structure<string name, string attrMnemonic, list<string> methods = []>
    : AttrDef<Sparse_Dialect, name,
              [DeclareAttrInterfaceMethods<Weft_StructureInterface,
                                           !listconcat(["verifyConstants"], methods)>]> {
  let mnemonic = attrMnemonic;
  let genVerifyDecl = 1;
}

def Sparse_NMAttr : Sparse_Structure<"NM", "nm", ["getGroupExtents"]> {
  let summary = "At most n of every m numbers";
  let description = [{
    Along `axis` (negative: counted from the end; the last one if it is not given),
    groups of m numbers store n each. The last group can be cut off. The stored
    extent along the axis is n for each group. `indices` says which: n ascending
    numbers below m a group, of ceil(log2 m) bits each, in the stored shape, packed
    canonically. 2:4 (Ampere), 1:4, 4:8, and 6:8 as (2N-2):2N (SlideSparse).

    ```mlir
    #sparse.nm<2, 4>
    #sparse.nm<6, 8, axis = 0>
    ```
  }];
  let parameters = (ins "int64_t":$n, "int64_t":$m,
                        DefaultValuedParameter<"int64_t", "-1">:$axis);
  let assemblyFormat = "`<` $n `,` $m (`,` `axis` `=` $axis^)? `>`";
}

def Sparse_VNMAttr : Sparse_Structure<"VNM", "vnm", ["getGroupExtents"]> {
  let summary = "n of 4 numbers in 4 of every m columns of v rows";
  let description = [{
    In each block of v x m of the last two dimensions, 4 columns are chosen; in each
    of its rows, n of their 4 numbers are stored (VENOM, arXiv 2310.02065). Blocks at
    the ends can be cut off. `columns` has 4 ascending numbers below m a block, of
    ceil(log2 m) bits, in the shape ceil(rows/v) x 4 ceil(columns/m); `indices` has
    n ascending numbers of 2 bits a row and block, in the stored shape rows x n
    ceil(columns/m); both are packed canonically.

    ```mlir
    #sparse.vnm<64, 2, 8>
    ```
  }];
  let parameters = (ins "int64_t":$v, "int64_t":$n, "int64_t":$m);
  let assemblyFormat = "`<` $v `,` $n `,` $m `>`";
}

def Sparse_BitmapAttr : Sparse_Structure<"Bitmap", "bitmap"> {
  let summary = "A bit for each number says whether it is stored";
  let description = [{
    `words` (i64) has a bit for each number of the last dimension, the first in the
    lowest one, in ceil(columns/64) words a row. `offsets` (i32, the same shape) is
    how many numbers are stored before a word, so that any one is found by counting
    the bits below it. Numbers are stored row by row.

    ```mlir
    #sparse.bitmap
    ```
  }];
}




def Sparse_CSRAttr : Sparse_Structure<"CSR", "csr"> {
  let summary = "The columns of the numbers of each row";
  let description = [{
    `offsets` (i32): where each row of the last dimension begins among the stored
    numbers, and the end; rows of all leading dimensions follow each other. `columns`:
    the column of each stored number, ascending in a row, as unsigned integers of 8,
    16 or 32 bits. With `delta`, a column is the difference from that before it in
    the row (the first one is itself); differences that do not fit need stored zeros
    between (EC-CSR, arXiv 2507.12205).

    ```mlir
    #sparse.csr<i16>
    #sparse.csr<i8, delta>
    ```
  }];
  let parameters = (ins "::mlir::IntegerType":$index, "bool":$delta);
  let assemblyFormat = "`<` $index `` custom<Delta>($delta) `>`";
}

def Sparse_CSCAttr : Sparse_Structure<"CSC", "csc"> {
  let summary = "The rows of the numbers of each column";
  let description = [{
    As `csr`, with the last two dimensions exchanged: `offsets` where each column
    begins, `rows` the row of each stored number.

    ```mlir
    #sparse.csc<i32>
    ```
  }];
  let parameters = (ins "::mlir::IntegerType":$index, "bool":$delta);
  let assemblyFormat = "`<` $index `` custom<Delta>($delta) `>`";
}

def Sparse_COOAttr : Sparse_Structure<"COO", "coo"> {
  let summary = "Row and column of each number";
  let description = [{
    `rows` and `columns` of the stored numbers in row-major order, as unsigned
    integers of 8, 16 or 32 bits. Rows of all leading dimensions are counted through.

    ```mlir
    #sparse.coo<i32>
    ```
  }];
  let parameters = (ins "::mlir::IntegerType":$index);
  let assemblyFormat = "`<` $index `>`";
}

def Sparse_ELLAttr : Sparse_Structure<"ELL", "ell", ["getGroupExtents"]> {
  let summary = "As many numbers in each row";
  let description = [{
    Each row of the last dimension stores `width` numbers. `columns`, in the stored
    shape: ascending columns as unsigned integers; the largest integer where a row
    has fewer.

    ```mlir
    #sparse.ell<32, i16>
    ```
  }];
  let parameters = (ins "int64_t":$width, "::mlir::IntegerType":$index);
  let assemblyFormat = "`<` $width `,` $index `>`";
}

def Sparse_ChannelsAttr : Sparse_Structure<"Channels", "channels"> {
  let summary = "Some positions of a dimension, wholly";
  let description = [{
    `channels` has the ascending positions along `axis` (negative: counted from the
    end) whose numbers are stored, as unsigned integers. With `count` there are as many
    (unused ones, at the end, are the largest integer), and the stored shape is the
    logical one with that extent. Without, data decides how many there are, and their
    dimension is the first one of the stored shape.

    ```mlir
    #sparse.channels<axis = 1, i32, count = 512>
    #sparse.channels<axis = -1, i16>
    ```
  }];
  let parameters = (ins "int64_t":$axis, "::mlir::IntegerType":$index,
                        DefaultValuedParameter<"int64_t", "0">:$count);
  let assemblyFormat = "`<` `axis` `=` $axis `,` $index (`,` `count` `=` $count^)? `>`";
}

def Sparse_BlockAttr : Sparse_Structure<"Block", "block", ["getGroupExtents"]> {
  let summary = "A structure of blocks";
  let description = [{
    Blocks of `rows` x `columns` of the last two dimensions are stored as `of` says,
    which acts on the grid of blocks and whose components are the structure's. The
    stored shape is that of the grid, then rows x columns. Blocks at the ends can be
    cut off.

    ```mlir
    #sparse.block<4, 1, #sparse.csr<i16>>
    #sparse.block<16, 16, #sparse.ell<8, i16>>
    #sparse.block<1, 32, #sparse.bitmap>
    ```
  }];
  let parameters = (ins "int64_t":$rows, "int64_t":$columns, "::weft::StructureInterface":$of);
  let assemblyFormat = "`<` $rows `,` $columns `,` $of `>`";
}

#endif // SPARSE_BASE_TD
