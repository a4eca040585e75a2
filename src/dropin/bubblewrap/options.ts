// SPDX-License-Identifier: Apache-2.0
// Parses the command line of bubblewrap(1), each word separately and in order. Pure, except reading --args.
import { fail } from '../../errors/errors.ts'
import { mountAttributes } from '../../ops/mount-flags.ts'
import { nearest } from '../../text/nearest.ts'
import { type BwrapOptionName, bwrapOptions } from './option-table.ts'
import { type BwrapRequest, descriptorPath, emptyRequest, type FileSystemStep } from './request.ts'
import { parseBytes, parseCap, parsePath, parsePermissions, parseVariable, toTarget } from './values.ts'

const { ro, nosuid, nodev } = mountAttributes
const maxWords = 9000

/** State while the options of bwrap are parsed. */
interface Reading {
  request: BwrapRequest
  /** Mode that --perms sets for the next step. */
  mode?: number
  size?: string
  layers: string[]
  words: number
  /** Namespaces that options requested by name, and not only by --unshare-all. */
  asks: Set<string>
  repeated: Set<string>
  readArgs(descriptor: number): string
}

/** Result of parsing: a request, or --help or --version, which end parsing at once. */
type Parsed =
  | { show: 'help' | 'version' }
  | { request: BwrapRequest; asks: ReadonlySet<string>; repeated: ReadonlySet<string> }

/** Options that can be repeated although only the last one has an effect. bubblewrap prints a warning. */
const onlyLast: ReadonlySet<string> = new Set([
  ...['--chdir', '--uid', '--gid', '--hostname', '--userns', '--userns2', '--pidns', '--seccomp', '--sync-fd'],
  ...['--block-fd', '--userns-block-fd', '--info-fd', '--json-status-fd'],
])

/**
 * Parses a command line of bwrap. `readArgs` returns the text of the descriptor of --args.
 *
 * @throws OPTION_UNKNOWN, OPTION_INVALID, OPTION_CONFLICT
 */
export function parseBwrap(args: readonly string[], readArgs: (descriptor: number) => string): Parsed {
  const reading: Reading = {
    request: emptyRequest(),
    layers: [],
    words: 0,
    asks: new Set(),
    repeated: new Set(),
    readArgs,
  }
  const show = readWords(args, reading, false)
  if (show) return { show }
  if (reading.layers.length > 0) throw layersLeft()
  return { request: reading.request, asks: reading.asks, repeated: reading.repeated }
}

/** Returns true if --level-prefix is among the options. It also applies to errors in options that precede it. */
export function wantsLevelPrefix(args: readonly string[]): boolean {
  for (let i = 0; i < args.length; i++) {
    const name = args[i]!
    if (name === '--level-prefix') return true
    if (!Object.hasOwn(bwrapOptions, name)) return false
    i += bwrapOptions[name as BwrapOptionName][0].length
  }
  return false
}

function readWords(args: readonly string[], reading: Reading, nested: boolean): 'help' | 'version' | undefined {
  for (let i = 0; i < args.length; ) {
    const name = args[i]!
    if (name === '--' || !name.startsWith('-')) {
      if (!nested) reading.request.words = args.slice(name === '--' ? i + 1 : i)
      return undefined
    }
    const values = takeValues(name, args.slice(i + 1))
    i += 1 + values.length
    if (name === '--help') return 'help'
    if (name === '--version') return 'version'
    if (reading.asks.has(name) && onlyLast.has(name)) reading.repeated.add(name)
    reading.asks.add(name)
    if (name !== '--args') readOption(name as BwrapOptionName, values, reading)
    else if (nested)
      throw conflict(name, 'it is in the data of another --args', 'give all options in one, or --args twice')
    else {
      // the NUL after the last option is optional
      const words = reading.readArgs(parseDescriptor(name, values[0]!)).replace(/\0$/, '').split('\0')
      reading.words += words.length
      if (reading.words > maxWords) throw conflict(name, `there are more than ${maxWords} words`, 'give fewer')
      const show = readWords(words[0] === '' && words.length === 1 ? [] : words, reading, true)
      if (show) return show
    }
  }
  return undefined
}

function takeValues(name: string, rest: readonly string[]): readonly string[] {
  if (!Object.hasOwn(bwrapOptions, name))
    throw fail('OPTION_UNKNOWN', { name, nearest: nearest(name, Object.keys(bwrapOptions)), known: 'see --help' })
  const [values] = bwrapOptions[name as BwrapOptionName]
  if (rest.length >= values.length) return rest.slice(0, values.length)
  throw fail('OPTION_INVALID', {
    name,
    value: rest.join(' '),
    why: `it takes ${values.length === 1 ? 'a value' : `${values.length} values`}`,
    accepted: [name, ...values].join(' '),
  })
}

