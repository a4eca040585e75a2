// SPDX-License-Identifier: Apache-2.0
// hutch run: flags → options → job; the verdict on stderr, the exit status as DESIGN's table has it.
import { fail, HutchError } from '../errors.ts'
import { native } from '../native.ts'
import { type Limits, limitTable, parseOptions, type RunOptions } from '../plan/options.ts'
import type { Spec } from '../plan/spec.ts'
import { explainProgram } from '../program/explain.ts'
import { ownVariables } from '../run/environment.ts'
import { type Job, loadFileReader, loadFilter, startSpec } from '../run/job.ts'
import { prepare } from '../run/launch.ts'
import { warnOfFewTasks } from '../run/node-tasks.ts'
import { describeOuter } from '../run/outer-words.ts'
import { pretendSettled, settle } from '../run/settle.ts'
import type { NamespaceKind } from '../sandbox/namespace.ts'
import type { FilterMaker } from '../seccomp/make.ts'
import { formatMeta, formatMetaOfFailure } from '../verdict/isolate-meta.ts'
import type { JobEvent, Result } from '../verdict/result.ts'
import { isWorthTelling } from '../verdict/words.ts'
import type { Document } from './document.ts'
import { type FlagTable, formatFlags, type Parsed, parseFlags } from './flags.ts'
import { print } from './output.ts'
import { formatLines, formatSteps, formatVerdict, wantsColor } from './print.ts'
import { defaultFile, mayBeRecorded } from './record/file.ts'
import { openRedirections } from './redirect.ts'
import { formatReport, openReport, type ReportVersion } from './report.ts'
import { tell } from './stderr.ts'

