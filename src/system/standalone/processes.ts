// SPDX-License-Identifier: Apache-2.0
// Implements ../processes.ts without Node: helper programs and their streams.
import { systemConstants } from './constants.ts'
import { EventEmitter } from './emitter.ts'
import { fileError } from './errors.ts'
import { host, pollIn, pollOut } from './host.ts'
import { Socket } from './sockets.ts'

type StreamKind = 'pipe' | 'ignore' | 'inherit' | number

interface SpawnOptions {
  stdio?: StreamKind | StreamKind[]
  env?: { [name: string]: string | undefined }
  cwd?: string
  detached?: boolean
  timeout?: number
  killSignal?: NodeJS.Signals
  encoding?: string
  input?: string
}

/** What a child gets as its streams, and this process's ends of the pipes. */
function openStreams(stdio: StreamKind | StreamKind[] = 'pipe') {
  const kinds = typeof stdio === 'object' ? stdio : [stdio, stdio, stdio]
  const ours: (number | undefined)[] = []
  const theirs: number[] = []
  const opened: number[] = []
  for (const [i, kind] of kinds.entries()) {
    const ends = kind === 'pipe' ? host.pipe() : undefined
    if (typeof ends === 'number') throw fileError(ends, 'spawn')
    if (ends) opened.push(ends[i === 0 ? 0 : 1])
    ours.push(ends?.[i === 0 ? 1 : 0])
    theirs.push(ends ? ends[i === 0 ? 0 : 1] : kind === 'ignore' ? -1 : kind === 'inherit' ? i : (kind as number))
  }
  return { ours, theirs, opened }
}

function start(file: string, args: readonly string[], options: SpawnOptions, theirs: number[]): number {
  const env =
    options.env &&
    Object.entries(options.env).flatMap(([name, value]) => (value === undefined ? [] : [`${name}=${value}`]))
  const { cwd, detached = false } = options
  return host.spawn(file, [file, ...args], env, cwd, Int32Array.from(theirs), detached)
}

function decodeStatus(status: number): [code: number | null, signal: string | null] {
  const signal = status & 0x7f
  if (signal === 0) return [status >> 8, null]
  return [null, Object.entries(systemConstants.signals).find(([, number]) => number === signal)?.[0] ?? null]
}

/** A helper program that runs. */
class ChildProcess extends EventEmitter {
  readonly pid: number | undefined
  readonly stdin: Socket | null
  readonly stdout: Socket | null
  readonly stderr: Socket | null
  readonly stdio: (Socket | null)[]
  exitCode: number | null = null
  signalCode: string | null = null
  _watching: number | undefined

  constructor(file: string, args: readonly string[], options: SpawnOptions) {
    super()
    const { ours, theirs, opened } = openStreams(options.stdio)
    const pid = start(file, args, options, theirs)
    for (const fd of opened) host.close(fd)
    this.stdio = ours.map((fd, i) => (fd === undefined ? null : new Socket({ fd, readable: i !== 0 })))
    const [stdin = null, stdout = null, stderr = null] = this.stdio
    this.stdin = stdin
    this.stdout = stdout
    this.stderr = stderr
    this.pid = pid < 0 ? undefined : pid
    if (pid < 0) {
      const error = Object.assign(fileError(pid, `spawn ${file}`), { path: file })
      queueMicrotask(() => {
        for (const stream of this.stdio) stream?.destroy()
        this.emit('error', error)
      })
      return
    }
    const timer = options.timeout && setTimeout(() => this.kill(options.killSignal), options.timeout)
    const pidfd = host.pidfd(pid)
    this._watching = host.watch(pidfd, pollIn, () => {
      if (timer) clearTimeout(timer)
      host.unwatch(this._watching!)
      host.close(pidfd)
      this._ended(host.wait(pid))
    })
    queueMicrotask(() => this.emit('spawn'))
  }

