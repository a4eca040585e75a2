// SPDX-License-Identifier: Apache-2.0
// Tells which runtime executes this code: Node, Bun or Deno.
export * from './node/runtime.ts'
