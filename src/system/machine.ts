// SPDX-License-Identifier: Apache-2.0
// Reads the machine's kernel release, memory, processors and uptime.
export * from './node/machine.ts'
