// SPDX-License-Identifier: Apache-2.0
// Tells what a terminal can do.
export * from './node/terminals.ts'
