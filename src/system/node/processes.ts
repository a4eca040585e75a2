// SPDX-License-Identifier: Apache-2.0
// Node's host of ../processes.ts.
export { spawn, spawnSync } from 'node:child_process'
export { setPriority } from 'node:os'
