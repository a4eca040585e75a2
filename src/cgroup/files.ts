// SPDX-License-Identifier: Apache-2.0
// All reading and writing of cgroup files from JavaScript, in one place. The launch path does its own in native/caller/outer.c.
import {
  chmodSync,
  chownSync,
  type Dir,
  mkdirSync,
  opendirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  statSync,
  watch,
  writeFile,
  writeFileSync,
} from '../system/files.ts'
import { errnoName, native } from '../system/native.ts'
import { decodeNames, encodePath, isOdd } from '../text/non-utf8.ts'
import type { FileTexts } from './stats.ts'

/** What a read came to: the text without its last newline, or the name of the errno. */
export type Read = { text: string; errno?: undefined } | { text?: undefined; errno: string }

function errnoOf(error: unknown): string {
  const { errno } = error as NodeJS.ErrnoException
  return errno === undefined ? 'EINVAL' : errnoName(errno)
}

/** A file's text, or why it could not be read. */
export function tryRead(directory: string, file: string): Read {
  try {
    return { text: readFileSync(encodePath(`${directory}/${file}`), 'utf8').trimEnd() }
  } catch (error) {
    return { errno: errnoOf(error) }
  }
}

/** A file's text with all its blanks, less the last newline. */
export function readRaw(directory: string, file: string): Read {
  try {
    return { text: readFileSync(encodePath(`${directory}/${file}`), 'utf8').replace(/\n$/, '') }
  } catch (error) {
    return { errno: errnoOf(error) }
  }
}

/** A file's text without its last newline, or undefined when it is not there or not readable. */
export function readGroupFile(directory: string, file: string): string | undefined {
  return tryRead(directory, file).text
}

/** The words of a file such as cgroup.procs or cgroup.controllers. */
export function readWords(directory: string, file: string): string[] {
  return readGroupFile(directory, file)?.split(/\s+/).filter(Boolean) ?? []
}

/** Runs a change: undefined, or the name of the errno that the kernel answered. */
function attempt(change: () => void): string | undefined {
  try {
    change()
    return undefined
  } catch (error) {
    return errnoOf(error)
  }
}

/** Writes a value: undefined, or the name of the errno that the kernel answered. */
export function writeGroupFile(directory: string, file: string, value: string): string | undefined {
  return attempt(() => writeFileSync(encodePath(`${directory}/${file}`), value, { flag: 'r+' }))
}

/** The same off this thread: the kernel may take its time over limits, moves and reclaim. */
export async function writeGroupFileAsync(directory: string, file: string, value: string): Promise<string | undefined> {
  try {
    await writeFile(encodePath(`${directory}/${file}`), value, { flag: 'r+' })
    return undefined
  } catch (error) {
    return errnoOf(error)
  }
}

/** Makes one group: undefined, or the name of the errno. */
export function makeDirectory(directory: string): string | undefined {
  return attempt(() => mkdirSync(encodePath(directory)))
}

/** Removes one group: undefined, or the name of the errno. */
export function removeDirectory(directory: string): string | undefined {
  return attempt(() => rmdirSync(encodePath(directory)))
}

/** Hands a file or group over: undefined, or the name of the errno. */
export function changeOwner(path: string, uid: number, gid: number): string | undefined {
  return attempt(() => chownSync(encodePath(path), uid, gid))
}

/** undefined, or the name of the errno. */
export function changeMode(path: string, mode: number): string | undefined {
  return attempt(() => chmodSync(encodePath(path), mode))
}

/** Whether a directory is there and is a group. */
export function isGroup(directory: string): boolean {
  return statSync(encodePath(`${directory}/cgroup.procs`), { throwIfNoEntry: false }) !== undefined
}

function list(directory: string, directories: boolean): string[] {
  try {
    const path = encodePath(directory)
    const names = readdirSync(path, { withFileTypes: true })
      .filter((entry) => entry.isDirectory() === directories)
      .map((entry) => entry.name)
    if (!names.some(isOdd)) return names
    return readdirSync(path, { withFileTypes: true, encoding: 'buffer' })
      .filter((entry) => entry.isDirectory() === directories)
      .map((entry) => decodeNames(entry.name))
  } catch {
    return []
  }
}

/** Names of the groups right below a directory. */
export function readChildren(directory: string): string[] {
  return list(directory, true)
}

