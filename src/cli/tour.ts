// SPDX-License-Identifier: Apache-2.0
// hutch tour: runs experiments with control groups and namespaces through this CLI, and checks what the kernel did.

import { readChildren } from '../cgroup/files.ts'
import { isAbandoned } from '../cgroup/stale-groups.ts'
import { HutchError, nameOptions } from '../errors/errors.ts'
import { readHost } from '../host/host.ts'
import { ownDirectory, removeAbandoned } from '../host/own-directory.ts'
import { commandLineNames } from '../options/names.ts'
import { type Limits, parseOptions } from '../options/options.ts'
import { prepare } from '../run/launch.ts'
import { readFileSync, rmSync, writeSync } from '../system/files.ts'
import { uptime } from '../system/machine.ts'
import { fileURLToPath } from '../system/paths.ts'
import { spawn } from '../system/processes.ts'
import { runsInNode } from '../system/runtime.ts'
import { showProgress } from '../system/stderr.ts'
import { print } from '../system/stdout.ts'
import { previewScope } from '../systemd/own-scope.ts'
import { formatJson, shellWord } from '../text/quote.ts'
import type { Result } from '../verdict/result.ts'
import type { Command } from './command.ts'
import type { FlagTable, Parsed } from './flags.ts'

/** What an experiment produced: exit status, output, and the report of the run. */
interface Seen {
  status: number
  out: string
  err: string
  report: Result
}

interface Experiment {
  title: string
  /** Arguments of `hutch run`. */
  args: string[]
  /** Limits that the experiment sets. If the user cannot set them, the experiment is skipped with the reason. */
  limits?: Limits
  /** Returns why this host cannot run the experiment; undefined if it can. */
  skip?: () => string | undefined
  /** Checks of the experiment: each is a condition in words, and the function that checks it. */
  checks: [string, (seen: Seen) => boolean][]
}

/** The script of the first experiments: a file of the package, or, in the binary without Node, its text. */
const demo = runsInNode
  ? [fileURLToPath(new URL('../examples/memhog-demo.sh', import.meta.url))]
  : ['sh', '-c', 'for i in $(seq 10); do hutch hog 100M; done']

