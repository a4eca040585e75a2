// SPDX-License-Identifier: Apache-2.0
// Declares the functions of C in native/standalone/ that take the place of Node's. All files of this folder call them through this one.
// A negative number is -errno, unless its function says otherwise.

type Path = string | Uint8Array
/** Encodings of `decode`, `encode` and `readFile`, by the numbers of native/standalone/. */
export const encodings = { utf8: 0, latin1: 1, hex: 2, base64: 3 } as const

interface Host {
  readonly argv: string[]
  decode(bytes: Uint8Array, encoding: number, from: number, to: number): string
  encode(text: string, encoding: number): Buffer
  encodeInto(text: string, bytes: Uint8Array, at: number): number
  byteLength(text: string): number
  validUntil(bytes: Uint8Array): number
  setBufferPrototype(prototype: object): void
  access(path: Path, mode: number): number
  mkdir(path: Path, mode: number): number
  rmdir(path: Path): number
  unlink(path: Path): number
  chmod(path: Path, mode: number): number
  chown(path: Path, uid: number, gid: number): number
  rename(from: Path, to: Path): number
  link(from: Path, to: Path): number
  symlink(target: Path, path: Path): number
  open(path: Path, flags: number, mode: number): number
  close(fd: number): number
  fchmod(fd: number, mode: number): number
  ftruncate(fd: number, length: number): number
  read(fd: number, bytes: Uint8Array, offset: number, length: number, position: number): number
  write(fd: number, bytes: Uint8Array, offset: number, length: number, position: number): number
  /** The encoding is 0 for bytes, 1 for UTF-8, 2 for Latin-1. */
  readFile(file: Path | number, encoding: number, most: number): Buffer | string | number
  stat(file: Path | number, follows: boolean): number[] | number
  readlink(path: Path, encoding: number): Buffer | string | number
  realpath(path: Path, encoding: number): string | number
  readdir(path: Path, encoding: number, types: boolean): (Buffer | string | number)[] | number
  mkdtemp(prefix: Path): string | number
  statfs(path: Path): number[] | number
  inotify(): number
  inotifyAdd(fd: number, path: Path): number
  compiledStart(): Buffer
  insideFile(): number
  environment(): string[]
  ids(): [pid: number, ppid: number, uid: number, euid: number, gid: number, egid: number]
  groups(): number[]
  cwd(): string | number
  umask(): number
  kill(pid: number, signal: number): number
  exit(status: number): never
  now(): number
  nanoseconds(): bigint
  sleep(ms: number): void
  isTerminal(fd: number): boolean
  windowSize(fd: number): [columns: number, rows: number] | undefined
  machine(): [release: string, memory: number, processors: number, page: number, uptime: number]
  random(count: number): Buffer
  setPriority(pid: number, priority: number): number
  poll(watched: number[], ms: number): number[] | number
  spawn(
    file: string,
    argv: string[],
    env: string[] | undefined,
    directory: string | undefined,
    descriptors: Int32Array,
    detached: boolean,
  ): number
  wait(pid: number): number
  pidfd(pid: number): number
  pipe(): [read: number, write: number] | number
  setNonblocking(fd: number): number
  unixSocket(path: string, listens: boolean): number
  accept(fd: number): number
  shutdown(fd: number): number
  lacksMemory(): boolean
  core(): unknown
  watch(fd: number, events: number, ready: (events: number) => void): number
  unwatch(id: number): void
  refer(id: number, keeps: boolean): void
  setTurn(turn: () => number): void
  watchSignal(number: number, watches: boolean, received: (number: number) => void): number
}

declare const hutchHost: Host

export const host = hutchHost
/** Events of poll(2). */
export const pollIn = 1
export const pollOut = 4
