// SPDX-License-Identifier: Apache-2.0
// Real starts for `hutch doctor`: each row starts a program as a job would, and reports the result. Creates groups, namespaces and mounts
// for a moment, and leaves nothing behind.

import { HutchError, nameOptions } from '../errors/errors.ts'
import type { Finding } from '../host/doctor.ts'
import { commandLineNames } from '../options/names.ts'
import { parseOptions, type RunOptions } from '../options/options.ts'
import { createPool } from '../pool/pool.ts'
import { run } from '../run/job.ts'
import { existsSync } from '../system/files.ts'
import { ensureScope } from '../systemd/own-scope.ts'
import type { Result } from '../verdict/result.ts'

/**
 * A kind of start that `hutch doctor` tries. `state` is the state of the finding if it fails: `missing` for a missing feature, `note` for a
 * feature that few users need.
 */
interface Trial {
  title: string
  /** The options of this kind of start, as the user types them. */
  flags: string
  options: RunOptions
  state?: 'note'
  pool?: true
}

const kinds = ['mount', 'pid', 'ipc', 'uts', 'net', 'cgroup', 'user', 'time'] as const

const namespaces = (list: readonly (typeof kinds)[number][]): Trial => ({
  title: list.length > 1 ? 'namespaces' : `  ${list[0]}`,
  flags: `--isolate ${list.join(',')}`,
  options: { isolate: [...list] },
})

/**
 * Kinds of starts to try, in the order in which a run needs the features. If a start with one limit fails, those with other limits are
 * still tried.
 */
const trials: readonly Trial[] = [
  { title: 'start', flags: '--isolate none', options: { isolate: 'none' } },
  { title: 'memory limit', flags: '--memory 64M', options: { limits: { memory: '64M' } } },
  { title: 'task limit', flags: '--pids 32', options: { limits: { pids: 32 } } },
  { title: 'CPU limit', flags: '--cpu-weight 100', options: { limits: { cpuWeight: 100 } } },
  { title: 'CPU choice', flags: '--cpuset-cpus 0', options: { limits: { cpusetCpus: '0' } } },
  namespaces(kinds),
  { title: 'mounts', flags: '--read-only --tmpfs /tmp', options: { readOnly: true, mounts: [{ tmpfs: '/tmp' }] } },
  { title: 'sandbox', flags: '--sandbox', options: { sandbox: true } },
  { title: 'pool', flags: 'createPool()', options: { sandbox: true }, pool: true },
  { title: 'landlock', flags: '--landlock /:rwx', options: { landlock: ['/:rwx'] }, state: 'note' },
  { title: 'network', flags: '--network private', options: { network: 'private' }, state: 'note' },
]

/** The program that is started; every system has it. */
const program = ['/bin/true', '/usr/bin/true'].find(existsSync)
const [command, args]: [string, string[]] = program ? [program, []] : ['/bin/sh', ['-c', ':']]

/**
 * Tries every kind of start, and returns a finding for each, in the order of the table. Each start takes about 3 ms, except the one with a
 * network.
 */
export async function tryStarts(): Promise<Finding[]> {
  const findings: Finding[] = []
  for (const trial of trials) {
    const failure = await failureOf(trial)
    findings.push(toFinding(trial, failure))
    // a start with all features failed: try each feature separately to find out which one
    if (failure && trial.title === 'namespaces')
      for (const kind of kinds) {
        const single = namespaces([kind])
        const why = await failureOf(single)
        if (why) findings.push(toFinding(single, why))
      }
  }
  return findings
}

/** Starts the program. Returns the error; undefined if the program ended with status 0. */
async function failureOf({ options, pool }: Trial): Promise<unknown> {
  try {
    await ensureScope(parseOptions(command, args, options, 'library'), commandLineNames)
    const { status, verdict } = pool ? await runInPool(options) : await run(command, args, options)
    return status === 0 ? undefined : `the program ended with status ${status}: ${verdict.headline}`
  } catch (error) {
    return error
  }
}

async function runInPool(plan: RunOptions): Promise<Result> {
  const pool = await createPool({ size: 1, plan })
  try {
    return await pool.run([command, ...args])
  } finally {
    await pool.close()
  }
}

function toFinding({ title, flags, state }: Trial, failure: unknown): Finding {
  if (failure === undefined) return { title, state: 'ok', found: `a start with ${flags} works` }
  const known = HutchError.is(failure)
  const lines = HutchError.is(failure)
    ? [failure.summary, ...failure.evidence.map((line) => line.trim())]
    : [failure instanceof Error ? failure.message : String(failure)]
  return {
    title,
    state: state ?? 'missing',
    found: `a start with ${flags} fails: ${lines.join('; ')}`,
    ...(known && failure.remedy !== 'see hutch doctor' && { remedy: nameOptions(failure, commandLineNames).remedy }),
  }
}
