// SPDX-License-Identifier: Apache-2.0
// Node's host of ../constants.ts.
export { constants as systemConstants } from 'node:os'
export { getSystemErrorName } from 'node:util'
