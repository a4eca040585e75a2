// SPDX-License-Identifier: Apache-2.0
// hutch run: turns flags into options, starts the job, prints the verdict on stderr, and exits with the documented status.

import { fail, HutchError, nameOptions, quote } from '../errors/errors.ts'
import { defaultFile, mayBeRecorded } from '../monitor/recording/file.ts'
import { explainProgram } from '../ops/explain.ts'
import { commandLineNames } from '../options/names.ts'
import { parseOptions, type RunOptions } from '../options/options.ts'
import { type FlagWords, readFlagWords } from '../options/read-words.ts'
import type { Spec } from '../options/spec.ts'
import { isRepeated, optionRows } from '../options/table.ts'
import { ownVariables } from '../run/environment.ts'
import { type Job, startSpec } from '../run/job.ts'
import { prepare } from '../run/launch.ts'
import { loadFileReader, loadFilter } from '../run/load-parsers.ts'
import { warnOfFewTasks } from '../run/node-tasks.ts'
import type { FilterMaker } from '../seccomp/make-filter.ts'
import { native } from '../system/native.ts'
import type { Document } from '../system/output-file.ts'
import { writeStderr } from '../system/stderr.ts'
import { isatty } from '../system/terminals.ts'
import { ensureScope, previewScope } from '../systemd/own-scope.ts'
import { mayBeDenied } from '../verdict/denied-words.ts'
import { formatLines, formatSteps, formatVerdict, wantsColor } from '../verdict/format-result.ts'
import { formatMeta, formatMetaOfFailure } from '../verdict/isolate-meta.ts'
import { describeOuter } from '../verdict/outer-limit-words.ts'
import type { JobEvent, Result } from '../verdict/result.ts'
import { isWorthTelling } from '../verdict/words.ts'
import type { Command } from './command.ts'
import { type FlagTable, type Parsed, parseFlags, prepareFlags } from './flags.ts'
import { openRedirections } from './redirections.ts'
import { formatReport, openReport, type ReportVersion } from './report.ts'

/** The options of `hutch run`, from the option table. */
export const flags: FlagTable = prepareFlags(
  Object.fromEntries(optionRows.map((row) => [row.flag, { ...row, repeat: isRepeated(row) }])),
)

export const command: Command = {
  words: '[--] COMMAND [ARG…]',
  flags,
  runsCommand: true,
  examples: [
    ['hutch run --memory 512M --cpus 1 --timeout 60s -- make', 'limit a build'],
    ['hutch run --sandbox --volume .:/src --workdir /src -- python3 job.py', 'run untrusted code on this directory'],
    ['hutch run --report result.json --pids 64 -- ./test.sh', 'get the result as data'],
  ],
  statuses: [
    ['0-123', "the command's own status"],
    ['124', 'a limit of hutch ended the job: --timeout, --cpu-time or --max-output'],
    ['125', 'hutch failed'],
    ['126', 'the command cannot be executed'],
    ['127', 'the command was not found'],
    ['128+N', 'signal N ended the command, for example 137: SIGKILL'],
  ],
  parse: (args) => parseRunFlags(args, flags),
  main,
}

/**
 * Splits a command line that may contain options of other tools, such as docker. In docker run, `-v` and `-h` mean other options than in
 * hutch.
 */
export async function parseRunFlags(args: string[], table: FlagTable): Promise<Parsed> {
  const parsed = tryParse(args, table)
  if (!HutchError.is(parsed) && !mayBeDocker(args, parsed.rest)) return parsed
  const { translateOthers } = await import('./other-options.ts')
  return parseFlags(translateOthers(args, table), table)
}

/**
 * Returns true if the words may be docker's `-v SRC:DST` or `-h NAME`. hutch would parse these as its own options -v and -h, followed by a
 * command.
 */
function mayBeDocker(args: readonly string[], rest: readonly string[]): boolean {
  const last = args[args.length - rest.length - 1]
  return (last === '-v' && rest[0]?.includes(':') === true) || (last === '-h' && rest.length > 0)
}

function tryParse(args: string[], table: FlagTable): Parsed | HutchError {
  try {
    return parseFlags(args, table)
  } catch (error) {
    if (HutchError.is(error) && error.code === 'OPTION_UNKNOWN') return error
    throw error
  }
}

