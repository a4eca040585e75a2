// SPDX-License-Identifier: Apache-2.0
// Writable streams.
import { type Destroy, type Done, Stream } from './readable.ts'

export interface WritableOptions {
  write?: (chunk: Uint8Array, encoding: string, done: Done) => void
  final?: (done: Done) => void
  destroy?: Destroy
}

export class Writable extends Stream {
  readonly writable = true
  writableEnded = false
  writableFinished = false
  readonly _waiting: { chunk: Uint8Array; done: Done }[] = []
  _writing = false
  _writer: (chunk: Uint8Array, encoding: string, done: Done) => void = (_chunk, _encoding, done) => done()
  _finisher: (done: Done) => void = (done) => done()

  constructor(options: WritableOptions = {}) {
    super()
    if (options.write) this._writer = options.write
    if (options.final) this._finisher = options.final
    if (options.destroy) this._destroyer = options.destroy
  }

  get writableLength(): number {
    return this._waiting.reduce((sum, { chunk }) => sum + chunk.length, 0)
  }

  write(chunk: string | Uint8Array, second?: unknown, third?: Done): boolean {
    const done = (typeof second === 'function' ? second : third) as Done | undefined
    this._waiting.push({ chunk: typeof chunk === 'string' ? Buffer.from(chunk) : chunk, done: done ?? (() => {}) })
    this._work()
    return this.writableLength < 16_384
  }

  end(chunk?: unknown, second?: unknown): this {
    const done = (typeof chunk === 'function' ? chunk : second) as Done | undefined
    if (typeof chunk === 'string' || chunk instanceof Uint8Array) this.write(chunk)
    if (done) {
      this.once('finish', () => done())
      this.once('error', (error: Error) => done(error))
    }
    this.writableEnded = true
    this._work()
    return this
  }

  _work(): void {
    if (this._writing || this.destroyed) return
    const next = this._waiting[0]
    if (next) {
      this._writing = true
      this._writer(next.chunk, 'buffer', (error) => {
        this._writing = false
        this._waiting.shift()
        next.done(error)
        if (error) this.destroy(error)
        else if (this._waiting.length === 0 && !this.writableEnded) queueMicrotask(() => this.emit('drain'))
        queueMicrotask(() => this._work())
      })
      return
    }
    if (!this.writableEnded || this.writableFinished) return
    this.writableFinished = true
    this._finisher((error) => {
      if (error) this.destroy(error)
      else
        queueMicrotask(() => {
          this.emit('finish')
          this._completed()
        })
    })
  }

  /** Called after the end of writing: a stream that only writes is destroyed then. */
  _completed(): void {
    this.destroy()
  }
}
