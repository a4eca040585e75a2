// SPDX-License-Identifier: Apache-2.0
// Readable streams, and what all streams have in common.
import { EventEmitter } from './emitter.ts'
import type { Writable } from './writable.ts'

export type Done = (error?: Error | null) => void
export type Destroy = (error: Error | null, done: (error: Error | null) => void) => void

export interface ReadableOptions {
  highWaterMark?: number
  read?: (size: number) => void
  destroy?: Destroy
}

export function premature(): Error {
  return Object.assign(new Error('Premature close'), { code: 'ERR_STREAM_PREMATURE_CLOSE' })
}

/** What readable and writable streams have in common: they are destroyed once, and then emit `error` and `close`. */
export class Stream extends EventEmitter {
  destroyed = false
  closed = false
  errored: Error | null = null
  _destroyer: Destroy = (error, done) => done(error)

  destroy(error?: Error | null): this {
    if (this.destroyed) return this
    this.destroyed = true
    this.errored = error ?? null
    this._destroyer(error ?? null, (failed) => {
      queueMicrotask(() => {
        const cause = failed ?? error
        if (cause) this.emit('error', cause)
        this.closed = true
        this.emit('close')
      })
    })
    return this
  }
}

export class Readable extends Stream {
  readonly readable = true
  readableEnded = false
  readableDidRead = false
  readableFlowing: boolean | null = null
  readonly _chunks: unknown[] = []
  readonly _highWaterMark: number
  _reading = false
  _finished = false
  _encoding: string | undefined
  _reader: (size: number) => void = () => {}

  constructor(options: ReadableOptions = {}) {
    super()
    this._highWaterMark = options.highWaterMark ?? 65_536
    if (options.read) this._reader = options.read
    if (options.destroy) this._destroyer = options.destroy
  }

  /** A stream of what an iterable yields. */
  static from(source: AsyncIterable<unknown> | Iterable<unknown>, _options?: object): Readable {
    const iterator =
      Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : (source as Iterable<unknown>)[Symbol.iterator]()
    const stream: Readable = new Readable({
      read: () => {
        Promise.resolve(iterator.next()).then(
          ({ done, value }) => stream.push(done ? null : value),
          (error: Error) => stream.destroy(error),
        )
      },
      destroy: (error, done) => {
        Promise.resolve(iterator.return?.()).then(
          () => done(error),
          (failed: Error) => done(error ?? failed),
        )
      },
    })
    return stream
  }

  get readableLength(): number {
    return this._chunks.reduce<number>((sum, chunk) => sum + ((chunk as Uint8Array).length ?? 1), 0)
  }

  /** Returns the next chunk, or null if none has come yet. */
  read(): unknown {
    return this._chunks.shift() ?? null
  }

  _read(size: number): void {
    this._reader(size)
  }

  /** Adds a chunk, or null for the end. Returns true if more may follow now. */
  push(chunk: unknown): boolean {
    this._reading = false
    if (this.destroyed) return false
    if (chunk === null) this._finished = true
    else
      this._chunks.push(
        this._encoding ? Buffer.from(chunk as Uint8Array).toString(this._encoding as BufferEncoding) : chunk,
      )
    this._schedule()
    return this.readableLength < this._highWaterMark
  }

  setEncoding(encoding: string): this {
    this._encoding = encoding
    return this
  }

  override on(event: string, listener: (...args: never[]) => void): this {
    super.on(event, listener)
    if (event === 'data' && this.readableFlowing !== false) this.resume()
    return this
  }

  resume(): this {
    this.readableFlowing = true
    this._schedule()
    return this
  }

  pause(): this {
    this.readableFlowing = false
    return this
  }

  pipe<T extends Writable>(to: T, options: { end?: boolean } = {}): T {
    this.on('data', (chunk: Uint8Array) => {
      if (to.write(chunk)) return
      this.pause()
      to.once('drain', () => this.resume())
    })
    if (options.end !== false) this.once('end', () => void to.end())
    return to
  }

  _scheduled = false

  _schedule(): void {
    if (this._scheduled || this.readableFlowing !== true) return
    this._scheduled = true
    queueMicrotask(() => {
      this._scheduled = false
      this._flow()
    })
  }

  _flow(): void {
    while (this.readableFlowing === true && !this.destroyed && this._chunks.length > 0) {
      this.readableDidRead = true
      this.emit('data', this._chunks.shift())
    }
    if (this.destroyed || this.readableFlowing !== true) return
    if (this._finished) this._end()
    else this._request()
  }

  _request(): void {
    if (this._reading || this._finished || this.destroyed) return
    this._reading = true
    this._read(this._highWaterMark)
  }

  _end(): void {
    if (this.readableEnded) return
    this.readableEnded = true
    this.emit('end')
    this._ended()
  }

  /** Called after the end of reading: a stream that only reads is destroyed then. */
  _ended(): void {
    this.destroy()
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<unknown, void, undefined> {
    let wake = () => {}
    let failed: Error | undefined
    const changed = () => wake()
    this.readableFlowing = null
    super.on('data', (chunk: never) => {
      this._chunks.push(chunk)
      this.pause()
      changed()
    })
    super.on('end', changed)
    super.on('close', changed)
    super.on('error', (error: Error) => {
      failed ??= error
      changed()
    })
    try {
      for (;;) {
        this.pause()
        const chunk = this._chunks.shift()
        if (chunk !== undefined) {
          this.readableDidRead = true
          yield chunk
          continue
        }
        if (failed) throw failed
        if (this.readableEnded) return
        if (this._finished) {
          this._end()
          return
        }
        if (this.closed) throw premature()
        const waits = new Promise<void>((resolve) => {
          wake = resolve
        })
        this.resume()
        await waits
      }
    } finally {
      this.destroy()
    }
  }
}
