// SPDX-License-Identifier: Apache-2.0
// Those classes of the web platform that hutch uses: URL for files, TextDecoder for UTF-8, AbortController.
import { EventEmitter } from './emitter.ts'
import { host } from './host.ts'

/** A file URL. */
class FileUrl {
  readonly href: string

  constructor(path: string, base?: string | FileUrl) {
    const start = base === undefined ? '' : String(base).replace(/[^/]*$/, '')
    const joined = path.includes('://') ? path : path.startsWith('/') ? `file://${path}` : start + path
    let { length } = joined
    let href = joined
    do {
      length = href.length
      href = href.replace(/\/[^/]+\/\.\.(\/|$)/, '/').replace(/\/\.\//, '/')
    } while (href.length !== length)
    this.href = href
  }

  get protocol(): string {
    return this.href.slice(0, this.href.indexOf(':') + 1)
  }
  get pathname(): string {
    return this.href.replace(/^\w+:\/\//, '')
  }
  toString(): string {
    return this.href
  }
}

/** A decoder of UTF-8. */
class Utf8Decoder {
  readonly fatal: boolean

  constructor(_encoding?: string, options: { fatal?: boolean } = {}) {
    this.fatal = options.fatal === true
  }

  decode(bytes: Uint8Array): string {
    if (this.fatal && host.validUntil(bytes) < bytes.length) throw new TypeError('The encoded data was not valid')
    return host.decode(bytes, 0, 0, bytes.length)
  }
}

/** The signal of an AbortController. */
class Signal extends EventEmitter {
  aborted = false
  reason: unknown

  addEventListener(event: string, listener: () => void, options?: { once?: boolean }): void {
    if (options?.once) this.once(event, listener)
    else this.on(event, listener)
  }
  removeEventListener(event: string, listener: () => void): void {
    this.off(event, listener)
  }
  throwIfAborted(): void {
    if (this.aborted) throw this.reason
  }
}

class Controller {
  readonly signal = new Signal()

  abort(reason: unknown = new Error('This operation was aborted')): void {
    if (this.signal.aborted) return
    this.signal.aborted = true
    this.signal.reason = reason
    this.signal.emit('abort')
  }
}

export { Controller, FileUrl, Signal, Utf8Decoder }
