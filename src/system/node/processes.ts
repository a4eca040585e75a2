// SPDX-License-Identifier: Apache-2.0
// Implements ../processes.ts on Node.
export { spawn, spawnSync } from 'node:child_process'
export { setPriority } from 'node:os'
