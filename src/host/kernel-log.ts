// SPDX-License-Identifier: Apache-2.0
// Reads the kernel's log, as far as this process may: /dev/kmsg, kernel documentation ABI/testing/dev-kmsg.
import { closeSync, fileConstants, openSync, readlinkSync, readSync } from '../system/files.ts'
import { native } from '../system/native.ts'
import {
  isFaultLine,
  type KernelFault,
  type KernelRecord,
  parseEvents,
  parseRecord,
  parseTailLine,
} from './kernel-record.ts'

/** Records that the kernel itself logged, oldest first, and the time of the oldest record in the log. */
interface KernelLog {
  records: KernelRecord[]
  /** Time of the oldest record in the buffer. Absent if no record was overwritten since the boot. */
  since?: Date
  /** The error that prevented reading: EPERM without CAP_SYSLOG, ENOENT in most containers. */
  errno?: string
}

/** Maximum length of a record. The kernel refuses to read into a shorter buffer (EINVAL). */
const longestRecord = 8192
/** Maximum number of records to read, so that reading ends even if records are written as fast as they are read. */
const maxRecords = 1_000_000

/** Maximum difference in milliseconds between the clock of the log and that of this process. */
const maxDrift = 2000

/**
 * Returns the records that the kernel itself logged and whose text `wanted` accepts. Processes can write into this log, but their records
 * are marked. Records older than `from` (milliseconds since the epoch) are not parsed, because a log holds thousands.
 */
export function readKernelLog(wanted: (text: string) => boolean, from = 0): KernelLog {
  const log: KernelLog = { records: [] }
  let fd: number
  try {
    fd = openSync('/dev/kmsg', fileConstants.O_RDONLY | fileConstants.O_NONBLOCK | fileConstants.O_NOCTTY)
  } catch (error) {
    return { records: [], errno: codeOf(error) }
  }
  const boot = bootTime()
  const buffer = Buffer.alloc(longestRecord)
  try {
    for (let count = 0; count < maxRecords; count++) {
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
 * Returns the faults, such as segfaults, that the kernel logged at `from` (milliseconds since the epoch) or later. Only processes that
 * started after process `after` count. Returns undefined if the log cannot be read.
 */
export function readLateFaults(from: number, after: number): KernelFault[] | undefined {
  const tail = native().readLogTail()
  if (typeof tail === 'number') return undefined
  const boot = bootTime()
  const comparable = seesAsLogged('pid')
  // Process ids increase, so they show which process started later, without the log's clock, which can drift. At pid_max they
  // start again, and then a fault is missed.
  const since = comparable ? from - maxDrift : from
  const records = tail
    .toString('utf8')
    .split('\n')
    .flatMap((line) => (isFaultLine.test(line) && parseTailLine(line, boot)) || [])
    .filter(({ at, byKernel }) => byKernel && at >= since)
  return parseEvents(records).faults.filter(({ pid }) => !comparable || pid > after)
}

/** Returns the time of a log record in microseconds since the boot, which is its third field. Returns NaN if the field is missing. */
function timeOf(buffer: Buffer, boot: number): number {
  const second = buffer.indexOf(44 /* , */, buffer.indexOf(44) + 1)
  return boot + Number(buffer.toString('latin1', second + 1, buffer.indexOf(44, second + 1))) / 1000
}

/** Reads a log record. Returns 0 at the end of the log. EPIPE means that records were overwritten, and is not the end. */
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

/** Returns the time at which the clock of log records was 0. Milliseconds since the epoch. */
function bootTime(): number {
  return Date.now() - Number(process.hrtime.bigint() / 1000n) / 1000
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? 'EIO'
}

/** Inode numbers of the initial namespaces: include/linux/proc_ns.h. */
const first = { pid: 'pid:[4026531836]', cgroup: 'cgroup:[4026531835]' } as const

/** Returns whether this process is in the initial PID or cgroup namespace, whose ids and paths the log prints. */
export function seesAsLogged(kind: keyof typeof first): boolean {
  try {
    return readlinkSync(`/proc/self/ns/${kind}`) === first[kind]
  } catch {
    return false
  }
}
