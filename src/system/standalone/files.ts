// SPDX-License-Identifier: Apache-2.0
// Implements ../files.ts without Node: those functions and options of node:fs that hutch uses.

import { fileError } from './errors.ts'
import { host, pollIn, pollOut } from './host.ts'
import { Dir, Dirent, Stats } from './stat.ts'

export type { Dir }

type Path = string | Uint8Array
type TextEncoding = 'utf8' | 'utf-8' | 'latin1'

export const fileConstants = {
  F_OK: 0,
  X_OK: 1,
  W_OK: 2,
  R_OK: 4,
  O_RDONLY: 0,
  O_WRONLY: 1,
  O_RDWR: 2,
  O_CREAT: 0o100,
  O_EXCL: 0o200,
  O_NOCTTY: 0o400,
  O_TRUNC: 0o1000,
  O_APPEND: 0o2000,
  O_NONBLOCK: 0o4000,
  O_DIRECTORY: process.arch === 'arm64' ? 0o40000 : 0o200000,
  O_NOFOLLOW: process.arch === 'arm64' ? 0o100000 : 0o400000,
  S_IFMT: 0o170000,
  S_IFREG: 0o100000,
  S_IFDIR: 0o040000,
  S_IFLNK: 0o120000,
}

/** Returns the result of a call, or throws its error. */
function check<T>(result: T, syscall: string, path?: unknown, dest?: unknown): Exclude<T, undefined> {
  if (typeof result === 'number' && result < 0) throw fileError(result, syscall, path, dest)
  return result as Exclude<T, undefined>
}

const { O_RDONLY, O_WRONLY, O_RDWR, O_CREAT, O_EXCL, O_TRUNC, O_APPEND } = fileConstants
const openFlags: { [flags: string]: number } = {
  r: O_RDONLY,
  'r+': O_RDWR,
  w: O_WRONLY | O_CREAT | O_TRUNC,
  wx: O_WRONLY | O_CREAT | O_TRUNC | O_EXCL,
  a: O_WRONLY | O_CREAT | O_APPEND,
  ax: O_WRONLY | O_CREAT | O_APPEND | O_EXCL,
  'w+': O_RDWR | O_CREAT | O_TRUNC,
  'a+': O_RDWR | O_CREAT | O_APPEND,
}

export function openSync(path: Path, flags: string | number = 'r', mode = 0o666): number {
  const bits = typeof flags === 'number' ? flags : openFlags[flags]
  if (bits === undefined) throw new TypeError(`unknown flags of open: ${flags}`)
  return check(host.open(path, bits, mode), 'open', path)
}

export function closeSync(fd: number): void {
  check(host.close(fd), 'close')
}

export function readFileSync(file: Path | number): Buffer
export function readFileSync(file: Path | number, encoding: TextEncoding | { encoding: TextEncoding }): string
export function readFileSync(
  file: Path | number,
  options?: TextEncoding | { encoding?: TextEncoding },
): Buffer | string {
  const encoding = typeof options === 'object' ? options.encoding : options
  const read = host.readFile(file, encoding === undefined ? 0 : encoding === 'latin1' ? 2 : 1, 0)
  return check(read, read === -21 ? 'read' : 'open', read === -21 ? undefined : file) as Buffer | string
}

export function readSync(
  fd: number,
  bytes: Uint8Array,
  offset = 0,
  length = bytes.length - offset,
  position: number | null = null,
): number {
  return check(host.read(fd, bytes, offset, length, position ?? -1), 'read')
}

export function writeSync(
  fd: number,
  data: string | Uint8Array,
  offset = 0,
  length?: number,
  position: number | null = null,
): number {
  const bytes = typeof data === 'string' ? Buffer.from(data) : data
  return check(host.write(fd, bytes, offset, length ?? bytes.length - offset, position ?? -1), 'write')
}

