// SPDX-License-Identifier: Apache-2.0
// The parser of long and short options.
export * from './node/command-line.ts'
