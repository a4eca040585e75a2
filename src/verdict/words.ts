// SPDX-License-Identifier: Apache-2.0
// Makes the sentences that describe a Cause, with option names of each front end. Only this file makes them, and no
// code parses them. Pure.

import { optionWithValue } from '../options/names.ts'
import { quote, shellWord } from '../text/quote.ts'
import { formatDuration, formatSize } from '../text/units.ts'
import type {
  Cause,
  CauseKind,
  CauseLimit,
  CauseVictim,
  Figure,
  Frontend,
  MemoryUse,
  Remedy,
  SideEvent,
} from './cause.ts'
import { denials } from './denied-words.ts'
import { sizeOf } from './exhausted.ts'
import { heldBy, heldLine, isSlowing, sizeIn } from './held-words.ts'
import { count, type EvidenceLine, memoryLine, pidsLine, quotaLine } from './limit-words.ts'
import type { Verdict } from './result.ts'

/** Placeholders for texts that a compiled file inserts at the job's end. */
export interface Slots {
  /** How the job ended, such as `sh exited with status 1`. */
  end?: string
  /** A number of processes or forks with its verb, such as `2 processes were` or `1 fork was`. */
  count?: string
  /** The numbers of OOM kills and refused forks. */
  kills?: string
  denied?: string
  tableLimit?: string
  tables?: string
  /** A number of stopped processes with its verb, such as `2 processes were`. */
  stopped?: string
  /** In how many percent of its periods cpu.max throttled the job. `slowed`: how often memory.high throttled the job. */
  throttledPercent?: string
  slowed?: string
  stalledPercent?: string
  /** Words about all limits that slowed the job, in the form of `heldBy`. */
  held?: string
}

/** Returns the headline, the evidence and the remedy. The headline names the program, what stopped it, and how the job ended. */
export function describe(cause: Cause, frontend: Frontend, slots: Slots = {}): Verdict {
  const remedy = joinRemedies(cause.remedies, frontend)
  return {
    headline: headlines[cause.kind](cause, slots),
    evidence: [
      ...cause.evidence.map((figure) => describeFigure(figure, slots, frontend)),
      ...limitLines(cause),
      ...victimLines(cause),
      ...sideLines(cause),
      ...sureLine(cause),
    ],
    ...(remedy !== '' && { remedy }),
  }
}

/** Returns true if the command line should print the verdict even without --verbose. */
export function isWorthTelling({ kind, sideEvents, evidence }: Cause): boolean {
  const happened = sideEvents.some((event) => !isSlowing(event))
  return kind !== 'exited' || happened || evidence.some(({ figure }) => toldUnasked.has(figure))
}

/** Evidence that the command line prints without --verbose after a program failed by itself. */
const toldUnasked = new Set<Figure['figure']>(['signal status', 'fault', 'full'])

/** How each front end reports the peak of a run, for remedies. */
const peakWords: { [F in Frontend]: string } = {
  cli: ' --verbose',
  library: ', and read usage.memoryPeak of its result',
  bwrap: ', which is enough for most programs',
}

/** Joins remedies to one text: alternatives, and steps that follow the previous remedy. */
function joinRemedies(remedies: readonly Remedy[], frontend: Frontend): string {
  let joined = ''
  for (const entry of remedies) {
    const text = describeRemedy(entry, frontend)
    if (text !== undefined) joined += joined === '' ? text : `; ${entry.next ? 'then' : 'or'} ${text}`
  }
  return joined
}

function describeRemedy({ option, argv, reason, measure }: Remedy, frontend: Frontend): string | undefined {
  if (argv) {
    return `${reason}: ${argv.map(shellWord).join(' ')}`
  }
  if (!option) return reason
  const text = optionWithValue(option.name, option.value, frontend)
  return text === undefined
    ? undefined
    : `${reason} ${option.without ? 'without' : 'with'} ${text}${measure ? peakWords[frontend] : ''}`
}

type Headline = (cause: Cause, slots: Slots) => string

