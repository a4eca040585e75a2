// SPDX-License-Identifier: Apache-2.0
// Records of the kernel's log, and what they tell of processes that ended: pure. The texts are those of mm/oom_kill.c,
// kernel/cgroup/pids.c and arch/x86/mm/fault.c. Names in them are chosen by processes and by who makes groups.

/** One record. */
export interface KernelRecord {
  /** Counts from 0 at the boot. */
  number: number
  /** Milliseconds since the epoch. */
  at: number
  /** False for what a process wrote into the log: the kernel never lets it have facility 0. */
  byKernel: boolean
  /** With its bytes as they were: it may hold anything. */
  text: string
}

/** `6,339,5140900,-;text\n KEY=value\n`; `boot` is when its clock was 0. Undefined for what has another shape. */
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

/** Lines that may be those of a fault, of all that syslog(2) gives. */
export const isFaultLine = /\]:? (?:segfault|general protection fault|trap |unhandled exception)/

/** `<6>[ 5.140900] text`, perhaps with the caller after the time: a line of what syslog(2) gives. Undefined for what has another shape. */
export function parseTailLine(line: string, boot: number): KernelRecord | undefined {
  const [, prefix, seconds, text] = /^<(\d+)>\[ *(\d+\.\d+)\](?:\[ *[TC]\d+\])? ([^\n]*)$/.exec(line) ?? []
  if (text === undefined) return undefined
  return { number: 0, at: boot + Number(seconds) * 1000, byKernel: Number(prefix) >> 3 === 0, text }
}

/** What is not printable, and the backslash, stands as \xNN. */
function unescapeText(text: string): string {
  if (!text.includes('\\')) return text
  const bytes = text.replace(/\\x([0-9a-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
  return Buffer.from(bytes, 'latin1').toString('utf8')
}

/** A process that the kernel killed for want of memory. Sizes in bytes. */
export interface KernelKill {
  at: number
  pid: number
  name: string
  uid?: number
  /** A group's limit, or the host's memory. */
  for: 'group' | 'host'
  /** Group whose limit it was, and the one that the process was in: as seen from the root of memory's hierarchy. Absent when not told. */
  limitGroup?: string
  group?: string
  /** cpuset.mems or a memory policy let it have no more nodes. */
  nodesAlone?: true
  /** Asked for by the SysRq key. */
  byHand?: true
  /** Killed with the others of limitGroup (memory.oom.group). */
  together?: true
  virtual: number
  anon: number
  file: number
  shmem: number
  pageTables?: number
  oomScoreAdj?: number
  /** The group at that moment. */
  usage?: number
  limit?: number
  /** What the group's memory was used for at that moment. Absent if the kernel left the report out. */
  use?: MemoryUse
}

/** Memory of a group by kind. Bytes. */
export interface MemoryUse {
  anon: number
  /** Page cache of files, without shmem. */
  file: number
  /** tmpfs, memfd, System V and anonymous shared memory. */
  shmem: number
  /** Page tables, stacks, slab, sockets. */
  kernel: number
  swap: number
}

/** A process that brought a signal on itself by a fault. */
export interface KernelFault {
  at: number
  /** Of the thread. */
  pid: number
  name: string
  /** Such as segfault. */
  what: string
  text: string
}

/** The first refused fork of a group. */
export interface ForkRefusal {
  at: number
  /** The group that wanted to fork. */
  group: string
}

/** All that the log tells. */
export interface KernelEvents {
  kills: KernelKill[]
  faults: KernelFault[]
  forkRefusals: ForkRefusal[]
}

const killed =
  /^(Memory cgroup out of memory|Out of memory)[^:]*: Killed process (\d+) \((.*)\) total-vm:(\d+)kB, anon-rss:(\d+)kB, file-rss:(\d+)kB, shmem-rss:(\d+)kB(?:, UID:(\d+) pgtables:(\d+)kB oom_score_adj:(-?\d+))?/s
const together = /^Tasks in (\/.*) are going to be killed due to memory\.oom\.group set$/s
// the greedy name is the whole of it: a name such as "a[1]: segfault " cannot put another number before its own
const fault =
  /^(?:traps: )?(.{1,15})\[(\d+)\]:? (segfault|general protection fault|trap [a-z][a-z0-9 ]*(?= ip:)|unhandled exception)/s
const forkRefusal = /^cgroup: fork rejected by pids controller in (\/.*)$/s
const usage = /^memory: usage (\d+)kB, limit (\d+)kB, failcnt \d+$/
/** memory.stat of the group, a line each: its own names on v2; v1 has the sums under total_, kernel memory on a line of its own. */
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

/** Whether a record's text is one of those that `parseEvents` reads. */
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

/** A report of one out-of-memory situation is several records; the kernel leaves out all but `Killed process` when reports come fast. */
export function parseEvents(records: readonly KernelRecord[]): KernelEvents {
  const events: KernelEvents = { kills: [], faults: [], forkRefusals: [] }
  let report: Report = {}
  for (const { at, text } of records) {
    const kill = killed.exec(text)
    if (kill) {
      const mates = report.mates && at - report.mates.at < matesMs ? report.mates : undefined
      events.kills.push(makeKill(kill, at, report.pid === Number(kill[2]) ? report : (mates?.told ?? {})))
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
      const told = { group: together.exec(text)![1]!, together: true as const, ...(limitGroup && { limitGroup }) }
      report = { mates: { at, told } }
    } else if (forkRefusal.test(text)) events.forkRefusals.push({ at, group: forkRefusal.exec(text)![1]! })
    else {
      const [, name, pid, what] = fault.exec(text) ?? []
      if (what !== undefined) events.faults.push({ at, pid: Number(pid), name: name!, what, text })
    }
  }
  return events
}

/** The others of a group are killed in one go: what comes later is another report whose head the kernel left out. */
const matesMs = 200

type Told = Pick<KernelKill, 'limitGroup' | 'group' | 'nodesAlone' | 'byHand' | 'together' | 'usage' | 'limit'> & {
  use?: Partial<MemoryUse>
}

/** What is known before the line that names the victim. */
interface Report extends Told {
  pid?: number
  mates?: { at: number; told: Told }
}

/** v1 prints each line twice, for the group alone and with the groups below it; the second stands. */
function addUse(use: Partial<MemoryUse> = {}, [, name, bytes, other, kib]: RegExpExecArray): Partial<MemoryUse> {
  return { ...use, [useNames[name ?? other!]!]: bytes === undefined ? Number(kib) * 1024 : Number(bytes) }
}

/** The kernel counts shmem as file, too. */
function completeUse({ anon, file = 0, shmem = 0, kernel = 0, swap = 0 }: Partial<MemoryUse>): MemoryUse | undefined {
  return anon === undefined ? undefined : { anon, file: Math.max(0, file - shmem), shmem, kernel, swap }
}

function makeKill(match: RegExpExecArray, at: number, { pid: _, mates: __, use: parts, ...told }: Report): KernelKill {
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
    ...told,
    ...(use && { use }),
  }
}

/**
 * `oom-kill:constraint=…,cpuset=NAME,mems_allowed=0,oom_memcg=PATH,task_memcg=PATH,task=NAME,pid=1,uid=0`, or
 * global_oom instead of oom_memcg. Who makes a group or names a process can write such words into the name: then none
 * of the paths is believed.
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
