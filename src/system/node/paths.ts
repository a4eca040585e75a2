// SPDX-License-Identifier: Apache-2.0
// Node's host of ../paths.ts.
export { basename, dirname, resolve } from 'node:path'
export { fileURLToPath } from 'node:url'