export const flags: FlagTable = {
  sandbox: { help: 'for programs that nobody has read: all is closed but what is named beside it' },
  memory: { value: 'SIZE', short: 'm', help: 'memory.max: above it processes are killed (50M, 1.5G, max)' },
  'memory-high': { value: 'SIZE', help: 'memory.high: above it they are slowed and reclaimed from' },
  'memory-low': { value: 'SIZE', help: 'memory.low: protected while others can be reclaimed from' },
  'memory-min': { value: 'SIZE', help: 'memory.min: protected always' },
  swap: { value: 'SIZE', help: 'memory.swap.max: swap alone' },
  'oom-group': { help: 'memory.oom.group: one out-of-memory kill ends all of it' },
  pids: { value: 'N', help: 'pids.max: processes and threads at once' },
  cpus: { value: 'N', help: 'cpu.max as a number of CPUs (0.5)' },
  'cpu-weight': { value: 'N', help: 'cpu.weight: 1 to 10000, 100 is usual' },
  'cpuset-cpus': { value: 'LIST', help: 'cpuset.cpus: the CPUs it may use (0-1,3)' },
  limit: {
    value: 'FILE=VALUE',
    repeat: true,
    help: 'any other kernel file; may be repeated. none: no limit of groups',
  },
  timeout: { value: 'TIME', help: 'SIGTERM to all of it after this time (10s, 500ms)' },
  'cpu-time': { value: 'TIME', help: 'killed when all of it together has used so much CPU time (2s)' },
  'extra-time': { value: 'TIME', help: 'CPU time that it may use beyond that, so that its need is known' },
  'kill-after': { value: 'TIME', help: 'SIGKILL this long after SIGTERM (5s)' },
  isolate: { value: 'KINDS', help: 'namespaces: pid,mount,ipc,uts,net,cgroup,user,time; all (not user, time); none' },
  join: { value: 'KIND=TARGET', repeat: true, help: 'enter a namespace: of a process id, a file, or net=NAME' },
  network: { value: 'NETWORK', help: 'none, host, private (by pasta or slirp4netns) or cni:NAME' },
  publish: {
    value: '[IP:]PORT:PORT',
    short: 'p',
    repeat: true,
    help: 'a port of the host, and the one inside; then /udp',
  },
  'cni-conf-dir': { value: 'DIR', help: 'where CNI config lists are (/etc/cni/net.d)' },
  'map-users': { value: 'MAP', repeat: true, help: 'ids inside: INSIDE:OUTSIDE:COUNT, root, keep or auto' },
  'map-groups': { value: 'MAP', repeat: true, help: "the same for groups; as the users' if not given" },
  'time-offset': { value: 'CLOCK=TIME,…', help: 'clocks inside: monotonic=+10s,boottime=-1h' },
  'no-init': { help: 'the command itself is PID 1' },
  hostname: { value: 'NAME', help: 'host name inside' },
  rootfs: { value: 'DIR', help: 'this directory is / inside, with /proc, /sys and /dev of its own' },
  'read-only': { help: 'the root cannot be written; --volume, --tmpfs and --overlay are as they say' },
  volume: { value: 'SRC:DST', repeat: true, help: 'SRC of the host at DST; then :ro,noexec,suid,dev,bind' },
  tmpfs: { value: 'DST', repeat: true, help: 'an empty file system in memory; then :size=64M,mode=1777,exec' },
  overlay: {
    value: 'LOWER:DST',
    repeat: true,
    help: 'LOWER[:LOWER…] at DST; changes go, or stay in :upper=DIR,work=DIR',
  },
  dev: { help: 'a /dev with the harmless devices alone' },
  unmask: { value: 'PATH', repeat: true, help: 'leave this path of /proc or /sys uncovered, or all' },
  device: { value: 'PATH', repeat: true, help: 'this device too; then :INSIDE, and letters of rwm' },
  seccomp: { value: 'PROFILE', help: 'filter system calls: default (with --rootfs), strict, none, or a file' },
  'seccomp-report': { help: 'tell each system call that the filter refuses' },
  learn: { value: 'FILE', help: 'refuse no system call, and write a profile of those that were made' },
  force: { help: 'with --learn: replace the file' },
  landlock: { value: 'PATH:rwx', repeat: true, help: 'only what is below these paths: r read, w write, x execute' },
  workdir: { value: 'DIR', short: 'w', help: 'directory to start in' },
  env: { value: 'NAME=VALUE', short: 'e', repeat: true, help: "set a variable; NAME alone keeps the caller's" },
  user: { value: 'USER[:GROUP]', short: 'u', help: 'run as this user' },
  group: { value: 'GROUP', help: "run with this group, not the user's" },
  groups: { value: 'GROUP,…', help: 'supplementary groups, or none' },
  'cap-add': { value: 'CAP', repeat: true, help: 'a capability to have (NET_RAW), or ALL' },
  'cap-drop': { value: 'CAP', repeat: true, help: 'a capability to lose, or ALL' },
  'new-privileges': { help: 'let set-user-ID programs and file capabilities work inside' },
  ulimit: { value: 'NAME=SOFT[:HARD]', repeat: true, help: 'a limit of each process (nofile=1024)' },
  'oom-score-adj': { value: 'N', help: '-1000 to 1000: killed for memory later or sooner' },
  nice: { value: 'N', help: '-20 to 19: the CPU sooner or later' },
  ioprio: { value: 'CLASS[:LEVEL]', help: 'realtime, best-effort or idle; levels 0 to 7' },
  scheduler: { value: 'POLICY[:PRIORITY]', help: 'other, batch, idle, fifo:1-99 or rr:1-99' },
  parent: { value: 'GROUP', help: "make the job's group below this one" },
  evacuate: { help: 'move processes that stand in the parent group itself to a leaf of it' },
  stdin: { value: 'FILE', help: 'read from this file' },
  stdout: { value: 'FILE', help: 'write to this file; its content is replaced; not through a symbolic link' },
  stderr: { value: 'FILE', help: 'the same; one file for both is shared' },
  'max-output': { value: 'SIZE', help: 'killed when it has written more to stdout, or to stderr (1M)' },
  meta: { value: 'FILE', help: "write what happened as isolate's meta file; a symbolic link there is replaced" },
  report: {
    value: 'FILE',
    help: 'write what happened as JSON; a symbolic link there is replaced. -: one line behind its output; fd:N',
  },
  'report-version': { value: 'N', help: 'version of the report: 2, or 1 for one more release' },
  json: { help: 'the same as --report -' },
  explain: { help: 'run nothing: print the operations and the shell lines that do the same' },
  verbose: { short: 'v', help: 'always print the verdict' },
  quiet: { short: 'q', help: 'never print the verdict' },
}

export async function main(args: string[]): Promise<number> {
  const parsed = parseFlags(args, flags)
  if (parsed.values.help) {
    print(`Usage: hutch run [OPTIONS] [--] COMMAND [ARG…]\n\n${formatFlags(flags)}\n`)
    return 0
  }
  const metaPath = parsed.values.explain ? undefined : parsed.values.meta?.[0]
  const meta = metaPath === undefined ? undefined : openReport(metaPath, '--meta')
  try {
    return await runParsed(parsed, meta)
  } catch (error) {
    // also when an option is refused: who reads the file must not find that of a run before
    if (HutchError.is(error)) meta?.(formatMetaOfFailure(error.message))
    throw error
  }
}

