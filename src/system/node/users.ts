// SPDX-License-Identifier: Apache-2.0
// Implements ../users.ts on Node.
export { homedir } from 'node:os'