async function main(parsed: Parsed): Promise<number> {
  const metaPath = parsed.values.explain ? undefined : parsed.values.meta?.[0]
  const meta = metaPath === undefined ? undefined : openReport(metaPath, '--meta')
  try {
    return await runParsed(parsed, meta)
  } catch (error) {
    // write the file also for an invalid option: its reader must not find the result of the previous run
    if (HutchError.is(error)) meta?.(formatMetaOfFailure(nameOptions(error, commandLineNames).message))
    throw error
  }
}

async function runParsed({ values, order, rest }: Parsed, meta: Document | undefined): Promise<number> {
  const [command = '', ...words] = rest
  const options = readOptions({ values, order })
  const spec = parseOptions(command, words, options, 'cli', await loadFileReader(options))
  const filter = await loadFilter(spec)
  const version = reportVersion(values['report-version']?.at(-1))
  const names = [...(values.report?.slice(0, 1) ?? []), ...(values.json ? ['-'] : [])]
  const seccompReport = spec.seccompReport || spec.learn ? await import('./seccomp-report.ts') : undefined
  const reports = names.map((name) => ({ name, write: openReport(name, '--report') }))
  const learn = seccompReport?.openLearn(values)
  if (values.explain) {
    const { print } = await import('../system/stdout.ts')
    if (spec.sandbox) print((await import('../options/sandbox-words.ts')).describeSandbox(options))
    const home = previewScope(spec)
    const steps = explainProgram(prepare(spec, filter).program)
    print(formatSteps(steps, { color: wantsColor(process.stdout), ...(home !== undefined && { home }) }))
    return 0
  }
  const result = await runToEnd(spec, values, filter, seccompReport?.reportRefused)
  learn?.(result)
  for (const { name, write } of reports) write(formatReport(result, name, version))
  meta?.(formatMeta(result))
  const kept = result.status !== 0 && (await import('./last-run.ts')).keepLastRun(formatReport(result, 'last.json'))
  if (spec.seccompReport) seccompReport!.reportCounts(result)
  if (!values.quiet && (values.verbose || isWorthTelling(result.cause))) {
    const color = wantsColor(process.stderr)
    writeStderr(formatVerdict(result, { color, verbose: values.verbose !== undefined }))
    const file = defaultFile()
    if (mayBeRecorded(result, file))
      writeStderr(
        formatLines(
          await (await import('../monitor/recording/recent-history.ts')).readRecentHistory(file, result),
          color,
        ),
      )
  } else if (!values.quiet && mayBeDenied(result.cause)) {
    const { exitCode } = result
    writeStderr(
      `hutch: ${quote(command)} exited with status ${exitCode}; ${kept ? '`hutch why`' : '--verbose'} lists what its restrictions may have denied\n`,
    )
  }
  return result.status
}

/** Parses the version of the report. @throws OPTION_INVALID */
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
  const note = await ensureScope(spec, commandLineNames)
  if (note !== undefined && values.verbose) writeStderr(`hutch: ${note}\n`)
  const stdio = openRedirections({ stdin: values.stdin?.[0], stdout: values.stdout?.[0], stderr: values.stderr?.[0] })
  native().holdSignals()
  const job = startSpec(spec, { stdio, filter, onEvent })
  job.forwardSignals()
  const outer = values.quiet ? undefined : describeOuter(job.outerLimits)
  if (outer !== undefined) writeStderr(`hutch: ${outer}\n`)
  const few = values.quiet ? undefined : warnOfFewTasks(spec)
  if (few !== undefined) writeStderr(`hutch: ${few}\n`)
  return values.quiet ? job.result : job.result.finally(reportStall(job, values.verbose !== undefined))
}

/** Milliseconds after which hutch checks what a running job waits for. A job that ends earlier has no cost. */
const stallDelayMs = 1500

/** Prints once what a waiting job waits for, if stderr is a terminal or `always` is true. Returns a function that cancels this. */
function reportStall(job: Job, always: boolean): () => void {
  let stop = () => {}
  const timer = setTimeout(async () => {
    if (!always && !isatty(2)) return
    const { describeStall, watchStall } = await import('../why/stall.ts')
    const color = wantsColor(process.stderr)
    const end = watchStall(job.directories, job.pid, (reason) => writeStderr(`hutch: ${describeStall(reason, color)}`))
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

/** Converts the options of the command line to the options of the library. @throws OPTION_INVALID, OPTION_CONFLICT */
export function readOptions(words: FlagWords, environment = ownVariables): RunOptions {
  return readFlagWords(words, environment) as RunOptions
}