const headlines: { [K in CauseKind]: Headline } = {
  exited: (c, slots) => {
    const killed = c.sideEvents.find(isKill)
    if (killed) return `${describeKills({ ...c, ...killed }, slots)}; later ${endOf(c, slots)}`
    const refused = c.sideEvents.find(({ kind, confidence }) => kind === 'fork-refused' && confidence !== 'unknown')
    if (refused) return `${describeForks({ ...c, ...refused }, slots)}; later ${endOf(c, slots)}`
    return `${endOf(c, slots)} after ${formatDuration(c.durationMs ?? 0)}`
  },
  oom: (c, slots) => `${describeKills(c, slots)}; ${endOf(c, slots)}`,
  'host-oom': (c, slots) => `${describeKills(c, slots)}; ${endOf(c, slots)}`,
  'fork-refused': (c, slots) =>
    `${describeForks(c, slots)}; ${endOf(c, slots)}${c.end.signal === null ? '' : ', possibly for this reason'}`,
  timeout: (c, slots) =>
    `timed out after ${formatDuration(Number(c.limit?.value ?? 0))}${slots.held ?? heldBy(c, slots)}: ${stopped(c, slots)}`,
  'cpu-time': (c, slots) =>
    `${who(c)} used more than ${formatDuration(Number(c.limit?.value ?? 0))} of CPU time${c.end.signal === null ? `; ${endOf(c, slots)}` : ' and was killed'}`,
  throttled: (c) => `${who(c)} was throttled by cpu.max`,
  slowed: (c) => `${who(c)} was slowed by ${c.limit?.file ?? 'memory.high'}`,
  space: (c, slots) => `${c.limit?.group ?? 'a file system'} was full; ${endOf(c, slots)}`,
  descriptors: (c, slots) => `${who(c)} had no free file descriptor; ${endOf(c, slots)}`,
  ulimit: (c, slots) => `${who(c)} ${overUlimit(c)}; ${endOf(c, slots)}`,
  output: (c) =>
    `${who(c)} wrote more than ${formatSize(Number(c.limit?.value ?? 0))} to ${c.stream ?? 'stdout'} and ${c.end.signal === null ? 'had already exited' : 'was killed'}`,
  signal: (c, slots) => `${endOf(c, slots)}${senders[c.end.from ?? 'unknown']}`,
  filter: (c) => `${who(c)} was killed by seccomp for a system call that its profile forbids`,
  'exec-failed': cannotRun,
  'not-inside': cannotRun,
  aborted: (c, slots) =>
    c.end.status === null && c.end.signal === null
      ? 'stopped by its caller before it began'
      : `stopped by its caller after ${formatDuration(c.durationMs ?? 0)}: ${stopped(c, slots)}`,
  interrupted: (c, slots) =>
    `interrupted by ${(c.passedOn ?? []).join(' and ')}, which hutch forwarded; ${endOf(c, slots)}`,
  oomd: (c, slots) =>
    c.end.signal === 'SIGKILL'
      ? `systemd-oomd killed ${who(c)} (SIGKILL)`
      : `systemd-oomd killed processes of ${who(c)}; ${endOf(c, slots)}`,
  unknown: (c, slots) => `${endOf(c, slots)}; the cause is unknown`,
  frozen: (c) => `${who(c)} is frozen`,
  stopped: (c) => `${who(c)} is stopped by a signal or a debugger`,
  blocked: (c) => `${who(c)} is blocked in the kernel`,
  running: (c) => `no cause was found that stops or slows ${who(c)}`,
  'not-kernel': (c) => `${who(c)} exited by itself or was killed by another process`,
}

const senders = {
  inside: ', which the program itself caused',
  outside: ', which another process sent',
  caller: ', which its caller sent',
  hutch: ', which hutch sent',
  kernel: ', which the kernel sent',
  unknown: '; the kernel does not record the sender',
}

/** Returns the program's name without the path of its directory. */
export function who({ command }: Pick<Cause, 'command'>): string {
  return quote(command.slice(command.lastIndexOf('/') + 1) || command)
}

/** Returns words for how the job's own process ended. */
function endOf(c: Cause, slots: Slots): string {
  if (slots.end !== undefined) return slots.end
  if (c.end.signal !== null) return `${who(c)} was killed by ${c.end.signal}`
  return c.end.status === null ? `${who(c)} never started` : `${who(c)} exited with status ${c.end.status}`
}

function stopped(c: Cause, slots: Slots): string {
  const { killedAfterMs, end, stopSignal = 'SIGTERM' } = c
  if (killedAfterMs === 0) return `${who(c)} was killed at once by SIGKILL`
  if (killedAfterMs !== undefined)
    return `${who(c)} did not end on ${stopSignal} and was killed ${formatDuration(killedAfterMs)} later`
  return slots.end === undefined && end.signal === stopSignal
    ? `${who(c)} ended on ${stopSignal}`
    : `${endOf(c, slots)} on ${stopSignal}`
}