const experiments: Experiment[] = [
  {
    title: 'A control group limits memory: ten programs ask for 100 MB each where 50 MB are allowed',
    args: ['--memory', '50M', '--swap', '0', '--', ...demo],
    limits: { memory: '50M', swap: 0 },
    checks: [
      ['each of the ten was killed at the limit', ({ report }) => report.usage.oomKills === 10],
      [
        'the script continued, and ended with the status of its last command',
        ({ status, report }) => status === 137 && report.exitCode === 137,
      ],
      [
        'they never used more than 52428800 bytes',
        ({ report }) => report.limits['memory.max'] === 52_428_800 && report.usage.memoryPeak! <= 52_428_800,
      ],
      [
        'the cause names the limit',
        ({ report: { cause } }) =>
          cause.kind === 'oom' && cause.limit?.level === 'own' && cause.limit.value === 52_428_800,
      ],
    ],
  },
  {
    title: 'With --oom-group, the first kill ends the whole group',
    args: ['--memory', '50M', '--swap', '0', '--oom-group', '--', ...demo],
    limits: { memory: '50M', swap: 0, oomGroup: true },
    skip: () => (readHost().unified ? undefined : 'cgroup v1 has no equivalent'),
    checks: [['the script was killed too', ({ status, report }) => status === 137 && report.signal === 'SIGKILL']],
  },
  {
    title: 'A pid namespace with its own /proc: a shell sees only itself',
    args: ['--isolate', 'pid,mount', '--no-init', '--', 'bash', '-c', 'ps; true'],
    checks: [
      ['the shell is process 1', ({ out }) => /^ *1 .* bash$/m.test(out)],
      ['ps sees the shell and itself, and nothing else', ({ out }) => out.trim().split('\n').length === 3],
    ],
  },
  {
    title: 'A cgroup namespace: from inside, its group is the root',
    args: ['--isolate', 'pid,mount,cgroup', '--', 'cat', '/proc/1/cgroup'],
    checks: [
      ['/proc/1/cgroup says 0::/', ({ out }) => (readHost().unified ? /^0::\/$/m.test(out) : /:memory:\/$/m.test(out))],
    ],
  },
  {
    title: 'pids.max: with five tasks allowed, a shell cannot fork a sixth',
    args: [
      '--isolate',
      'pid,mount',
      '--no-init',
      '--pids',
      '5',
      '--',
      'bash',
      '-c',
      'for i in 1 2 3 4 5; do sleep 1 & done; wait',
    ],
    limits: { pids: 5 },
    checks: [
      ['the shell was refused', ({ err }) => err.includes('Resource temporarily unavailable')],
      ['the kernel counted it', ({ report }) => report.usage.pidsDenied! > 0],
      ['there were never more than five tasks', ({ report }) => (report.usage.pidsPeak ?? 5) <= 5],
    ],
  },
  {
    title: 'cpu.max: a busy loop gets a quarter of a CPU',
    args: ['--cpus', '0.25', '--timeout', '1s', '--', 'bash', '-c', 'while :; do :; done'],
    limits: { cpus: 0.25 },
    checks: [
      ['it was throttled', ({ report }) => report.usage.throttledPeriods! > 0],
      ['it got about a quarter of the time', ({ report }) => report.usage.cpuUsec! < 0.5 * report.durationMs * 1000],
      ['it was stopped at the timeout', ({ status, report }) => status === 124 && report.reason === 'timeout'],
    ],
  },
  {
    title: 'A user namespace: root inside, the caller outside',
    args: ['--isolate', 'all,user', '--map-users', 'root', '--', 'sh', '-c', 'id -u; cat /proc/self/uid_map'],
    checks: [
      ['inside it is user 0', ({ out }) => out.startsWith('0\n')],
      [
        'user 0 inside is the caller outside, and no other user is mapped',
        ({ out }) => new RegExp(`^ *0 +${process.getuid!()} +1$`, 'm').test(out),
      ],
    ],
  },
  {
    title: 'A net namespace: no way out',
    args: ['--isolate', 'all', '--', 'cat', '/proc/net/dev'],
    checks: [
      [
        'only the loopback interface exists',
        ({ out }) =>
          out
            .match(/^ *[^ :|]+:/gm)
            ?.join()
            .trim() === 'lo:',
      ],
    ],
  },
  {
    title: 'A time namespace: the machine seems to run for an hour longer',
    args: ['--time-offset', 'boottime=+1h', '--', 'cat', '/proc/uptime'],
    checks: [['/proc/uptime counts it', ({ out }) => Number(out.split(' ')[0]) - uptime() > 3590]],
  },
  {
    title: 'A root that cannot be written, and a /tmp that can',
    args: [
      '--read-only',
      '--tmpfs',
      '/tmp:size=1M',
      '--',
      'sh',
      '-c',
      'echo kept > /tmp/file && cat /tmp/file; mkdir /usr/hutch-tour; head -c 2M /dev/zero > /tmp/file',
    ],
    checks: [
      ['/tmp can be written', ({ out }) => out === 'kept\n'],
      ['the rest cannot', ({ err }) => err.includes('Read-only file system')],
      ['more than 1 MiB cannot be written', ({ err }) => err.includes('No space left on device')],
    ],
  },
  {
    title: 'No capabilities: root without rights',
    args: ['--map-users', 'root', '--cap-drop', 'ALL', '--', 'sh', '-c', 'grep Cap /proc/self/status; chroot / true'],
    checks: [
      ['all five sets are empty', ({ out }) => out.match(/^Cap\w+:\t0{16}$/gm)?.length === 5],
      ['a call that needs one is refused', ({ err }) => err.includes('Operation not permitted')],
    ],
  },
]

const flags: FlagTable = {
  json: { help: 'Print the experiments, their output and their checks as JSON, at the end.' },
}

export const command: Command = {
  words: '',
  details: 'Runs each experiment with `hutch run`, prints its output, and checks what the kernel did.',
  flags,
  maxWords: 0,
  statuses: [
    ['0', 'all checks passed'],
    ['1', 'a check failed'],
  ],
  main,
}

/** What `--json` prints about one experiment. */
interface Outcome {
  title: string
  args: string[]
  /** Why the experiment was skipped. */
  skipped?: string
  status?: number
  stdout?: string
  stderr?: string
  checks: { check: string; passed: boolean }[]
}

