// SPDX-License-Identifier: Apache-2.0
// Implements ../random.ts on Node.
export { randomBytes } from 'node:crypto'