/** Returns words for the killed processes, and for whose limit caused the kills. */
function describeKills(c: Pick<Cause, 'counts' | 'victims' | 'limit'>, { count: counted }: Slots): string {
  const { counts: { oomKills = 0, ooms = 0 } = {}, victims = [], limit } = c
  const place = limitedBy(limit)
  const [first] = victims
  if (oomKills === 0 && victims.length === 0 && ooms > 0)
    return `out of memory (OOM), and no process could be killed: ${place}`
  if (oomKills === 0 && victims.length === 0) return `all processes were killed (OOM): ${place}`
  if (oomKills <= 1 && first) return `${quote(first.name)} (pid ${first.pid}) was killed (OOM): ${place}`
  return `${counted ?? count(oomKills, 'process was', 'processes were')} killed (OOM): ${place}`
}

function limitedBy(limit: CauseLimit | undefined): string {
  if (!limit) return 'the limit of a group above was reached, or the host ran out of memory'
  if (limit.level === 'host') return 'the host ran out of memory'
  const size = sizeIn(limit)
  if (limit.level === 'ancestor') return `memory.max${size} of a group above it, ${quote(limit.group)}, was reached`
  if (limit.level === 'below') return `memory.max${size} of a group below it, ${quote(limit.group)}, was reached`
  return `${limit.file}${size} was reached`
}

function describeForks(c: Pick<Cause, 'counts' | 'limit'>, { count: counted }: Slots): string {
  const { counts: { forksRefused = 0 } = {}, limit } = c
  const whose =
    limit?.level !== 'ancestor'
      ? ''
      : limit.group === undefined
        ? ' of a group above it'
        : ` of a group above it, ${quote(limit.group)},`
  const value = limit?.value === undefined ? '' : ` (${limit.value})`
  return `${counted ?? count(forksRefused, 'fork was', 'forks were')} refused: pids.max${value}${whose} was reached`
}

function overUlimit({ limit }: Cause): string {
  const value = Number(limit?.value ?? 0)
  if (limit?.file === 'RLIMIT_FSIZE') return `tried to make a file larger than ulimit fsize (${formatSize(value)})`
  if (limit?.file === 'RLIMIT_CPU') return `used more CPU time than ulimit cpu (${value} s)`
  return `reached ulimit ${limit?.file.replace('RLIMIT_', '').toLowerCase()} (${value})`
}

function cannotRun({ command, errno, interpreterMissing }: Cause): string {
  const name = quote(command)
  if (errno === 'ENOENT' && !interpreterMissing) return `cannot run ${name}: no such program (${errno})`
  if (interpreterMissing) return `cannot run ${name}: the interpreter that it names does not exist (${errno})`
  return `cannot run ${name}: it is not an executable program (${errno})`
}

function describeFigure(f: Figure, slots: Slots, frontend: Frontend): EvidenceLine {
  switch (f.figure) {
    case 'memory': {
      const [, text] = memoryLine(f.limit.value === undefined ? undefined : String(f.limit.value), {
        ...f,
        ...(slots.kills && { kills: slots.kills }),
      })
      return [f.limit.file, text]
    }
    case 'memory use':
      return ['memory use', useText(f.use)]
    case 'pids':
      return pidsLine(String(f.limit.value), { ...f, ...(slots.denied && { denied: slots.denied }) })
    case 'cpu':
      return quotaLine(String(f.limit.value), f)
    case 'cpu time':
      return ['cpu time', cpuTime(f)]
    case 'held':
      return heldLine(f)
    case 'space':
      return [`tmpfs ${f.target}`, ['full', sizeOf(f.options)].filter(Boolean).join('   ')]
    case 'descriptors':
      return [
        'nofile',
        `${slots.tableLimit ?? f.limit}   ${slots.tables ?? count(f.processes, 'process', 'processes')} had no free file descriptor`,
      ]
    case 'stopped':
      return [
        'stopped',
        `${slots.stopped ?? count(f.processes, 'process was', 'processes were')} stopped by a signal when the time was over: SIGSTOP, SIGTSTP, or a terminal used in the background`,
      ]
    case 'ulimits':
      return ['ulimits set', f.set.map(({ name, soft }) => `${name}=${soft}`).join('   ')]
    case 'no kill':
      return ['not an OOM', 'the kernel killed no process of the job for memory (oom_kill 0)']
    case 'signal status':
      return ['status', `${f.status} is what a shell exits with if ${f.signal} killed its command`]
    case 'fault':
      return [
        'fault',
        `${quote(f.name)} (pid ${f.pid}): ${f.what}, while the job ran; the kernel's log does not name its group`,
      ]
    case 'denied':
      return ['possible', denials[f.by](f.value ?? f.by, frontend, f.owner)]
    case 'full':
      return [
        'full',
        `${quote(f.directory)} (${f.type}, ${formatSize(f.size)}, ${formatSize(f.free)} free): writes there fail with ENOSPC`,
      ]
    case 'profile':
      return ['profile', f.origin]
    case 'searched':
      return ['looked in', f.path]
  }
}

