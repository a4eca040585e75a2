// SPDX-License-Identifier: Apache-2.0
// Defines the globals that hutch's modules expect. The first module that the binary loads; each global is loaded when it is first used.
import { Bytes } from './buffer.ts'
import { host } from './host.ts'
import { process } from './process.ts'
import { clearTimer, setImmediate, setInterval, setTimeout } from './timers.ts'
import { Controller, FileUrl, Signal, Utf8Decoder } from './web.ts'

const globals: { [name: string]: () => unknown } = {
  process: () => process,
  Buffer: () => Bytes,
  URL: () => FileUrl,
  TextDecoder: () => Utf8Decoder,
  AbortController: () => Controller,
  AbortSignal: () => Signal,
  setTimeout: () => setTimeout,
  setInterval: () => setInterval,
  setImmediate: () => setImmediate,
  clearTimeout: () => clearTimer,
  clearInterval: () => clearTimer,
  clearImmediate: () => clearTimer,
  queueMicrotask: () => (call: () => void) => void Promise.resolve().then(call),
  performance: () => {
    const timeOrigin = Date.now() - host.now()
    return { timeOrigin, now: () => host.now() }
  },
}

for (const [name, load] of Object.entries(globals))
  Object.defineProperty(globalThis, name, {
    configurable: true,
    get: () => {
      const value = load()
      Object.defineProperty(globalThis, name, { value, writable: true, configurable: true })
      return value
    },
  })
Object.defineProperty(globalThis, 'global', { value: globalThis })
