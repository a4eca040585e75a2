// SPDX-License-Identifier: Apache-2.0
// Implements ../command-line.ts on Node.
export { parseArgs } from 'node:util'
