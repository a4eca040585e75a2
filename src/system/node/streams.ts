// SPDX-License-Identifier: Apache-2.0
// Node's host of ../streams.ts.
export { EventEmitter, on } from 'node:events'
export { Readable, Writable } from 'node:stream'
export { StringDecoder } from 'node:string_decoder'
export { promisify } from 'node:util'
