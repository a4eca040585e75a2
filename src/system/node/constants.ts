// SPDX-License-Identifier: Apache-2.0
// Implements ../constants.ts on Node.
export { constants as systemConstants } from 'node:os'
export { getSystemErrorName } from 'node:util'
