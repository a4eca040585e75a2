// SPDX-License-Identifier: Apache-2.0
// Creates random bytes for names that must not be guessed.
export * from './node/random.ts'
