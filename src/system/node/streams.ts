// SPDX-License-Identifier: Apache-2.0
// Implements ../streams.ts on Node.
export { EventEmitter, on } from 'node:events'
export { Readable, Writable } from 'node:stream'
export { StringDecoder } from 'node:string_decoder'
export { promisify } from 'node:util'
