// SPDX-License-Identifier: Apache-2.0
// Reports once what prevents a running job from making progress, if none of its tasks has run for some seconds. Loaded
// by hutch run after the start, on a terminal or with --verbose.

import { readWords } from '../cgroup/files.ts'
import { pathOfDirectory } from '../cgroup/group-paths.ts'
import { HutchError } from '../errors/errors.ts'
import { readHost, statField } from '../host/host.ts'
import { readdirSync, readFileSync } from '../system/files.ts'
import { quote } from '../text/quote.ts'
import { formatDuration } from '../text/units.ts'
import { formatLines } from '../verdict/format-result.ts'
import type { WhyCause } from './explanation.ts'
import { why } from './why.ts'

/** What prevents a job from making progress. */
export type StallReason = Pick<WhyCause, 'headline' | 'evidence' | 'remedy'>

/** Kinds of causes that make the processes of a running group wait. */
const holding = new Set<WhyCause['cause']>(['pids', 'slowed', 'stuck'])
/** Returns true if a cause can keep a job from running now. Waiting for a CPU cannot: the job would then use CPU time. */
const holds = ({ cause, limit }: WhyCause) => holding.has(cause) && limit !== 'cpu.pressure' && limit !== 'cpuset.cpus'
const periodMs = 1500
/**
 * Number of consecutive samples after which a job counts as stalled. In each, the job used less CPU time than the share
 * `stillShare` of the interval.
 */
const stillLooks = 3
const stillShare = 0.02
const maxProcesses = 64

/**
 * Samples a job's processes every 1.5 s, until it has called `report` once or the returned function is called.
 * `directories` are the job's groups. `pid` is its first process, used if it has no group.
 */
export function watchStall(
  directories: readonly string[],
  pid: number,
  report: (stall: StallReason) => void,
): () => void {
  let [seen, still] = [new Map<number, number>(), 0]
  const timer = setInterval(() => {
    const used = usedBy(membersOf(directories, pid))
    still = isStill(seen, used) ? still + 1 : 0
    seen = used
    if (still < stillLooks) return
    const stall = explainStall(directories, [...used.keys()])
    // no limit was found: the job waits for input, a timer or another machine, so start counting again
    if (!stall) still = 0
    else {
      clearInterval(timer)
      report(stall)
    }
  }, periodMs)
  timer.unref()
  return () => clearInterval(timer)
}

/** Returns the lines that hutch run prints about a job that makes no progress. */
export function describeStall({ headline, evidence, remedy }: StallReason, color: boolean): string {
  const lines = [...evidence, ...(remedy === undefined ? [] : [['remedy', remedy] as [string, string]])]
  const time = formatDuration(periodMs * stillLooks)
  return `the job has used almost no CPU time for ${time}: ${headline}\n${formatLines(lines, color)}`
}

function membersOf(directories: readonly string[], pid: number): number[] {
  const [first] = directories
  return first === undefined ? [pid] : readWords(first, 'cgroup.procs').slice(0, maxProcesses).map(Number)
}

/**
 * Returns the CPU time of each process, including its threads, in milliseconds. The kernel counts in ticks of 10 ms:
 * proc_pid_stat(5).
 */
function usedBy(pids: readonly number[]): Map<number, number> {
  const ticks = (stat: string, field: number) => Number(statField(stat, field) ?? 0)
  return new Map(
    pids.map((pid) => {
      const stat = read(pid, 'stat') ?? ''
      return [pid, (ticks(stat, 14) + ticks(stat, 15)) * 10]
    }),
  )
}

/** Returns true if the job still has the same processes, and these have used almost no CPU time. */
function isStill(before: ReadonlyMap<number, number>, now: ReadonlyMap<number, number>): boolean {
  if (now.size === 0 || now.size !== before.size) return false
  let total = 0
  for (const [pid, used] of now) total += used - (before.get(pid) ?? Number.NEGATIVE_INFINITY)
  return total < periodMs * stillShare
}

function explainStall(directories: readonly string[], pids: readonly number[]): StallReason | undefined {
  return fullTable(pids) ?? directories.map(explainGroup).find((found) => found !== undefined)
}

function explainGroup(directory: string): StallReason | undefined {
  try {
    return why(pathOfDirectory(readHost(), directory)).causes.find(holds)
  } catch (error) {
    // the process has ended
    if (HutchError.is(error)) return undefined
    throw error
  }
}

/** Finds a process that has used up its descriptors: RLIMIT_NOFILE in proc_pid_limits(5). */
function fullTable(pids: readonly number[]): StallReason | undefined {
  for (const pid of pids) {
    const limit = Number(/^Max open files +(\d+)/m.exec(read(pid, 'limits') ?? '')?.[1])
    const open = countDescriptors(pid)
    if (limit > 0 && open >= limit) return fullTableReason(pid, read(pid, 'comm')?.trim() ?? '', limit, open)
  }
  return undefined
}

/** Explains that a process has used up its descriptors. */
export function fullTableReason(pid: number, name: string, limit: number, open: number): StallReason {
  return {
    headline: `process ${pid} (${quote(name)}) has ${limit} file descriptors open, which is its limit`,
    evidence: [['nofile', `${limit}   open ${open}`]],
    remedy: `prlimit --pid ${pid} --nofile=${limit * 2}:`,
  }
}

function countDescriptors(pid: number): number {
  try {
    return readdirSync(`/proc/${pid}/fd`).length
  } catch {
    return 0
  }
}

function read(pid: number, file: string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8')
  } catch {
    return undefined
  }
}
