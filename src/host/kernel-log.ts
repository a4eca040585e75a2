// SPDX-License-Identifier: Apache-2.0
// The kernel's log, as far as this process may read it: /dev/kmsg, kernel documentation ABI/testing/dev-kmsg.
import { closeSync, constants, openSync, readlinkSync, readSync } from 'node:fs'
import { native } from '../system/native.ts'
import {
  isFaultLine,
  type KernelFault,
  type KernelRecord,
  parseEvents,
  parseRecord,
  parseTailLine,
} from './kernel-record.ts'

/** What the kernel wrote itself, oldest first, and how far back it goes. */
export interface KernelLog {
  records: KernelRecord[]
  /** When the oldest record was written that is still there; absent when nothing has been overwritten since the boot. */
  since?: Date
  /** Why there are no records: EPERM without CAP_SYSLOG, ENOENT in most containers. */
  errno?: string
}

/** A record is no longer than this; a shorter buffer is refused (EINVAL). */
const longestRecord = 8192
/** A log that is written as fast as it is read has an end all the same. */
const mostRecords = 1_000_000

/** Milliseconds by which the clocks of the log and of this process may differ. */
const maxDrift = 2000

/**
 * Returns the records that `wanted` takes by their text: others can write into this log, but never under the kernel's own name. Records from before
 * `from`, milliseconds since the epoch, are skipped unread: of thousands only those of the last moments are parsed.
 */
export function readKernelLog(wanted: (text: string) => boolean, from = 0): KernelLog {
  const log: KernelLog = { records: [] }
  let fd: number
  try {
    fd = openSync('/dev/kmsg', constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY)
  } catch (error) {
    return { records: [], errno: codeOf(error) }
  }
  const boot = bootTime()
  const buffer = Buffer.alloc(longestRecord)
  try {
    for (let count = 0; count < mostRecords; count++) {
      const length = readNext(fd, buffer)
      if (length === 0) break
      if (count > 0 && timeOf(buffer, boot) < from - maxDrift) continue
      const record = parseRecord(buffer.toString('latin1', 0, length), boot)
      if (!record) continue
      if (count === 0 && record.number > 0) log.since = new Date(record.at)
      if (record.byKernel && wanted(record.text)) log.records.push(record)
    }
  } catch (error) {
    log.errno = codeOf(error)
  } finally {
    closeSync(fd)
  }
  return log
}

/**
 * Returns the faults that the end of the log has of processes that began after process `after` did, at `from` or later, milliseconds since the
 * epoch. Returns undefined if the log cannot be read.
 */
export function readLateFaults(from: number, after: number): KernelFault[] | undefined {
  const tail = native().readLogTail()
  if (typeof tail === 'number') return undefined
  const boot = bootTime()
  const comparable = seesAsLogged('pid')
  // ids are given in turn, so they do without the clock, which may drift; behind the highest id they begin again: then a fault is missed
  const since = comparable ? from - maxDrift : from
  const records = tail
    .toString('utf8')
    .split('\n')
    .flatMap((line) => (isFaultLine.test(line) && parseTailLine(line, boot)) || [])
    .filter(({ at, byKernel }) => byKernel && at >= since)
  return parseEvents(records).faults.filter(({ pid }) => !comparable || pid > after)
}

/** When a record was written, by its third field: microseconds since the boot. NaN if it has none. */
function timeOf(buffer: Buffer, boot: number): number {
  const second = buffer.indexOf(44 /* , */, buffer.indexOf(44) + 1)
  return boot + Number(buffer.toString('latin1', second + 1, buffer.indexOf(44, second + 1))) / 1000
}

/** 0 at the end. A record that was overwritten while we read makes a gap (EPIPE), not an end. */
function readNext(fd: number, buffer: Buffer): number {
  for (let tries = 0; ; tries++) {
    try {
      return readSync(fd, buffer)
    } catch (error) {
      if (codeOf(error) === 'EAGAIN') return 0
      if (codeOf(error) !== 'EPIPE' || tries > 1000) throw error
    }
  }
}

/** Milliseconds since the epoch at which the kernel's clock of log records was 0. */
function bootTime(): number {
  return Date.now() - Number(process.hrtime.bigint() / 1000n) / 1000
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? 'EIO'
}

/** Inode numbers that the kernel gives the first namespaces: include/linux/proc_ns.h. */
const first = { pid: 'pid:[4026531836]', cgroup: 'cgroup:[4026531835]' } as const

/** Whether this process counts processes, or groups, as the log does: from the first namespace. */
export function seesAsLogged(kind: keyof typeof first): boolean {
  try {
    return readlinkSync(`/proc/self/ns/${kind}`) === first[kind]
  } catch {
    return false
  }
}
