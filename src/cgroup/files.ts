// SPDX-License-Identifier: Apache-2.0
// Reads and writes cgroup files from TypeScript; no other file does. The launch path writes its files in native/caller/outer.c.
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

/** Result of a read: the text without its last newline, or the name of the errno. */
export type Read = { text: string; errno?: undefined } | { text?: undefined; errno: string }

function errnoOf(error: unknown): string {
  const { errno } = error as NodeJS.ErrnoException
  return errno === undefined ? 'EINVAL' : errnoName(errno)
}

/** Reads a file. Returns its text without trailing whitespace, or the name of the errno. */
export function tryRead(directory: string, file: string): Read {
  try {
    return { text: readFileSync(encodePath(`${directory}/${file}`), 'utf8').trimEnd() }
  } catch (error) {
    return { errno: errnoOf(error) }
  }
}

/** Reads a file. Returns its text without the last newline but with all other whitespace, or the name of the errno. */
export function readRaw(directory: string, file: string): Read {
  try {
    return { text: readFileSync(encodePath(`${directory}/${file}`), 'utf8').replace(/\n$/, '') }
  } catch (error) {
    return { errno: errnoOf(error) }
  }
}

/** Returns a file's text without its last newline; undefined if it cannot be read. */
export function readGroupFile(directory: string, file: string): string | undefined {
  return tryRead(directory, file).text
}

/** Returns the words of a file such as cgroup.procs or cgroup.controllers; an empty array if it cannot be read. */
export function readWords(directory: string, file: string): string[] {
  return readGroupFile(directory, file)?.split(/\s+/).filter(Boolean) ?? []
}

/** Runs a change of the file system. Returns undefined on success, otherwise the name of the kernel's errno. */
function attempt(change: () => void): string | undefined {
  try {
    change()
    return undefined
  } catch (error) {
    return errnoOf(error)
  }
}

/** Writes a value to a file. Returns undefined on success, otherwise the name of the kernel's errno. */
export function writeGroupFile(directory: string, file: string, value: string): string | undefined {
  return attempt(() => writeFileSync(encodePath(`${directory}/${file}`), value, { flag: 'r+' }))
}

/**
 * Writes a value without blocking the event loop, because the kernel may take long to apply a limit, move processes or reclaim memory.
 * Returns undefined on success, otherwise the name of the errno.
 */
export async function writeGroupFileAsync(directory: string, file: string, value: string): Promise<string | undefined> {
  try {
    await writeFile(encodePath(`${directory}/${file}`), value, { flag: 'r+' })
    return undefined
  } catch (error) {
    return errnoOf(error)
  }
}

/** Creates a group. Returns undefined on success, otherwise the name of the errno. */
export function makeDirectory(directory: string): string | undefined {
  return attempt(() => mkdirSync(encodePath(directory)))
}

/** Removes a group. Returns undefined on success, otherwise the name of the errno. */
export function removeDirectory(directory: string): string | undefined {
  return attempt(() => rmdirSync(encodePath(directory)))
}

/** Changes the owner of a file or group. Returns undefined on success, otherwise the name of the errno. */
export function changeOwner(path: string, uid: number, gid: number): string | undefined {
  return attempt(() => chownSync(encodePath(path), uid, gid))
}

/** Changes the mode of a file or group. Returns undefined on success, otherwise the name of the errno. */
export function changeMode(path: string, mode: number): string | undefined {
  return attempt(() => chmodSync(encodePath(path), mode))
}

/** Returns true if a directory exists and is a group. */
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

/** The file that is 1 in a group that is itself frozen, by controller. The controller '' stands for the v2 tree. */
const pausedFiles = new Map([
  ['', 'cgroup.freeze'],
  ['freezer', 'freezer.self_freezing'],
])

