// SPDX-License-Identifier: Apache-2.0
// What CNI plugins did for a job, written down before they do it: whoever comes after a hutch that was killed takes it down.
import {
  closeSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { fail } from '../errors/errors.ts'
import { claimDirectory, takeOver } from '../host/claim.ts'
import { type Attachment, deleteNetwork } from './cni.ts'
import { parseConfigList } from './cni-config.ts'

/** Keeps a network namespace alive by mounting it on a file: 0 or -errno. */
export interface NetworkKeeper {
  keep(fd: number, file: string): number
  drop(file: string): number
}

/** Only root comes here. */
export const recordDirectory = '/run/hutch/cni'

/** Descriptors of this process's locks, by the record's id. */
const locks = new Map<string, number>()

/** Makes the record and its namespace's file, and holds the record's lock until it is dropped. @throws FILE_REFUSED */
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

/** Takes away the record, and lets go of the namespace. */
export function dropRecord(id: string, keeper: NetworkKeeper): void {
  const directory = `${recordDirectory}/${id}`
  keeper.drop(`${directory}/netns`)
  for (const file of ['netns', 'new', 'record'])
    try {
      unlinkSync(`${directory}/${file}`)
    } catch {
      // it was not made, or somebody else took it
    }
  try {
    rmdirSync(directory)
  } catch {
    // as above
  }
  release(id)
}

function release(id: string): void {
  const lock = locks.get(id)
  if (lock !== undefined) closeSync(lock)
  locks.delete(id)
}

/**
 * Takes down what hutches that were killed left. What cannot be taken down stays written, for the next time.
 * A record is `hutch-PID-START-PIDNS-SERIAL`; only the lock tells whether its maker lives.
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
      // the run that found it has its own work to do
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

/** After the ADDs: their result is what a DEL needs. */
export function noteResult(record: Attachment): void {
  const directory = `${recordDirectory}/${record.id}`
  writeFileSync(`${directory}/new`, JSON.stringify(record), { mode: 0o600 })
  renameSync(`${directory}/new`, `${directory}/record`)
}