/** Formats the use of memory by kind. Leaves out kinds that are 0. */
function useText({ anon, shmem, file, kernel, swap }: MemoryUse): string {
  const parts = Object.entries({ anon, shmem, 'page cache': file, kernel, swap }).filter(([, bytes]) => bytes > 0)
  return `${parts.map(([kind, bytes]) => `${kind} ${formatSize(bytes)}`).join('   ')}   at the last kill`
}

/** Formats CPU time together with wall time. CPU time is less if the job waited, and more if it used several CPUs in parallel. */
function cpuTime(f: Extract<Figure, { figure: 'cpu time' }>): string {
  const part = (usec: number | undefined, word: string) =>
    usec !== undefined && `${word} ${formatDuration(usec / 1000)}`
  return [
    `limit ${formatDuration(f.limitMs)}`,
    f.extraMs !== undefined && `extra ${formatDuration(f.extraMs)}`,
    part(f.usedUsec, 'used'),
    part(f.userUsec, 'user'),
    part(f.systemUsec, 'system'),
    `wall ${formatDuration(f.wallMs)}`,
  ]
    .filter(Boolean)
    .join('   ')
}

function isKill({ kind }: Pick<SideEvent, 'kind'>): boolean {
  return kind === 'oom' || kind === 'host-oom'
}

/** Returns the lines of evidence that tell whose limit ended or slowed the job. */
function limitLines(c: Cause): EvidenceLine[] {
  const { limit } = isKill(c) || c.kind === 'fork-refused' ? c : (c.sideEvents.find(isOfGroup) ?? {})
  return limit?.level === undefined ? [] : [['whose limit', describeLevel(limit)]]
}

function isOfGroup({ kind, confidence }: SideEvent): boolean {
  return (isKill({ kind }) || kind === 'fork-refused') && confidence !== 'unknown'
}

function describeLevel({ level, group }: CauseLimit): string {
  if (level === 'own') return "the job's own"
  if (level === 'host') return 'none: the host ran out of memory'
  if (group === undefined) return 'a group above; this kernel does not record which'
  return `a group ${level === 'below' ? 'below' : 'above'}: ${quote(group)}`
}

const maxVictims = 5

function victimLines(c: Cause): EvidenceLine[] {
  const victims = c.victims ?? c.sideEvents.find(isKill)?.victims ?? []
  const more = victims.length - maxVictims
  return [
    ...victims.slice(-maxVictims).map(victimLine),
    ...(more > 0 ? [['victims', `${more} more before these`] as EvidenceLine] : []),
  ]
}

function victimLine({ pid, name, anon, file, shmem, virtual }: CauseVictim): EvidenceLine {
  const sizes = [
    `anon ${formatSize(anon)}`,
    `file ${formatSize(file)}`,
    shmem > 0 && `shmem ${formatSize(shmem)}`,
    virtual !== undefined && `address space ${formatSize(virtual)}`,
  ]
  return ['victim', [`${quote(name)} (pid ${pid})`, ...sizes].filter(Boolean).join('   ')]
}

/** Returns the lines of evidence about events that did not end the job, and about limits that slowed it. */
function sideLines({ kind, sideEvents }: Cause): EvidenceLine[] {
  return sideEvents.flatMap(({ kind: of, limit, counts = {}, confidence }): EvidenceLine[] => {
    if (of === 'fork-refused' && confidence === 'unknown')
      return [
        [
          'meanwhile',
          `${count(counts.forksRefused ?? 0, 'fork was', 'forks were')} refused below ${quote(limit?.group)} by its pids.max; it is unknown whether the job wanted to fork`,
        ],
      ]
    if (kind === 'exited' || kind === 'timeout') return []
    if (isKill({ kind: of }))
      return [['meanwhile', `${count(counts.oomKills ?? 0, 'process was', 'processes were')} killed (OOM)`]]
    if (of === 'fork-refused')
      return [['meanwhile', `${count(counts.forksRefused ?? 0, 'fork was', 'forks were')} refused (pids.max)`]]
    return []
  })
}

function sureLine({ confidence, wouldTell }: Cause): EvidenceLine[] {
  if (confidence === 'certain' || wouldTell === undefined) return []
  return [[confidence === 'likely' ? 'not certain' : 'uncertain', wouldTell]]
}
