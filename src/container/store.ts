// SPDX-License-Identifier: Apache-2.0
// The directories of containers, ROOT/ID/: creates, locks, reads, lists and removes them. Every step is atomic, so that kill -9 at any moment
// leaves the container as it was before the step or after it.
//
// A directory appears under its id by a rename, with its state file and its lock. It disappears by a rename to a name that no id can have.
// Nothing waits for a disk: containers do not survive a crash of the machine. Their directories may, with an empty state file.
// Whoever changes a container holds flock(2) on its directory; the lock ends with the process. Readers take no lock.

import { fail, type HutchError } from '../errors/errors.ts'
import {
  existsSync,
  fstatSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from '../system/files.ts'
import { closeDescriptor, errnoName, lockModes, native } from '../system/native.ts'
import { randomBytes } from '../system/random.ts'
import { encodePath } from '../text/non-utf8.ts'
import { readOwnFile } from './own-file.ts'
import { type ContainerState, formatState, isContainerId, maxIdLength, parseState } from './state.ts'

const stateFile = 'state.json'
const maxStateBytes = 16 << 20
/** First character of the names of directories that belong to no container. */
const scrap = '~'

/** A container whose lock this process holds. */
export interface LockedContainer<Details = unknown> {
  readonly id: string
  readonly directory: string
  /** True if this process created the container. */
  readonly isNew: boolean
  /** The stored state; undefined if the directory has no state file. */
  state: ContainerState<Details> | undefined
  /** Replaces the stored state. */
  save(state: ContainerState<Details>): void
  /** Removes the directory. The id is free at once. */
  remove(): void
  /** Gives the lock up. */
  close(): void
}

/** Returns the directory of a container. @throws CONTAINER_ID_INVALID */
export function containerDirectory(root: string, id: string): string {
  if (isContainerId(id)) return `${root}/${id}`
  const why = id.length > maxIdLength ? `longer than ${maxIdLength} characters` : 'an invalid character or name'
  throw fail('CONTAINER_ID_INVALID', { id, why })
}

/**
 * Creates a container's directory with its first state, and locks it. Creates the root, too.
 *
 * @throws CONTAINER_EXISTS, CONTAINER_ID_INVALID, FILE_REFUSED
 */
export function createContainer<Details>(root: string, state: ContainerState<Details>): LockedContainer<Details> {
  const directory = containerDirectory(root, state.id)
  attempt('create', root, () => mkdirSync(root, { recursive: true, mode: 0o700 }))
  for (;;) {
    const made = `${root}/${scrapName()}`
    attempt('create', made, () => mkdirSync(made, { mode: 0o700 }))
    const lock = lockDirectory(made, lockModes.exclusive)
    // between mkdir and the lock, another process can take the directory for scrap
    if (lock < 0 || !isSame(lock, made)) {
      if (lock >= 0) closeDescriptor(lock)
      continue
    }
    try {
      const path = `${made}/${stateFile}`
      attempt('write', path, () => writeFileSync(path, formatState(state), { mode: 0o600 }))
      rename(made, directory, state.id)
    } catch (error) {
      rmSync(made, { recursive: true, force: true })
      closeDescriptor(lock)
      throw error
    }
    return locked(root, state.id, lock, state, true)
  }
}

/** Checks early that no container has this id. createContainer checks the same for certain. @throws CONTAINER_EXISTS, CONTAINER_ID_INVALID */
export function refuseExisting(root: string, id: string): void {
  const directory = containerDirectory(root, id)
  if (existsSync(`${directory}/${stateFile}`)) throw fail('CONTAINER_EXISTS', { id, directory })
}

/** An existing directory is replaced only if it is empty: then it is not a container's. @throws CONTAINER_EXISTS, FILE_REFUSED */
function rename(made: string, directory: string, id: string): void {
  try {
    renameSync(made, directory)
  } catch (error) {
    if (['EEXIST', 'ENOTEMPTY', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? ''))
      throw fail('CONTAINER_EXISTS', { id, directory }, error)
    throw refused('create', directory, error)
  }
}

/**
 * Locks an existing container. By default waits until another process that changes it has ended.
 *
 * @throws CONTAINER_NOT_FOUND, CONTAINER_BUSY, CONTAINER_STATE_INVALID, CONTAINER_ID_INVALID, FILE_REFUSED
 */
export function lockContainer<Details>(root: string, id: string, { waits = true } = {}): LockedContainer<Details> {
  const directory = containerDirectory(root, id)
  for (;;) {
    const lock = lockDirectory(directory, lockModes.exclusive | (waits ? 0 : lockModes.atOnce))
    if (lock < 0) throw lockRefused(root, id, lock)
    try {
      if (isSame(lock, directory)) return locked(root, id, lock, readState<Details>(directory), false)
    } catch (error) {
      closeDescriptor(lock)
      throw error
    }
    // the directory was removed while this process waited
    closeDescriptor(lock)
  }
}

function lockRefused(root: string, id: string, status: number): HutchError {
  const errno = errnoName(status)
  if (errno === 'EAGAIN') return fail('CONTAINER_BUSY', { id })
  if (['ENOENT', 'ENOTDIR', 'ELOOP'].includes(errno)) return fail('CONTAINER_NOT_FOUND', { id, root })
  return fail('FILE_REFUSED', { what: 'lock', path: `${root}/${id}`, errno, remedy: accessRemedy })
}

/** Locks a container while `action` runs. @throws what lockContainer and `action` throw */
export async function withContainer<Details, Result>(
  root: string,
  id: string,
  action: (container: LockedContainer<Details>) => Result | Promise<Result>,
): Promise<Result> {
  const container = lockContainer<Details>(root, id)
  try {
    return await action(container)
  } finally {
    container.close()
  }
}

/** Returns the stored state of a container. Takes no lock. @throws CONTAINER_NOT_FOUND, CONTAINER_STATE_INVALID, FILE_REFUSED */
export function readContainer<Details>(root: string, id: string): ContainerState<Details> {
  const state = readState<Details>(containerDirectory(root, id))
  if (!state) throw fail('CONTAINER_NOT_FOUND', { id, root })
  return state
}

/** Returns the ids of all directories of containers, sorted, even of those without a state file. @throws FILE_REFUSED */
export function listContainers(root: string): string[] {
  return namesIn(root).filter(isContainerId).sort()
}

/** Returns true if a process changes the container at present. */
export function isChanging(root: string, id: string): boolean {
  const lock = lockDirectory(`${root}/${id}`, lockModes.shared | lockModes.atOnce)
  if (lock >= 0) closeDescriptor(lock)
  return lock < 0 && errnoName(lock) === 'EAGAIN'
}

function locked<Details>(
  root: string,
  id: string,
  lock: number,
  stored: ContainerState<Details> | undefined,
  isNew: boolean,
): LockedContainer<Details> {
  const directory = `${root}/${id}`
  let isOpen = true
  const container: LockedContainer<Details> = {
    id,
    directory,
    isNew,
    state: stored,
    save(state) {
      writeState(directory, state)
      container.state = state
    },
    remove() {
      const removed = `${root}/${scrapName()}`
      attempt('remove', directory, () => renameSync(directory, removed))
      container.state = undefined
      attempt('remove', removed, () => rmSync(removed, { recursive: true, force: true }))
      sweep(root)
    },
    close() {
      if (isOpen) closeDescriptor(lock)
      isOpen = false
    },
  }
  return container
}

/** Removes what killed processes left: directories without an id that no process has locked. */
function sweep(root: string): void {
  for (const name of namesIn(root)) {
    if (!name.startsWith(scrap)) continue
    const lock = lockDirectory(`${root}/${name}`, lockModes.exclusive | lockModes.atOnce)
    if (lock < 0) continue
    try {
      rmSync(`${root}/${name}`, { recursive: true, force: true })
    } catch {
      // ignored: the next removal tries again
    }
    closeDescriptor(lock)
  }
}

function scrapName(): string {
  return `${scrap}${randomBytes(8).toString('hex')}`
}

function namesIn(root: string): string[] {
  try {
    return readdirSync(root) as string[]
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw refused('read', root, error)
  }
}

function lockDirectory(directory: string, how: number): number {
  return native().lockDirectory(encodePath(directory), how)
}

/** Returns true if a path still leads to the directory that is open. */
function isSame(fd: number, path: string): boolean {
  const [open, found] = [fstatSync(fd), statSync(path, { throwIfNoEntry: false })]
  return found !== undefined && found.ino === open.ino && found.dev === open.dev
}

/** Writes the state under another name, and renames it when it is whole. */
function writeState(directory: string, state: ContainerState): void {
  const path = `${directory}/${stateFile}`
  attempt('write', path, () => {
    writeFileSync(`${path}.new`, formatState(state), { mode: 0o600 })
    renameSync(`${path}.new`, path)
  })
}

function readState<Details>(directory: string): ContainerState<Details> | undefined {
  const path = `${directory}/${stateFile}`
  try {
    const text = readOwnFile(path, maxStateBytes)
    return text === '' ? undefined : parseState(text, path)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
    if (code?.startsWith('CONTAINER_')) throw error
    throw refused('read', path, error)
  }
}

const accessRemedy = 'run as the user that created the container, or as root'

function refused(what: string, path: string, error: unknown): HutchError {
  const errno = (error as NodeJS.ErrnoException).code ?? 'EIO'
  return fail('FILE_REFUSED', { what, path, errno, remedy: accessRemedy }, error)
}

function attempt(what: string, path: string, change: () => void): void {
  try {
    change()
  } catch (error) {
    throw refused(what, path, error)
  }
}
