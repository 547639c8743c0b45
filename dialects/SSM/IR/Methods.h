//===- Methods.h - Published methods as configurations ----------*- C++ -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Builders of named sequence models from ssm operations. B: batch, T: tokens, H: heads,
// D: channels, N and K: rows of a state, V: its columns, G: sequences. Elements are
// floating-point; projections, convolutions and norms before and after are the caller's.
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_DIALECTS_SSM_IR_METHODS_H
#define WEFT_DIALECTS_SSM_IR_METHODS_H

#include "dialects/SSM/IR/SSM.h"

namespace weft::ssm {

/// A complex tensor; both parts have its shape.
struct Complex {
  mlir::Value re, im;
};

/// What all methods take besides their tensors; null where it is not wanted.
struct Sequences {
  mlir::Value initial;               ///< as ssm.scan has it
  mlir::Value offsets;               ///< [G + 1] i32, for a batch of 1
  mlir::Value sources, destinations; ///< [G] i32
  mlir::Value finalInit;             ///< needed with `destinations`
  Direction direction = Direction::Forward;
};

/// Output of the tokens and states after the last one.
struct Result {
  mlir::Value output, state;
};

/// Mamba (arXiv 2312.00752, algorithm 2): u, delta [B, T, D], rate A [D, N] below 0, b and
/// c [B, T, N], skip and bias [D], gate z [B, T, D]; the last three may be null. Steps are
/// softplus(delta + bias). Output [B, T, D], state [B, D, N, 1].
Result buildMamba(mlir::OpBuilder &b, mlir::Location loc, mlir::Value u, mlir::Value delta,
                  mlir::Value rate, mlir::Value inject, mlir::Value read, mlir::Value skip,
                  mlir::Value bias, mlir::Value gate, const Sequences &sequences = {});

/// Mamba-2 (arXiv 2405.21060): x [B, T, H, V], delta [B, T, H] before softplus, rate A and
/// bias [H], inject B and read C [B, T, groups, N], skip [H] or null. Output [B, T, H, V], state
/// [B, H, N, V].
Result buildMamba2(mlir::OpBuilder &b, mlir::Location loc, mlir::Value x, mlir::Value delta,
                   mlir::Value rate, mlir::Value bias, mlir::Value inject, mlir::Value read,
                   mlir::Value skip, const Sequences &sequences = {});

/// Mamba-3 (arXiv 2603.15569), one input and output a head: x [B, T, H, V], delta and gate
/// [B, T, H], rate [B, T, H] below 0, inject and read [B, T, H, N], angle [B, T, H, N/2]. With
/// s = sigmoid(gate): S_t = a R S_{t-1} + a (1 - s) delta R B_{t-1} x_{t-1} + s delta B_t x_t, with
/// a = exp(delta rate), and R the rotation by the angles of pairs of rows. Before the first
/// token there is none. Output [B, T, H, V], state [B, H, N, V].
Result buildMamba3(mlir::OpBuilder &b, mlir::Location loc, mlir::Value x, mlir::Value delta,
                   mlir::Value gate, mlir::Value rate, mlir::Value inject, mlir::Value read,
                   mlir::Value angle, const Sequences &sequences = {});

/// S4D (arXiv 2206.11893): u [B, T, D], delta [D] (the step itself), complex rate, inject and
/// read [D, N], skip [D] or null. Output [B, T, D]: 2 Re(C h) + skip u. State [B, D, 2N, 1],
/// real and imaginary parts alternating.
Result buildS4D(mlir::OpBuilder &b, mlir::Location loc, mlir::Value u, mlir::Value delta,
                Complex rate, Complex inject, Complex read, mlir::Value skip, Rule rule,
                const Sequences &sequences = {});

/// S5 (arXiv 2208.04933): u [B, T, U], delta [P], complex rate [P], inject [P, U] and read
/// [U, P], skip [U] or null. Output [B, T, U], state [B, 1, 2P].
Result buildS5(mlir::OpBuilder &b, mlir::Location loc, mlir::Value u, mlir::Value delta,
               Complex rate, Complex inject, Complex read, mlir::Value skip, Rule rule,
               const Sequences &sequences = {});

/// The memory of LMU (arXiv 1906.02125, section 2): u [B, T, U], each channel with the `order`
/// Legendre coefficients of a window of `theta` tokens, by zero-order hold or Euler. Output
/// [B, T, order, U], state [B, 1, order, U].
Result buildLMU(mlir::OpBuilder &b, mlir::Location loc, mlir::Value u, int64_t order, double theta,
                Rule rule, const Sequences &sequences = {});

/// RG-LRU (Griffin, arXiv 2402.19427, section 2.4): x and the gates of recurrence and input
/// before their sigmoids [B, T, D], lambda [D]. Output [B, T, D], state [B, 1, D].
Result buildRGLRU(mlir::OpBuilder &b, mlir::Location loc, mlir::Value x, mlir::Value recurrenceGate,
                  mlir::Value inputGate, mlir::Value lambda, const Sequences &sequences = {});

/// RetNet (arXiv 2307.08621, equation 6): query and key [B, T, H, K], value [B, T, H, V], the
/// logarithm of each head's decay [H]. Output [B, T, H, V], state [B, H, K, V].
Result buildRetNet(mlir::OpBuilder &b, mlir::Location loc, mlir::Value query, mlir::Value key,
                   mlir::Value value, mlir::Value decay, const Sequences &sequences = {});

/// Gated linear attention (arXiv 2312.06635): as RetNet, with logarithms of decays
/// [B, T, H, K].
Result buildGLA(mlir::OpBuilder &b, mlir::Location loc, mlir::Value query, mlir::Value key,
                mlir::Value value, mlir::Value decay, const Sequences &sequences = {});

/// RWKV-4 (arXiv 2305.13048, equation 16): key and value [B, T, D], decay w above 0 and bonus u
/// [D]. Relative to the largest exponent so far. Output [B, T, D].
mlir::Value buildRWKV4(mlir::OpBuilder &b, mlir::Location loc, mlir::Value key, mlir::Value value,
                       mlir::Value decay, mlir::Value bonus);

/// RWKV-5 and 6 (arXiv 2404.05892): receptance and key [B, T, H, K], value [B, T, H, V],
/// logarithms of decays [H, K] (5) or [B, T, H, K] (6), bonus [H, K].
Result buildRWKV6(mlir::OpBuilder &b, mlir::Location loc, mlir::Value receptance, mlir::Value key,
                  mlir::Value value, mlir::Value decay, mlir::Value bonus,
                  const Sequences &sequences = {});

/// RWKV-7 (arXiv 2503.14456, equation 17): logarithms of decays, removal keys kappa (of
/// length 1) and rates a [B, T, H, K]: the transition is diag(w) - (kappa a) kappa'. Output
/// [B, T, H, V], state [B, H, K, V].
Result buildRWKV7(mlir::OpBuilder &b, mlir::Location loc, mlir::Value receptance, mlir::Value key,
                  mlir::Value value, mlir::Value decay, mlir::Value removal, mlir::Value rate,
                  const Sequences &sequences = {});

/// DeltaNet (arXiv 2406.06484), Gated DeltaNet (arXiv 2412.06464) and KDA (arXiv 2510.26692):
/// query and key [B, T, H, K], value [B, T, H, V], strength beta [B, T, H], logarithms of decays:
/// null, [B, T, H] or [B, T, H, K]. Output [B, T, H, V], state [B, H, K, V].
Result buildDeltaRule(mlir::OpBuilder &b, mlir::Location loc, mlir::Value query, mlir::Value key,
                      mlir::Value value, mlir::Value strength, mlir::Value decay,
                      const Sequences &sequences = {});

} // namespace weft::ssm

#endif // WEFT_DIALECTS_SSM_IR_METHODS_H
