// SPDX-License-Identifier: Apache-2.0
// hutch why: explains what stopped or slowed a process, a group or a run. Exit status 1 if it finds no such cause.

import { fail, HutchError } from '../errors/errors.ts'
import { readHost } from '../host/host.ts'
import { findContainer, readDockerNames } from '../monitor/docker-name.ts'
import { defaultFile } from '../monitor/recording/file.ts'
import { findRecorded, type RecordedGroup, recordedLines, total } from '../monitor/recording/query.ts'
import { explainById } from '../oci/ends/find-container.ts'
import { existsSync } from '../system/files.ts'
import { print } from '../system/stdout.ts'
import { paint } from '../text/paint.ts'
import { escapeUnsafe, formatJson } from '../text/quote.ts'
import { wantsColor } from '../verdict/format-result.ts'
import type { Explanation, WhyCause } from '../why/explanation.ts'
import { toCause } from '../why/to-cause.ts'
import { why } from '../why/why.ts'
import type { Command } from './command.ts'
import type { FlagTable, Parsed } from './flags.ts'
import { lastRunFile } from './last-run.ts'

const flags: FlagTable = {
  json: { help: 'Print the explanation as JSON.' },
  db: {
    value: 'FILE',
    help: 'Recording to search for the group.',
    default: 'the file of `hutch record`, if it exists',
  },
  root: {
    value: 'DIR',
    help: 'State directory of hutch-oci in which to search for the container.',
    default: 'the directories that podman, containerd, Docker, CRI-O and Slurm use',
  },
}

export const command: Command = {
  words: '[PID|GROUP|CONTAINER|REPORT]',
  details: [
    'PID: a process, also one that has ended.',
    'GROUP: a path from the root (/build/jobs), a name or a directory, also of a group that is gone.',
    'It can also be a systemd unit, the id of a container (also a short one), or, as root, the name of a Docker container.',
    'CONTAINER: the id of a container of hutch-oci, also a short one, also after its deletion.',
    'REPORT: a file that `hutch run --report` wrote.',
    'Without an argument: your newest run that did not end with status 0. With HUTCH_STATE=0, no run is stored.',
  ].join('\n'),
  flags,
  maxWords: 1,
  statuses: [
    ['0', 'a cause was found'],
    ['1', 'no cause was found'],
    ['125', 'hutch could not examine it'],
  ],
  main,
}

async function main({ values, rest }: Parsed): Promise<number> {
  const target = rest[0] ?? lastRun()
  if (!target) throw fail('WORDS_MISSING', { usage: 'hutch why [PID|GROUP|CONTAINER|REPORT]' })
  const now = explainTarget(target, values.root?.at(-1))
  const path = HutchError.is(now) ? target : now.target.path
  const recalled = path === undefined ? undefined : await lookBack(values.db?.at(-1), path)
  if (HutchError.is(now) && (recalled === undefined || HutchError.is(recalled))) throw now
  const found = HutchError.is(recalled) ? undefined : recalled
  const explanation = HutchError.is(now) ? explainRecalled(target, found!) : now
  if (HutchError.is(recalled)) explanation.unknown.push(`what was recorded: ${recalled.summary}`)
  print(
    values.json
      ? `${formatJson({ ...explanation, ...(found && { recorded: found }) }, 2)}\n`
      : formatExplanation(explanation, wantsColor(process.stdout), found),
  )
  return explanation.causes.every(({ cause }) => noCause.has(cause)) ? 1 : 0
}

/** Returns the file with the report of this user's newest run that did not end with status 0. @throws WHY_TARGET_UNKNOWN */
function lastRun(): string {
  const file = lastRunFile()
  if (file !== undefined && existsSync(file)) return file
  const evidence = [
    file === undefined ? 'HUTCH_STATE is 0, so reports are not kept' : `there is no report of a failed run in ${file}`,
  ]
  throw fail('WHY_TARGET_UNKNOWN', { name: 'the last run', evidence })
}

/** Kinds of causes without a limit: the process ended by itself, the kernel did not act, or the cause is unknown. */
const noCause = new Set<WhyCause['cause']>(['exit', 'none', 'not-kernel', 'unknown'])

/**
 * Explains what stopped or slowed a target. A container of hutch-oci takes precedence over a group of the same name. If no group or process
 * has this name, tries it as a shortened id, and as the name of a Docker container.
 *
 * @throws CONTAINER_NOT_FOUND
 */