async function main({ values }: Parsed): Promise<number> {
  const json = values.json !== undefined
  const show: Show = json ? () => {} : (fd, data) => writeSync(fd, data as string)
  removeAbandoned('tour')
  const directory = ownDirectory('tour')
  const outcomes: Outcome[] = []
  try {
    for (const [at, experiment] of experiments.entries()) {
      show(1, `\n# ${at + 1}/${experiments.length} ${experiment.title}\n`)
      show(1, `$ hutch run ${experiment.args.map(shellWord).join(' ')}\n`)
      if (json) showProgress(`hutch: experiment ${at + 1} of ${experiments.length}: ${experiment.title}`)
      const outcome = await perform(experiment, `${directory}/report.json`, show)
      show(1, formatOutcome(outcome))
      outcomes.push(outcome)
    }
    const noGroup = { check: 'no group is left', passed: leftGroups().length === 0 }
    const cleanUp: Outcome = { title: 'Clean-up: nothing to do', args: [], checks: [noGroup] }
    show(1, `\n# ${cleanUp.title}\n${formatOutcome(cleanUp)}`)
    outcomes.push(cleanUp)
  } finally {
    if (json) showProgress('')
    rmSync(directory, { recursive: true })
  }
  const failed = outcomes.flatMap(({ checks }) => checks).filter(({ passed }) => !passed).length
  if (json) print(`${formatJson(outcomes, 2)}\n`)
  else show(1, `\n${summarize(failed, outcomes.filter(({ skipped }) => skipped !== undefined).length)}\n`)
  return failed === 0 ? 0 : 1
}

function formatOutcome({ skipped, checks }: Outcome): string {
  if (skipped !== undefined) return `  - skipped: ${skipped}\n`
  return checks.map(({ check, passed }) => `  ${passed ? '✓' : '✗'} ${check}\n`).join('')
}

function summarize(failed: number, skipped: number): string {
  if (failed > 0) return `${failed} ${failed === 1 ? 'check' : 'checks'} failed.`
  if (skipped === 0) return 'All checks passed.'
  return `All checks passed, ${skipped} ${skipped === 1 ? 'experiment was' : 'experiments were'} skipped.`
}

/**
 * Returns why this user cannot set the limits of an experiment; undefined if the user can. The reason names options as `hutch run` does.
 */
function notAllowed({ limits }: Experiment): string | undefined {
  if (!limits) return undefined
  try {
    const spec = parseOptions('true', [], { limits }, 'cli')
    previewScope(spec)
    prepare(spec)
    return undefined
  } catch (error) {
    if (!HutchError.is(error) || !['CGROUP_NO_DELEGATION', 'CGROUP_POPULATED'].includes(error.code)) throw error
    return nameOptions(error, commandLineNames).message
  }
}

/** Runs one experiment. If this host or user cannot run it, prints why. */
async function perform(experiment: Experiment, reportPath: string, show: Show): Promise<Outcome> {
  const { title, args } = experiment
  const skipped = experiment.skip?.() ?? notAllowed(experiment)
  if (skipped !== undefined) return { title, args, skipped, checks: [] }
  const seen = await runHutch(args, reportPath, show)
  const checks = experiment.checks.map(([check, holds]) => ({ check, passed: holds(seen) }))
  return { title, args, status: seen.status, stdout: seen.out, stderr: seen.err, checks }
}

type Show = (fd: number, data: string | Uint8Array) => void

/** Runs `hutch run` with the arguments of an experiment, and shows its output while it runs. */
function runHutch(args: string[], reportPath: string, show: Show): Promise<Seen> {
  return new Promise((resolve, reject) => {
    const child = spawn(
      process.execPath,
      [...(runsInNode ? [process.argv[1]!] : []), 'run', '--report', reportPath, ...args],
      {
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    )
    const text = { out: '', err: '' }
    for (const [key, stream, fd] of [
      ['out', child.stdout, 1],
      ['err', child.stderr, 2],
    ] as const)
      stream.on('data', (chunk: Buffer) => {
        text[key] += chunk.toString()
        show(fd, chunk)
      })
    child.on('error', reject)
    child.on('close', (status) => resolve({ ...text, status: status ?? -1, report: readReport(reportPath) }))
  })
}

/** Reads the report of an experiment's run. Returns undefined if hutch itself failed, so that every check fails. */
function readReport(path: string): Result {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Result
  } catch {
    return { usage: {}, limits: {}, events: [] } as unknown as Result
  } finally {
    rmSync(path, { force: true })
  }
}

function leftGroups(): string[] {
  const { unified, v1 } = readHost()
  return [unified, ...Object.values(v1)].flatMap((hierarchy) =>
    hierarchy ? readChildren(hierarchy.mount).filter((name) => isAbandoned(`${hierarchy.mount}/${name}`)) : [],
  )
}
