// SPDX-License-Identifier: Apache-2.0
// Implements ../streams.ts without Node: those streams and options of node:stream that hutch uses. Errors and ends come in Node's order.
import { EventEmitter, on } from './emitter.ts'
import { type Done, premature, Readable, type ReadableOptions, type Stream } from './readable.ts'
import { Writable, type WritableOptions } from './writable.ts'

export { EventEmitter, on, Readable, Writable }

export const bufferLimits = { MAX_LENGTH: 2 ** 31 - 1, MAX_STRING_LENGTH: 2 ** 29 - 24 }

/** A stream of both directions. Its parts are a Readable and a Writable. */
export class Duplex extends Readable {
  readonly writable = true
  readonly _output: Writable
  _readDone = false

  constructor(options: ReadableOptions & WritableOptions & { allowHalfOpen?: boolean } = {}) {
    super(options)
    const { write, final } = options
    this._output = new Writable({ ...(write && { write }), ...(final && { final }) })
    this._output._completed = () => {
      this.emit('finish')
      if (this._readDone) this.destroy()
    }
    this._output.on('drain', () => void this.emit('drain'))
    this._output.on('error', (error: Error) => void this.destroy(error))
    this._halfOpen = options.allowHalfOpen !== false
  }

  _halfOpen: boolean

  get writableEnded(): boolean {
    return this._output.writableEnded
  }
  get writableLength(): number {
    return this._output.writableLength
  }
  write(chunk: string | Uint8Array, second?: unknown, third?: Done): boolean {
    return this._output.write(chunk, second, third)
  }
  end(chunk?: unknown, second?: unknown): this {
    this._output.end(chunk, second)
    return this
  }
  override _ended(): void {
    this._readDone = true
    if (!this._halfOpen) this.end()
    if (this._output.writableFinished) this.destroy()
  }
}

/** Passes on what is written to it. */
export class PassThrough extends Duplex {
  constructor() {
    super({
      write: (chunk, _encoding, done) => {
        this.push(chunk)
        done()
      },
      final: (done) => {
        this.push(null)
        done()
      },
    })
  }
}

/** Calls `done` when a stream has ended, or failed. Returns a function that withdraws that. */
export function finished(stream: Stream, options: { readable?: boolean }, done: (error?: Error) => void): () => void {
  let called = false
  const settle = (error?: Error) => {
    if (!called) done(error)
    called = true
  }
  const onError = (error: Error) => settle(error)
  const onEnd = () => settle()
  const onClose = () => settle(premature())
  const last = options.readable === false || !(stream instanceof Readable) ? 'finish' : 'end'
  stream.on('error', onError).on(last, onEnd).on('close', onClose)
  return () => void stream.off('error', onError).off(last, onEnd).off('close', onClose)
}

/** Writes all of a source to a stream, and ends it. */
export function pipeline(
  source: AsyncIterable<unknown>,
  to: Writable,
  done: (error?: NodeJS.ErrnoException | null) => void,
): void {
  let failed: Error | undefined
  let wake = () => {}
  to.on('error', (error: Error) => {
    failed ??= error
    wake()
  })
  to.on('close', () => {
    if (!to.writableFinished) failed ??= premature()
    wake()
  })
  const copy = async () => {
    for await (const chunk of source) {
      if (failed) throw failed
      await new Promise<void>((resolve) => {
        wake = resolve
        to.write(chunk as Uint8Array, () => resolve())
      })
      if (failed) throw failed
    }
    to.end()
  }
  copy().then(
    () => done(),
    (error: Error) => {
      to.destroy()
      done(error)
    },
  )
}

type Promised = (...args: never[]) => Promise<never>

/** Makes a function with a callback return a promise. */
export function promisify<T extends Promised>(call: (...args: never[]) => void): T {
  return ((...args: unknown[]) =>
    new Promise((resolve, reject) => {
      ;(call as (...args: unknown[]) => void)(...args, (error: Error | null, value: unknown) =>
        error ? reject(error) : resolve(value),
      )
    })) as unknown as T
}