/** Returns true if somebody froze this group itself. A freeze of a group above does not count. Only v2 and v1's freezer can freeze. */
export function isPaused({ controller, directory }: { controller: string; directory: string }): boolean {
  const file = pausedFiles.get(controller)
  return file !== undefined && readGroupFile(directory, file) === '1'
}

/** Returns the names of a directory's child groups. */
export function readChildren(directory: string): string[] {
  return list(directory, true)
}

/** Returns the names of a group's files, sorted. */
export function readFileNames(directory: string): string[] {
  return list(directory, false).sort()
}

/** Returns the names of a directory's files and groups, in the kernel's order. */
export function readEntries(directory: string): { files: string[]; groups: string[] } {
  const entries = { files: [] as string[], groups: [] as string[] }
  let handle: Dir | undefined
  try {
    handle = opendirSync(encodePath(directory) as string)
    for (let entry = handle.readSync(); entry !== null; entry = handle.readSync())
      if (entry.isDirectory()) entries.groups.push(entry.name)
      else if (entry.isFile()) entries.files.push(entry.name)
  } catch {
    // the directory was removed
  }
  handle?.closeSync()
  if (entries.groups.some(isOdd)) entries.groups = readChildren(directory)
  return entries
}

/** Returns a directory and all groups below it, parents first. Makes one native call, which does not open groups without children. */
export function walkGroups(directory: string): string[] {
  const below = splitGroups(listGroups(directory))
  return [directory, ...below.sort().map((path) => `${directory}/${path}`)]
}

/** Returns all groups below a directory as one text. A caller compares this text with that of a previous call. */
export function listGroups(directory: string): string {
  const list = native().walkGroups(encodePath(directory))
  return typeof list === 'string' ? list : decodeNames(list)
}

/** Splits the text of listGroups into paths relative to the directory. */
export function splitGroups(list: string): string[] {
  const paths = list.split('\0')
  paths.pop()
  return paths.map((path) => path.slice(1))
}

/** Removes a group and its descendants. Returns false if a process prevents that. */
export function removeTree(directory: string): boolean {
  for (const child of readChildren(directory)) removeTree(`${directory}/${child}`)
  const errno = removeDirectory(directory)
  return errno === undefined || errno === 'ENOENT'
}

/**
 * Reads the same files of many groups in one native call. Returns for each group, in the given order, a function from a file name to its
 * text.
 */
export function readMany(directories: readonly string[], files: readonly string[]): FileTexts[] {
  if (directories.length === 0 || files.length === 0) return directories.map(() => () => undefined)
  return split(native().readFiles(encodePath(directories.join('\0')), files.join('\0')), directories.length, files)
}

/** Reads the same files repeatedly. The files stay open, which reduces the cost of a read to a quarter. */
interface Reader {
  read(): FileTexts[]
  close(): void
}

/** Opens a reader. If the limit of open files is too low, each read opens and closes the files. */
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

/** Splits the bytes that native/node/read.c writes into texts. Decodes all bytes as one string, because slices of a string need no copy. */
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

/**
 * Calls `changed` when the kernel changes a file, or when groups are created or removed in a directory (inotify(7)). Returns a function
 * that ends the watch, or undefined if the path cannot be watched.
 */
export function watchPath(path: string, changed: (name: string) => void): (() => void) | undefined {
  try {
    const watcher = watch(encodePath(path), { persistent: true }, (_kind, name) => changed(String(name)))
    watcher.on('error', () => watcher.close())
    return () => watcher.close()
  } catch {
    return undefined
  }
}

/** Returns the owner of a group as [uid, gid]; undefined if it does not exist. */
export function readOwner(directory: string): [uid: number, gid: number] | undefined {
  const stat = statSync(encodePath(directory), { throwIfNoEntry: false })
  return stat && [stat.uid, stat.gid]
}

/** Returns the permission bits of a file or group; 0 if it does not exist. */
export function readMode(path: string): number {
  return (statSync(encodePath(path), { throwIfNoEntry: false })?.mode ?? 0) & 0o7777
}
