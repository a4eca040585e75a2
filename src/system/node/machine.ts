// SPDX-License-Identifier: Apache-2.0
// Node's host of ../machine.ts.
export { availableParallelism, endianness, freemem, release, totalmem, uptime } from 'node:os'
