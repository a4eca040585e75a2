// SPDX-License-Identifier: Apache-2.0
// hutch kube generate: writes the manifest for a command that it runs, for a report, or for a group.
import { fail, HutchError } from '../../errors/errors.ts'
import { readHost } from '../../host/host.ts'
import { formatGenerated, generatedKinds, type ManifestChoice, type Observed, podNeeds } from '../../kube/generate.ts'
import { isSubdomain } from '../../kube/object-names.ts'
import { holds, knownVersions, parseMinorVersion } from '../../kube/version.ts'
import { Cgroup } from '../../library/cgroup.ts'
import { statSync } from '../../system/files.ts'
import { writeStderr } from '../../system/stderr.ts'
import { print } from '../../system/stdout.ts'
import { readTextFile } from '../../system/text-file.ts'
import { encodePath } from '../../text/non-utf8.ts'
import { formatDuration } from '../../text/units.ts'
import { formatVerdict, wantsColor } from '../../verdict/format-result.ts'
import { parseReport } from '../../why/report.ts'
import type { Command } from '../command.ts'
import { type FlagTable, type Parsed, parseFlags } from '../flags.ts'

const flags: FlagTable = {
  kind: { value: generatedKinds.join('|'), help: 'Kind of the object.', default: 'Pod' },
  name: {
    value: 'NAME',
    help: 'Name of the object and of its container.',
    default: 'the name of the command or group',
  },
  image: { value: 'IMAGE', help: 'Image of the container.', default: 'a placeholder' },
  kubernetes: {
    value: 'VERSION',
    help: 'Version of Kubernetes, which decides between the formulas of cpu.weight.',
    default: `1.${knownVersions.last}`,
  },
}

export const command: Command = {
  words: 'GROUP|REPORT',
  otherUsages: ['[OPTIONS] -- COMMAND [ARG…]'],
  details: [
    'COMMAND: runs it once without limits, with its output on stderr. The requests are the peak of memory and 15 %, at least 6 MiB, and the CPU time divided by the run time. If it fails, nothing is written.',
    'REPORT: a file that `hutch run --report` wrote. Its limits are taken over; without a limit, the use counts.',
    'GROUP: the limits of a control group.',
    '`hutch kube explain` gives the same figures for the manifest. Limits of tasks become an annotation, because a pod has no field for them.',
  ].join('\n'),
  flags,
  minWords: 1,
  examples: [
    [
      'hutch kube generate --kind Job --image registry.example/report:3 -- python3 report.py > job.yaml',
      'from one run',
    ],
    ['hutch kube generate build.slice', 'from the limits of a group'],
  ],
  statuses: [
    ['0', 'the manifest was written'],
    ['125', 'hutch failed'],
    ['other', 'the status of the command, which failed'],
  ],
  parse: parseWords,
  main,
}

/** Splits the words at `--`: what follows is the command to run, with its own options. */
function parseWords(args: string[]): Parsed {
  const at = args.indexOf('--')
  if (at < 0) return parseFlags(args, flags, true)
  const parsed = parseFlags(args.slice(0, at), flags, true)
  return { ...parsed, rest: [...parsed.rest, ...args.slice(at)] }
}

async function main({ values, rest }: Parsed): Promise<number> {
  const choice = readChoice(values)
  const minor = parseMinorVersion(values.kubernetes?.at(-1) ?? `1.${knownVersions.last}`)
  if (minor === undefined)
    throw fail('OPTION_INVALID', {
      name: '--kubernetes',
      value: values.kubernetes?.at(-1),
      accepted: `a version from 1.${knownVersions.first} to 1.${knownVersions.last}`,
    })
  const formula = holds('quadraticWeight', minor) ? 'quadratic' : 'linear'
  const [target = '', ...more] = rest
  const usage = 'hutch kube generate [OPTIONS] GROUP|REPORT, or -- COMMAND [ARG…]'
  if (target !== '--' && more.length > 0) throw fail('ARGUMENT_UNEXPECTED', { argument: more[0]!, usage })
  if (target === '--' && more.length === 0) throw fail('COMMAND_MISSING', { usage })
  if (target === '--') return generateFromRun(more, choice, formula)
  const isReport = target.endsWith('.json') || isFile(target)
  const observed = isReport ? observeReport(target) : observeGroup(target)
  print(
    formatGenerated(
      podNeeds(observed, formula),
      choice,
      isReport ? `from the report ${target}` : `from the group ${target}`,
    ),
  )
  return 0
}

