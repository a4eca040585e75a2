// SPDX-License-Identifier: Apache-2.0
// Reads what `hutch record` recorded before a limit stopped a job, for a few lines in the verdict. Reads the file in place, and gives up if
// that takes too long.
import { closeSync, constants, fstatSync, openSync, readSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { pathOfDirectory } from '../../cgroup/group-paths.ts'
import { fail } from '../../errors/errors.ts'
import { readHost } from '../../host/host.ts'
import { ownDirectory } from '../../host/own-directory.ts'
import { escapeUnsafe } from '../../text/quote.ts'
import type { EvidenceLine } from '../../verdict/limit-words.ts'
import type { Result } from '../../verdict/result.ts'
import { formatTime } from '../../why/memory.ts'
import type { GroupSample } from '../sample.ts'
import { describeHighest, formatRecalled, type RecalledFigure, recalledBy, recalledValue } from './query.ts'
import { makeRecording, type Recording } from './recording.ts'
import { checkTables, openDatabase } from './sqlite.ts'

/** A sample of one group. */
export interface RecentSample {
  time: number
  sample: GroupSample
}

/** Maximum duration of the search in milliseconds, because a disk can be slow and a file large. */
const defaultPatience = 300
/** Maximum bytes of the write-ahead log, which is copied. A recorder keeps its log below 4 MiB. */
const largestLog = 16 * 2 ** 20

/**
 * Returns the recorded lines about a job that just ended. Returns an empty array if the file contains nothing useful.
 * Never throws.
 */
export async function readRecentHistory(
  file: string,
  result: Result,
  patience = defaultPatience,
): Promise<EvidenceLine[]> {
  const until = Date.now()
  const from = until - result.durationMs
  try {
    const host = readHost()
    const groups = groupsOf(result).map((directory) => pathOfDirectory(host, directory))
    return await lookInto(file, (recording) => {
      const deadline = Date.now() + patience
      return groups.flatMap((group, i) =>
        describeSamples(i === 0 ? undefined : group, readLooks(recording, group, from, until, deadline)),
      )
    })
  } catch {
    return []
  }
}

/** Returns the path of the job's group, and of the ancestor group whose limit the job reached. */
function groupsOf({ cgroup, cause }: Result): string[] {
  const above = cause.limit?.level === 'ancestor' ? cause.limit.group : undefined
  return [cgroup.path, above].filter((path) => path !== undefined)
}

function readLooks(recording: Recording, group: string, from: number, until: number, deadline: number): RecentSample[] {
  const looks: RecentSample[] = []
  for (const span of recording.spans) {
    if (span.end < from || span.start > until) continue
    if (Date.now() > deadline) return []
    looks.push(...recording.history(group, Math.max(from, span.start), Math.min(until, span.end), [span]))
  }
  return looks
}

/**
 * Opens a recording that another process may be writing, and returns what `sample` finds in it. The file is opened
 * read-only under another name, beside a copy of its log. It is refused unless root or this user owns it and no other
 * user can write it. Data written during the read is not used.
 */
async function lookInto<T>(path: string, sample: (recording: Recording) => T[]): Promise<T[]> {
  const fd = openOwn(path)
  try {
    const directory = ownDirectory('replay')
    try {
      return await lookFrom(directory, path, fd, sample)
    } finally {
      rmSync(directory, { recursive: true, force: true })
    }
  } finally {
    closeSync(fd)
  }
}

async function lookFrom<T>(
  directory: string,
  path: string,
  fd: number,
  sample: (recording: Recording) => T[],
): Promise<T[]> {
  const before = stateOf(path, fd)
  const name = `${directory}/file`
  symlinkSync(`/proc/self/fd/${fd}`, name)
  copyLog(`${path}-wal`, `${name}-wal`)
  const db = await openDatabase(name, true, path)
  try {
    db.exec('PRAGMA locking_mode=exclusive')
    checkTables(db, path)
    const found = sample(makeRecording(db, path))
    return stateOf(path, fd) === before ? found : []
  } finally {
    db.close()
  }
}

function openOwn(path: string): number {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  const file = fstatSync(fd)
  const own = file.uid === 0 || file.uid === process.geteuid?.()
  if (file.isFile() && own && (file.mode & 0o022) === 0) return fd
  closeSync(fd)
  throw fail('RECORD_INVALID', { path, why: 'other users may have written it' })
}

function stateOf(path: string, fd: number): string {
  const log = openLog(`${path}-wal`)
  const { size, mtimeNs } = fstatSync(fd, { bigint: true })
  const ahead = log === undefined ? undefined : fstatSync(log, { bigint: true })
  if (log !== undefined) closeSync(log)
  return [size, mtimeNs, ahead?.ino, ahead?.size, ahead?.mtimeNs].join(' ')
}

/** Opens the write-ahead log. Returns undefined if the log does not exist, because the recorder has ended. */
function openLog(path: string): number | undefined {
  try {
    return openOwn(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

function copyLog(path: string, to: string): void {
  const fd = openLog(path)
  if (fd === undefined) return
  try {
    const { size } = fstatSync(fd)
    if (size > largestLog) throw fail('RECORD_INVALID', { path, why: 'its log is too long' })
    const bytes = Buffer.alloc(size)
    writeFileSync(to, bytes.subarray(0, readSync(fd, bytes, 0, size, 0)), { mode: 0o600 })
  } finally {
    closeSync(fd)
  }
}

/**
 * Describes the samples before a job's end: their time span, since when memory rose, and the longest wait for memory.
 * `group` is undefined for the job's own group.
 */
export function describeSamples(group: string | undefined, looks: readonly RecentSample[]): EvidenceLine[] {
  const [first, last] = [looks[0], looks.at(-1)]
  // a single sample shows no change
  if (!first || !last || first === last) return []
  const whose = group === undefined ? '' : `${escapeUnsafe(group)}, `
  return [
    ['recorded', `${whose}${formatTime(first.time)} to ${formatClock(last.time)}, by hutch record`],
    ...recalledBy('verdict').flatMap((figure) => (figure.kind === 'stalls' ? [] : riseLine(figure, looks))),
    ...waitLine(looks),
  ]
}

/** A rise by less than this share of the peak is not reported. */
const noRise = 0.1

/**
 * Returns the line about a rise of a figure. It describes the time from the last sample with at most a tenth of the
 * increase, to the peak.
 */
function riseLine(figure: RecalledFigure, looks: readonly RecentSample[]): EvidenceLine[] {
  const { label } = figure.recalled
  const known = looks.flatMap(({ time, sample }) => {
    const value = recalledValue(figure, sample)
    return value === undefined ? [] : [{ time, value }]
  })
  const [first] = known
  if (!first) return []
  const top = known.reduce((a, b) => (b.value > a.value ? b : a))
  const before = known.slice(0, known.indexOf(top) + 1)
  const low = before.reduce((least, { value }) => Math.min(least, value), top.value)
  const rise = top.value - low
  if (rise < top.value * noRise) return [[label, `${describeHighest(figure, top.value)}, and never much less`]]
  const start = before.findLast(({ value }) => value <= low + rise * noRise)!
  return [
    [
      label,
      `rose from ${formatRecalled(figure, start.value)} at ${formatClock(start.time)} to ${formatRecalled(figure, top.value)} at ${formatClock(top.time)}`,
    ],
  ]
}

/** Pressure in percent of ten seconds below which nothing is reported. */
const littleWait = 5

function waitLine(looks: readonly RecentSample[]): EvidenceLine[] {
  const worst = recalledBy('verdict').flatMap((figure) => {
    if (figure.kind !== 'stalls') return []
    const share = ({ sample }: RecentSample) => recalledValue(figure, sample) ?? 0
    const highest = looks.reduce((a, b) => (share(b) > share(a) ? b : a))
    return share(highest) < littleWait
      ? []
      : [`${describeHighest(figure, share(highest))} at ${formatClock(highest.time)}`]
  })
  return worst.length === 0 ? [] : [['pressure', worst.join('; ')]]
}

function formatClock(at: number): string {
  return formatTime(at).slice(11)
}
