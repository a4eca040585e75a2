// SPDX-License-Identifier: Apache-2.0
// Which runtime executes this code.
export * from './node/runtime.ts'