async function runParsed({ values, order, rest }: Parsed, meta: Document | undefined): Promise<number> {
  const [command = '', ...words] = rest
  const options = readOptions(values, order)
  const spec = parseOptions(command, words, options, 'cli', await loadFileReader(options))
  const filter = await loadFilter(spec)
  const version = reportVersion(values['report-version']?.at(-1))
  const names = [...(values.report?.slice(0, 1) ?? []), ...(values.json ? ['-'] : [])]
  const told = spec.seccompReport || spec.learn ? await import('./seccomp-report.ts') : undefined
  const reports = names.map((name) => ({ name, write: openReport(name, '--report') }))
  const learn = told?.openLearn(values)
  if (values.explain) {
    const { print } = await import('./output.ts')
    if (spec.sandbox) print((await import('../plan/sandbox-words.ts')).describeSandbox(options))
    const home = pretendSettled(spec)
    const steps = explainProgram(prepare(spec, filter).program)
    print(formatSteps(steps, { color: wantsColor(process.stdout), ...(home !== undefined && { home }) }))
    return 0
  }
  const result = await runToEnd(spec, values, filter, told?.tellRefused)
  learn?.(result)
  for (const { name, write } of reports) write(formatReport(result, name, version))
  meta?.(formatMeta(result))
  if (result.status !== 0) (await import('./last-run.ts')).keepLastRun(formatReport(result, 'last.json'))
  if (spec.seccompReport) told!.tellCounts(result)
  if (!values.quiet && (values.verbose || isWorthTelling(result.cause))) {
    const color = wantsColor(process.stderr)
    tell(formatVerdict(result, { color, verbose: values.verbose !== undefined }))
    const file = defaultFile()
    if (mayBeRecorded(result, file))
      tell(formatLines(await (await import('./record/glance.ts')).glance(file, result), color))
  }
  return result.status
}

/** @throws OPTION_INVALID */
function reportVersion(value: string | undefined): ReportVersion {
  if (value === undefined || value === '2') return 2
  if (value === '1') return 1
  throw fail('OPTION_INVALID', { name: '--report-version', value, why: 'there is no such version', accepted: '1 or 2' })
}

async function runToEnd(
  spec: Spec,
  values: Parsed['values'],
  filter: FilterMaker | undefined,
  onEvent: ((event: JobEvent) => void) | undefined,
): Promise<Result> {
  const note = await settle(spec)
  if (note !== undefined && values.verbose) tell(`hutch: ${note}\n`)
  const stdio = openRedirections({ stdin: values.stdin?.[0], stdout: values.stdout?.[0], stderr: values.stderr?.[0] })
  native().holdSignals()
  const job = startSpec(spec, { stdio, filter, onEvent })
  job.forwardSignals()
  const outer = values.quiet ? undefined : describeOuter(job.outerLimits)
  if (outer !== undefined) tell(`hutch: ${outer}\n`)
  const few = values.quiet ? undefined : warnOfFewTasks(spec)
  if (few !== undefined) tell(`hutch: ${few}\n`)
  return values.quiet ? job.result : job.result.finally(tellStall(job, values.verbose !== undefined))
}

/** Milliseconds after which a job that still runs is looked at: a short one costs nothing. */
const stallDelayMs = 1500

/** Says once what holds a job up that sits still, on a terminal or if `always`. Returns what ends that. */
function tellStall(job: Job, always: boolean): () => void {
  let stop = () => {}
  const timer = setTimeout(async () => {
    if (!always && !(await import('node:tty')).isatty(2)) return
    const { stillFor, watchStall } = await import('./stall.ts')
    const color = wantsColor(process.stderr)
    const end = watchStall(job.directories, job.pid, ({ headline, evidence, remedy }) => {
      const lines = [...evidence, ...(remedy === undefined ? [] : [['remedy', remedy] as [string, string]])]
      tell(`hutch: the job has used almost no CPU time for ${stillFor}: ${headline}\n${formatLines(lines, color)}`)
    })
    if (ended) end()
    else stop = end
  }, stallDelayMs)
  timer.unref()
  let ended = false
  return () => {
    ended = true
    clearTimeout(timer)
    stop()
  }
}

