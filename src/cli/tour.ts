// SPDX-License-Identifier: Apache-2.0
// hutch tour: experiments with control groups and namespaces, run live through this very CLI; what the kernel did is checked.
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { fileURLToPath } from 'node:url'
import { readChildren } from '../cgroup/files.ts'
import { isAbandoned } from '../cgroup/sweep.ts'
import { readHost } from '../host/host.ts'
import { shellWord } from '../program/explain.ts'
import type { Result } from '../run/result.ts'

/** What came of one experiment. */
interface Seen {
  status: number
  out: string
  err: string
  report: Result
}

interface Experiment {
  title: string
  /** After `hutch run`. */
  args: string[]
  /** Why this host cannot show it, if so. */
  skip?: () => string | undefined
  /** What must be so, in words, and whether it was. */
  checks: [string, (seen: Seen) => boolean][]
}

const demo = fileURLToPath(new URL('../examples/memhog-demo.sh', import.meta.url))

const experiments: Experiment[] = [
  {
    title: 'A control group limits memory: ten programs ask for 100 MB each where 50 MB are allowed',
    args: ['--memory', '50M', '--swap', '0', '--', demo],
    checks: [
      ['each of the ten was killed when it reached the limit', ({ report }) => report.usage.oomKills === 10],
      [
        'the script itself lived on, and ended with the status of its last command',
        ({ status, report }) => status === 137 && report.exitCode === 137,
      ],
      [
        'the kernel never gave them more than 52428800 bytes',
        ({ report }) => report.limits['memory.max'] === 52_428_800 && report.usage.memoryPeak! <= 52_428_800,
      ],
      ['the verdict names the limit', ({ report, err }) => report.reason === 'oom' && err.includes("this group's own")],
    ],
  },
  {
    title: 'With --oom-group, the first kill takes the whole group along',
    args: ['--memory', '50M', '--swap', '0', '--oom-group', '--', demo],
    skip: () => (readHost().unified ? undefined : 'cgroup v1 has nothing like it'),
    checks: [['the script is gone too', ({ status, report }) => status === 137 && report.signal === 'SIGKILL']],
  },
  {
    title: 'A pid namespace with a /proc of its own: a shell that thinks it is all alone',
    args: ['--isolate', 'pid,mount', '--no-init', '--', 'bash', '-c', 'ps; true'],
    checks: [
      ['the shell is process 1', ({ out }) => /^ *1 .* bash$/m.test(out)],
      ['ps sees the shell and itself, and nothing else', ({ out }) => out.trim().split('\n').length === 3],
    ],
  },
  {
    title: 'A cgroup namespace: from inside, its group is the root',
    args: ['--', 'cat', '/proc/1/cgroup'],
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
    checks: [
      ['the shell was refused', ({ err }) => err.includes('Resource temporarily unavailable')],
      ['the kernel counted it', ({ report }) => report.usage.pidsDenied! > 0],
      ['there were never more than five', ({ report }) => (report.usage.pidsPeak ?? 5) <= 5],
    ],
  },
  {
    title: 'cpu.max: a busy loop gets a quarter of a CPU',
    args: ['--cpus', '0.25', '--timeout', '1s', '--', 'bash', '-c', 'while :; do :; done'],
    checks: [
      ['it was throttled', ({ report }) => report.usage.throttledPeriods! > 0],
      ['it got about a quarter of the time', ({ report }) => report.usage.cpuUsec! < 0.5 * report.durationMs * 1000],
      ['it was stopped when its time was up', ({ status, report }) => status === 124 && report.reason === 'timeout'],
    ],
  },
]

export async function main(): Promise<number> {
  const directory = mkdtempSync(`${tmpdir()}/hutch-tour-`)
  let failed = 0
  try {
    for (const experiment of experiments) {
      writeSync(1, `\n# ${experiment.title}\n$ hutch run ${experiment.args.map(shellWord).join(' ')}\n`)
      const reason = experiment.skip?.()
      if (reason) writeSync(1, `  - skipped: ${reason}\n`)
      if (reason) continue
      failed += printChecks(await perform(experiment, `${directory}/report.json`), experiment)
    }
    writeSync(1, '\n# Clean-up: nothing to do\n')
    failed += printChecks(undefined, {
      title: '',
      args: [],
      checks: [['no group is left', () => leftGroups().length === 0]],
    })
  } finally {
    rmSync(directory, { recursive: true })
  }
  writeSync(1, failed === 0 ? '\nAll checks passed.\n' : `\n${failed} checks failed.\n`)
  return failed === 0 ? 0 : 1
}

function printChecks(seen: Seen | undefined, experiment: Experiment): number {
  const failed = experiment.checks.filter(([words, holds]) => {
    const good = holds(seen!)
    writeSync(1, `  ${good ? '✓' : '✗'} ${words}\n`)
    return !good
  })
  return failed.length
}

/** Runs `hutch run` as a user would, passing on what it prints as it comes. */
function perform(experiment: Experiment, reportPath: string): Promise<Seen> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [process.argv[1]!, 'run', '--report', reportPath, ...experiment.args], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const text = { out: '', err: '' }
    for (const [key, stream, fd] of [
      ['out', child.stdout, 1],
      ['err', child.stderr, 2],
    ] as const)
      stream.on('data', (chunk: Buffer) => {
        text[key] += chunk.toString()
        writeSync(fd, chunk)
      })
    child.on('error', reject)
    child.on('close', (status) => resolve({ ...text, status: status ?? -1, report: readReport(reportPath) }))
  })
}

/** Missing when hutch itself failed: then every check of it fails. */
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
    hierarchy ? readChildren(hierarchy.mount).filter(isAbandoned) : [],
  )
}
