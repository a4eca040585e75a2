// SPDX-License-Identifier: Apache-2.0
// Handles paths and file URLs as text.
export * from './node/paths.ts'