  kill(signal: NodeJS.Signals | number = 'SIGTERM'): boolean {
    if (this.pid === undefined || this.exitCode !== null || this.signalCode !== null) return false
    return host.kill(this.pid, typeof signal === 'number' ? signal : systemConstants.signals[signal]) === 0
  }
  unref(): void {
    if (this._watching !== undefined) host.refer(this._watching, false)
  }
  ref(): void {
    if (this._watching !== undefined) host.refer(this._watching, true)
  }

  _ended(status: number): void {
    ;[this.exitCode, this.signalCode] = decodeStatus(Math.max(0, status))
    this.emit('exit', this.exitCode, this.signalCode)
    let open = 1
    const closed = () => {
      if (--open === 0) this.emit('close', this.exitCode, this.signalCode)
    }
    for (const stream of [this.stdout, this.stderr, ...this.stdio.slice(3)])
      if (stream && !stream.closed) {
        open++
        stream.once('close', closed)
        if (stream.readableFlowing === null) stream.resume()
      }
    this.stdin?.destroy()
    closed()
  }
}

export function spawn(file: string, args: readonly string[] = [], options: SpawnOptions = {}): ChildProcess {
  return new ChildProcess(file, args, options)
}

/** Runs a program to its end, and returns its output. */
export function spawnSync(file: string, args: readonly string[] = [], options: SpawnOptions = {}) {
  const { ours, theirs, opened } = openStreams(options.stdio)
  const pid = start(file, args, options, theirs)
  for (const fd of opened) host.close(fd)
  const output: Buffer[][] = [[], [], []]
  const close = (i: number) => {
    if (ours[i] !== undefined) host.close(ours[i]!)
    ours[i] = undefined
  }
  if (pid < 0 || options.input === undefined) close(0)
  const result = (status: number | null, signal: string | null, error?: Error) => {
    const texts = output.map((chunks) => {
      const bytes = Buffer.concat(chunks)
      return options.encoding ? bytes.toString(options.encoding as BufferEncoding) : bytes
    })
    return { pid: Math.max(0, pid), status, signal, stdout: texts[1]!, stderr: texts[2]!, ...(error && { error }) }
  }
  if (pid < 0) {
    close(1)
    close(2)
    return result(null, null, Object.assign(fileError(pid, `spawnSync ${file}`), { path: file }))
  }
  let input = Buffer.from(options.input ?? '')
  const bytes = Buffer.alloc(65_536)
  const until = options.timeout ? host.now() + options.timeout : Number.POSITIVE_INFINITY
  while (ours.some((fd) => fd !== undefined)) {
    const open = ours.flatMap((fd, i) => (fd === undefined ? [] : [i]))
    const events = host.poll(
      open.flatMap((i) => [ours[i]!, i === 0 ? pollOut : pollIn]),
      Number.isFinite(until) ? Math.max(0, until - host.now()) : -1,
    )
    if (typeof events === 'number') break
    if (host.now() >= until) {
      host.kill(pid, systemConstants.signals[options.killSignal ?? 'SIGTERM'])
      break
    }
    for (const [at, i] of open.entries()) {
      if (!events[at]) continue
      if (i === 0) {
        const written = host.write(ours[0]!, input, 0, input.length, -1)
        input = input.subarray(Math.max(0, written))
        if (written < 0 || input.length === 0) close(0)
        continue
      }
      const got = host.read(ours[i]!, bytes, 0, bytes.length, -1)
      if (got > 0) output[i]!.push(Buffer.from(bytes.subarray(0, got)))
      else close(i)
    }
  }
  for (const i of ours.keys()) close(i)
  let status = host.wait(pid)
  const pidfd = status === -11 ? host.pidfd(pid) : -1
  while (status === -11) {
    host.poll([pidfd, pollIn], -1)
    status = host.wait(pid)
  }
  if (pidfd >= 0) host.close(pidfd)
  return result(...decodeStatus(Math.max(0, status)))
}

export function setPriority(pid: number, priority: number): void {
  const status = host.setPriority(pid, priority)
  if (status < 0) throw fileError(status, 'uv_os_setpriority')
}
