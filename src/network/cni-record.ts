// SPDX-License-Identifier: Apache-2.0
// Keeps a record of the CNI plugins that run for a job, written before they run. If hutch is killed, a later hutch
// reads it and undoes their work.

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

/** Mounts a network namespace on a file, which keeps the namespace alive. Both functions return 0 or -errno. */
export interface NetworkKeeper {
  keep(fd: number, file: string): number
  drop(file: string): number
}

/** The directory of the records. Only root can use CNI, so no other user needs one. */
const recordDirectory = '/run/hutch/cni'

/** Descriptors of the locked files that this process holds, by record id. */
const locks = new Map<string, number>()

/**
 * Creates the record, and the file on which the network namespace is mounted. Locks the record until `dropRecord`.
 *
 * @throws FILE_REFUSED
 */
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

/** Deletes the record and unmounts the network namespace. */
export function dropRecord(id: string, keeper: NetworkKeeper): void {
  const directory = `${recordDirectory}/${id}`
  keeper.drop(`${directory}/netns`)
  for (const file of ['netns', 'new', 'record'])
    try {
      unlinkSync(`${directory}/${file}`)
    } catch {
      // ignored: it was never created, or another process already removed it
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
 * Removes the network attachments of hutch processes that were killed. If this fails, the record stays and the next run
 * tries again. A record is named `hutch-PID-START-PIDNS-SERIAL`, but only its lock tells whether the process is alive.
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
      // errors are ignored here, because an old record must not make the current run fail
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

/** Stores the result of the plugins' ADD in the record, because DEL needs it. */
export function noteResult(record: Attachment): void {
  const directory = `${recordDirectory}/${record.id}`
  writeFileSync(`${directory}/new`, JSON.stringify(record), { mode: 0o600 })
  renameSync(`${directory}/new`, `${directory}/record`)
}