/** Writes when the descriptor accepts bytes, without blocking: to a pipe at most what it accepts as a whole. */
export function write(
  fd: number,
  bytes: Uint8Array,
  offset: number,
  length: number,
  position: null,
  done: (error: Error | null, written?: { bytesWritten: number }) => void,
): void {
  const id = host.watch(fd, pollOut, () => {
    host.unwatch(id)
    const stat = host.stat(fd, true)
    const atOnce =
      typeof stat === 'object' && (stat[0]! & fileConstants.S_IFMT) === fileConstants.S_IFREG ? length : 4096
    const bytesWritten = host.write(fd, bytes, offset, Math.min(length, atOnce), -1)
    if (bytesWritten === -11) write(fd, bytes, offset, length, position, done)
    else if (bytesWritten < 0) done(fileError(bytesWritten, 'write'))
    else done(null, { bytesWritten })
  })
  if (id < 0) done(fileError(id, 'write'))
}

export function writeFileSync(
  file: Path | number,
  data: string | Uint8Array,
  options: { mode?: number; flag?: string } | string = {},
): void {
  const { mode, flag = 'w' } = typeof options === 'object' ? options : {}
  const fd = typeof file === 'number' ? file : openSync(file, flag, mode)
  try {
    const bytes = typeof data === 'string' ? Buffer.from(data) : data
    for (let at = 0; at < bytes.length || at === 0; ) {
      at += check(host.write(fd, bytes, at, bytes.length - at, -1), 'write')
      if (bytes.length === 0) break
    }
  } finally {
    if (typeof file !== 'number') host.close(fd)
  }
}

export async function writeFile(file: Path, data: string | Uint8Array, options: { flag?: string } = {}): Promise<void> {
  writeFileSync(file, data, options)
}

type StatOptions = { throwIfNoEntry?: boolean }

function statOf(file: Path | number, follows: boolean, syscall: string, options?: StatOptions): Stats | undefined {
  const fields = host.stat(file, follows)
  if (options?.throwIfNoEntry === false && (fields === -2 || fields === -20)) return undefined
  return new Stats(check(fields, syscall, typeof file === 'number' ? undefined : file) as number[])
}

export function statSync(path: Path): Stats
export function statSync(path: Path, options: StatOptions): Stats | undefined
export function statSync(path: Path, options?: StatOptions): Stats | undefined {
  return statOf(path, true, 'stat', options)
}

export function lstatSync(path: Path): Stats
export function lstatSync(path: Path, options: StatOptions): Stats | undefined
export function lstatSync(path: Path, options?: StatOptions): Stats | undefined {
  return statOf(path, false, 'lstat', options)
}

export function fstatSync(fd: number): Stats {
  return statOf(fd, true, 'fstat')!
}

export function existsSync(path: Path): boolean {
  return host.access(path, 0) === 0
}

export function readlinkSync(
  path: Path,
  encoding?: 'buffer' | TextEncoding | { encoding: 'buffer' | TextEncoding },
): string | Buffer {
  const word = typeof encoding === 'object' ? encoding.encoding : encoding
  return check(host.readlink(path, word === 'buffer' ? 0 : word === 'latin1' ? 2 : 1), 'readlink', path) as
    | string
    | Buffer
}

export function realpathSync(path: Path): string {
  return check(host.realpath(path, 1), 'realpath', path) as string
}

export function readdirSync(
  path: Path,
  options?: { withFileTypes?: boolean; encoding?: 'buffer' },
): (string | Buffer | Dirent)[] {
  const types = options?.withFileTypes === true
  const read = check(host.readdir(path, options?.encoding === 'buffer' ? 0 : 1, types), 'scandir', path) as (
    | string
    | Buffer
    | number
  )[]
  // by their bytes, as libuv does
  if (!types) return (read as (string | Buffer)[]).sort()
  return entriesOf(read as (string | number)[]).sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0))
}

export function opendirSync(path: Path): Dir {
  const names = check(host.readdir(path, 1, true), 'opendir', path) as (string | number)[]
  return new Dir(entriesOf(names))
}

/** Returns the entries of a list in which each name is followed by its type. */
function entriesOf(list: (string | number)[]): Dirent[] {
  const entries: Dirent[] = []
  for (let i = 0; i < list.length; i += 2) entries.push(new Dirent(list[i] as string, list[i + 1] as number))
  return entries
}