/** Names of a group's files, sorted. */
export function readFileNames(directory: string): string[] {
  return list(directory, false).sort()
}

/** Names of a directory's entries in the kernel's own order: which are files, which are groups. */
export function readEntries(directory: string): { files: string[]; groups: string[] } {
  const entries = { files: [] as string[], groups: [] as string[] }
  let handle: Dir | undefined
  try {
    handle = opendirSync(encodePath(directory) as string)
    for (let entry = handle.readSync(); entry !== null; entry = handle.readSync())
      if (entry.isDirectory()) entries.groups.push(entry.name)
      else if (entry.isFile()) entries.files.push(entry.name)
  } catch {
    // it went away
  }
  handle?.closeSync()
  if (entries.groups.some(isOdd)) entries.groups = readChildren(directory)
  return entries
}

/** The groups below a directory and itself, parents first. One native call, which opens no group without children. */
export function walkGroups(directory: string): string[] {
  const below = splitGroups(listGroups(directory))
  return [directory, ...below.sort().map((path) => `${directory}/${path}`)]
}

/** All groups below a directory as one text, to compare with that of the last look. */
export function listGroups(directory: string): string {
  const list = native().walkGroups(encodePath(directory))
  return typeof list === 'string' ? list : decodeNames(list)
}

/** The paths in such a list, from the directory. */
export function splitGroups(list: string): string[] {
  const paths = list.split('\0')
  paths.pop()
  return paths.map((path) => path.slice(1))
}

/** Removes a group and its children. False when something is still in it. */
export function removeTree(directory: string): boolean {
  for (const child of readChildren(directory)) removeTree(`${directory}/${child}`)
  const errno = removeDirectory(directory)
  return errno === undefined || errno === 'ENOENT'
}

/** The same files of many groups, in one native call: a `Figures` each, in order. */
export function readMany(directories: readonly string[], files: readonly string[]): FileTexts[] {
  if (directories.length === 0 || files.length === 0) return directories.map(() => () => undefined)
  return split(native().readFiles(encodePath(directories.join('\0')), files.join('\0')), directories.length, files)
}

/** The same for repeated reads: the files stay open, so that each read costs a quarter. */
interface Reader {
  read(): FileTexts[]
  close(): void
}

/** Where the process may not open so many files, each look opens them anew. */
export function openReader(directories: readonly string[], files: readonly string[]): Reader {
  const addon = native()
  const reader =
    directories.length === 0 || files.length === 0
      ? -1
      : addon.openReader(encodePath(directories.join('\0')), files.join('\0'))
  if (typeof reader === 'number') return { read: () => readMany(directories, files), close: () => {} }
  let closed = false
  return {
    read: () =>
      closed ? directories.map(() => () => undefined) : split(addon.readAgain(reader), directories.length, files),
    close: () => {
      closed = true
      addon.closeReader(reader)
    },
  }
}

/** What native/node/read.c writes. One string of all, so that each text is a piece of it and no copy. */
function split(bytes: Buffer, groups: number, files: readonly string[]): FileTexts[] {
  const all = bytes.toString('latin1')
  let at = 0
  return Array.from({ length: groups }, () => {
    const texts: (string | undefined)[] = []
    for (const _ of files) {
      const length = bytes.readInt32LE(at)
      at += 4
      texts.push(length < 0 ? undefined : all.slice(at, at + length))
      if (length > 0) at += (length + 3) & ~3
    }
    return (file) => texts[files.indexOf(file)]
  })
}

/** Calls back whenever the kernel changes a file, or groups come and go in a directory (inotify(7)). False where it can't be watched. */
export function watchPath(path: string, changed: (name: string) => void): (() => void) | undefined {
  try {
    const watcher = watch(encodePath(path), { persistent: true }, (_kind, name) => changed(String(name)))
    watcher.on('error', () => watcher.close())
    return () => watcher.close()
  } catch {
    return undefined
  }
}

/** Whose a group is: [uid, gid]. */
export function readOwner(directory: string): [uid: number, gid: number] | undefined {
  const stat = statSync(encodePath(directory), { throwIfNoEntry: false })
  return stat && [stat.uid, stat.gid]
}

/** The permission bits of a file or group; 0 when it is gone. */
export function readMode(path: string): number {
  return (statSync(encodePath(path), { throwIfNoEntry: false })?.mode ?? 0) & 0o7777
}
