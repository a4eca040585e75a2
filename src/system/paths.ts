// SPDX-License-Identifier: Apache-2.0
// Paths and file URLs as text.
export * from './node/paths.ts'