function readOption(name: BwrapOptionName, values: readonly string[], reading: Reading): void {
  const [a = '', b = '', c = ''] = values
  const { request } = reading
  const descriptor = () => parseDescriptor(name, a)
  if (readStep(name, a, b, c, reading)) return
  if (reading.mode !== undefined) throw modeLeft(name)
  if (reading.size !== undefined) throw sizeLeft(name)
  switch (name) {
    case '--argv0':
      if (request.name !== undefined) throw conflict(name, 'given twice', 'give it once')
      request.name = a
      break
    case '--level-prefix':
      request.levelPrefix = true
      break
    case '--unshare-all':
      for (const kind of ['ipc', 'pid', 'net', 'uts'] as const) request.kinds.add(kind)
      request.tries.add('user').add('cgroup')
      break
    case '--share-net':
      request.kinds.delete('net')
      break
    case '--unshare-user':
    case '--unshare-ipc':
    case '--unshare-pid':
    case '--unshare-net':
    case '--unshare-uts':
    case '--unshare-cgroup':
      request.kinds.add(name.slice('--unshare-'.length) as 'user' | 'ipc' | 'pid' | 'net' | 'uts' | 'cgroup')
      break
    case '--unshare-user-try':
      request.tries.add('user')
      break
    case '--unshare-cgroup-try':
      request.tries.add('cgroup')
      break
    case '--userns':
      request.userDescriptor = descriptor()
      break
    case '--userns2':
      request.lastUserDescriptor = descriptor()
      break
    case '--disable-userns':
      request.disableUsers = true
      break
    case '--assert-userns-disabled':
      request.assertUsersDisabled = true
      break
    case '--pidns':
      request.pidDescriptor = descriptor()
      break
    case '--uid':
      request.uid = parseId(name, a)
      break
    case '--gid':
      request.gid = parseId(name, a)
      break
    case '--hostname':
      request.hostname = a
      break
    case '--chdir':
      request.directory = parsePath(name, a)
      break
    case '--clearenv':
      request.environment.push({ clear: true })
      break
    case '--setenv':
      request.environment.push({ name: parseVariable(name, a), value: b })
      break
    case '--unsetenv':
      request.environment.push({ name: parseVariable(name, a) })
      break
    case '--lock-file':
      request.locks.push(toTarget(name, a))
      break
    case '--sync-fd':
      request.syncs.push(descriptor())
      break
    case '--exec-label':
    case '--file-label':
      throw conflict(name, 'hutch sets no SELinux contexts', 'leave it out, or use runcon CONTEXT bwrap …')
    case '--seccomp':
      request.filters = [descriptor()]
      break
    case '--add-seccomp-fd':
      request.filters.push(descriptor())
      break
    case '--block-fd':
      request.block = descriptor()
      break
    case '--userns-block-fd':
      request.userBlock = descriptor()
      break
    case '--info-fd':
      request.info = descriptor()
      break
    case '--json-status-fd':
      request.status = descriptor()
      break
    case '--new-session':
      request.newSession = true
      break
    case '--die-with-parent':
      request.diesWithParent = true
      break
    case '--as-pid-1':
      request.first = true
      break
    case '--cap-add':
    case '--cap-drop':
      request.capabilities.push({ add: name === '--cap-add', word: parseCap(name, a) })
      break
    case '--hutch-memory':
    case '--hutch-pids':
    case '--hutch-cpus':
    case '--hutch-timeout':
      request.limits[name.slice('--hutch-'.length) as keyof BwrapRequest['limits']] = a
  }
  if (request.filters.length > 0 && reading.asks.has('--seccomp') && reading.asks.has('--add-seccomp-fd'))
    throw conflict('--add-seccomp-fd', '--seccomp is given too', 'give each filter with --add-seccomp-fd')
}

