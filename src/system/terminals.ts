// SPDX-License-Identifier: Apache-2.0
// What a terminal can do.
export * from './node/terminals.ts'
