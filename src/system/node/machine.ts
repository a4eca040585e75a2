// SPDX-License-Identifier: Apache-2.0
// Implements ../machine.ts on Node.
export { availableParallelism, endianness, freemem, release, totalmem, uptime } from 'node:os'
