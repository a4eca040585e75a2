// SPDX-License-Identifier: Apache-2.0
// Parses long and short options of a command line.
export * from './node/command-line.ts'
