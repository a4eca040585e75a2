// SPDX-License-Identifier: Apache-2.0
// Records what CNI plugins do for a job before they run, so that a later hutch can undo the work of one that was killed.

import { fail } from '../errors/errors.ts'
import { claimDirectory, takeOver } from '../host/claim.ts'
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  unlinkSync,
  writeFileSync,
} from '../system/files.ts'
import { closeDescriptor } from '../system/native.ts'
import { type Attachment, deleteNetwork } from './cni.ts'
import { parseConfigList } from './cni-config.ts'

/** Mounts a network namespace on a file, which keeps it alive. Returns 0 or -errno. */
export interface NetworkKeeper {
  keep(fd: number, file: string): number
  drop(file: string): number
}

/** The directory of records. Only root uses CNI. */
const recordDirectory = '/run/hutch/cni'

/** Descriptors of this process's locks by record id. */
const locks = new Map<string, number>()

/** Creates the record and the namespace's file, and holds the record's lock until the record is removed. @throws FILE_REFUSED */
export function keepRecord(what: Omit<Attachment, 'netns'>, fd: number, keeper: NetworkKeeper): Attachment {
  const directory = `${recordDirectory}/${what.id}`
  const record = { ...what, netns: `${directory}/netns` }
  try {
    mkdirSync(recordDirectory, { recursive: true, mode: 0o700 })
    mkdirSync(directory, { mode: 0o700 })
    const lock = claimDirectory(directory)
    if (lock >= 0) locks.set(what.id, lock)
    writeFileSync(`${directory}/new`, JSON.stringify(record), { mode: 0o600 })
    renameSync(`${directory}/new`, `${directory}/record`)
    writeFileSync(record.netns, '', { mode: 0o400 })
  } catch (error) {
    dropRecord(what.id, keeper)
    throw refused(directory, (error as NodeJS.ErrnoException).code ?? 'EIO', error)
  }
  if (keeper.keep(fd, record.netns) === 0) return record
  dropRecord(what.id, keeper)
  throw refused(record.netns, 'EPERM')
}

function refused(path: string, errno: string, cause?: unknown) {
  const remedy = 'run as root, with a writable /run'
  return fail('FILE_REFUSED', { what: 'keep the network namespace in', path, errno, remedy }, cause)
}

/** Removes the record and unmounts the namespace. */
export function dropRecord(id: string, keeper: NetworkKeeper): void {
  const directory = `${recordDirectory}/${id}`
  keeper.drop(`${directory}/netns`)
  for (const file of ['netns', 'new', 'record'])
    try {
      unlinkSync(`${directory}/${file}`)
    } catch {
      // it was not created, or another process removed it
    }
  try {
    rmdirSync(directory)
  } catch {
    // the same
  }
  release(id)
}

function release(id: string): void {
  const lock = locks.get(id)
  if (lock !== undefined) closeDescriptor(lock)
  locks.delete(id)
}

/**
 * Removes the attachments that killed hutch processes left. A record stays for the next run if its removal fails.
 * A record is named `hutch-PID-START-PIDNS-SERIAL`. Only its lock tells whether its creator is alive.
 */
export async function sweepRecords(pidNamespace: string, keeper: NetworkKeeper): Promise<void> {
  for (const id of readRecords()) {
    if (locks.has(id)) continue
    const [, pid, , namespace] = id.split('-')
    const lock = takeOver(`${recordDirectory}/${id}`, namespace === pidNamespace ? Number(pid) : undefined)
    if (lock === undefined) continue
    locks.set(id, lock)
    const record = readRecord(id)
    try {
      if (record) await deleteNetwork(record)
      dropRecord(id, keeper)
    } catch {
      // the current run must not fail because of a stale record
      release(id)
    }
  }
}

function readRecords(): string[] {
  try {
    return readdirSync(recordDirectory)
  } catch {
    return []
  }
}

function readRecord(id: string): Attachment | undefined {
  const path = `${recordDirectory}/${id}/record`
  try {
    const { list, publish, result } = JSON.parse(readFileSync(path, 'utf8')) as Attachment
    return { id, list: parseConfigList(list, path), publish, result, netns: `${recordDirectory}/${id}/netns` }
  } catch {
    return undefined
  }
}

/** Stores the result of the ADDs, which DEL needs. */
export function noteResult(record: Attachment): void {
  const directory = `${recordDirectory}/${record.id}`
  writeFileSync(`${directory}/new`, JSON.stringify(record), { mode: 0o600 })
  renameSync(`${directory}/new`, `${directory}/record`)
}
