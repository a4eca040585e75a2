// SPDX-License-Identifier: Apache-2.0
// Implements ../streams.ts on Node.
export { constants as bufferLimits } from 'node:buffer'
export { EventEmitter, on } from 'node:events'
export { Duplex, finished, PassThrough, pipeline, Readable, Writable } from 'node:stream'
export { promisify } from 'node:util'
