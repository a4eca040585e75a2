// SPDX-License-Identifier: Apache-2.0
// bwrap: runs a program in an assembled root, as bubblewrap(1) does. Exports main.

import { fail, HutchError, nameOptions } from '../../errors/errors.ts'
import { readInherited } from '../../host/inherited-fds.ts'
import { readCallersOpenFiles } from '../../host/limits.ts'
import { ownVariables } from '../../run/environment.ts'
import { runProgram } from '../../run/ungrouped.ts'
import { closeSync, openSync, writeSync } from '../../system/files.ts'
import { errnoName, native } from '../../system/native.ts'
import { basename } from '../../system/paths.ts'
import { writeStderr } from '../../system/stderr.ts'
import { print } from '../../system/stdout.ts'
import { isatty } from '../../system/terminals.ts'
import {
  applyEnvironment,
  dropMissing,
  readDescriptor,
  readFacts,
  readFilterDescriptor,
  wantedLimits,
} from './caller.ts'
import { formatBwrapOptions } from './option-table.ts'
import { parseBwrap, wantsLevelPrefix } from './options.ts'
import { type BwrapLaunch, type BwrapPlan, compileBwrap, planBwrap } from './program.ts'
import { type BwrapRequest, descriptorPath, renumberDescriptor, usedDescriptors } from './request.ts'
import { reportEnd, reportStart } from './status.ts'

declare const HUTCH_VERSION: string

/** Exit status for an error of bwrap itself, as in bubblewrap. */
const failure = 1
/** Version of bubblewrap that has the same options. Callers read it from --version to choose options. */
const release13 = '0.13.1'

/** Runs `bwrap` and returns its exit status. */
export async function main(args: string[]): Promise<number> {
  try {
    return await run(args)
  } catch (error) {
    return await complain(error, wantsLevelPrefix(args))
  }
}

async function run(args: string[]): Promise<number> {
  const parsed = parseBwrap(args, (descriptor) => readDescriptor('--args', descriptor).toString('utf8'))
  if ('show' in parsed) {
    print(parsed.show === 'help' ? help() : `bubblewrap ${release13} from hutch ${HUTCH_VERSION}\n`)
    return 0
  }
  for (const name of parsed.repeated)
    writeStderr(`${parsed.request.levelPrefix ? '<4>' : ''}bwrap: Only the last ${name} option will take effect\n`)
  const request = moveDescriptors(parsed.request, ownNumbers)
  if (request.words.length === 0) {
    writeStderr(help())
    return failure
  }
  const environment = applyEnvironment(request, ownVariables())
  const plan = planBwrap(request, parsed.asks, readFacts(environment))
  dropMissing(request)
  return launch(plan, environment)
}

function help(): string {
  return `Usage: bwrap [OPTIONS] [--] PROGRAM [ARG…]\n\nRuns a program in a root assembled for it.\n\n${formatBwrapOptions()}`
}

/** Prints an error in bwrap's format; with `levelPrefix`, a syslog(3) level precedes it. Returns the exit status. */
async function complain(thrown: unknown, levelPrefix: boolean): Promise<number> {
  const error = HutchError.is(thrown)
    ? thrown
    : (await import('../../errors/missing-proc.ts')).explainMissingProc(thrown)
  if (!HutchError.is(error)) throw error
  const { bwrapNames } = await import('./names.ts')
  const text = `bwrap: ${nameOptions(error, bwrapNames).message}\n`
  writeStderr(levelPrefix ? text.replace(/^(?=.)/gm, '<3>') : text)
  return failure
}

/** Descriptor numbers that hutch-init uses. A descriptor of the caller with one of these numbers is moved to another number. */
const ownNumbers = [40, 41]

function moveDescriptors(request: BwrapRequest, taken: readonly number[]): BwrapRequest {
  let moved = request
  for (const number of usedDescriptors(request).filter((one) => taken.includes(one)))
    moved = renumberDescriptor(moved, number, openAgain(number))
  return moved
}

function openAgain(number: number): number {
  try {
    return openSync(descriptorPath(number), 'r')
  } catch (error) {
    throw fail('FILE_REFUSED', {
      what: 'open again',
      path: `descriptor ${number}`,
      errno: (error as NodeJS.ErrnoException).code ?? 'EIO',
      remedy: 'hutch uses 40 and 41 itself: give a socket another number',
    })
  }
}

async function launch(plan: BwrapPlan, environment: ReadonlyMap<string, string>): Promise<number> {
  const { request } = plan
  if (request.diesWithParent) native().dieWithParent(process.ppid)
  const filters = request.filters.map(readFilterDescriptor)
  const tells = request.info !== undefined || request.status !== undefined
  const gate = tells ? makeGate() : undefined
  const mine = [request.info, request.status, ...request.filters]
  const handed = readInherited().filter((one) => !mine.includes(one) && one !== gate?.write)
  const openFiles = readCallersOpenFiles()
  const started = (pid: number) => {
    if (!gate) return
    closeSync(gate.read)
    reportStart(request, plan.kinds, pid)
    writeSync(gate.write, 'g')
    closeSync(gate.write)
  }
  const what: BwrapLaunch = {
    words: request.words,
    shell: '',
    env: [...environment].map(([name, value]) => `${name}=${value}`),
    descriptors: [...new Set([...handed, ...usedDescriptors(request), ...(gate ? [gate.read] : [])])],
    ...(openFiles && { openFiles }),
    ...(gate && { gate: gate.read }),
    filters,
  }
  const limits = wantedLimits(request, process.env)
  // loaded only on demand: the code for groups and verdicts is large, and few callers request limits
  const status = limits
    ? await (await import('./limited.ts')).runLimited(plan, what, limits, started)
    : await runPlain(plan, what, started)
  reportEnd(request, status)
  return status
}

async function runPlain(plan: BwrapPlan, what: BwrapLaunch, started: (pid: number) => void): Promise<number> {
  const ending = await runProgram(compileBwrap(plan, what), 'forward', started)
  if ('error' in ending) throw ending.error
  if ('signal' in ending) return 128 + ending.signal
  if (ending.exit !== 0 && mayExplain()) {
    const denied = (await import('./denied.ts')).deniedBySandbox(plan, ending.exit)
    if (denied !== undefined) writeStderr(denied)
  }
  return ending.exit
}

/**
 * Returns true if a person may read stderr. If the command is called bwrap, a program may read it, so only what bubblewrap prints may
 * appear there.
 */
function mayExplain(): boolean {
  return isatty(2) || basename(process.argv[1] ?? '') !== 'bwrap'
}

/** Creates a pipe on which the sandboxed program waits until its start has been reported. */
function makeGate(): { read: number; write: number } {
  const [read, write] = native().pipe()
  if (write !== undefined) return { read, write }
  throw fail('STEP_REFUSED', {
    what: 'make a pipe',
    operation: 'pipe2',
    origin: '--info-fd',
    errno: errnoName(read),
    remedy: 'raise the limit of open files (ulimit -n)',
  })
}