/** Adds a step that changes the file system. Returns false if the option is not such a step. */
function readStep(name: BwrapOptionName, a: string, b: string, c: string, reading: Reading): boolean {
  const { steps } = reading.request
  const add = (step: FileSystemStep) => {
    if (reading.layers.length > 0 && step.do !== 'overlay') throw layersLeft()
    const takesMode = step.do === 'directory' || step.do === 'data' || step.do === 'tmpfs'
    if (reading.mode !== undefined && !takesMode) throw modeLeft(name)
    if (reading.size !== undefined && step.do !== 'tmpfs') throw sizeLeft(name)
    steps.push({ ...step, ...(reading.mode !== undefined && { mode: reading.mode }) })
    reading.layers = []
    delete reading.mode
    delete reading.size
    return true
  }
  const at = (target: string) => ({ origin: name, target: toTarget(name, target) })
  const data = (attached: boolean, attributes: number) =>
    add({ do: 'data', descriptor: parseDescriptor(name, a), attached, attributes, ...at(b) })
  switch (name) {
    case '--bind':
    case '--bind-try':
    case '--dev-bind':
    case '--dev-bind-try':
    case '--ro-bind':
    case '--ro-bind-try': {
      const attributes = nosuid + (name.startsWith('--dev') ? 0 : nodev) + (name.startsWith('--ro') ? ro : 0)
      return add({
        do: 'bind',
        source: parsePath(name, a),
        attributes,
        optional: name.endsWith('-try'),
        ...at(b),
      })
    }
    case '--bind-fd':
    case '--ro-bind-fd': {
      const attributes = nosuid + nodev + (name === '--ro-bind-fd' ? ro : 0)
      return add({
        do: 'bind',
        source: descriptorPath(parseDescriptor(name, a)),
        attributes,
        optional: false,
        ...at(b),
      })
    }
    case '--remount-ro':
      return add({ do: 'read-only', ...at(a) })
    case '--overlay-src':
      reading.layers.push(parsePath(name, a))
      return true
    case '--overlay':
      demandLayers(name, reading, 1)
      // reverse the layers: the kernel expects the topmost first, bwrap's options give the lowest first
      return add({
        do: 'overlay',
        lower: reading.layers.reverse(),
        upper: parsePath(name, a),
        work: parsePath(name, b),
        drops: false,
        ...at(c),
      })
    case '--tmp-overlay':
    case '--ro-overlay':
      demandLayers(name, reading, name === '--ro-overlay' ? 2 : 1)
      return add({
        do: 'overlay',
        lower: reading.layers.reverse(),
        upper: '',
        work: '',
        drops: name === '--tmp-overlay',
        ...at(a),
      })
    case '--proc':
      return add({ do: 'proc', ...at(a) })
    case '--dev':
      return add({ do: 'dev', ...at(a) })
    case '--tmpfs':
      return add({ do: 'tmpfs', ...(reading.size !== undefined && { size: reading.size }), ...at(a) })
    case '--mqueue':
      return add({ do: 'mqueue', ...at(a) })
    case '--dir':
      return add({ do: 'directory', ...at(a) })
    case '--file':
      return data(false, 0)
    case '--bind-data':
      return data(true, nosuid + nodev)
    case '--ro-bind-data':
      return data(true, nosuid + nodev + ro)
    case '--symlink':
      return add({ do: 'link', to: a, ...at(b) })
    case '--chmod': {
      const mode = parsePermissions(name, a)
      add({ do: 'mode', ...at(b) })
      steps.at(-1)!.mode = mode
      return true
    }
    case '--perms':
      if (reading.mode !== undefined) throw conflict(name, 'given twice for one option', 'give it once')
      reading.mode = parsePermissions(name, a)
      return true
    case '--size':
      if (reading.size !== undefined) throw conflict(name, 'given twice for one option', 'give it once')
      reading.size = parseBytes(name, a)
      return true
    default:
      return false
  }
}

function demandLayers(name: string, reading: Reading, count: number): void {
  if (reading.layers.length >= count) return
  const needed = count === 1 ? 'a layer' : `${count} layers`
  throw conflict(name, `it takes ${needed}`, `give ${needed} before it with --overlay-src`)
}

function modeLeft(name: string) {
  return conflict(
    '--perms',
    `${name} follows, which takes no mode`,
    'give it right before the option that it applies to',
  )
}

function sizeLeft(name: string) {
  return conflict('--size', `${name} follows, which takes no size`, 'give it right before --tmpfs')
}

function layersLeft() {
  return conflict('--overlay-src', 'no overlay follows it', 'give --overlay, --tmp-overlay or --ro-overlay after it')
}

function conflict(name: string, why: string, remedy: string) {
  return fail('OPTION_CONFLICT', { name, why, remedy })
}

function parseDescriptor(name: string, value: string): number {
  if (/^\d{1,9}$/.test(value)) return Number(value)
  throw fail('OPTION_INVALID', { name, value, why: 'not a descriptor', accepted: 'a number, such as 3' })
}

function parseId(name: string, value: string): number {
  if (/^\d{1,10}$/.test(value) && Number(value) <= 0x7fff_ffff) return Number(value)
  throw fail('OPTION_INVALID', { name, value, why: 'not an id', accepted: 'a number from 0 to 2147483647' })
}