/** Flags → options; `--env NAME` finds its value in what `environment` returns: reading the caller's variables takes longer than the other options. @throws OPTION_INVALID */
export function readOptions(
  values: Parsed['values'],
  order: Parsed['order'],
  environment: () => { [name: string]: string | undefined } = ownVariables,
): RunOptions {
  const limits: Limits = {}
  for (const [key, [, flag]] of Object.entries(limitTable)) {
    const value = values[flag.slice(2)]?.at(-1)
    if (value !== undefined) Object.assign(limits, { [key]: key === 'oomGroup' ? true : value })
  }
  const none = values.limit?.includes('none') ?? false
  if (none && (values.limit!.length > 1 || Object.keys(limits).length > 0))
    throw fail('OPTION_CONFLICT', {
      name: '--limit none',
      why: 'another limit is asked for, too',
      remedy: 'name those that are not wanted: --memory max, --swap max, --pids max, --cpus max',
    })
  for (const pair of none ? [] : (values.limit ?? [])) {
    const at = pair.indexOf('=')
    if (at < 1)
      throw fail('OPTION_INVALID', {
        name: '--limit',
        value: pair,
        why: 'there is no = in it',
        accepted: 'FILE=VALUE, such as memory.high=40M',
      })
    const file = pair.slice(0, at)
    if (!file.includes('.'))
      throw fail('OPTION_INVALID', {
        name: '--limit',
        value: file,
        why: 'this is not the name of a controller file',
        accepted: 'FILE=VALUE, such as memory.high=40M',
      })
    const value = pair.slice(at + 1)
    const before: unknown = limits[file as `${string}.${string}`]
    // a file with lines takes one for each device
    Object.assign(limits, { [file]: before === undefined ? value : [before, value].flat() })
  }
  const last = (name: string) => values[name]?.at(-1)
  const isolate = last('isolate')
  const mounts = order
    .filter(([name]) => name === 'volume' || name === 'tmpfs' || name === 'overlay')
    .map(([name, value]) => ({ [name]: value }))
  const options: { [key: string]: unknown } = {
    limits: none ? 'none' : limits,
    sandbox: values.sandbox ? true : undefined,
    isolate:
      isolate === undefined || isolate === 'all' || isolate === 'none'
        ? isolate
        : (isolate.split(',') as NamespaceKind[]),
    join: readPairs('--join', values.join, 'KIND=TARGET, such as net=/run/netns/web or pid=1234'),
    network: last('network'),
    publish: values.publish,
    cniConfDir: last('cni-conf-dir'),
    mapUsers: values['map-users'],
    mapGroups: values['map-groups'],
    timeOffset: last('time-offset'),
    group: last('group'),
    groups: last('groups') === 'none' ? [] : last('groups')?.split(','),
    capAdd: values['cap-add']?.flatMap((words) => words.split(',')),
    capDrop: values['cap-drop']?.flatMap((words) => words.split(',')),
    newPrivileges: values['new-privileges'] ? true : undefined,
    ulimits: readPairs('--ulimit', values.ulimit, 'NAME=SOFT[:HARD], such as nofile=1024:4096'),
    oomScoreAdj: last('oom-score-adj'),
    nice: last('nice'),
    ioPriority: last('ioprio'),
    scheduler: last('scheduler'),
    init: values['no-init'] ? false : undefined,
    hostname: last('hostname'),
    rootfs: last('rootfs'),
    readOnly: values['read-only'] ? true : undefined,
    dev: values.dev ? true : undefined,
    devices: values.device,
    unmask: values.unmask,
    seccomp: last('seccomp'),
    landlock: values.landlock,
    seccompReport: values['seccomp-report'] ? true : undefined,
    learn: values.learn ? true : undefined,
    mounts: mounts.length > 0 ? mounts : undefined,
    workdir: last('workdir'),
    env: readEnvironment(values.env ?? [], environment),
    user: last('user'),
    timeout: last('timeout'),
    killAfter: last('kill-after'),
    cpuTime: last('cpu-time'),
    extraTime: last('extra-time'),
    maxOutput: last('max-output'),
    parent: last('parent'),
    evacuate: values.evacuate ? true : undefined,
  }
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as RunOptions
}

/** NAME=VALUE words as an object; the same name twice is an error. */
function readPairs(
  flag: string,
  pairs: string[] | undefined,
  accepted: string,
): { [name: string]: string } | undefined {
  const out: { [name: string]: string } = Object.create(null)
  for (const pair of pairs ?? []) {
    const at = pair.indexOf('=')
    const name = pair.slice(0, at)
    const why = at < 1 ? 'there is no = in it' : name in out ? 'it is given twice' : ''
    if (why) throw fail('OPTION_INVALID', { name: flag, value: pair, why, accepted })
    out[name] = pair.slice(at + 1)
  }
  return pairs && out
}

function readEnvironment(
  pairs: string[],
  environment: () => { [name: string]: string | undefined },
): { [name: string]: string | undefined } {
  const taken = pairs.some((pair) => !pair.includes('=')) ? environment() : {}
  return Object.fromEntries(
    pairs.map((pair) => {
      const at = pair.indexOf('=')
      return at < 0 ? [pair, taken[pair]] : [pair.slice(0, at), pair.slice(at + 1)]
    }),
  )
}
