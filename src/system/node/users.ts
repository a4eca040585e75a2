// SPDX-License-Identifier: Apache-2.0
// Node's host of ../users.ts.
export { homedir } from 'node:os'
