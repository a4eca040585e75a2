// SPDX-License-Identifier: Apache-2.0
// Implements ../sockets.ts without Node: Unix sockets.
import { EventEmitter } from './emitter.ts'
import { fileError } from './errors.ts'
import { host, pollIn, pollOut } from './host.ts'
import { Duplex } from './streams.ts'

const again = -11
const chunkSize = 65_536

/** A connection. */
export class Socket extends Duplex {
  readonly fd: number
  _watching: number | undefined
  _watchingOut: number | undefined

  constructor(options: { fd: number; readable?: boolean; writable?: boolean }) {
    const { fd } = options
    super({
      read: () => this._awaitInput(),
      write: (chunk, _encoding, done) => this._send(chunk, done),
      final: (done) => {
        host.shutdown(fd)
        done()
      },
      destroy: (error, done) => {
        for (const id of [this._watching, this._watchingOut]) if (id !== undefined) host.unwatch(id)
        if (fd >= 0) host.close(fd)
        done(error)
      },
      allowHalfOpen: false,
    })
    this.fd = fd
    // the end of a pipe for writing alone is its close
    if (options.readable === false) this._readDone = true
    host.setNonblocking(fd)
  }

  unref(): this {
    if (this._watching !== undefined) host.refer(this._watching, false)
    return this
  }
  ref(): this {
    if (this._watching !== undefined) host.refer(this._watching, true)
    return this
  }
  setTimeout(ms: number, call?: () => void): this {
    if (ms > 0) setTimeout(() => !this.destroyed && (call ? call() : this.emit('timeout')), ms).unref()
    return this
  }

  _awaitInput(): void {
    this._watching ??= host.watch(this.fd, pollIn, () => {
      const bytes = Buffer.allocUnsafe(chunkSize)
      const got = host.read(this.fd, bytes, 0, chunkSize, -1)
      if (got === again) return
      host.unwatch(this._watching!)
      this._watching = undefined
      if (got < 0) this.destroy(fileError(got, 'read'))
      else this.push(got === 0 ? null : bytes.subarray(0, got))
    })
  }

  _send(chunk: Uint8Array, done: (error?: Error) => void): void {
    const written = host.write(this.fd, chunk, 0, chunk.length, -1)
    const rest = chunk.subarray(Math.max(0, written))
    if ((written < 0 && written !== again) || rest.length === 0) {
      done(written < 0 ? fileError(written, 'write') : undefined)
      return
    }
    this._watchingOut = host.watch(this.fd, pollOut, () => {
      host.unwatch(this._watchingOut!)
      this._watchingOut = undefined
      this._send(rest, done)
    })
  }
}

/** Connects to a Unix socket. Emits `connect`, or `error` and `close`. */
export function connect(target: string | { path: string }, connected?: () => void): Socket {
  const path = typeof target === 'string' ? target : target.path
  const fd = host.unixSocket(path, false)
  const socket = new Socket({ fd: Math.max(-1, fd) })
  if (connected) socket.once('connect', connected)
  queueMicrotask(() => {
    if (fd < 0) socket.destroy(fileError(fd, 'connect', path))
    else socket.emit('connect')
  })
  return socket
}

/** Accepts connections to a Unix socket. */
export class Server extends EventEmitter {
  _fd = -1
  _id = 0
  _path = ''

  listen(path: string, listening?: () => void): this {
    const fd = host.unixSocket(path, true)
    queueMicrotask(() => {
      if (fd < 0) {
        this.emit('error', fileError(fd, 'listen', path))
        return
      }
      listening?.()
      this.emit('listening')
    })
    if (fd < 0) return this
    this._fd = fd
    this._path = path
    this._id = host.watch(fd, pollIn, () => {
      const accepted = host.accept(fd)
      if (accepted >= 0) this.emit('connection', new Socket({ fd: accepted }))
    })
    return this
  }
  unref(): this {
    host.refer(this._id, false)
    return this
  }
  close(closed?: () => void): this {
    if (this._fd >= 0) {
      host.unwatch(this._id)
      // as in Node, the socket's file goes with it
      host.unlink(this._path)
      host.close(this._fd)
      this._fd = -1
    }
    if (closed) queueMicrotask(closed)
    return this
  }
}

export function createServer(accepted: (socket: Socket) => void): Server {
  return new Server().on('connection', accepted)
}
