// SPDX-License-Identifier: Apache-2.0
// Implements ../paths.ts on Node.
export { basename, dirname, resolve } from 'node:path'
export { fileURLToPath } from 'node:url'