function explainTarget(target: string, root: string | undefined): Explanation | HutchError {
  const container = isPid(target) && root === undefined ? undefined : explainById(target, root, false)
  if (container) return container
  // a group whose name begins with a shortened id is that of the container
  const short = root !== undefined || isHexadecimal(target) ? explainById(target, root, true) : undefined
  if (short) return short
  if (root !== undefined) throw fail('CONTAINER_NOT_FOUND', { id: target, root })
  const found = explainNow(target)
  const other = HutchError.is(found) ? explainById(target, root, true) : undefined
  if (other) return other
  const path = HutchError.is(found) ? findContainer(readHost(), target, readDockerNames()) : undefined
  return path === undefined ? found : explainNow(path)
}

function isHexadecimal(target: string): boolean {
  return /^[0-9a-f]+$/.test(target) && !isPid(target)
}

/** Process ids have at most seven digits on Linux. */
function isPid(target: string): boolean {
  return /^\d{1,7}$/.test(target)
}

/** Explains a target from its current state. Returns the error if no target has this name. */
function explainNow(target: string): Explanation | HutchError {
  try {
    return why(target)
  } catch (error) {
    if (HutchError.is(error) && error.code === 'WHY_TARGET_UNKNOWN') return error
    throw error
  }
}

/** Searches a recording for a group. If the recording cannot be used, throws only if the user named it; otherwise returns the error. */
async function lookBack(named: string | undefined, path: string): Promise<RecordedGroup | HutchError | undefined> {
  const file = named ?? defaultFile()
  if (named === undefined && !existsSync(file)) return undefined
  try {
    return await findRecorded(file, path)
  } catch (error) {
    if (named === undefined && HutchError.is(error)) return error
    throw error
  }
}

/** Explains a group that does not exist any more, from a recording. */
function explainRecalled(name: string, { group, kills, slowed }: RecordedGroup): Explanation {
  const count = total(kills)
  const cause: WhyCause =
    count > 0
      ? {
          kind: 'oom',
          confidence: 'likely',
          cause: 'oom',
          group,
          count,
          last: new Date(kills.at(-1)!.at).toISOString(),
          headline: `${count} ${count === 1 ? 'process was' : 'processes were'} killed (OOM) in ${group}, which is gone`,
          evidence: [],
        }
      : {
          kind: 'unknown',
          confidence: 'unknown',
          cause: 'none',
          group,
          headline: `no process was killed for memory in ${group}, which is gone`,
          evidence: [],
        }
  const times = total(slowed)
  const slow: WhyCause = {
    kind: 'slowed',
    confidence: 'certain',
    cause: 'slowed',
    limit: 'memory.high',
    group,
    count: times,
    headline: `${group}, which is gone, or a group in it was throttled for memory ${times} ${times === 1 ? 'time' : 'times'}`,
    evidence: [],
  }
  const found: Omit<Explanation, 'cause'> = {
    target: { kind: 'group', name, there: false, path: group },
    causes: times === 0 ? [cause] : count > 0 ? [cause, slow] : [slow],
    unknown: ['whose limit it was, signals and exit statuses: a recording does not contain them'],
  }
  return { ...found, cause: toCause(found) }
}

/** Prints an explanation: a block for each cause, then what the recording contains, then what is unknown. */
export function formatExplanation(
  { causes, unknown }: Pick<Explanation, 'causes' | 'unknown'>,
  color: boolean,
  recalled?: RecordedGroup,
): string {
  const blocks = causes.map((cause) => formatCause(cause, color))
  if (recalled)
    blocks.push(formatCause({ headline: `before, ${recalled.group}:`, evidence: recordedLines(recalled) }, color))
  const rest = unknown.map((text) => `not known: ${escapeUnsafe(text)}\n`)
  return `${blocks.join('\n')}${rest.length > 0 ? `\n${rest.join('')}` : ''}`
}

function formatCause(
  { headline, evidence, remedy }: Pick<WhyCause, 'headline' | 'evidence' | 'remedy'>,
  color: boolean,
): string {
  const lines = [...evidence, ...(remedy === undefined ? [] : [['remedy', remedy] as [string, string]])]
  const width = Math.max(11, ...lines.map(([label]) => label.length))
  const rows = lines.map(
    ([label, text]) => `  ${paint('dim', escapeUnsafe(label).padEnd(width), color)}  ${escapeUnsafe(text)}\n`,
  )
  return `${paint('bold', escapeUnsafe(headline), color)}\n${rows.join('')}`
}
