// SPDX-License-Identifier: Apache-2.0
// Parses records of the kernel's log about processes that ended: mm/oom_kill.c, kernel/cgroup/pids.c, arch/x86/mm/fault.c. Pure.
// Names in records are untrusted: processes and creators of groups choose them.

/** A record of the kernel log. */
export interface KernelRecord {
  /** The sequence number, 0 at the boot. */
  number: number
  /** Time of the record, in milliseconds since the epoch. */
  at: number
  /** False if a process wrote the record: the kernel never gives it facility 0. */
  byKernel: boolean
  /** The decoded text, which can contain any byte. */
  text: string
}

/**
 * Parses a record of /dev/kmsg: `6,339,5140900,-;text\n KEY=value\n`. `boot` is the time at which the clock of the records was 0. Returns
 * undefined for any other form.
 */
export function parseRecord(line: string, boot: number): KernelRecord | undefined {
  const [, prefix, number, usec, text] = /^(\d+),(\d+),(\d+)[^;\n]*;([^\n]*)/.exec(line) ?? []
  if (text === undefined) return undefined
  return {
    number: Number(number),
    at: boot + Number(usec) / 1000,
    byKernel: Number(prefix) >> 3 === 0,
    text: unescapeText(text),
  }
}

/** Returns the lines of a syslog(2) text that may describe a fault. */
export const isFaultLine = /\]:? (?:segfault|general protection fault|trap |unhandled exception)/

/**
 * Parses a line of syslog(2): `<6>[ 5.140900] text`, possibly with the caller in brackets after the time. Returns undefined for any other
 * form.
 */
export function parseTailLine(line: string, boot: number): KernelRecord | undefined {
  const [, prefix, seconds, text] = /^<(\d+)>\[ *(\d+\.\d+)\](?:\[ *[TC]\d+\])? ([^\n]*)$/.exec(line) ?? []
  if (text === undefined) return undefined
  return { number: 0, at: boot + Number(seconds) * 1000, byKernel: Number(prefix) >> 3 === 0, text }
}

