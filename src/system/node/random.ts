// SPDX-License-Identifier: Apache-2.0
// Node's host of ../random.ts.
export { randomBytes } from 'node:crypto'
