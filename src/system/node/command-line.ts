// SPDX-License-Identifier: Apache-2.0
// Node's host of ../command-line.ts.
export { parseArgs } from 'node:util'