/** Decodes \xNN, by which the log escapes a backslash and bytes that are not printable. */
function unescapeText(text: string): string {
  if (!text.includes('\\')) return text
  const bytes = text.replace(/\\x([0-9a-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
  return Buffer.from(bytes, 'latin1').toString('utf8')
}

/** A process that the OOM killer killed. Sizes are in bytes. */
export interface KernelKill {
  at: number
  pid: number
  name: string
  uid?: number
  /** The exhausted resource: a group's limit or the host's memory. */
  for: 'group' | 'host'
  /** The group of the limit and the group of the process, from the root of memory's hierarchy. Absent if unknown. */
  limitGroup?: string
  group?: string
  /** True if cpuset.mems or a memory policy restricted the allocation to memory nodes that were full. */
  nodesAlone?: true
  /** True if the SysRq key started the OOM killer. */
  byHand?: true
  /** True if the process was killed together with all processes of its group (memory.oom.group). */
  together?: true
  virtual: number
  anon: number
  file: number
  shmem: number
  pageTables?: number
  oomScoreAdj?: number
  /** Memory use and limit of the group at the kill. */
  usage?: number
  limit?: number
  /** The group's memory by kind at the kill. Absent if the kernel omitted the report. */
  use?: MemoryUse
}

/** Memory of a group by kind, in bytes. */
export interface MemoryUse {
  /** Memory without a file, such as heaps and stacks, in bytes. */
  anon: number
  /** Page cache without shared memory, in bytes. */
  file: number
  /** tmpfs, memfd, System V and anonymous shared memory, in bytes. */
  shmem: number
  /** Page tables, stacks, slab and sockets, in bytes. */
  kernel: number
  /** Swap, in bytes. */
  swap: number
}

/** A process that received a fatal signal for its own fault, such as a segfault. */
export interface KernelFault {
  at: number
  /** Id of the thread at fault. */
  pid: number
  name: string
  /** The kind of fault, such as segfault. */
  what: string
  text: string
}

/** A refused fork in a group. The kernel logs only the first refused fork of each group. */
interface ForkRefusal {
  at: number
  /** The group of the process that tried to fork. */
  group: string
}

/** All events that the kernel log reports. */
export interface KernelEvents {
  kills: KernelKill[]
  faults: KernelFault[]
  forkRefusals: ForkRefusal[]
}

const killed =
  /^(Memory cgroup out of memory|Out of memory)[^:]*: Killed process (\d+) \((.*)\) total-vm:(\d+)kB, anon-rss:(\d+)kB, file-rss:(\d+)kB, shmem-rss:(\d+)kB(?:, UID:(\d+) pgtables:(\d+)kB oom_score_adj:(-?\d+))?/s
const together = /^Tasks in (\/.*) are going to be killed due to memory\.oom\.group set$/s
// The greedy match takes the longest name, so a name such as "a[1]: segfault " cannot forge another process id.
const fault =
  /^(?:traps: )?(.{1,15})\[(\d+)\]:? (segfault|general protection fault|trap [a-z][a-z0-9 ]*(?= ip:)|unhandled exception)/s
const forkRefusal = /^cgroup: fork rejected by pids controller in (\/.*)$/s
const usage = /^memory: usage (\d+)kB, limit (\d+)kB, failcnt \d+$/
/** Keys of memory.stat, one per line. v2 uses its own names; v1 prefixes the sums with total_ and has kernel memory on a separate line. */
const useLine = /^(?:(?:total_)?(anon|rss|file|cache|shmem|kernel|swap) (\d+)$|(kmem|swap): usage (\d+)kB,)/
const useNames: { [name: string]: keyof MemoryUse } = {
  anon: 'anon',
  rss: 'anon',
  file: 'file',
  cache: 'file',
  shmem: 'shmem',
  kernel: 'kernel',
  kmem: 'kernel',
  swap: 'swap',
}
const byHand = 'sysrq: Manual OOM execution'

/** Returns true if `parseEvents` uses a record with this text. */
export function isTelling(text: string): boolean {
  return (
    text.includes('Killed process ') ||
    text.startsWith('oom-kill:') ||
    text.includes('invoked oom-killer:') ||
    text.startsWith('memory: usage ') ||
    useLine.test(text) ||
    text.startsWith('Tasks in /') ||
    text.startsWith(byHand) ||
    forkRefusal.test(text) ||
    fault.test(text)
  )
}

/** Collects the events of records. An OOM report has several records; under rate limiting the kernel prints only `Killed process`. */
export function parseEvents(records: readonly KernelRecord[]): KernelEvents {
  const events: KernelEvents = { kills: [], faults: [], forkRefusals: [] }
  let report: Report = {}
  for (const { at, text } of records) {
    const kill = killed.exec(text)
    if (kill) {
      const mates = report.mates && at - report.mates.at < matesMs ? report.mates : undefined
      events.kills.push(makeKill(kill, at, report.pid === Number(kill[2]) ? report : (mates?.facts ?? {})))
      report = mates ? { mates } : {}
    } else if (text.startsWith(byHand)) report = { byHand: true }
    else if (text.includes(' invoked oom-killer: gfp_mask=')) report = report.byHand ? { byHand: true } : {}
    else if (text.startsWith('oom-kill:constraint=')) report = { ...report, ...parseConstraint(text) }
    else if (usage.test(text)) {
      const [, used, limit] = usage.exec(text)!
      report = { ...report, usage: Number(used) * 1024, limit: Number(limit) * 1024 }
    } else if (useLine.test(text)) report = { ...report, use: addUse(report.use, useLine.exec(text)!) }
    else if (together.test(text)) {
      const limitGroup = events.kills.at(-1)?.limitGroup
      const facts = { group: together.exec(text)![1]!, together: true as const, ...(limitGroup && { limitGroup }) }
      report = { mates: { at, facts } }
    } else if (forkRefusal.test(text)) events.forkRefusals.push({ at, group: forkRefusal.exec(text)![1]! })
    else {
      const [, name, pid, what] = fault.exec(text) ?? []
      if (what !== undefined) events.faults.push({ at, pid: Number(pid), name: name!, what, text })
    }
  }
  return events
}

/** Maximum time between kills of one group. A later kill belongs to another report whose head the kernel omitted. */
const matesMs = 200

type ReportFacts = Pick<
  KernelKill,
  'limitGroup' | 'group' | 'nodesAlone' | 'byHand' | 'together' | 'usage' | 'limit'
> & {
  use?: Partial<MemoryUse>
}

/** The part of an OOM report that precedes the line of the killed process. */
interface Report extends ReportFacts {
  pid?: number
  mates?: { at: number; facts: ReportFacts }
}

/** Stores a line about memory use. v1 prints each line twice, for the group without and with its descendants; the second one counts. */
function addUse(use: Partial<MemoryUse> = {}, [, name, bytes, other, kib]: RegExpExecArray): Partial<MemoryUse> {
  return { ...use, [useNames[name ?? other!]!]: bytes === undefined ? Number(kib) * 1024 : Number(bytes) }
}

/** Subtracts shmem from file: the kernel counts shared memory in both. */
function completeUse({ anon, file = 0, shmem = 0, kernel = 0, swap = 0 }: Partial<MemoryUse>): MemoryUse | undefined {
  return anon === undefined ? undefined : { anon, file: Math.max(0, file - shmem), shmem, kernel, swap }
}

function makeKill(match: RegExpExecArray, at: number, { pid: _, mates: __, use: parts, ...facts }: Report): KernelKill {
  const [, whose, pid, name, virtual, anon, file, shmem, uid, pageTables, adjusted] = match
  const bytes = (kib: string | undefined) => Number(kib) * 1024
  const use = parts && completeUse(parts)
  return {
    at,
    pid: Number(pid),
    name: name!,
    for: whose!.startsWith('Memory cgroup') ? 'group' : 'host',
    virtual: bytes(virtual),
    anon: bytes(anon),
    file: bytes(file),
    shmem: bytes(shmem),
    ...(uid !== undefined && { uid: Number(uid), pageTables: bytes(pageTables), oomScoreAdj: Number(adjusted) }),
    ...facts,
    ...(use && { use }),
  }
}

/**
 * Parses `oom-kill:constraint=…,cpuset=NAME,mems_allowed=0,oom_memcg=PATH,task_memcg=PATH,task=NAME,pid=1,uid=0`, or global_oom in place of
 * oom_memcg=PATH. Names of groups and processes can imitate these keys, so the paths are ignored if a key occurs twice.
 */
function parseConstraint(text: string): Report {
  const pid = /,pid=(\d+),uid=\d+$/.exec(text)?.[1]
  const report: Report = pid === undefined ? {} : { pid: Number(pid) }
  if (/^oom-kill:constraint=CONSTRAINT_(CPUSET|MEMORY_POLICY),/.test(text)) report.nodesAlone = true
  const once = ['oom_memcg', 'global_oom', 'task_memcg', 'task', 'mems_allowed', 'cpuset', 'pid'].every(
    (word) => text.split(`,${word}`).length <= 2 + Number(word === 'task'),
  )
  const [, limitGroup, group] =
    /,mems_allowed=[\d,-]*(?:,oom_memcg=(\/.*)|,global_oom),task_memcg=(\/.*),task=.*,pid=\d+,uid=\d+$/s.exec(text) ??
    []
  if (!once || group === undefined) return report
  return { ...report, group, ...(limitGroup !== undefined && { limitGroup }) }
}