export function mkdirSync(
  path: Path,
  options: { recursive?: boolean; mode?: number } | number = {},
): string | undefined {
  const { recursive = false, mode = 0o777 } = typeof options === 'number' ? { mode: options } : options
  const status = host.mkdir(path, mode)
  if (!recursive) {
    check(status, 'mkdir', path)
    return undefined
  }
  if (status === 0) return String(path)
  if (status === -17 && statSync(path).isDirectory()) return undefined
  if (status !== -2) check(status, 'mkdir', path)
  const parent = String(path).replace(/\/+[^/]*\/*$/, '')
  if (parent === '' || parent === path) check(status, 'mkdir', path)
  const first = mkdirSync(parent, { recursive, mode })
  check(host.mkdir(path, mode), 'mkdir', path)
  return first ?? String(path)
}

export function mkdtempSync(prefix: string): string {
  return check(host.mkdtemp(prefix), 'mkdtemp', `${prefix}XXXXXX`) as string
}

export function rmSync(path: Path, options: { recursive?: boolean; force?: boolean } = {}): void {
  const stat = lstatSync(path, { throwIfNoEntry: false })
  if (!stat) {
    if (!options.force) check(-2, 'rm', path)
    return
  }
  if (!stat.isDirectory()) {
    check(host.unlink(path), 'rm', path)
    return
  }
  if (!options.recursive) check(-21, 'rm', path)
  for (const name of readdirSync(path)) rmSync(`${path}/${name}`, options)
  check(host.rmdir(path), 'rm', path)
}

export function rmdirSync(path: Path): void {
  check(host.rmdir(path), 'rmdir', path)
}

export function unlinkSync(path: Path): void {
  check(host.unlink(path), 'unlink', path)
}

export function renameSync(from: Path, to: Path): void {
  check(host.rename(from, to), 'rename', from, to)
}

export function linkSync(from: Path, to: Path): void {
  check(host.link(from, to), 'link', from, to)
}

export function symlinkSync(target: Path, path: Path): void {
  check(host.symlink(target, path), 'symlink', target, path)
}

export function chmodSync(path: Path, mode: number): void {
  check(host.chmod(path, mode), 'chmod', path)
}

export function fchmodSync(fd: number, mode: number): void {
  check(host.fchmod(fd, mode), 'fchmod')
}

export function chownSync(path: Path, uid: number, gid: number): void {
  check(host.chown(path, uid, gid), 'chown', path)
}

export function ftruncateSync(fd: number, length = 0): void {
  check(host.ftruncate(fd, length), 'ftruncate')
}

export function statfsSync(path: Path): { [field: string]: number } {
  const fields = check(host.statfs(path), 'statfs', path) as number[]
  const [type, bsize, blocks, bfree, bavail, files, ffree] = fields as [
    number,
    number,
    number,
    number,
    number,
    number,
    number,
  ]
  return { type, bsize, blocks, bfree, bavail, files, ffree }
}

interface Watcher {
  close(): void
  on(event: 'error', handler: (error: Error) => void): Watcher
}

/** Calls `changed` with the kind of change and the name of the file. */
export function watch(path: Path, _options: object, changed: (kind: string, name: string) => void): Watcher {
  const fd = check(host.inotify(), 'watch', path)
  const added = host.inotifyAdd(fd, path)
  if (added < 0) {
    host.close(fd)
    throw fileError(added, 'watch', path)
  }
  const bytes = Buffer.alloc(8192)
  const id = host.watch(fd, pollIn, () => {
    const length = host.read(fd, bytes, 0, bytes.length, -1)
    for (let at = 0; at < length; at += 16 + bytes.readUInt32LE(at + 12)) {
      const name = bytes.toString('utf8', at + 16, at + 16 + bytes.readUInt32LE(at + 12)).replace(/\0.*$/s, '')
      const isChange = (bytes.readUInt32LE(at + 4) & 0x6) !== 0
      changed(isChange ? 'change' : 'rename', name === '' ? String(path).replace(/.*\//, '') : name)
    }
  })
  const watcher: Watcher = {
    close: () => {
      host.unwatch(id)
      host.close(fd)
    },
    on: () => watcher,
  }
  return watcher
}

export function tmpdir(): string {
  const { TMPDIR, TMP, TEMP } = process.env
  const path = TMPDIR || TMP || TEMP || '/tmp'
  return path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path
}