function isFile(path: string): boolean {
  try {
    return statSync(encodePath(path)).isFile()
  } catch {
    return false
  }
}

function readChoice(values: Parsed['values']): ManifestChoice {
  const kind = values.kind?.at(-1) ?? 'Pod'
  const [name, image] = [values.name?.at(-1), values.image?.at(-1)]
  const known = generatedKinds.find((one) => one === kind)
  if (known === undefined)
    throw fail('OPTION_INVALID', { name: '--kind', value: kind, accepted: generatedKinds.join(', ') })
  if (name !== undefined && !(isSubdomain(name, 63) && !name.includes('.')))
    throw fail('OPTION_INVALID', { name: '--name', value: name, accepted: 'lower-case letters, digits and hyphens' })
  if (image !== undefined && !/^[\x21-\x7e]+$/.test(image))
    throw fail('OPTION_INVALID', { name: '--image', value: image, accepted: 'the name of an image' })
  return { kind: known, name, image }
}

async function generateFromRun(
  argv: string[],
  choice: ManifestChoice,
  formula: 'linear' | 'quadratic',
): Promise<number> {
  const [{ start }, { ensureScope }, { commandNames }] = await Promise.all([
    import('../../run/job.ts'),
    import('../../systemd/own-scope.ts'),
    import('../../options/names.ts'),
  ])
  await ensureScope({ limits: [{ origin: 'the measurement' }] }, commandNames({}))
  const [file = '', ...args] = argv
  // the manifest is on stdout
  const job = await start(file, args, { stdio: ['inherit', 2, 'inherit'] })
  job.forwardSignals()
  const result = await job.result
  if (result.status !== 0) {
    writeStderr(formatVerdict(result, { color: wantsColor(process.stderr), verbose: false }))
    return result.status
  }
  if (result.usage.memoryPeak === undefined) throw fail('CGROUP_MISSING', { need: 'measure the command' })
  print(formatGenerated(podNeeds(result, formula), choice, `from a run of ${formatDuration(result.durationMs)}`))
  return 0
}

/** Maximum size of a report in bytes. */
const maxReportBytes = 4 << 20

function observeReport(path: string): Observed {
  try {
    const report = parseReport(readTextFile(encodePath(path), maxReportBytes), path)
    const { durationMs } = report as { durationMs?: unknown }
    return { ...report, durationMs: typeof durationMs === 'number' ? durationMs : 0 }
  } catch (error) {
    if (HutchError.is(error)) throw error
    const { code = 'EIO' } = error as NodeJS.ErrnoException
    throw fail('FILE_REFUSED', { what: 'read the report', path, errno: code, remedy: 'name a report that can be read' })
  }
}

/** Files of a group whose limits a manifest can express. */
const limitFiles = ['memory.max', 'memory.min', 'memory.low', 'cpu.max', 'pids.max']

function observeGroup(name: string): Observed {
  const group = Cgroup.open(name)
  const weight = readHost().v1.cpu ? 'cpu.shares' : 'cpu.weight'
  const read = (file: string) => {
    try {
      return group.read(file)
    } catch (error) {
      if (HutchError.is(error) && error.code === 'CGROUP_FILE_MISSING') return undefined
      throw error
    }
  }
  const limits = Object.fromEntries([...limitFiles, weight].map((file) => [file, read(file)]))
  return { name: group.path.split('/').at(-1) || 'root', command: [], limits, usage: {} }
}
