// SPDX-License-Identifier: Apache-2.0
// The global `process`, as far as hutch uses it.
import { systemConstants } from './constants.ts'
import { EventEmitter } from './emitter.ts'
import { fileError } from './errors.ts'
import { host } from './host.ts'

declare const HUTCH_ARCH: string
declare const HUTCH_VERSION: string

const handlers = new EventEmitter()

/** Returns the number of a signal; undefined for other events. */
function signalOf(event: string): number | undefined {
  return event.startsWith('SIG') ? systemConstants.signals[event as NodeJS.Signals] : undefined
}

function received(number: number): void {
  const name = Object.entries(systemConstants.signals).find(([, value]) => value === number)?.[0]
  if (name) handlers.emit(name, name, number)
}

/** Watches a signal when it gets its first listener, and restores its default action without one. */
function follow(event: string, before: number): void {
  const number = signalOf(event)
  const now = handlers.listenerCount(event)
  if (number !== undefined && before === 0 && now > 0) host.watchSignal(number, true, received)
  if (number !== undefined && before > 0 && now === 0) host.watchSignal(number, false, received)
}

/** A standard stream. Output is written at once. */
class StandardStream extends EventEmitter {
  readonly fd: number
  readonly isTTY: boolean
  readonly columns: number | undefined
  readonly rows: number | undefined

  constructor(fd: number) {
    super()
    this.fd = fd
    this.isTTY = host.isTerminal(fd)
    const size = this.isTTY ? host.windowSize(fd) : undefined
    this.columns = size?.[0]
    this.rows = size?.[1]
  }

  write(text: string): boolean {
    let bytes = Buffer.from(text)
    while (bytes.length > 0) {
      const written = host.write(this.fd, bytes, 0, bytes.length, -1)
      if (written === -11) host.poll([this.fd, 4], -1)
      else if (written < 0) {
        queueMicrotask(() => this.emit('error', fileError(written, 'write')))
        return false
      } else bytes = bytes.subarray(written)
    }
    return true
  }
}

type Listener = (...args: never[]) => void
let ending = false

/** Returns the path of this program, as it was called: for a name without a slash, the path that PATH finds. */
function calledPath(): string {
  const called = host.argv[0] ?? ''
  if (called.includes('/')) return called.startsWith('/') ? called : `${own.cwd()}/${called}`
  for (const directory of (own.env.PATH ?? '').split(':'))
    if (host.access(`${directory || '.'}/${called}`, 1) === 0) return `${directory || '.'}/${called}`
  return own.execPath
}

const own = {
  platform: 'linux',
  arch: HUTCH_ARCH,
  version: '',
  versions: { hutch: HUTCH_VERSION },
  get pid() {
    return host.ids()[0]
  },
  get ppid() {
    return host.ids()[1]
  },
  get argv() {
    return define('argv', [own.execPath, calledPath(), ...host.argv.slice(1)])
  },
  get execPath(): string {
    const path = host.readlink('/proc/self/exe', 1)
    return define('execPath', typeof path === 'string' ? path : (host.argv[0] ?? ''))
  },
  get env(): NodeJS.ProcessEnv {
    const variables = new Map<string, string>()
    for (const variable of host.environment()) {
      const at = variable.indexOf('=', 1)
      const name = variable.slice(0, at)
      // of a name that occurs twice, the first counts, as for getenv(3)
      if (at > 0 && !variables.has(name)) variables.set(name, variable.slice(at + 1))
    }
    return define('env', Object.fromEntries(variables))
  },
  get stdin() {
    return define('stdin', new StandardStream(0))
  },
  get stdout() {
    return define('stdout', new StandardStream(1))
  },
  get stderr() {
    return define('stderr', new StandardStream(2))
  },
  getuid: () => host.ids()[2],
  geteuid: () => host.ids()[3],
  getgid: () => host.ids()[4],
  getegid: () => host.ids()[5],
  getgroups: () => {
    // as in Node, the effective group is always one of them
    const groups = host.groups()
    const own = host.ids()[5]
    return groups.includes(own) ? groups : [...groups, own]
  },
  umask: () => host.umask(),
  cwd(): string {
    const path = host.cwd()
    if (typeof path === 'number') throw fileError(path, 'uv_cwd')
    return path
  },
  hrtime: Object.assign(() => [Math.floor(host.now() / 1000), (host.now() % 1000) * 1e6], {
    bigint: () => host.nanoseconds(),
  }),
  memoryUsage: () => ({
    rss: Number(String(host.readFile('/proc/self/statm', 2, 0)).split(' ')[1]) * host.machine()[3],
  }),
  kill(pid: number, signal: NodeJS.Signals | number = 'SIGTERM'): true {
    const status = host.kill(pid, typeof signal === 'number' ? signal : systemConstants.signals[signal])
    if (status < 0) throw fileError(status, 'kill')
    return true
  },
  exit(status = 0): never {
    if (!ending) {
      ending = true
      handlers.emit('exit', status)
    }
    return host.exit(status)
  },
  on(event: string, listener: Listener) {
    const before = handlers.listenerCount(event)
    handlers.on(event, listener)
    follow(event, before)
    return own
  },
  once(event: string, listener: Listener) {
    const once = (...args: never[]) => {
      own.off(event, once)
      listener(...args)
    }
    return own.on(event, once)
  },
  off(event: string, listener: Listener) {
    const before = handlers.listenerCount(event)
    handlers.off(event, listener)
    follow(event, before)
    return own
  },
}

/** Replaces a getter of `process` by its value. */
function define<T>(name: string, value: T): T {
  Object.defineProperty(own, name, { value, writable: true, enumerable: true, configurable: true })
  return value
}

export { own as process }
